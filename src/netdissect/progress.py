"""Progress as a person watches it: bars on a terminal or in a notebook, and consoles whose output never fails."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Self

from rich import progress as shown
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from netdissect import protocols
from netdissect.bounds import describe_type
from netdissect.errors import SettingsError
from netdissect.io.text import escape_line
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from netdissect.protocols import Progress


class SafeStream(Console):
    """A console that goes on in silence when nobody reads any more: ``… | head`` ends no work."""

    def on_broken_pipe(self) -> None:
        """Write into nothing from now on."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self.file.fileno())
            os.close(nothing)


#: Where results and where progress and complaints go. Names of others never become colors, links or images there.
out = SafeStream(markup=False, emoji=False, highlight=False, soft_wrap=True)
err = SafeStream(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


class ProgressBars:
    """A Progress that draws one bar per task with rate and time left; quiet unless a person is watching.

    Example:
        >>> with Bars(quiet=True) as bars:
        ...     bars.start("scan", 10)
        ...     bars.advance(10)
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = shown.Progress(
            TextColumn("{task.description:<11}", markup=False),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=err,
            disable=quiet or not is_watched(),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""
        self._task = self._progress.add_task(escape_line(task), total=total)

    def advance(self, steps: int) -> None:
        """Say that so many steps more are done."""
        if self._task is not None:
            self._progress.advance(self._task, steps)


@contextlib.contextmanager
def show_progress(progress: object) -> Iterator[Progress]:
    """Show how far something is for the length of a block.

    Args:
        progress: True draws bars, None and False show nothing; or what shows it in its own way.

    Raises:
        SettingsError: if it is none of them.
    """
    shown = require_progress(progress)
    if isinstance(shown, protocols.Progress):
        yield shown
    elif shown:
        with ProgressBars() as bars:
            yield bars
    else:
        yield NullProgress()


def require_progress(progress: object) -> Progress | bool:
    """Return what shows how far something is, or whether bars do.

    Raises:
        SettingsError: if it is neither.
    """
    if progress is None or isinstance(progress, bool):
        return bool(progress)
    if isinstance(progress, protocols.Progress) and not isinstance(progress, type):
        return progress
    raise SettingsError(
        f"progress= takes True, or an object with the methods start(task, total) and advance(steps), not "
        f"{describe_type(progress)}"
    )


def is_watched() -> bool:
    """Say whether standard error is a terminal, or what a notebook shows."""
    return err.is_jupyter or (sys.stderr is not None and sys.stderr.isatty())


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")
