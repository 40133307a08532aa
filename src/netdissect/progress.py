"""Decide how a long work shows its progress: bars on a terminal or in a notebook, else log lines, or nothing."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from netdissect import consoles
from netdissect.bounds import describe_type
from netdissect.errors import SettingsError
from netdissect.progress_lines import ProgressLines
from netdissect.protocols import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def show_progress(progress: object = True) -> Iterator[Progress]:
    """Return a context manager that yields a Progress.

    Every function with an argument ``progress`` takes what this takes. Bars are drawn on a terminal and in a notebook; elsewhere,
    as in a log file, in CI or in a batch job, a line is logged every ten seconds (`ProgressLines`). Where bars are drawn, the
    lines are logged at the level DEBUG.

    Args:
        progress: True to show it; None or False for nothing; or the caller's own Progress.

    Raises:
        SettingsError: if it is anything else.
    """
    shown = require_progress(progress)
    if isinstance(shown, Progress):
        yield shown
    elif not shown:
        with ProgressLines(logging.DEBUG) as lines:
            yield lines
    elif consoles.is_terminal() or consoles.is_notebook():
        from netdissect.progress_bars import NotebookBars, ProgressBars

        bars = ProgressBars() if consoles.is_terminal() else NotebookBars()
        with bars, ProgressLines(logging.DEBUG) as lines:
            yield _SeveralProgress((bars, lines))
    else:
        with ProgressLines() as lines:
            yield lines


def require_progress(progress: object) -> Progress | bool:
    """Return the caller's own Progress, or whether to show progress.

    Raises:
        SettingsError: if it is neither a Progress nor a bool nor None.
    """
    if progress is None or isinstance(progress, bool):
        return bool(progress)
    if isinstance(progress, Progress) and not isinstance(progress, type):
        return progress
    raise SettingsError(
        f"progress= takes True or False, or an object with the methods start(task, total) and advance(steps), not "
        f"{describe_type(progress)}"
    )


class _SeveralProgress:
    """A Progress that is shown by several others."""

    def __init__(self, others: tuple[Progress, ...]) -> None:
        self._others = others

    def start(self, task: str, total: int) -> None:
        """Start a task of `total` steps."""
        for other in self._others:
            other.start(task, total)

    def advance(self, steps: int) -> None:
        """Count steps as done."""
        for other in self._others:
            other.advance(steps)


class TitledProgress:
    """A Progress that writes a title before the name of every task.

    Args:
        progress: what shows them.
        title: such as ``"random weights"``.
    """

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._title = title

    def start(self, task: str, total: int) -> None:
        """Start a task of `total` steps."""
        self._progress.start(f"{self._title}: {task}", total)

    def advance(self, steps: int) -> None:
        """Count steps as done."""
        self._progress.advance(steps)
