"""Count detectors and unique detectors of resampled images at many thresholds at once, for pages with a threshold slider.

`netdissect.stats.spread.count_spread` gives the error of the counts at one threshold. Here the scores of every resample are
sorted once, so that counts at any number of thresholds are binary searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.stats.spread import find_resampled_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.config import Definition


@dataclass(frozen=True, slots=True, eq=False)
class CountCurves:
    """Counts on resampled images, at T thresholds.

    Attributes:
        units: number of detectors, int64, shape (B, T).
        unique: number of unique detectors, int64, shape (B, T).
    """

    units: NDArray[np.int64]
    unique: NDArray[np.int64]


def compute_count_curves(
    score: NDArray[np.float32], column: NDArray[np.int32], thresholds: NDArray[np.float64], definition: Definition
) -> CountCurves:
    """Return the counts of every resample at every threshold (docs/method.md, § 5).

    Args:
        score: best score of every category, shape (B, U, K) (`netdissect.results.trust.Spread`).
        column: column of its concept, shape (B, U, K); -1 where no concept scores above 0.
        thresholds: rising, shape (T,); compared with the scores as float32.
        definition: by ``"label"``, a unit counts under its best concept if the score ≥ threshold; by ``"category"``, in
            every category whose best score > threshold.

    Example:
        >>> import numpy as np
        >>> score = np.array([[[0.2, 0.1], [0.3, 0.0]]], np.float32)  # one resample, two units, two categories
        >>> column = np.array([[[0, 5], [0, -1]]], np.int32)
        >>> curves = compute_count_curves(score, column, np.array([0.0, 0.15, 0.25]), "category")
        >>> curves.units.tolist(), curves.unique.tolist()
        ([[2, 2, 1]], [[2, 1, 1]])
    """
    cuts = thresholds.astype(np.float32)
    side = "left" if definition == "label" else "right"  # a score equal to the threshold counts by label only
    entries = zip(*_select_entries(score, column, definition), strict=True)
    found = [_count_resample(*tables, cuts, side) for tables in entries]
    shape = (len(score), cuts.size)
    units, unique = (np.array([pair[kind] for pair in found], np.int64).reshape(shape) for kind in (0, 1))
    return CountCurves(units, unique)


def count_units_per_concept(
    score: NDArray[np.float32], column: NDArray[np.int32], threshold: float, definition: Definition, concepts: int
) -> NDArray[np.int64]:
    """Return how many units detect each of C concepts in every resample, shape (B, C).

    Args:
        score: best score of every category, shape (B, U, K).
        column: column of its concept, shape (B, U, K); -1 where no concept scores above 0.
        threshold: the score that has to be reached (label) or exceeded (category), compared as float32.
        definition: ``"label"`` or ``"category"``, as in `compute_count_curves`.
        concepts: C, the number of columns.
    """
    counts = np.zeros((len(score), concepts), np.int64)
    for resample, (best, names) in enumerate(zip(*_select_entries(score, column, definition), strict=True)):
        passes = best >= np.float32(threshold) if definition == "label" else best > np.float32(threshold)
        counts[resample] = np.bincount(names[passes & (names >= 0)], minlength=concepts)
    return counts


def _select_entries(
    score: NDArray[np.float32], column: NDArray[np.int32], definition: Definition
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the scores and columns under which units count, shape (B, U, 1) by label and (B, U, K) by category."""
    if definition == "category":
        return score, column
    best, label = find_resampled_labels(score, column)
    return best[:, :, np.newaxis], label[:, :, np.newaxis]


def _count_resample(
    score: NDArray[np.float32], column: NDArray[np.int32], cuts: NDArray[np.float32], side: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of units and of concepts whose highest score passes each threshold, shape (T,) each."""
    named = column >= 0
    rows, names, values = np.nonzero(named)[0], column[named], score[named]
    highest = [_find_highest(places, values) for places in (rows, names)]
    units, unique = (each.size - np.searchsorted(each, cuts, side=side) for each in highest)  # type: ignore[call-overload]
    return units, unique


def _find_highest(places: NDArray[np.integer], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the highest value of every place that occurs, rising."""
    highest = np.full(int(places.max(initial=-1)) + 1, -1, np.float32)
    np.maximum.at(highest, places, values)
    return np.sort(highest[highest >= 0])
