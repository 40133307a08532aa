"""The two consoles that everything is printed to, and what is at their other end."""

from __future__ import annotations

import contextlib
import os
import sys

from rich.console import Console


class SafeConsole(Console):
    """A console that stops printing when the pipe it writes to is closed (``… | head``); the command goes on."""

    def on_broken_pipe(self) -> None:
        """Discard all further output."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError, AttributeError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self.file.fileno())
            os.close(devnull)


#: Consoles for results, and for progress and errors. Both print markup characters in names as they are.
stdout = SafeConsole(markup=False, emoji=False, highlight=False, soft_wrap=True, force_jupyter=False)
stderr = SafeConsole(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True, force_jupyter=False)


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def is_notebook() -> bool:
    """Return whether this program is a notebook's kernel, whose outputs can be drawn again."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
