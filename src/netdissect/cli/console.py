"""Print lines, tables, JSON and errors; commands print with this module only.

Names of layers, classes and files may come from untrusted files. They are printed with control characters escaped and
without rich's markup, so that they cannot move the cursor or color the terminal, and characters that the terminal's
encoding lacks are escaped.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from rich.text import Text

from netdissect.consoles import stderr, stdout
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from rich.table import Table

    from netdissect.results.run_result import Result

__all__ = [
    "OUTPUT",
    "LogPrinter",
    "format_cell",
    "has_bars",
    "measure_columns",
    "print_closing",
    "print_error",
    "print_json",
    "print_line",
    "print_table",
    "stdout",
]

#: Characters of the longest error sentence; longer ones are shortened in the middle.
_MAX_SENTENCE = 4000


#: Logger of what commands print, for ``--log``; it is not printed again.
OUTPUT = logging.getLogger("netdissect.output")


def print_line(text: str = "", *, bold: bool = False, dim: bool = False) -> None:
    """Print a line to standard output, bold or dim where that is a terminal."""
    if text:
        OUTPUT.info("%s", text)
    stdout.print(Text(escape_line(text)), style="bold" if bold else "dim" if dim else "")


def print_error(sentence: str) -> None:
    """Print an error to standard error, in one line."""
    text = escape_line(sentence)
    if OUTPUT.hasHandlers():  # else logging would print it too
        OUTPUT.error("%s", text)
    if len(text) > _MAX_SENTENCE:
        text = f"{text[: _MAX_SENTENCE // 2]} … {text[-_MAX_SENTENCE // 2 :]}"
    with contextlib.suppress(OSError):  # if standard error cannot be written, the exit code still reports the error
        stderr.print(Text(f"netdissect: {text}"), style="bold" if stderr.is_terminal else "")


class LogPrinter(logging.Handler):
    """Prints the library's log records, such as "worker 3 is silent", above the progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line."""
        if record.name == OUTPUT.name:
            return
        with contextlib.suppress(OSError):
            stderr.print(Text(f"netdissect: {escape_line(record.getMessage())}"))


def print_closing(result: Result) -> None:
    """Print what a run found; bars only where the terminal's encoding has them."""
    from netdissect.results.closing_lines import describe_closing

    heading, *lines = describe_closing(result, measure_columns(), bars=has_bars())
    print_line(heading, bold=True)
    for line in lines:
        print_line(line)


def has_bars() -> bool:
    """Return whether the terminal's encoding has the signs of bars."""
    return stdout.encoding.lower().startswith("utf")


def measure_columns() -> int:
    """Return the columns of a line: the terminal's, or 80 where output goes to a file or a pipe."""
    return stdout.width if stdout.is_terminal else 80


def print_table(table: Table) -> None:
    """Print a table whose cells were made by `format_cell`."""
    stdout.print(table)


def format_cell(text: str) -> Text:
    """Return a table cell that shows a text in one line, without markup."""
    return Text(escape_line(text))


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII whatever the terminal's encoding."""
    stdout.print(Text(json.dumps(value, indent=1)))
