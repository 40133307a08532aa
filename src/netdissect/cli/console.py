"""What a person sees while a command works: results, complaints, tables. Nothing else writes to the terminal.

Whatever others named, a layer, a class, a file, is shown as text: it cannot move the cursor, hide a line, color it or
end in an error because the terminal lacks a letter.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from rich.text import Text

from netdissect.io.text import escape_line
from netdissect.progress import ProgressBars, err, out

if TYPE_CHECKING:
    from rich.table import Table

__all__ = [
    "LogPrinter",
    "ProgressBars",
    "err",
    "format_cell",
    "out",
    "print_error",
    "print_json",
    "print_line",
    "print_table",
]

#: A sentence is cut in the middle beyond so many letters: something in it was never meant to be read.
_MAX_SENTENCE = 4000


def print_line(text: str = "", *, bold: bool = False, dim: bool = False) -> None:
    """Print a line of result; on a terminal it may stand out or stand back."""
    out.print(Text(escape_line(text)), style="bold" if bold else "dim" if dim else "")


def print_error(sentence: str) -> None:
    """Print a sentence that says what went wrong, in one line."""
    words = escape_line(sentence)
    if len(words) > _MAX_SENTENCE:
        words = f"{words[: _MAX_SENTENCE // 2]} … {words[-_MAX_SENTENCE // 2 :]}"
    with contextlib.suppress(OSError):  # where not even this can be written, the exit code tells
        err.print(Text(f"netdissect: {words}"), style="bold" if err.is_terminal else "")


class LogPrinter(logging.Handler):
    """Shows what the library logs while a command works, above its bars: a worker that is stopped, for example."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line."""
        with contextlib.suppress(OSError):
            err.print(Text(f"netdissect: {escape_line(record.getMessage())}"))


def print_table(table: Table) -> None:
    """Print a table whose cells were made by `format_cell`."""
    out.print(table)


def format_cell(text: str) -> Text:
    """Return what others named as a table shows it."""
    return Text(escape_line(text))


def print_json(value: Any) -> None:
    """Print a value for programs: ASCII only, whatever the terminal knows."""
    out.print(Text(json.dumps(value, indent=1)))
