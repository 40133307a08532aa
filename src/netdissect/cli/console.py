"""What a person sees while a command works: results, complaints, tables. Nothing else writes to the terminal.

Whatever others named, a layer, a class, a file, is shown as text: it cannot move the cursor, hide a line, colour it or
end in an error because the terminal lacks a letter.
"""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from rich.text import Text

from netdissect.bars import Bars, err, out
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Bars", "Told", "cell", "complain", "err", "out", "say", "say_json", "say_table"]

#: A sentence is cut in the middle beyond so many letters: something in it was never meant to be read.
_LONGEST = 4000


def say(text: str = "", *, bold: bool = False, dim: bool = False) -> None:
    """Print a line of result; on a terminal it may stand out or stand back."""
    out.print(Text(one_line(text)), style="bold" if bold else "dim" if dim else "")


def complain(sentence: str) -> None:
    """Print a sentence that says what went wrong, in one line."""
    words = one_line(sentence)
    if len(words) > _LONGEST:
        words = f"{words[: _LONGEST // 2]} … {words[-_LONGEST // 2 :]}"
    with contextlib.suppress(OSError):  # where not even this can be written, the exit code tells
        err.print(Text(f"netdissect: {words}"), style="bold" if err.is_terminal else "")


class Told(logging.Handler):
    """Shows what the library logs while a command works, above its bars: a worker that is stopped, for example."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record as a line."""
        with contextlib.suppress(OSError):
            err.print(Text(f"netdissect: {one_line(record.getMessage())}"))


def say_table(table: Table) -> None:
    """Print a table whose cells were made by `cell`."""
    out.print(table)


def cell(text: str) -> Text:
    """Return what others named as a table shows it."""
    return Text(one_line(text))


def say_json(value: Any) -> None:
    """Print a value for programs: ASCII only, whatever the terminal knows."""
    out.print(Text(json.dumps(value, indent=1)))
