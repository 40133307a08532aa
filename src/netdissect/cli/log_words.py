"""``--log FILE`` and ``--verbose``, which every command understands: where its log goes, and how much it says."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.cli.console import OUTPUT, LogPrinter
from netdissect.errors import SettingsError
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: How every line of a log file begins.
_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


@dataclass(frozen=True)
class LogWords:
    """What was typed about the log.

    Attributes:
        file: the file that the log is appended to; None for none.
        verbose: whether decisions and the seconds of every stage are printed too.
    """

    file: Path | None = None
    verbose: bool = False


def take_log_words(words: Sequence[str]) -> tuple[LogWords, list[str]]:
    """Return what was typed about the log, and the other words; words after ``--`` are left alone.

    Raises:
        SettingsError: if ``--log`` has no file.

    >>> take_log_words(["run", "--verbose", "demo"])
    (LogWords(file=None, verbose=True), ['run', 'demo'])
    """
    end = words.index("--") if "--" in words else len(words)
    others: list[str] = []
    file, verbose = None, False
    rest = iter(words[:end])
    for word in rest:
        if word == "--verbose":
            verbose = True
        elif word == "--log" or word.startswith("--log="):
            name = next(rest, "") if word == "--log" else word.partition("=")[2]
            if not name or name.startswith("--"):
                raise SettingsError("--log needs a file, such as --log run.log")
            file = Path(name).expanduser()
        else:
            others.append(word)
    return LogWords(file, verbose), [*others, *words[end:]]


@contextlib.contextmanager
def print_log(words: LogWords) -> Iterator[None]:
    """Return a context manager that prints the library's log messages, and appends them and what is printed to a file.

    Raises:
        SettingsError: if the file is something else than a log.
        OSError: if it cannot be written.
    """
    printer = LogPrinter()
    printer.setLevel(logging.DEBUG if words.verbose else logging.INFO)
    handlers: list[logging.Handler] = [printer]
    if words.file is not None:
        handlers.append(_open_log(words.file))
    logger = logging.getLogger("netdissect")
    level = logger.level
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.INFO if words == LogWords() else logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


def _open_log(path: Path) -> logging.Handler:
    """Open a log file for appending; every line begins with the time."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(20)
        if start and not _TIME.match(start):
            raise SettingsError(f"--log would append to {path}, which is no log of netdissect: name another file")
    handler = logging.FileHandler(path, "a", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    return handler


class _OneLine(logging.Formatter):
    """Writes each record as one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return a record as a line; line breaks and control characters are escaped."""
        return escape_line(super().formatMessage(record))


def log_command(words: Sequence[str]) -> None:
    """Record a command in the log file."""
    OUTPUT.debug("%s", " ".join(["netdissect", *words]))
