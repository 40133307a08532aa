"""Log lines that say how far a long work is, where no bars can be drawn: in log files, in CI and on clusters."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Self

from netdissect.io.text import escape_line
from netdissect.progress_tasks import TaskCount, format_seconds

if TYPE_CHECKING:
    from types import TracebackType

#: The logger of the lines, below the library's.
LINES = "netdissect.progress"
#: Seconds between two lines.
EVERY = 10.0
_LOG = logging.getLogger(LINES)


class ProgressLines:
    """A Progress that logs a line every ten seconds: the stage, what is done of it, the rate and the time left.

    A stage shorter than ten seconds is not mentioned. The end of a longer one is said once.

    Args:
        level: of the log records: INFO, or DEBUG where bars are drawn too.

    Example:
        >>> with ProgressLines() as lines:
        ...     lines.start("scan", 10)
        ...     lines.advance(10)
    """

    def __init__(self, level: int = logging.INFO) -> None:
        self._level = level
        self._count: TaskCount | None = None
        self._said = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()

    def start(self, task: str, total: int) -> None:
        """Start a task of `total` steps."""
        self._end()
        self._count = TaskCount(task, total)
        self._said = self._count.started

    def advance(self, steps: int) -> None:
        """Count steps as done; say so if the last line is ten seconds old."""
        count = self._count
        if count is None:
            return
        count.advance(steps)
        now = time.monotonic()
        if now - self._said >= EVERY and count.done != count.total:
            self._said = now
            self._say(", ".join([f"{count.name}: {count.describe_amount()}", *count.describe_speed()]))

    def _end(self) -> None:
        """Say that the task has ended, if it took as long as a line."""
        count, self._count = self._count, None
        if count is None:
            return
        count.end()
        is_long = count.elapsed >= EVERY
        took = format_seconds(count.elapsed) if is_long else f"{count.elapsed:.2f} s"
        line = f"{count.name}: {count.describe_amount()} in {took}"
        if is_long:
            self._say(line)
        else:
            _LOG.debug("%s", escape_line(line))

    def _say(self, line: str) -> None:
        """Log a line; where nothing handles it and no level forbids it, print it on standard error."""
        text = escape_line(line)
        library = logging.getLogger("netdissect")
        if self._level < logging.INFO or (_LOG.isEnabledFor(self._level) and _LOG.hasHandlers()):
            _LOG.log(self._level, "%s", text)
        elif max(library.level, _LOG.level) <= logging.INFO and not library.disabled:
            from netdissect.consoles import stderr

            stderr.print(f"netdissect: {text}")
