"""Write and read ``LAYER-quantiles.csv`` and ``.parquet``: counts of masks at further quantiles, and between them.

Only the Parquet table is read; the CSV table is for people.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netdissect.io import atomic
from netdissect.results.activation_ranges import ActivationRange
from netdissect.results.arrow_arrays import make_number_array
from netdissect.results.scores import ScoreTable
from netdissect.results.table_files import COUNT_COLUMNS, check_counts, make_counts_table, read_columns, require_valid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.table_files import TableFiles

#: Suffixes of the files of a layer's ranges.
RANGE_SUFFIXES = _CSV, _TABLE = "-quantiles.csv", "-quantiles.parquet"
#: The columns of the Parquet table before those of its counts, and their types.
_RANGE_COLUMNS = {"from": pa.float64(), "to": pa.float64(), "low": pa.float32(), "high": pa.float32()}
_CSV_COLUMNS = ("from", "to", "unit", "channel", "low", "high", "category", "label", "score", "iou", "G", "A", "I")


def write_ranges(folder: Path, layer: LayerResult) -> list[str]:
    """Write a layer's ranges into a run's folder, and return the names of the files; none if it has no ranges."""
    if not layer.ranges:
        return []
    stem, width = layer.layer.file_stem, len(layer.vocabulary)
    tables = []
    for found in layer.ranges:
        table = make_counts_table(layer.vocabulary, found.counts, found.score)
        columns = {
            "from": np.full(len(table), found.first), "to": np.full(len(table), found.last),
            "low": np.repeat(found.low, width), "high": np.repeat(found.high, width),
        }  # fmt: skip
        first = pa.table({name: make_number_array(values) for name, values in columns.items()})
        for name in table.column_names:
            first = first.append_column(name, table[name])
        tables.append(first)
    with atomic.open_replacement(folder / f"{stem}{_TABLE}") as file:
        pq.write_table(
            pa.concat_tables(tables), file, compression="zstd", row_group_size=max(width, 1) * 256, write_page_checksum=True
        )  # fmt: skip
    _write_csv(folder / f"{stem}{_CSV}", layer)
    return [f"{stem}{_TABLE}", f"{stem}{_CSV}"]


def restore_range_table(folder: Path, layer: LayerResult) -> None:
    """Write the CSV table of a layer's ranges, if it has any and the table is missing."""
    path = folder / f"{layer.layer.file_stem}{_CSV}"
    if layer.ranges and not path.exists():
        _write_csv(path, layer)


def _write_csv(path: Path, layer: LayerResult) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV_COLUMNS)
    for found in layer.ranges:
        high = found.high.tolist()
        for row in sorted(layer.in_range(found.first, found.last).units, key=lambda row: row.unit):
            best = next((entry for entry in row.profile if entry.category == row.category), None)
            end = high[row.channel]
            writer.writerow([
                repr(found.first), repr(found.last), row.unit, row.channel, repr(row.threshold), "" if np.isinf(end) else repr(end),
                row.category, row.label, repr(row.score),
                *(("", "", "", "") if best is None else (repr(best.iou), best.truth, best.activation, best.intersect)),
            ])  # fmt: skip
    atomic.write_text(path, out.getvalue())


def ranges_to_json(layer: LayerResult) -> dict[str, Any]:
    """Return what ``run.json`` says of a layer's ranges: from which to which fraction of all cells each reaches."""
    if not layer.ranges:
        return {}
    scored = layer.ranges[0].score is not None
    return {"ranges": {"cells": [[found.first, found.last] for found in layer.ranges], "scored": scored}}


def read_ranges(
    tables: TableFiles, layer: LayerResult, record: Mapping[str, Any] | None, *, overlapping: bool
) -> LayerResult:
    """Return a layer with its ranges.

    Args:
        tables: the run's tables.
        layer: the layer without its ranges.
        record: what `ranges_to_json` returned; None if it has none.
        overlapping: as for `read_counts`.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are not the ranges of this layer.
        KeyError, TypeError, ValueError: if the record is impossible.
    """
    if record is None:
        return layer
    cells = [(float(first), float(last)) for first, last in record["cells"]]
    if not cells or not all(0 <= first < last < 1 for first, last in cells):
        raise ValueError(f"expected ranges of cells, got {record['cells']!r}")
    units, width, name = layer.layer.units, len(layer.vocabulary), f"{layer.layer.file_stem}{_TABLE}"
    scored = {"score": pa.float64()} if record["scored"] and layer.score_table is not None else {}
    columns = read_columns(tables, name, {**_RANGE_COLUMNS, **COUNT_COLUMNS, **scored}, len(cells) * units * width)
    by_range = {column: values.reshape(len(cells), units * width) for column, values in columns.items()}
    ranges = [
        _parse_range(tables.folder / name, layer, span, {column: values[place] for column, values in by_range.items()}, overlapping)
        for place, span in enumerate(cells)
    ]  # fmt: skip
    return replace(layer, ranges=tuple(ranges))


def _parse_range(
    path: Path, layer: LayerResult, span: tuple[float, float], columns: Mapping[str, NDArray[Any]], overlapping: bool
) -> ActivationRange:
    """Return one range, refusing impossible values."""
    units, width = layer.layer.units, len(layer.vocabulary)
    ours = all((columns[name] == end).all() for name, end in zip(("from", "to"), span, strict=True))
    require_valid(path, ours, "its ranges are not those in run.json")
    counts = check_counts(path, columns, units, layer.vocabulary, overlapping=overlapping)
    low, high = (columns[name].reshape(units, width) for name in ("low", "high"))
    constant = bool((low == low[:, :1]).all() and (high == high[:, :1]).all())
    require_valid(path, constant, "a unit's threshold differs from concept to concept")
    require_valid(path, bool(np.isfinite(low).all()), "its thresholds are not all finite numbers")
    require_valid(path, bool((low <= high).all()), "a range ends below its beginning")
    score = None
    if "score" in columns:
        values = columns["score"].reshape(units, width)
        require_valid(path, bool(((values >= 0) & (values <= 1)).all()), "a score is not between 0 and 1")
        score = ScoreTable(layer.score_title, values)
    return ActivationRange(*span, low[:, 0].copy(), high[:, 0].copy(), counts, score)
