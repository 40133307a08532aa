"""``<layer>-result.csv``: the released code's own table of units, read and written (METHOD, § 4)."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from netdissect.errors import RunFileError, RunNotFoundError
from netdissect.io import atomic
from netdissect.results.units import CategoryBest, UnitRow, UnitTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HEAD = ("unit", "category", "label", "score")
_PER_CATEGORY = ("label", "truth", "activation", "intersect", "iou")


def write(path: Path, units: UnitTable, categories: Sequence[str]) -> None:
    """Write the table, best score first, as the released code did: CRLF lines, activations with a decimal point."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_HEAD, *(f"{category}-{field}" for category in categories for field in _PER_CATEGORY)])
    for row in units:
        best = {entry.category: entry for entry in row.profile}
        cells: list[object] = [row.unit, row.category, row.label, repr(row.score)]
        for category in categories:
            entry = best[category]
            cells += [entry.label, entry.truth, f"{entry.activation}.0", entry.intersect, repr(entry.iou)]
        writer.writerow(cells)
    atomic.write_text(path, out.getvalue())


def read(path: Path) -> UnitTable:
    """Read a table written by this project or by the released code; columns may stand in any order.

    Raises:
        RunNotFoundError: if there is no such file.
        RunFileError: if it is no such table, naming the line.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="strict")
    except FileNotFoundError as error:
        raise RunNotFoundError(f"there is no result table {path}") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise RunFileError(f"{path} is not a result table of Network Dissection (not a text file)") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = reader.fieldnames or []
    missing = [name for name in _HEAD if name not in header]
    if missing:
        raise RunFileError(f"{path} is not a result table of Network Dissection: it has no column {missing[0]!r}")
    categories = [name.removesuffix("-iou") for name in header if name.endswith("-iou")]
    rows = []
    for record in reader:
        if None in record or None in record.values():
            raise RunFileError(f"{path}, line {reader.line_num}: expected {len(header)} fields; is the table whole?")
        try:
            rows.append(_parse(record, categories))
        except (TypeError, ValueError, KeyError) as error:
            raise RunFileError(
                f"{path}, line {reader.line_num}: expected the columns of a result table, got {error}"
            ) from error
    return UnitTable(rows)


def _parse(record: Mapping[str, str], categories: Sequence[str]) -> UnitRow:
    profile = tuple(
        CategoryBest(
            category,
            record[f"{category}-label"],
            int(float(record[f"{category}-truth"])),
            int(float(record[f"{category}-activation"])),
            int(float(record[f"{category}-intersect"])),
            float(record[f"{category}-iou"]),
        )
        for category in categories
    )
    return UnitRow(int(record["unit"]), record["category"], record["label"], float(record["score"]), math.nan, profile)
