"""Make the data files of the page: one for the run, and several for each layer, which the page loads when it needs them.

- ``run``: names, settings, and each unit's best concept and score per category, from which the page counts the detectors of
  all layers at any threshold
- ``names``: names of the images
- ``atlas``: places of all units on a map, and the units most like each
- ``probe``: what any unit reaches with every concept, and what its size allows
- ``story``: units that rules find, intervals of scores, and what controls reach; for the first page and lists of units
- ``concepts``: synonyms, best scores by layer and companions of every concept; for search and the pages of concepts
- ``layer-N``: exemplar images of the layer's units
- ``layer-N-counts``: I and A of every unit and concept, pixels of all masks, histograms; for the pages of a unit and of a concept
- ``layer-N-trust``: intervals, chance and label sets of every unit, if the run has trust tables
- ``layer-N-formulas``: figures of the formulas of every unit, if formulas were searched
- ``layer-N-ablation``: what class outputs lose without the units of each concept, if that was measured
- ``layer-N-panels``: panels of other packages, where there are any
- ``layer-N-masks-M``: 8-bit grids of some units, best units first
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name, sort_categories
from netdissect.report.category_colors import assign_color_slots
from netdissect.report.html import (
    analysis_data,
    atlas_data,
    concept_data,
    exemplar_data,
    mask_grids,
    probe_data,
    story_data,
    trust_data,
)
from netdissect.report.html.script_data import pack_arrays
from netdissect.results import citation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.report.label_maps import LabelCache
    from netdissect.report.panels import LayerPanels
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result

#: Bytes of grids in a file, before compression.
_BYTES_PER_FILE = 480_000


@dataclass(frozen=True, eq=False)
class PageData:
    """What the report shows.

    Attributes:
        result: the run.
        images: the cached image files by row in ``index.csv``.
        labels: the cached label maps.
        panels: the panels of each layer, in the order of the result's layers; empty if there are none.
        classic: whether the report's folder has the released code's pages too.
        left_out: what a smaller edition leaves out, as a sentence.
    """

    result: Result
    images: Mapping[int, Path]
    labels: LabelCache
    panels: Sequence[LayerPanels] = ()
    classic: bool = False
    left_out: str = ""

    @functools.cached_property
    def atlas(self) -> str:
        """Return the file of the atlas; it is made once for all editions, because laying out thousands of units takes long."""
        return atlas_data.pack_atlas(list(self.result.layers.values()), self.result.network.input_size)

    def has_panels(self, number: int) -> bool:
        """Return whether the layer at a position, or one of its units, has panels."""
        return bool(self.panels) and bool(self.panels[number].layer or any(self.panels[number].units))


def pack_page_data(data: PageData) -> Iterator[tuple[str, str]]:
    """Yield the key and the packed arguments of every data file of the page."""
    rows = np.array(sorted(data.images), np.int64)
    yield "run", _pack_run(data, rows)
    yield "names", pack_arrays("names", [data.result.image_names[int(row)] for row in rows], {})
    layers = list(data.result.layers.values())
    if layers:
        yield atlas_data.KEY, data.atlas
        yield probe_data.KEY, probe_data.pack_probe_set(layers)
    yield "story", story_data.pack_story(data.result)
    yield concept_data.KEY, concept_data.pack_concepts(data.result, data.labels)
    for number, layer in enumerate(data.result.layers.values()):
        yield from _pack_layer(number, layer, rows)
        if data.has_panels(number):
            key, panels = f"layer-{number}-panels", data.panels[number]
            yield key, pack_arrays(key, {"layer": panels.layer, "units": panels.units}, {})


def count_units_per_file(layer: LayerResult) -> int:
    """Return the number of units whose grids share a file."""
    each: int = exemplar_data.count_slots(layer) * layer.layer.grid[0] * layer.layer.grid[1]
    return max(1, _BYTES_PER_FILE // max(each, 1))


def _pack_run(data: PageData, rows: NDArray[np.int64]) -> str:
    result, labels = data.result, data.labels
    vocabulary = result.probe_set.vocabulary
    categories = sort_categories(vocabulary.categories)
    facts = {
        "network": result.network.name,
        "probeSet": result.probe_set.name,
        "images": result.probe_set.images,
        "input": list(result.network.input_size),
        "labelSize": list(result.probe_set.label_size),
        "threshold": result.settings.threshold,
        "source": citation.format_source(result),
        "bibtex": citation.format_bibtex(result),
        "scoreTitle": result.score_title,
        "quantile": result.settings.quantile,
        "categories": list(categories),
        "slots": list(assign_color_slots(categories).values()),
        "concepts": [display_name(name) for name in vocabulary.names],
        "layers": [
            {
                "name": layer.name,
                "stem": layer.layer.file_stem,
                "units": layer.layer.units,
                "kind": layer.layer.kind,
                "note": layer.layer.note,
                "geometry": layer.layer.geometry,
                "grid": list(layer.layer.grid),
                "field": {name: list(pair) for name, pair in layer.layer.field._asdict().items()},
                "cells": layer.cells,
                "exemplars": int(layer.exemplars.images.shape[1]),
                "groups": exemplar_data.describe_groups(layer),
                "unitsPerFile": count_units_per_file(layer),
                "panels": data.has_panels(number),
                "trust": trust_data.describe_trust(layer, result.settings.threshold),
                "controls": trust_data.list_controls(result, layer.name),
                "formulas": analysis_data.describe_formula_table(layer),
                "ablation": layer.ablation is not None,
            }
            for number, layer in enumerate(result.layers.values())
        ],
    }
    arrays: dict[str, NDArray[Any]] = {
        "number": np.array([concept.number for concept in vocabulary.concepts], np.int32),
        "category": np.array([categories.index(concept.category) for concept in vocabulary.concepts], np.int8),
        "G": next(iter(result.layers.values())).counts.G.astype(np.float64) if result.layers else np.zeros(0),
        "examples": _find_positions(labels.examples, rows),
        "labeled": labels.labeled.astype(np.int32),
        "row": rows.astype(np.int32),
        "png": np.array([data.images[int(row)].suffix == ".png" for row in rows], np.uint8),
        "hasLabels": np.isin(rows, list(labels.files)).astype(np.uint8),
    }
    order = [vocabulary.categories.index(category) for category in categories]
    for number, layer in enumerate(result.layers.values()):
        arrays[f"{number}.column"] = layer.best.column[:, order].astype(np.int32)
        arrays[f"{number}.score"] = layer.best.score[:, order]
        winner = np.array([*(categories.index(category) for category in vocabulary.categories), -1], np.int8)
        arrays[f"{number}.best"] = winner[layer.best.category]
        arrays[f"{number}.next"], arrays[f"{number}.nextScore"] = _find_second_best(layer)
        of_layer = trust_data.collect_run_arrays(layer) | analysis_data.collect_formula_arrays(layer)
        arrays |= {f"{number}.{name}": array for name, array in of_layer.items()}
    return pack_arrays("run", facts, arrays)


def _find_second_best(layer: LayerResult) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return each unit's best concept other than its label, shape (U,), -1 if there is none, and its score."""
    units = np.arange(layer.layer.units)
    label = layer.best.column[units, layer.best.category]  # also -1 for a unit without a label
    if len(layer.vocabulary) < 2:
        return np.full(units.size, -1, np.int32), np.zeros(units.size)
    others = layer.scores.copy()
    others[units[label >= 0], label[label >= 0]] = -1
    second = others.argmax(axis=1)
    score = np.maximum(others[units, second], 0)
    return np.where(score > 0, second, -1).astype(np.int32), score


def _pack_layer(number: int, layer: LayerResult, rows: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    ranked = np.array([row.channel for row in layer.units], np.int32)
    exemplars = exemplar_data.collect_exemplars(layer)
    codes, scale = mask_grids.encode_grids(exemplars["grids"], exemplar_data.find_levels(layer))
    arrays: dict[str, NDArray[Any]] = {
        "rank": ranked,
        "images": _find_positions(exemplars["images"], rows),
        **{name: exemplars[name] for name in ("maxima", "pixels", "labeled") if name in exemplars},
        "scale": scale * np.where(layer.exemplars.scale > 0, layer.exemplars.scale, 1)[:, None],  # of activations
        "threshold": layer.thresholds,
    }
    yield f"layer-{number}", pack_arrays(f"layer-{number}", None, arrays)
    yield f"layer-{number}-counts", pack_arrays(f"layer-{number}-counts", None, _collect_counts(layer))
    if layer.trust is not None:
        yield f"layer-{number}-trust", trust_data.pack_unit_trust(f"layer-{number}-trust", layer)
    if layer.formulas is not None:
        key = f"layer-{number}-formulas"
        yield key, analysis_data.pack_unit_formulas(key, layer.formulas.units)
    if layer.ablation is not None:
        key = f"layer-{number}-ablation"
        yield key, analysis_data.pack_ablation(key, layer, layer.ablation)
    step = count_units_per_file(layer)
    for index, start in enumerate(range(0, layer.layer.units, step)):
        key = f"layer-{number}-masks-{index}"
        yield key, pack_arrays(key, None, {"codes": codes[ranked[start : start + step]]})


def _collect_counts(layer: LayerResult) -> dict[str, NDArray[Any]]:
    vocabulary, counts, activity = layer.vocabulary, layer.counts, layer.activity
    categories = sort_categories(vocabulary.categories)
    per_category = np.zeros((layer.layer.units, len(categories)))
    for position, category in enumerate(categories):
        members = vocabulary.find_columns(category)
        if members.size:  # A depends on a concept's category alone
            per_category[:, position] = counts.A[:, members[0]]
    small = counts.I.size == 0 or int(counts.I.max()) < 2**32
    return {
        "I": counts.I.astype(np.uint32 if small else np.float64),
        "A": per_category,
        "histogram": activity.histogram.astype(np.float64),
        "low": activity.low,
        "high": activity.high,
        "mean": activity.mean.astype(np.float64),
        "minimum": activity.minimum,
        "maximum": activity.maximum,
        **({} if layer.score_table is None else {"score": layer.score_table.values}),
        **({} if layer.groups is None else {"mask": layer.groups.mask_pixels.astype(np.float64)}),
    }


def _find_positions(images: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the positions of rows of ``index.csv`` among the cached images; -1 stays."""
    if not rows.size:
        return np.full(images.shape, -1, np.int32)
    found = np.minimum(np.searchsorted(rows, images), rows.size - 1)
    return np.where((images >= 0) & (rows[found] == images), found, -1).astype(np.int32)
