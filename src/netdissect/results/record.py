"""Convert a `Result` to ``run.json`` and back, refusing impossible values (run.schema.json)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import Concept, Vocabulary
from netdissect.config import NOT_WITHIN, Settings
from netdissect.errors import RunFileError
from netdissect.layers import FieldMap, Layer, check_file_stems, make_file_stem
from netdissect.results.ablation_files import read_ablation, summarize_ablation
from netdissect.results.controls import parse_controls, write_controls
from netdissect.results.exemplar_files import groups_to_json, read_exemplars
from netdissect.results.formula_files import read_formulas, summarize_formulas
from netdissect.results.layer_result import LayerResult
from netdissect.results.range_files import ranges_to_json, read_ranges
from netdissect.results.record_values import check_string, check_whole_number, make_values_writable
from netdissect.results.run_layers import Layers
from netdissect.results.run_result import NetworkCard, ProbeSetCard, Result
from netdissect.results.scores import IOU, ScoreTable
from netdissect.results.table_files import (
    ARRAYS_SUFFIX,
    COUNTS_SUFFIX,
    MAXIMA_SUFFIX,
    read_arrays,
    read_counts,
    read_maxima,
    read_scores,
)
from netdissect.results.trust_files import TRUST_ARRAYS_SUFFIX, read_trust
from netdissect.results.trust_record import parse_trust, trust_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.results.table_files import TableFiles

#: Increased whenever older versions would misread the file; runs labeled by IoU are still written as version 1.
SCHEMA_VERSION = 2
#: Note added to a run that was written before tables had checksums.
NO_CHECKSUMS_NOTE = "this run has no checksums: whether its tables were changed cannot be checked"
#: Note added to a run that was written before chance and spread were measured.
NO_TRUST_NOTE = (
    "this run has no trust tables, because an earlier version made it: whether its labels are beyond chance is unknown; run it "
    "again with --fresh to measure it"
)
#: Keys of ``run.json`` that are not the journal's.
_KEYS = frozenset({
    "schema_version", "settings", "score", "network", "probe_set", "layers", "detectors", "image_names", "controls", "checksums",
})  # fmt: skip
#: Settings of runs that were written before they could be chosen.
_EARLIER_SETTINGS: dict[str, Any] = {"linear": "torch", "null": 0, "resamples": 0, "within": NOT_WITHIN}


def run_to_json(result: Result) -> dict[str, Any]:
    """Return the contents of ``run.json`` as plain values, without the tables' checksums."""
    probe_set = dataclasses.asdict(dataclasses.replace(result.probe_set, vocabulary=Vocabulary((), ())))
    vocabulary = result.probe_set.vocabulary
    probe_set["vocabulary"] = {
        "categories": list(vocabulary.categories),
        "concepts": [[concept.number, concept.name, concept.category] for concept in vocabulary.concepts],
    }
    record: dict[str, Any] = make_values_writable(
        {
            "schema_version": 1 if result.settings.score == IOU else SCHEMA_VERSION,
            "settings": result.settings.as_dict(),
            "score": {"name": result.settings.score, "title": result.score_title},
            "network": dataclasses.asdict(result.network),
            "probe_set": probe_set,
            "layers": [_layer_to_json(entry, result.settings.threshold) for entry in result.layers.values()],
            "detectors": {
                definition: {
                    name: {"units": found.units, "unique": found.unique}
                    for name, found in result.detectors(result.settings.threshold, definition).items()
                }
                for definition in ("label", "category")
            },
            "image_names": {str(row): name for row, name in result.image_names.items()},
            **({"controls": write_controls(result.controls)} if result.controls else {}),
            **result.journal,
        }
    )
    return record


def _layer_to_json(entry: LayerResult, threshold: float) -> dict[str, Any]:
    return {
        **{field.name: getattr(entry.layer, field.name) for field in dataclasses.fields(entry.layer)},
        "field": entry.layer.field._asdict(),
        "files": entry.layer.file_stem,
        "cells": entry.cells,
        "overlapping_labels": bool((entry.counts.I > entry.counts.A).any()),
        **({} if entry.category_pixels is None else {"category_pixels": entry.category_pixels.tolist()}),
        **({} if entry.trust is None else {"trust": trust_to_json(entry, threshold)}),
        **groups_to_json(entry),
        **ranges_to_json(entry),
        **summarize_formulas(entry),
        **summarize_ablation(entry),
    }


def read_checksums(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of every table by file name; empty for runs that were written without checksums."""
    return {check_string(name): check_string(digest) for name, digest in record.get("checksums", {}).items()}


def run_from_json(record: Mapping[str, Any], tables: TableFiles) -> Result:
    """Return the run that a ``run.json`` and its tables describe.

    Raises:
        RunFileError: if a table is damaged.
        KeyError, TypeError, ValueError, AttributeError: if the record is impossible.
    """
    settings = Settings(**_EARLIER_SETTINGS | _select_known_fields(Settings, record["settings"]))
    check_whole_number(settings.images_per_unit, 0)
    probe_set = _parse_probe_set(record["probe_set"])
    names = {int(row): check_string(name) for row, name in record["image_names"].items()}
    rows = probe_set.images + len(record.get("skipped_images", {}))
    score_title = None if settings.score == IOU else check_string(record["score"]["title"])
    layers: dict[str, LayerResult] = {}
    for entry in record["layers"]:
        layer = _parse_layer(entry)
        if layer.name in layers:
            raise ValueError(f"two layers are called {layer.name}")
        layers[layer.name] = _read_layer_result(layer, entry, probe_set.vocabulary, tables, settings, rows, score_title)
        _require_names(layers[layer.name], names)
    if not layers:
        raise ValueError("it has no layer")
    check_file_stems(list(layers))
    journal = {name: value for name, value in record.items() if name not in _KEYS}
    lacking = {NO_CHECKSUMS_NOTE: not tables.checksums, NO_TRUST_NOTE: "null" not in record["settings"]}
    added = [note for note, applies in lacking.items() if applies]
    if added:
        journal["notes"] = [*(note for note in journal.get("notes", []) if note not in added), *added]
    units = {name: layer.layer.units for name, layer in layers.items()}
    controls = parse_controls(record.get("controls", []), units)
    return Result(Layers(layers), settings, _parse_network(record["network"]), probe_set, names, journal, controls)


def _parse_network(record: Mapping[str, Any]) -> NetworkCard:
    fields = _select_known_fields(NetworkCard, record)
    size = _parse_size(fields.pop("input_size"))
    return NetworkCard(**{name: check_string(value) for name, value in fields.items()}, input_size=size)


def _parse_probe_set(record: Mapping[str, Any]) -> ProbeSetCard:
    fields = _select_known_fields(ProbeSetCard, record)
    categories = tuple(map(check_string, fields["vocabulary"]["categories"]))
    if len(set(categories)) < len(categories):
        raise ValueError("it names a category twice")
    concepts = tuple(
        Concept(check_whole_number(number), check_string(name), check_string(category))
        for number, name, category in fields["vocabulary"]["concepts"]
    )
    return ProbeSetCard(
        **{name: check_string(fields[name]) for name in ("name", "path", "fingerprint")},
        images=check_whole_number(fields["images"]),
        image_size=_parse_size(fields["image_size"]),
        label_size=_parse_size(fields["label_size"]),
        vocabulary=Vocabulary(categories, concepts),
    )


def _parse_layer(entry: Mapping[str, Any]) -> Layer:
    offset, size, step = (_parse_pair(entry["field"][name]) for name in FieldMap._fields)
    return Layer(
        check_string(entry["name"]), check_whole_number(entry["units"]), _parse_size(entry["grid"]), FieldMap(offset, size, step),
        check_string(entry["geometry"]), check_string(entry["kind"]), check_string(entry["note"]), tuple(map(check_whole_number, entry.get("shape", ()))),
    )  # fmt: skip


def _read_layer_result(
    layer: Layer, entry: Mapping[str, Any], vocabulary: Vocabulary, tables: TableFiles, settings: Settings, rows: int,
    score_title: str | None,
) -> LayerResult:  # fmt: skip
    stem = make_file_stem(check_string(entry["files"]))
    overlapping = bool(entry.get("overlapping_labels", True))  # earlier runs do not say
    counts = read_counts(tables, f"{stem}{COUNTS_SUFFIX}", layer.units, vocabulary, overlapping=overlapping)
    thresholds, exemplars, activity = read_arrays(tables, f"{stem}{ARRAYS_SUFFIX}", layer, settings.images_per_unit)
    maxima = read_maxima(tables, f"{stem}{MAXIMA_SUFFIX}", rows, layer.units)
    score = None
    if score_title is not None:
        score = ScoreTable(score_title, read_scores(tables, f"{stem}{COUNTS_SUFFIX}", layer.units, vocabulary))
    trust = None
    if "trust" in entry:
        facts, name = parse_trust(entry["trust"]), f"{stem}{TRUST_ARRAYS_SUFFIX}"
        trust = read_trust(tables, name, facts, layer.units, vocabulary, exact=settings.null_exact)
    result = LayerResult(
        layer, vocabulary, counts, thresholds, check_whole_number(entry["cells"]), exemplars, activity, maxima, score, trust,
        _parse_pixels(entry.get("category_pixels"), len(vocabulary.categories)),
    )  # fmt: skip
    result = read_ranges(tables, result, entry.get("ranges"), overlapping=overlapping)
    if "exemplar_groups" in entry:
        result = dataclasses.replace(result, groups=read_exemplars(tables, result, entry["exemplar_groups"]))
    if "formulas" in entry:
        result = dataclasses.replace(result, formulas=read_formulas(tables, result, entry["formulas"]))
    if "ablation" in entry:
        result = dataclasses.replace(result, ablation=read_ablation(tables, stem, layer.units, vocabulary))
    return result


def _parse_pixels(value: Any, categories: int) -> NDArray[np.int64] | None:
    if value is None:
        return None
    pixels = [check_whole_number(number, 0) for number in value]
    if len(pixels) != categories:
        raise ValueError(f"expected pixels of {categories} categories, got {len(pixels)}")
    return np.array(pixels, np.int64)


def _require_names(layer: LayerResult, names: Mapping[int, str]) -> None:
    nameless = {int(row) for row in layer.exemplar_rows} - set(names)
    if nameless:
        raise RunFileError(
            f"run.json is damaged: layer {layer.name} shows the image of row {min(nameless)}, which has no name in "
            f"image_names; run it again"
        )


def _select_known_fields(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that this version has."""
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _parse_size(value: Any) -> tuple[int, int]:
    height, width = value
    return check_whole_number(height), check_whole_number(width)


def _parse_pair(value: Any) -> tuple[float, float]:
    y, x = value
    for number in (y, x):
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise TypeError(f"expected two numbers, got {value!r}")
    return y, x
