"""Parse class lists with one class per line: names, numbers and names, palettes, CVAT's ``labelmap.txt``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.class_lists.not_lists import refuse_class_list
from netdissect.probe_sets.importers.class_lists.rows import ClassRow, ListRequest, number_class_names, pack_color

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_GAP = r"\s*[,;:\t ]\s*"
_RGB = r"\(?(?P<r>\d{1,3})" + _GAP + r"(?P<g>\d{1,3})" + _GAP + r"(?P<b>\d{1,3})\)?"
_NAME = r"(?P<name>[^\W\d_].*?|_\S*?)"
#: Patterns of lines, the most specific first; all lines of a list must match the same one.
_LINE_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<number>-?\d+)" + _GAP + _RGB + _GAP + _NAME,
        r"(?P<number>-?\d+)" + _GAP + _NAME + _GAP + _RGB,
        _RGB + _GAP + _NAME,
        _NAME + _GAP + _RGB,
        r"(?P<number>-?\d+)(?:\s*[:,;=\t ]\s*|[.)]\s+)(?P<name>(?!\d+\s*[,;:\t ]\s*\d)\S.*)",
        r"(?P<name>[^:=\t,;]*[^:=\t,;\d\s][^:=\t,;]*)\s*[:=\t,;]\s*(?P<number>-?\d+)",
    )
)
_NUMBERED = re.compile(r"(-?\d+\s*[:,;=\t ]\s*\S.*)|([^:=]+[:=]\s*-?\d+)")
_ENDS_IN_A_NUMBER = re.compile(r"(?P<name>.*\S) (?P<number>\d+)")
#: Characters of the longest line.
_LONGEST_LINE = 300


def read_class_lines(path: Path, text: str, request: ListRequest) -> list[ClassRow]:
    """Return the classes of a list with one per line.

    Raises:
        DataFileError: if the lines seem to hold more than names, but not all of them match one pattern.
    """
    lines = strip_lines(text)
    long = next((line for line in lines if len(line) > _LONGEST_LINE), None)
    if long is not None:
        refuse_class_list(path, f"a text with a line of {len(long):,} characters")
    for pattern in _LINE_PATTERNS:
        if lines and all(pattern.fullmatch(line) for line in lines):
            rows = [_read_line(path, _match_fields(pattern, line), line) for line in lines]
            _refuse_further_columns(path, rows, lines)
            return rows
    unclear = [line for line in lines if "\t" in line or _NUMBERED.fullmatch(line) or line.startswith(("- ", "{", "["))]
    most = bool(unclear) and (2 * len(unclear) >= len(lines) or unclear == lines[1:])
    if most or any(line[0] in "{[" for line in lines) or _looks_like_a_table(lines):
        refuse_class_list(path, f"a list that cannot be understood (a line of it is {(unclear or lines)[0]!r})")
    return _read_trailing_numbers(path, lines) or number_class_names(lines, request.first, path)


def _match_fields(pattern: re.Pattern[str], line: str) -> Mapping[str, str | None]:
    match = pattern.fullmatch(line)
    return match.groupdict() if match else {}


def _refuse_further_columns(path: Path, rows: Sequence[ClassRow], lines: Sequence[str]) -> None:
    """Raise DataFileError if the names of numbered classes contain further columns that no first line names."""
    for sign in "\t;,":
        widths = {len(row.name.split(sign)) for row in rows}
        joined = all(re.match(rf"-?\d+\s*{sign}", line) for line in lines)
        if joined and len(widths) == 1 and widths.pop() > 1:
            refuse_class_list(
                path, f"a table without a first line that names its columns (a line of it is {lines[0]!r})"
            )
    if all(re.match(r"\d+[\s,;:]", row.name) for row in rows):
        refuse_class_list(path, f"lines of several numbers (one is {lines[0]!r})")


def _read_trailing_numbers(path: Path, lines: Sequence[str]) -> list[ClassRow]:
    """Return the classes of a list of lines ``name number``; an empty list if it is not such a list.

    Raises:
        DataFileError: if all lines end in numbers that may be the classes' or parts of their names.
    """
    matches = [_ENDS_IN_A_NUMBER.fullmatch(line) for line in lines]
    found = [(match["name"], int(match["number"])) for match in matches if match]
    if len(found) < len(lines) or not lines or len({name for name, _ in found}) < len(found):
        return []  # in "class 1", "class 2" the numbers are parts of the names
    numbers = [number for _, number in found]
    if numbers not in (list(range(len(found))), list(range(1, len(found) + 1))):
        refuse_class_list(path, f"lines that end in numbers, of the classes or of their names (one is {lines[0]!r})")
    return [ClassRow(number, name) for name, number in found]


def _read_line(path: Path, fields: Mapping[str, str | None], line: str) -> ClassRow:
    color = None
    if fields.get("r") is not None:
        color = pack_color([int(fields[channel] or 0) for channel in "rgb"])
        if color is None:
            raise DataFileError(f"{path}: expected colors from 0 to 255, got {line!r}")
    number = fields.get("number")
    quoted = re.fullmatch(r"""(['"])(?P<name>.*)\1,?""", fields["name"] or "")
    name = quoted["name"] if quoted else fields["name"] or ""
    return ClassRow(None if number is None else int(number), name, "", color)


def strip_lines(text: str) -> list[str]:
    """Return the lines with single spaces, without empty ones and comments."""
    lines = ("\t".join(" ".join(field.split()) for field in line.strip().split("\t")) for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _looks_like_a_table(lines: Sequence[str]) -> bool:
    """Return whether all lines have the same number of fields, and one field is a number in all of them."""
    for sign in "\t;,|":
        rows = [[field.strip() for field in line.split(sign)] for line in lines[1:] or lines]
        widths = {len(row) for row in rows}
        if len(widths) == 1 and widths.pop() > 1:
            return any(all(row[at].lstrip("-").isdigit() for row in rows) for at in range(len(rows[0])))
    return False


def read_cvat_labelmap(path: Path, text: str, _: ListRequest) -> list[ClassRow]:
    """Return the classes of CVAT's ``labelmap.txt``: ``name:r,g,b:parts:actions``."""
    rows: list[ClassRow] = []
    for line in strip_lines(text):
        fields = line.split(":")
        try:
            color = pack_color([int(value) for value in fields[1].split(",")])
        except (ValueError, IndexError):
            color = None
        if color is None:
            raise DataFileError(f"{path}: expected lines name:r,g,b::, got {line!r}")
        rows.append(ClassRow(len(rows), fields[0], "", color))
    return rows
