"""How a task of a long work is named, and how far it is, in words."""

from __future__ import annotations

import time
from collections import deque

from rich.filesize import decimal

#: What the steps of a task are, where they are not its name: they stand after its numbers.
_STEPS = {
    "scan": "images", "scan again": "images", "labels": "images", "tally": "images", "tally within scenes": "images", "draw": "images",
    "strips": "units", "formulas": "units", "classify": "layers", "look": "images", "photos": "images",
}  # fmt: skip
#: Words for a task that say more than its name.
_TITLES = {"tally": "compare", "tally within scenes": "within scenes", "labels": "read labels"}
#: The task whose steps are bytes.
DOWNLOAD = "download"
#: Seconds over which the rate is measured.
_WINDOW = 60.0
#: Seconds after the start within which steps count as done before, such as those of a run that is continued.
_BEFORE = 0.1


def name_task(task: str) -> str:
    """Return the words that a task is shown with, after its title.

    >>> name_task("random weights: tally")
    'random weights: compare'
    """
    title, separator, name = task.rpartition(": ")
    return f"{title}{separator}{_TITLES.get(name, name)}"


def find_steps(task: str) -> str:
    """Return what the steps of a task are; empty if nothing says it."""
    return _STEPS.get(task.rpartition(": ")[2], "")


def format_seconds(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours if there are any.

    >>> format_seconds(75), format_seconds(36_000)
    ('1:15', '10:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def format_rate(rate: float) -> str:
    """Return steps per second in words.

    >>> format_rate(1234.5), format_rate(0.25), format_rate(0.05)
    ('1,234/s', '0.2/s', '20 s each')
    """
    if rate < 0.1:
        return f"{1 / rate:,.0f} s each"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


class TaskCount:
    """How far a task is: what is done, how fast, and how long it still takes.

    Args:
        task: its name; the steps of ``"download"`` are bytes.
        total: number of its steps; 0 if it is not known.

    Attributes:
        done: steps that are done.
        seconds: how long it took; None until it has ended.
    """

    def __init__(self, task: str, total: int) -> None:
        self.task = task
        self.total = total
        self.done = 0
        self.seconds: float | None = None
        self.started = time.monotonic()
        self._samples = deque([(self.started, 0)])

    def advance(self, steps: int) -> None:
        """Count steps as done."""
        now = time.monotonic()
        self.done += steps
        if len(self._samples) == 1 and now - self.started < _BEFORE:
            self._samples[0] = (now, self.done)
        elif now - self._samples[-1][0] >= 1 or len(self._samples) == 1:
            self._samples.append((now, self.done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()

    def end(self) -> None:
        """Note that the task has ended."""
        if self.seconds is None:
            self.seconds = time.monotonic() - self.started

    @property
    def name(self) -> str:
        """The words that it is shown with."""
        return name_task(self.task)

    @property
    def elapsed(self) -> float:
        """Seconds since its start, or that it took."""
        return time.monotonic() - self.started if self.seconds is None else self.seconds

    @property
    def rate(self) -> float:
        """Steps per second of the last minute; 0 if nothing was done."""
        start, before = self._samples[0]
        seconds = time.monotonic() - start
        return (self.done - before) / seconds if seconds > 0 else 0.0

    def describe_amount(self) -> str:
        """Return what is done of what there is to do."""
        if self.task == DOWNLOAD:
            return f"{decimal(self.done)} of {decimal(self.total)}" if self.total else decimal(self.done)
        of = f"/{self.total:,}" if self.total else ""
        return f"{self.done:,}{of} {find_steps(self.task)}".rstrip()

    def describe_speed(self) -> list[str]:
        """Return the rate and the time left, as far as they are known."""
        rate = self.rate
        if not rate:
            return []
        speed = f"{decimal(int(rate))}/s" if self.task == DOWNLOAD else format_rate(rate)
        return [speed, f"{format_seconds((self.total - self.done) / rate)} left"] if self.total else [speed]
