"""Progress bars for a terminal or a notebook, and the two consoles that everything is printed to."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from netdissect.bounds import describe_type
from netdissect.errors import SettingsError
from netdissect.io.text import escape_line
from netdissect.protocols import NullProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: Seconds between two redraws of a bar.
_REDRAW = 0.1
#: What the steps of a task are, where they are not its name: they stand after its numbers.
_STEPS = {
    "scan": "images", "scan again": "images", "labels": "images", "tally": "images", "tally within scenes": "images", "draw": "images",
    "strips": "units", "formulas": "units", "classify": "layers", "look": "images", "photos": "images",
}  # fmt: skip
#: Words for a task that say more than its name.
_TITLES = {"tally": "compare", "tally within scenes": "within scenes", "labels": "read labels"}


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
stdout = SafeConsole(markup=False, emoji=False, highlight=False, soft_wrap=True)
stderr = SafeConsole(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


class ProgressBars:
    """A Progress that draws one bar per task, with its rate and the time left, on a terminal or in a notebook.

    Bars fit into 80 columns. The steps of a task named ``"download"`` are bytes. A second attempt at a download restarts its bar.

    Args:
        quiet: show nothing.

    Example:
        >>> with ProgressBars(quiet=True) as bars:
        ...     bars.start("scan", 10)
        ...     bars.advance(10)
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = RichProgress(
            TextColumn("{task.description:<29}", markup=False),
            BarColumn(bar_width=8, complete_style="cyan", finished_style="dim"),
            _Amount(),
            _Rate(),
            _Time(),
            console=stderr,
            disable=quiet or not is_interactive(),
        )
        self._task: TaskID | None = None
        self._name = ""
        self._steps = 0
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw()
        self._progress.stop()

    def start(self, task: str, total: int) -> None:
        """Start a task of `total` steps; 0 for a download of unknown size."""
        self._draw()
        known = None if task == "download" and total == 0 else total
        if self._task is not None and self._name == task == "download":
            self._progress.update(self._task, completed=0, total=known)
            return
        self._name = task
        self._task = self._progress.add_task(escape_line(_name_task(task)), total=known, steps=_find_steps(task))

    def advance(self, steps: int) -> None:
        """Count steps as done; the bar is redrawn a few times a second."""
        self._steps += steps
        if time.monotonic() - self._drawn > _REDRAW:
            self._draw()

    def _draw(self) -> None:
        if self._task is not None and self._steps:
            self._progress.advance(self._task, self._steps)
        self._steps, self._drawn = 0, time.monotonic()


@contextlib.contextmanager
def show_progress(progress: object) -> Iterator[Progress]:
    """Return a context manager that yields a Progress.

    Args:
        progress: True for progress bars, None or False for none, or the caller's own Progress.

    Raises:
        SettingsError: if it is anything else.
    """
    shown = require_progress(progress)
    if isinstance(shown, Progress):
        yield shown
    elif shown:
        with ProgressBars() as bars:
            yield bars
    else:
        yield NullProgress()


def require_progress(progress: object) -> Progress | bool:
    """Return the caller's own Progress, or whether to draw progress bars.

    Raises:
        SettingsError: if it is neither a Progress nor a bool nor None.
    """
    if progress is None or isinstance(progress, bool):
        return bool(progress)
    if isinstance(progress, Progress) and not isinstance(progress, type):
        return progress
    raise SettingsError(
        f"progress= takes True, or an object with the methods start(task, total) and advance(steps), not "
        f"{describe_type(progress)}"
    )


def is_interactive() -> bool:
    """Return whether standard error is a terminal or the output of a notebook."""
    return stderr.is_jupyter or (sys.stderr is not None and sys.stderr.isatty())


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


def _name_task(task: str) -> str:
    """Return the words that a task is shown with, after its title.

    >>> _name_task("random weights: tally")
    'random weights: compare'
    """
    title, separator, name = task.rpartition(": ")
    return f"{title}{separator}{_TITLES.get(name, name)}"


def _find_steps(task: str) -> str:
    """Return what the steps of a task are; empty if nothing says it."""
    return _STEPS.get(task.rpartition(": ")[2], "")


class _Amount(ProgressColumn):
    """The column with the amount done: bytes of a download, steps of any other task, and what they are."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))
        self._bytes = DownloadColumn()

    def render(self, task: Task) -> Text:
        if task.description == "download":
            return self._bytes.render(task)
        done = f"{int(task.completed):,}/{int(task.total or 0):,}"
        return Text(f"{done} {task.fields.get('steps', '')}".rstrip())


class _Rate(ProgressColumn):
    """The column with the speed: bytes of a download, or steps of any other task, per second."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        if task.description == "download":
            return Text(self._bytes.render(task).plain.strip("?"), style="dim")
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="dim")


class _Time(ProgressColumn):
    """The column with the time that is left, or in the end the time that it took; words say which."""

    def render(self, task: Task) -> Text:
        seconds = task.elapsed if task.finished else task.time_remaining
        if seconds is None:
            return Text("")
        minutes, rest = divmod(round(seconds), 60)
        return Text(f"{'took' if task.finished else 'left'} {minutes}:{rest:02d}", style="dim")
