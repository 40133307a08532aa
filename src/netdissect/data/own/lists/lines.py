"""Class lists of lines: a name a line, numbers and names, palettes, CVAT's ``labelmap.txt``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netdissect.data.own.lists.refused import refuse
from netdissect.data.own.lists.rows import Asked, Row, packed_color, plain
from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_GAP = r"\s*[,;:\t ]\s*"
_RGB = r"\(?(?P<r>\d{1,3})" + _GAP + r"(?P<g>\d{1,3})" + _GAP + r"(?P<b>\d{1,3})\)?"
_NAME = r"(?P<name>[^\W\d_].*?|_\S*?)"
#: What all lines of a list may look like, the most special first.
_LINES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<number>-?\d+)" + _GAP + _RGB + _GAP + _NAME,
        r"(?P<number>-?\d+)" + _GAP + _NAME + _GAP + _RGB,
        _RGB + _GAP + _NAME,
        _NAME + _GAP + _RGB,
        r"(?P<number>-?\d+)\s*[:,;=\t ]\s*(?P<name>(?!\d+\s*[,;:\t ]\s*\d)\S.*)",
        r"(?P<name>[^:=\t,;]*[^:=\t,;\d\s][^:=\t,;]*)\s*[:=\t,;]\s*(?P<number>-?\d+)",
    )
)
_NUMBERED = re.compile(r"-?\d+\s*[:,;=\t ]\s*\S.*")


def read_lines(path: Path, text: str, asked: Asked) -> list[Row]:
    """Return the classes of a list that has one a line.

    Raises:
        DataFileError: if its lines look like more than names, and not all of them alike.
    """
    lines = lines_of(text)
    for pattern in _LINES:
        matches = [pattern.fullmatch(line) for line in lines]
        if lines and all(matches):
            return [
                _of_line(path, match.groupdict(), line) for match, line in zip(matches, lines, strict=True) if match
            ]
    strange = [line for line in lines if "\t" in line or _NUMBERED.fullmatch(line) or line.startswith(("- ", "{", "["))]
    if 2 * len(strange) > len(lines) or any(line[0] in "{[" for line in lines) or _looks_like_a_table(lines):
        refuse(path, f"a list that cannot be understood (a line of it is {(strange or lines)[0]!r})")
    return plain(lines, asked.first, path)


def _of_line(path: Path, fields: Mapping[str, str | None], line: str) -> Row:
    color = None
    if fields.get("r") is not None:
        color = packed_color([int(fields[channel] or 0) for channel in "rgb"])
        if color is None:
            raise DataFileError(f"{path}: expected colours from 0 to 255, got {line!r}")
    number = fields.get("number")
    return Row(None if number is None else int(number), fields["name"] or "", "", color)


def lines_of(text: str) -> list[str]:
    """Return the lines that say something."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _looks_like_a_table(lines: Sequence[str]) -> bool:
    """Say whether every line has the same number of fields, and one of them is always a number."""
    for sign in "\t;,":
        rows = [[field.strip() for field in line.split(sign)] for line in lines[1:] or lines]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and widths.pop() > 1:
            return any(all(row[at].lstrip("-").isdigit() for row in rows) for at in range(len(rows[0])))
    return False


def read_cvat(path: Path, text: str, _: Asked) -> list[Row]:
    """Return the classes of CVAT's ``labelmap.txt``: ``name:r,g,b:parts:actions``."""
    rows: list[Row] = []
    for line in lines_of(text):
        fields = line.split(":")
        try:
            color = packed_color([int(value) for value in fields[1].split(",")])
        except (ValueError, IndexError):
            color = None
        if color is None:
            raise DataFileError(f"{path}: expected lines name:r,g,b::, got {line!r}")
        rows.append(Row(len(rows), fields[0], "", color))
    return rows
