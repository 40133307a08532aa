"""Progress bars for a terminal, and for a notebook."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any, Self

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

from netdissect import consoles
from netdissect.io.text import escape_line
from netdissect.progress_tasks import DOWNLOAD, TaskCount, find_steps, format_rate, format_seconds, name_task

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds between two redraws of a bar, on a terminal and in a notebook.
_REDRAW = 0.1
_REDRAW_NOTEBOOK = 0.5
#: The most tasks that a notebook shows; of more, the last ones.
_MOST_TASKS = 12
#: Cells of a bar in text.
_CELLS = 8


class ProgressBars:
    """A Progress that draws one bar per task, with its rate and the time left, on a terminal.

    Bars fit into 80 columns. The steps of a task named ``"download"`` are bytes. A second attempt at a download restarts its bar.

    Example:
        >>> with ProgressBars() as bars:
        ...     bars.start("scan", 10)
        ...     bars.advance(10)
    """

    def __init__(self) -> None:
        self._progress = RichProgress(
            TextColumn("{task.description:<29}", markup=False),
            BarColumn(bar_width=_CELLS, complete_style="cyan", finished_style="dim"),
            _Amount(),
            _Rate(),
            _Time(),
            console=consoles.stderr,
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
        """Start a task of `total` steps; 0 if the number is not known."""
        self._draw()
        known = total or None
        if self._task is not None and self._name == task == DOWNLOAD:
            self._progress.update(self._task, completed=0, total=known)
            return
        self._name = task
        self._task = self._progress.add_task(escape_line(name_task(task)), total=known, steps=find_steps(task))

    def advance(self, steps: int) -> None:
        """Count steps as done; the bar is redrawn a few times a second."""
        self._steps += steps
        if time.monotonic() - self._drawn > _REDRAW:
            self._draw()

    def _draw(self) -> None:
        if self._task is not None and self._steps:
            self._progress.advance(self._task, self._steps)
        self._steps, self._drawn = 0, time.monotonic()


class NotebookBars:
    """A Progress that draws one bar per task in a notebook: in a single output, which is drawn again as the work goes on.

    It needs no widgets. What the notebook stores is the last drawing, as HTML and as text. Of many tasks the last ones are shown.
    """

    def __init__(self) -> None:
        self._counts: list[TaskCount] = []
        self._handle: Any = None
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._counts and kind is None:
            self._counts[-1].end()
        self._draw()

    def start(self, task: str, total: int) -> None:
        """Start a task of `total` steps; 0 for a download of unknown size."""
        if self._counts:
            if self._counts[-1].task == task == DOWNLOAD:
                self._counts.pop()
            else:
                self._counts[-1].end()
        self._counts.append(TaskCount(task, total))
        self._draw_sometimes()

    def advance(self, steps: int) -> None:
        """Count steps as done; the bars are drawn again twice a second."""
        if self._counts:
            self._counts[-1].advance(steps)
            self._draw_sometimes()

    def _draw_sometimes(self) -> None:
        if time.monotonic() - self._drawn > _REDRAW_NOTEBOOK:
            self._draw()

    def _draw(self) -> None:
        """Draw all bars, the first time in a new output."""
        if not self._counts:
            return
        from IPython.display import display

        drawing = {"text/plain": self._describe(), "text/html": self._draw_html()}
        if self._handle is None:
            self._handle = display(drawing, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(drawing, raw=True)
        self._drawn = time.monotonic()

    def _describe(self) -> str:
        lines = [f"{count.name:<29} {_draw_cells(count)} {'  '.join(_list_cells(count))}" for count in self._shown]
        return "\n".join([*self._describe_earlier(), *map(escape_line, lines)])

    def _draw_html(self) -> str:
        rows = [f"<tr><td colspan=5>{line}</td></tr>" for line in self._describe_earlier()]
        for count in self._shown:
            value = f' value="{min(count.done, count.total)}"' if count.total else ""
            bar = f'<progress max="{count.total or 1}"{value} style="width: 8em"></progress>'
            cells = [html.escape(escape_line(count.name)), bar, *map(html.escape, _list_cells(count))]
            rows.append("".join(["<tr>", *(f'<td style="text-align: left">{cell}</td>' for cell in cells), "</tr>"]))
        return "".join(["<table>", *rows, "</table>"])

    def _describe_earlier(self) -> list[str]:
        earlier = len(self._counts) - _MOST_TASKS
        return [f"{earlier} earlier stage{'s' if earlier > 1 else ''}"] if earlier > 0 else []

    @property
    def _shown(self) -> list[TaskCount]:
        return self._counts[-_MOST_TASKS:]


def _draw_cells(count: TaskCount) -> str:
    """Return a bar of text."""
    full = _CELLS if not count.total else min(_CELLS, round(_CELLS * count.done / count.total))
    return "━" * full + " " * (_CELLS - full)


def _list_cells(count: TaskCount) -> list[str]:
    """Return what stands behind a bar: the amount, the rate, and the time left or taken."""
    if count.seconds is None:
        return [count.describe_amount(), *count.describe_speed()]
    rate = count.done / count.seconds if count.seconds else 0
    speed = format_rate(rate) if rate and count.task != DOWNLOAD else ""
    return [count.describe_amount(), speed, f"took {format_seconds(count.seconds)}"]


class _Amount(ProgressColumn):
    """The column with the amount done: bytes of a download, steps of any other task, and what they are."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))
        self._bytes = DownloadColumn()

    def render(self, task: Task) -> Text:
        if task.description == DOWNLOAD:
            return self._bytes.render(task)
        done = f"{int(task.completed):,}" if task.total is None else f"{int(task.completed):,}/{int(task.total):,}"
        return Text(f"{done} {task.fields.get('steps', '')}".rstrip())


class _Rate(ProgressColumn):
    """The column with the speed: bytes of a download, or steps of any other task, per second."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        if task.description == DOWNLOAD:
            return Text(self._bytes.render(task).plain.strip("?"), style="dim")
        speed = task.finished_speed or task.speed
        return Text(format_rate(speed) if speed else "", style="dim")


class _Time(ProgressColumn):
    """The column with the time that is left, or in the end the time that it took; words say which."""

    def render(self, task: Task) -> Text:
        seconds = task.elapsed if task.finished else task.time_remaining
        if seconds is None:
            return Text("")
        return Text(f"{'took' if task.finished else 'left'} {format_seconds(seconds)}", style="dim")
