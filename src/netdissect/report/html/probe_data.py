"""Collect what the page of the probe set shows: what any unit reaches with every concept, and what its size allows.

From these the page says at any threshold whether a concept is detected and, if not, why, as `netdissect.results.unseen` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import sort_categories
from netdissect.report.html.script_data import pack_arrays
from netdissect.results.panel import ScorePanel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

KEY = "probe"


def pack_probe_set(layers: Sequence[LayerResult]) -> str:
    """Return the file of the page of the probe set; `collect_concept_arrays` and `collect_category_arrays` say what is in it."""
    return pack_arrays(KEY, None, collect_concept_arrays(layers) | collect_category_arrays(layers))


def collect_concept_arrays(layers: Sequence[LayerResult]) -> dict[str, NDArray[Any]]:
    """Return what the units of all layers reach with each of C concepts.

    Returns:
        `bestScore`, float64, shape (C,), the best score of any unit; `bestLayer` and `bestUnit`, int32, shape (C,), whose it is, the
        first of equals; `otherScore`, float64, shape (C,), the best score of a unit with another label that exceeds what it reaches
        by chance in 5 % of shifts; `attainable`, float64, shape (C,), the largest IoU that a mask of the size of any unit's can
        reach, NaN where the score is not IoU; `isSmall`, uint8, shape (C,), whether the concept is smaller than that mask.
    """
    concepts = len(layers[0].vocabulary)
    best, other = np.full(concepts, -1.0), np.zeros(concepts)
    of_layer, of_unit = np.zeros(concepts, np.int32), np.zeros(concepts, np.int32)
    attainable, small = np.zeros(concepts), np.zeros(concepts, np.uint8)
    for number, layer in enumerate(layers):
        scores = layer.scores
        channels = scores.argmax(axis=0)
        found = scores[channels, np.arange(concepts)]
        better = found > best
        best, of_layer = np.where(better, found, best), np.where(better, np.int32(number), of_layer)
        of_unit = np.where(better, channels, of_unit).astype(np.int32)
        other = np.maximum(other, _find_other_scores(layer))
        allowed = ScorePanel(layer.counts).attainable
        widest = allowed.argmax(axis=0)
        reached = allowed[widest, np.arange(concepts)]
        area = layer.counts.A[widest, np.arange(concepts)]
        small = np.where(reached > attainable, area > layer.counts.G, small).astype(np.uint8)
        attainable = np.maximum(attainable, reached)
    if layers[0].score_table is not None:
        attainable = np.full(concepts, np.nan)
    return {
        "bestScore": np.maximum(best, 0), "bestLayer": of_layer, "bestUnit": of_unit, "otherScore": other,
        "attainable": attainable, "isSmall": small,
    }  # fmt: skip


def _find_other_scores(layer: LayerResult) -> NDArray[np.float64]:
    """Return the best score with each concept of a unit with another label that exceeds its cut by chance, shape (C,)."""
    cuts = np.array([trust.cut or 0 for trust in layer.unit_trust] or [0.0] * layer.layer.units)
    others = np.where(layer.scores > cuts[:, None], layer.scores, 0)
    labeled = np.flatnonzero(layer.labels >= 0)
    others[labeled, layer.labels[labeled]] = 0
    best: NDArray[np.float64] = others.max(axis=0, initial=0)
    return best


def collect_category_arrays(layers: Sequence[LayerResult]) -> dict[str, NDArray[Any]]:
    """Return the sizes of each category's images and masks, the categories in the page's order.

    Returns:
        `categoryPixels`, float64, shape (K,), label pixels of the images that have the category, if the run counted them;
        `maskPixels`, float64, shape (K, 3), the smallest, the median and the largest mask of all units in these images.
    """
    vocabulary = layers[0].vocabulary
    categories = sort_categories(vocabulary.categories)
    sizes = np.zeros((len(categories), 3))
    for place, category in enumerate(categories):
        members = vocabulary.find_columns(category)
        if members.size:
            areas = np.concatenate([layer.counts.A[:, members[0]] for layer in layers])
            sizes[place] = np.quantile(areas, (0, 0.5, 1))
    found: dict[str, NDArray[Any]] = {"maskPixels": sizes}
    counted = next((layer.category_pixels for layer in layers if layer.category_pixels is not None), None)
    if counted is not None:
        order = [vocabulary.categories.index(category) for category in categories]
        found["categoryPixels"] = counted[order].astype(np.float64)
    return found
