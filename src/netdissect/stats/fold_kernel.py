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
        for f in range(folds):
            for c in range(concepts):
                labeled[b, c] += weights[b, f] * G[f, c]
    both, both_of_fold = np.empty(concepts), np.empty((folds, concepts))
    mask, best = np.empty(categories), np.empty(categories)
    for u in range(units):
        both_of_fold[:] = I[:, u]
        for b in range(resamples):
            both[:], mask[:], best[:] = 0.0, 0.0, 0.0
            for f in range(folds):
                weight = float(weights[b, f])
                if weight:
                    for c in range(concepts):
                        both[c] += weight * both_of_fold[f, c]
                    for k in range(categories):
                        mask[k] += weight * A[f, u, k]
            for c in range(concepts):
                k = primary[c]
                total = mask[k] + labeled[b, c]
                value = 0.0
                if f1:
                    value = 2 * both[c] / total if total > 0 else 0.0
                elif total > both[c]:
                    value = both[c] / (total - both[c])
                if value > best[k]:
                    best[k] = value
                    column[b, u, k] = c
                if c == label[u]:
                    of_label[b, u] = value
            score[b, u] = best
