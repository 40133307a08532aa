"""The compiled loop over resamples: weighted sums of the folds' pixel counts, and the best concept of every category."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cached_njit()
def score_resamples(
    I: NDArray[np.integer],
    A: NDArray[np.int64],
    G: NDArray[np.int64],
    primary: NDArray[np.int64],
    weights: NDArray[np.int64],
    label: NDArray[np.int64],
    f1: bool,
    score: NDArray[np.float32],
    column: NDArray[np.int32],
    of_label: NDArray[np.float64],
) -> None:
    """Fill the tables that `resample_best` returns.

    Args:
        I: pixels where mask and label intersect, per fold, shape (F, U, C).
        A: pixels of the mask on the images that have a category, per fold, shape (F, U, K).
        G: labeled pixels, per fold, shape (F, C).
        primary: position of every concept's category, shape (C,).
        weights: how often a resample draws a fold, shape (B, F).
        label: column of every unit's label, shape (U,); -1 for none.
        f1: compute 2·I / (A + G) instead of I / (A + G − I).
        score: zeros, shape (B, U, K), filled with the best scores.
        column: -1, shape (B, U, K), filled with their columns.
        of_label: NaN, shape (B, U), filled with the scores of the labels.
    """
    folds, units, concepts = I.shape
    resamples, categories = weights.shape[0], A.shape[2]
    labeled = np.zeros((resamples, concepts))
    for b in range(resamples):
        _add_folds(G, weights[b], labeled[b])
    both, both_of_fold = np.empty(concepts), np.empty((folds, concepts))
    mask, best = np.empty(categories), np.empty(categories)
    for u in range(units):
        both_of_fold[:] = I[:, u]
        for b in range(resamples):
            _add_folds(both_of_fold, weights[b], both)
            _add_folds(A[:, u], weights[b], mask)
            best[:] = 0.0
            for c in range(concepts):
                k = primary[c]
                value = _compute_score(both[c], mask[k] + labeled[b, c], f1)
                if value > best[k]:
                    best[k] = value
                    column[b, u, k] = c
                if c == label[u]:
                    of_label[b, u] = value
            score[b, u] = best


@cached_njit()
def _add_folds(counts: NDArray[np.float64], weights: NDArray[np.int64], into: NDArray[np.float64]) -> None:
    """Add the counts of every fold, shape (F, n), as often as it is drawn, shape (F,)."""
    into[:] = 0.0
    for f in range(weights.size):
        weight = float(weights[f])
        if weight:
            for place in range(into.size):
                into[place] += weight * counts[f, place]


@cached_njit()
def _compute_score(both: float, total: float, f1: bool) -> float:
    """Return F1 or IoU of the pixels of mask and label: those in both, and both areas' sum."""
    if f1:
        return 2 * both / total if total > 0 else 0.0
    return both / (total - both) if total > both else 0.0
