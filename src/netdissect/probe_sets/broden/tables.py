"""Read and write the CSV tables of Broden's format."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import atomic, images
from netdissect.io.reading import MAX_TEXT_BYTES, read_bytes, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(slots=True)
class TableLine:
    """One line of a table below its header; index it by column name.

    Attributes:
        path: the table's file.
        number: line number in the file, counted from 1.
    """

    path: Path
    number: int
    _values: Sequence[str]
    _positions: Mapping[str, int]

    def __getitem__(self, column: str) -> str:
        return self._values[self._positions[column]]

    def __contains__(self, column: str) -> bool:
        return column in self._positions

    def get(self, column: str, default: str) -> str:
        """Return a field, or `default` if the table has no such column."""
        position = self._positions.get(column)
        return default if position is None else self._values[position]

    def error(self, problem: str) -> DataFileError:
        """Return an error that names the file and this line."""
        return DataFileError(f"{self.path}, line {self.number}: {problem}")

    def parse_integer(self, column: str, least: int) -> int:
        """Return a field as a whole number of at most 9 digits.

        Raises:
            DataFileError: if it is not one, or is smaller than `least`.
        """
        text = self[column]
        if not text.isascii() or not text.strip().isdigit() or len(text) > 9 or int(text) < least:
            raise self.error(f"expected a whole number of at least {least} as {column!r}, got {text[:80]!r}")
        return int(text)

    def parse_number(self, column: str) -> float:
        """Return a field as a finite number of at least 0.

        Raises:
            DataFileError: if it is not one.
        """
        try:
            number = float(self[column])
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise self.error(f"expected a number of at least 0 as {column!r}, got {self[column][:80]!r}")
        return number


@dataclass(frozen=True)
class BrodenTable:
    r"""A table in memory.

    Attributes:
        path: its file.
        text: its text, line ends as ``\n``.
        columns: the fields of its header.
        lines: the lines below the header; empty lines are left out.
    """

    path: Path
    text: str
    columns: Sequence[str]
    lines: Sequence[TableLine]


def read_table(folder: Path, name: str, columns: Sequence[str]) -> BrodenTable:
    """Read a table of a probe set.

    Args:
        folder: the probe set, on this machine or behind a URL.
        name: the table's file name.
        columns: columns that it must have.

    Raises:
        DataNotFoundError: if it is missing.
        DataFileError: if it is not UTF-8, not CSV, lacks a column, or a line has too few or too many fields.
    """
    path = folder / name
    try:
        text = read_text(path, "a table", missing=DataNotFoundError, wrong=DataFileError)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"{folder} is not a complete Broden folder: {name} is missing") from error
    except DataFileError:
        raise
    except Exception as error:  # a remote file system may raise anything
        raise images.make_read_error("table", path, error) from error
    return parse_table(path, text, columns)


def parse_table(path: Path, text: str, columns: Sequence[str], *, strict: bool = True) -> BrodenTable:
    """Parse the text of a table.

    Args:
        path: its file, for errors.
        text: its text.
        columns: columns that it must have.
        strict: whether every line must have as many fields as the header; if not, only `columns` must be present.

    Raises:
        DataFileError: if it is not CSV, lacks a column, or a line has too few or too many fields.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(reader, [])
        positions = {column: position for position, column in enumerate(header)}
        if missing := [column for column in columns if column not in positions]:
            raise DataFileError(f"{path}: expected the columns {', '.join(columns)}; {missing[0]!r} is missing")
        if strict and len(positions) < len(header):
            raise DataFileError(f"{path}: a column is listed twice in the first line")
        least = len(header) if strict else 1 + max(positions[column] for column in columns)
        lines = []
        for values in filter(None, reader):
            line = TableLine(path, reader.line_num, values, positions)
            if len(values) < least or (strict and len(values) > least):
                raise line.error(f"expected {len(header)} fields, got {len(values)}")
            lines.append(line)
    except csv.Error as error:
        raise DataFileError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
    return BrodenTable(path, text, tuple(header), lines)


def iterate_cells(path: Path) -> Iterator[list[str]]:
    """Yield the cells of every line of a table, unchecked; bytes that are not UTF-8 are replaced."""
    return csv.reader(read_bytes(path, most=MAX_TEXT_BYTES).decode(errors="replace").splitlines())


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    r"""Write a table atomically: UTF-8, fields separated by commas, lines ended by ``\n``."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    atomic.write_text(path, out.getvalue())
