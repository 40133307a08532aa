"""Read and write ``<layer>-result.csv``, the released code's table of units (docs/method.md, § 4)."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from netdissect.errors import RunFileError, RunNotFoundError
from netdissect.io import atomic, reading
from netdissect.io.text import escape_line
from netdissect.results.units import IOU_TITLE, CategoryBest, UnitRow, UnitTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: The largest table in bytes.
_MAX_BYTES = 2**28
#: Tolerance for numbers that a table holds twice, and for those that can be computed from others.
_TOLERANCE = 1e-6
_UNIT_COLUMNS = ("unit", "category", "label", "score")
_CATEGORY_COLUMNS = ("label", "truth", "activation", "intersect", "iou")
#: A further column per category, in runs whose units are not labeled by IoU.
_SCORE_COLUMN = "score"


def write_result_csv(path: Path, units: UnitTable, categories: Sequence[str]) -> None:
    """Write the table as the released code did, best score first: CRLF lines, activations with a decimal point."""
    scored = units.score_title != IOU_TITLE
    fields = (*_CATEGORY_COLUMNS, _SCORE_COLUMN) if scored else _CATEGORY_COLUMNS
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_UNIT_COLUMNS, *(f"{category}-{field}" for category in categories for field in fields)])
    for row in units:
        best = {entry.category: entry for entry in row.profile}
        cells: list[object] = [row.unit, row.category, row.label, repr(row.score)]
        for category in categories:
            entry = best[category]
            cells += [entry.label, entry.truth, f"{entry.activation}.0", entry.intersect, repr(entry.iou)]
            cells += [repr(entry.score)] if scored else []
        writer.writerow(cells)
    atomic.write_text(path, out.getvalue())


def read_result_csv(path: Path) -> UnitTable:
    """Read a table written by this project or by the released code, with its columns in any order.

    Raises:
        RunNotFoundError: if the file does not exist.
        RunFileError: if it is not a result table; the message names the line.
    """
    if not path.exists():
        raise RunNotFoundError(f"there is no result table {path}")
    text = reading.read_text(
        path, "a result table of Network Dissection", missing=RunNotFoundError, wrong=RunFileError, most=_MAX_BYTES
    )
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = _read_header(reader, path)
    categories = [name.removesuffix("-iou") for name in header if name.endswith("-iou")]
    title = "score" if any(f"{category}-{_SCORE_COLUMN}" in header for category in categories) else IOU_TITLE
    rows: dict[int, UnitRow] = {}
    try:
        for record in reader:
            if None in record or None in record.values():
                raise RunFileError(
                    f"{path}, line {reader.line_num}: expected {len(header)} fields; is the table whole?"
                )
            row = _parse_row(record, categories, title)
            if rows.setdefault(row.unit, row) is not row:
                raise ValueError(f"unit {row.unit} twice")
    except csv.Error as error:
        raise RunFileError(
            f"{path}, line {reader.reader.line_num}: expected the columns of a result table, got {error}"
        ) from error
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        if isinstance(error, RunFileError):
            raise
        raise RunFileError(
            f"{path}, line {reader.line_num}: expected the columns of a result table, got {escape_line(str(error))}"
        ) from error
    return UnitTable(list(rows.values()), title)


def _read_header(reader: csv.DictReader[str], path: Path) -> Sequence[str]:
    try:
        header = reader.fieldnames or []
    except csv.Error as error:
        raise RunFileError(f"{path} is not a result table of Network Dissection: {error}") from error
    missing = [name for name in _UNIT_COLUMNS if name not in header]
    if missing:
        raise RunFileError(f"{path} is not a result table of Network Dissection: it has no column {missing[0]!r}")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise RunFileError(
            f"{path} is not a result table of Network Dissection: it has the column {escape_line(twice)} twice"
        )
    return header


def _parse_row(record: Mapping[str, str], categories: Sequence[str], title: str) -> UnitRow:
    """Return the unit of a line, whose counts and scores must be possible and consistent.

    Raises:
        ValueError: with what is wrong as the end of a sentence.
    """
    profile = []
    for category in categories:
        best = CategoryBest(
            category,
            record[f"{category}-label"],
            _parse_count(record, f"{category}-truth"),
            _parse_count(record, f"{category}-activation"),
            _parse_count(record, f"{category}-intersect"),
            _parse_number(record, f"{category}-iou"),
            _parse_number(record, f"{category}-{_SCORE_COLUMN}" if title != IOU_TITLE else f"{category}-iou"),
        )
        union = best.activation + best.truth - best.intersect
        # The released code writes activation 0 and IoU 0 for a category without images.
        agrees = best.iou == 0 or (union > 0 and abs(best.intersect / union - best.iou) <= _TOLERANCE)
        if best.intersect > best.truth or best.iou > 1 or best.score > 1 or not agrees:
            raise ValueError(
                f"counts of {category} that are impossible (truth {best.truth}, activation {best.activation}, intersect "
                f"{best.intersect}, iou {best.iou:g})"
            )
        profile.append(best)
    unit, score = int(record["unit"]), _parse_number(record, "score")
    winner = next((best for best in profile if best.category == record["category"]), None)
    if unit < 1 or (winner is None and score > 1):
        raise ValueError(f"unit {unit} with score {score:g}")
    if winner is not None and abs(winner.score - score) > _TOLERANCE:
        column = f"{winner.category}-{'iou' if title == IOU_TITLE else _SCORE_COLUMN}"
        raise ValueError(f"unit {unit} with score {score:g}, where its {column} is {winner.score:g}")
    return UnitRow(unit, record["category"], record["label"], score, math.nan, tuple(profile), score_title=title)


def _parse_number(record: Mapping[str, str], column: str) -> float:
    value = float(record[column])
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{record[column]} as {column}")
    return value


def _parse_count(record: Mapping[str, str], column: str) -> int:
    value = _parse_number(record, column)
    if value != int(value) or value > 2**62:
        raise ValueError(f"{record[column]} as {column}")
    return int(value)
