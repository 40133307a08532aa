"""Write and read the ablations of a layer: ``LAYER-ablation.json``, and a CSV table of its concepts for people."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, get_args

from netdissect.errors import RunFileError, root_message
from netdissect.io import atomic
from netdissect.io.json_files import parse_json
from netdissect.io.text import make_writable
from netdissect.results.ablation import ClassCurve, ConceptAblation, LayerAblation, Replacement
from netdissect.results.record_values import check_number, check_string, check_whole_number, make_values_writable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.concepts import Vocabulary
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.table_files import TableFiles

#: Suffixes of the files of a layer's ablations.
ABLATION_SUFFIXES = _TABLE, _CSV = "-ablation.json", "-ablation.csv"
#: The largest ``LAYER-ablation.json`` in bytes.
_MAX_BYTES = 2**26
#: What separates the units of a concept in the CSV table.
_BETWEEN_UNITS = " "


def write_ablation(folder: Path, layer: LayerResult) -> list[str]:
    """Write a layer's ablations into a run's folder, and return the names of the files; none if it has no ablations."""
    if layer.ablation is None:
        return []
    stem = layer.layer.file_stem
    values = make_values_writable(asdict(layer.ablation))
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(folder / f"{stem}{_TABLE}", text + "\n")
    _write_csv(folder / f"{stem}{_CSV}", layer.ablation)
    return [f"{stem}{suffix}" for suffix in ABLATION_SUFFIXES]


def restore_ablation_table(folder: Path, layer: LayerResult) -> None:
    """Write the CSV table of a layer's ablations, if it has any and the table is missing."""
    path = folder / f"{layer.layer.file_stem}{_CSV}"
    if layer.ablation is not None and not path.exists():
        _write_csv(path, layer.ablation)


def read_ablation(tables: TableFiles, stem: str, units: int, vocabulary: Vocabulary) -> LayerAblation:
    """Read the ablations of a layer.

    Args:
        tables: the run's tables.
        stem: beginning of the names of the layer's files.
        units: number of units U.
        vocabulary: the concepts.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are of another layer or impossible.
    """
    name = f"{stem}{_TABLE}"
    path, data = tables.folder / name, tables.read(name)
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it has {len(data):,} bytes")
        return _parse_layer(parse_json(data), units, vocabulary)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise RunFileError(f"{path} is damaged: {root_message(error)}; run netdissect ablate again") from error


def summarize_ablation(layer: LayerResult) -> dict[str, Any]:
    """Return what ``run.json`` says of a layer's ablations."""
    found = layer.ablation
    if found is None:
        return {}
    facts = {name: getattr(found, name) for name in ("replacement", "images", "classes", "accuracy")}
    beyond = sum(row.is_beyond_matched for row in found.concepts)
    return {"ablation": facts | {"concepts": len(found.concepts), "beyond_matched": beyond}}


def _write_csv(path: Path, ablation: LayerAblation) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([field.name for field in fields(ConceptAblation)])
    for row in ablation.concepts:
        values = asdict(row) | {"units": _BETWEEN_UNITS.join(map(str, row.units))}
        writer.writerow(
            ["" if value is None else value if isinstance(value, str) else repr(value) for value in values.values()]
        )
    atomic.write_text(path, make_writable(out.getvalue()))


def _parse_layer(record: Mapping[str, Any], units: int, vocabulary: Vocabulary) -> LayerAblation:
    """Return the ablations that a file describes.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: if its values are impossible.
    """
    replacement = record["replacement"]
    if replacement not in get_args(Replacement):
        raise ValueError(f"expected a replacement, zero or mean, got {replacement!r}")
    known = {(concept.name, concept.category) for concept in vocabulary.concepts}
    concepts = tuple(_parse_concept(entry, units) for entry in record["concepts"])
    named = [(row.concept, row.category) for row in concepts]
    if not known.issuperset(named) or len(set(named)) < len(named):
        raise ValueError("its concepts are not those of the run, each once")
    left_out = record["left_out"]
    return LayerAblation(
        replacement,
        check_whole_number(record["images"]),
        check_whole_number(record["classes"], 2),
        check_number(record["accuracy"], 0, 1),
        concepts,
        tuple(_parse_curve(entry, units) for entry in record["curves"]),
        check_whole_number(record["matched_sets"], 0),
        None if left_out is None else {check_string(name): check_string(why) for name, why in left_out.items()},
        tuple(map(check_string, record["notes"])),
    )


def _parse_concept(entry: Mapping[str, Any], units: int) -> ConceptAblation:
    values: dict[str, Any] = {name: check_string(entry[name]) for name in ("concept", "category", "class_name")}
    values |= {"units": _parse_units(entry["units"], units), "images": check_whole_number(entry["images"])}
    values |= {name: check_number(entry[name]) for name in ("margin", "low", "high", "matched")}
    values |= {name: check_number(entry[name], 0, 1) for name in ("p", "q")}
    values |= {name: check_number(entry[name], -1, 1) for name in ("accuracy", "matched_accuracy")}
    values |= {name: _parse_optional(entry[name]) for name in ("matched_low", "matched_high")}
    values |= {"share": _parse_optional(entry["share"], 0, 1)}
    found = ConceptAblation(**values, matched_sets=check_whole_number(entry["matched_sets"], 0))
    if not found.low <= found.margin <= found.high:
        raise ValueError("a margin lies outside its interval")
    return found


def _parse_optional(value: Any, *bounds: float) -> float | None:
    return None if value is None else check_number(value, *bounds)


def _parse_curve(entry: Mapping[str, Any], units: int) -> ClassCurve:
    removed, random = (
        {check_whole_number(int(size), 1, units): check_number(value, 0, 1) for size, value in entry[name].items()}
        for name in ("removed", "random")
    )
    if set(removed) != set(random):
        raise ValueError("a curve has other numbers of units removed than of random ones")
    return ClassCurve(
        check_string(entry["class_name"]),
        check_whole_number(entry["images"]),
        _parse_units(entry["units"], units),
        check_number(entry["intact"], 0, 1),
        removed,
        random,
        check_number(entry["only"], 0, 1),
    )


def _parse_units(value: Any, units: int) -> tuple[int, ...]:
    """Return different units of a layer, at least one."""
    found = tuple(check_whole_number(unit, 1, units) for unit in value)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"expected units, each once, got {value!r}")
    return found
