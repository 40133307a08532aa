"""What a person sees while a command works: progress, results, complaints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str = "", *, bold: bool = False, dim: bool = False) -> None:
    """Print a line of result, as it is; on a terminal it may stand out or stand back."""
    out.print(text, markup=False, style="bold" if bold else "dim" if dim else "")


def complain(sentence: str) -> None:
    """Print a sentence that says what went wrong."""
    err.print(f"netdissect: {sentence}", markup=False, style="bold" if err.is_terminal else "")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "", style="progress.data.speed")


class Bars:
    """A Progress that draws one bar per task with rate and time left; quiet unless a person is watching."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<11}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=err,
            disable=quiet or not sys.stderr.isatty(),
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
        self._task = self._progress.add_task(task, total=total)

    def advance(self, steps: int) -> None:
        """Say that so many steps more are done."""
        if self._task is not None:
            self._progress.advance(self._task, steps)
