"""Write and read the formulas of a layer: ``LAYER-formulas.parquet``, and a CSV table of the same for people.

Only the Parquet table is read; what formulas say is read from numbers of concepts and of operators, never from text.
"""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netdissect.io import atomic
from netdissect.io.text import make_writable
from netdissect.results.arrow_arrays import make_number_array, make_text_array
from netdissect.results.formulas import Formula, FormulaFigures, FormulaTable, Operator, UnitFormula
from netdissect.results.record_values import check_whole_number
from netdissect.results.table_files import read_columns, require_valid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.table_files import TableFiles

#: Suffixes of the files of a layer's formulas.
FORMULA_SUFFIXES = _CSV, _TABLE = "-formulas.csv", "-formulas.parquet"
#: Columns of both tables; the Parquet table has the numbers of concepts and operators too.
_COLUMNS = ("unit", "channel", "label", "iou", *(field.name for field in fields(FormulaFigures)))
#: Operators by their number; 0 is none.
_OPERATORS: tuple[Operator, ...] = get_args(Operator)
#: The most concepts of a formula.
_MOST = 5
#: Numbers that are read, and their types.
_READ = {
    "unit": pa.int32(),
    "iou": pa.float64(),
    "formula_iou": pa.float64(),
    "proved": pa.int8(),
    "ceiling": pa.float64(),
    "same_images_iou": pa.float64(),
}
#: How far a figure may exceed another that it cannot exceed, by rounding.
_TINY = 1e-9


def write_formulas(folder: Path, layer: LayerResult) -> list[str]:
    """Write a layer's formulas into a run's folder, and return the names of the files; none if it has no formulas."""
    if not summarize_formulas(layer):
        return []
    assert layer.formulas is not None
    stem, rows = layer.layer.file_stem, _list_rows(layer)
    found = [entry for entry in layer.formulas.units if entry is not None]
    columns = {name: _make_array(name, [row[name] for row in rows]) for name in _COLUMNS}
    columns |= {name: make_number_array(values) for name, values in _number_formulas(layer, found).items()}
    with atomic.open_replacement(folder / f"{stem}{_TABLE}") as file:
        pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)
    _write_csv(folder / f"{stem}{_CSV}", layer)
    return [f"{stem}{_TABLE}", f"{stem}{_CSV}"]


def restore_formula_table(folder: Path, layer: LayerResult) -> None:
    """Write the CSV table of a layer's formulas, if it has any and the table is missing."""
    path = folder / f"{layer.layer.file_stem}{_CSV}"
    if summarize_formulas(layer) and not path.exists():
        _write_csv(path, layer)


def summarize_formulas(layer: LayerResult) -> dict[str, Any]:
    """Return what ``run.json`` says of a layer's formulas; nothing if it has none."""
    table = layer.formulas
    found = [] if table is None else [entry for entry in table.units if entry is not None]
    if table is None or not found:
        return {}
    return {
        "formulas": {
            "length": table.length,
            "shifts": table.shifts,
            "units": len(found),
            "measured_chance": all(entry.chance is not None for entry in found),
            "beyond_chance": sum(entry.is_beyond_chance for entry in found),
        }
    }


def read_formulas(tables: TableFiles, layer: LayerResult, record: Mapping[str, Any]) -> FormulaTable:
    """Read the formulas of a layer.

    Args:
        tables: the run's tables.
        layer: the layer without formulas.
        record: what `summarize_formulas` returned.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are of another layer or impossible.
        KeyError, TypeError, ValueError: if the record is impossible.
    """
    length, shifts = check_whole_number(record["length"], 1, _MOST), check_whole_number(record["shifts"], 0)
    rows, name = check_whole_number(record["units"], 1, layer.layer.units), f"{layer.layer.file_stem}{_TABLE}"
    kinds = dict(_READ)
    kinds |= {"formula_chance": pa.float64()} if record["measured_chance"] else {}
    kinds |= dict.fromkeys([*_name_numbers(length), *_name_operators(length)], pa.int32())
    columns, path = read_columns(tables, name, kinds, rows), tables.folder / name
    _check_figures(path, columns, layer.layer.units)
    numbers = np.stack([columns[key] for key in _name_numbers(length)], axis=1)
    codes = np.stack([np.zeros(rows, np.int32), *(columns[key] for key in _name_operators(length))], axis=1)
    _check_formulas(path, numbers, codes, layer)
    place = {concept.number: column for column, concept in enumerate(layer.vocabulary.concepts)}
    units: list[UnitFormula | None] = [None] * layer.layer.units
    for row, unit in enumerate(columns["unit"].tolist()):
        named = tuple(place[number] for number in numbers[row].tolist() if number)
        operators = tuple(_OPERATORS[code - 1] for code in codes[row].tolist() if code)
        iou, single, ceiling = (float(columns[key][row]) for key in ("formula_iou", "iou", "ceiling"))
        there = float(columns["same_images_iou"][row])
        chance = float(columns["formula_chance"][row]) if "formula_chance" in columns else None
        formula = Formula(named, operators) if named else None
        units[unit - 1] = UnitFormula(formula, iou, single, bool(columns["proved"][row]), ceiling, chance, there)
    return FormulaTable(tuple(units), length, shifts)


def _check_figures(path: Path, columns: Mapping[str, NDArray[Any]], units: int) -> None:
    """Refuse numbers of units and figures that cannot be."""
    unit = columns["unit"]
    rising = bool((np.diff(unit) > 0).all() and ((unit >= 1) & (unit <= units)).all())
    require_valid(path, rising, "its rows are not units of the layer in their order")
    for name in ("iou", "formula_iou", "ceiling", "same_images_iou", "formula_chance"):
        values = columns.get(name, np.zeros(0))
        require_valid(path, bool(((values >= 0) & (values <= 1)).all()), f"a {name} is not between 0 and 1")
    require_valid(path, bool(np.isin(columns["proved"], (0, 1)).all()), "proved is neither 0 nor 1")
    ordered = (columns["iou"] <= columns["formula_iou"] + _TINY) & (
        columns["formula_iou"] <= columns["ceiling"] + _TINY
    )
    require_valid(
        path, bool(ordered.all()), "a formula's IoU is not between that of its unit's best concept and the ceiling"
    )


def _check_formulas(path: Path, numbers: NDArray[Any], codes: NDArray[Any], layer: LayerResult) -> None:
    """Refuse formulas of unknown concepts or operators, with a concept twice, or with a gap."""
    known = [0, *(concept.number for concept in layer.vocabulary.concepts)]
    require_valid(path, bool(np.isin(numbers, known).all()), "a formula names a concept that the probe set lacks")
    ordered = np.sort(numbers, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
    require_valid(path, not twice.any(), "a formula names a concept twice")
    there = numbers > 0
    require_valid(path, not (there[:, 1:] & ~there[:, :-1]).any(), "a formula has a gap")
    joined = ((codes[:, 1:] > 0) == there[:, 1:]).all() and ((codes >= 0) & (codes <= len(_OPERATORS))).all()
    require_valid(path, bool(joined), "a formula's concepts are not each joined by one operator")


def _name_numbers(length: int) -> list[str]:
    return [f"number_{place}" for place in range(1, length + 1)]


def _name_operators(length: int) -> list[str]:
    return [f"operator_{place}" for place in range(2, length + 1)]


def _number_formulas(layer: LayerResult, found: list[UnitFormula]) -> dict[str, NDArray[np.int32]]:
    """Return the numbers of the concepts and operators of formulas, by the name of their column; 0 for none."""
    assert layer.formulas is not None
    length, concepts = layer.formulas.length, layer.vocabulary.concepts
    numbers, codes = np.zeros((length, len(found)), np.int32), np.zeros((length, len(found)), np.int32)
    for row, entry in enumerate(found):
        if entry.formula is not None:
            numbers[: len(entry.formula), row] = [concepts[column].number for column in entry.formula.columns]
            codes[1 : len(entry.formula), row] = [_OPERATORS.index(word) + 1 for word in entry.formula.operators]
    return dict(zip(_name_numbers(length), numbers, strict=True)) | dict(
        zip(_name_operators(length), codes[1:], strict=True)
    )


def _list_rows(layer: LayerResult) -> list[dict[str, Any]]:
    """Return the row of every unit that has an entry, by channel, under the names of the columns."""
    assert layer.formulas is not None
    names, labels = layer.vocabulary.names, layer.labels.tolist()
    rows = []
    for channel, found in enumerate(layer.formulas.units):
        if found is not None:
            label = names[labels[channel]] if labels[channel] >= 0 else ""
            figures = FormulaFigures.make(found, names).as_dict()
            figures |= {name: int(figures[name]) for name in ("proved", "beyond_chance")}
            rows.append({"unit": channel + 1, "channel": channel, "label": label, "iou": found.single, **figures})
    return rows


def _make_array(name: str, values: list[Any]) -> pa.Array:
    """Return the values of a column as an Arrow array."""
    if name in ("label", "formula"):
        return make_text_array([make_writable(value) for value in values])
    if name == "formula_chance" and None in values:
        return pa.nulls(len(values), pa.float64())
    kind = {"unit": np.int32, "channel": np.int32, "length": np.int32, "proved": np.int8, "beyond_chance": np.int8}.get(
        name, np.float64
    )
    return make_number_array(np.array(values, kind))


def _write_csv(path: Path, layer: LayerResult) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in _list_rows(layer):
        writer.writerow(
            ["" if value is None else value if isinstance(value, str) else repr(value) for value in row.values()]
        )
    atomic.write_text(path, make_writable(out.getvalue()))
