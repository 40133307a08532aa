"""What a person sees of a download: bytes, speed, time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from netdissect.io.text import escape_line
from netdissect.progress import err, is_watched

if TYPE_CHECKING:
    from types import TracebackType

    from rich.text import Text


class _Amount(ProgressColumn):
    """Bytes of a download, files of anything else."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes, self._files, self._speed = DownloadColumn(), MofNCompleteColumn(), TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        if task.description.startswith("download"):
            return self._bytes.render(task) + "  " + self._speed.render(task)
        return self._files.render(task)


class Transfers:
    """A Progress that draws one bar per step of a download; quiet unless a person is watching."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<11}", markup=False),
            BarColumn(bar_width=32),
            _Amount(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=err,
            disable=quiet or not is_watched(),
        )
        self._task: TaskID | None = None
        self._name = ""
        self._waiting = 0
        self._told = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, task: str, total: int) -> None:
        """Begin a task of so many steps; another attempt at the same download takes the bar of the one before."""
        self._flush()
        if self._task is not None and self._name == task == "download":
            self._progress.update(self._task, completed=0, total=total or None)
            return
        self._name = task
        self._task = self._progress.add_task(escape_line(task), total=total or None)

    def advance(self, steps: int) -> None:
        """Say that so many steps more are done; the bar is drawn a few times a second."""
        self._waiting += steps
        if time.monotonic() - self._told > 0.1:
            self._flush()

    def _flush(self) -> None:
        if self._task is not None and self._waiting:
            self._progress.advance(self._task, self._waiting)
        self._waiting, self._told = 0, time.monotonic()
