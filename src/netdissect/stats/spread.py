"""How far names and counts would vary on other images: a bootstrap of folds of images (docs/trust.md).

The images are divided into F folds. A resample draws F folds with replacement, so it is a row of weights, and its pixel
counts are the weighted sum of the folds' counts. Tables have an axis of B resamples; standard errors are multiplied by
√(F / (F − 1)), because F folds vary less around their mean than around the mean of all images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Scores that are computed from the folds' pixel counts.
Measure = Literal["iou", "f1"]
#: Share of resamples that lie in an interval.
_INTERVAL = 0.95
#: On the logit scale, scores nearer to 0 or 1 than this count as this far from it.
_NEAREST = 1e-6


@dataclass(frozen=True, slots=True)
class CountSpread:
    """How far the number of detectors varies over resamples.

    Attributes:
        units_sd: standard deviation of the number of detectors.
        unique_sd: standard deviation of the number of unique detectors.
        units_low: number of detectors below which 2.5 % of resamples lie.
        units_high: number of detectors above which 2.5 % of resamples lie.
        unique_low: the same as `units_low` for unique detectors.
        unique_high: the same as `units_high` for unique detectors.
    """

    units_sd: float
    unique_sd: float
    units_low: int
    units_high: int
    unique_low: int
    unique_high: int


def draw_weights(resamples: int, folds: int, seed: int) -> NDArray[np.int64]:
    """Return how often every resample draws every fold, int64, shape (B, F); every row adds up to F.

    Args:
        resamples: B.
        folds: F.
        seed: seed of the random numbers.

    Example:
        >>> draw_weights(3, 4, seed=0).sum(axis=1).tolist()
        [4, 4, 4]
    """
    weights = np.random.default_rng(seed).multinomial(folds, np.full(folds, 1 / folds), size=resamples)
    return weights.astype(np.int64)


def resample_best(
    I: NDArray[np.integer],
    A: NDArray[np.integer],
    G: NDArray[np.integer],
    primary: NDArray[np.int64],
    weights: NDArray[np.int64],
    label: NDArray[np.integer],
    measure: Measure = "iou",
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """Return the best score of every category on every resample, its concept, and the score of every unit's label.

    Pixel counts are added in float64, which is exact below 2⁵³. Of equal scores the first concept of a category is
    chosen, as in `find_best_concepts`.

    Args:
        I: pixels where mask and label intersect, per fold, shape (F, U, C).
        A: pixels of the mask on the images that have a category, per fold, shape (F, U, K).
        G: labeled pixels, per fold, shape (F, C).
        primary: position of every concept's category, shape (C,).
        weights: how often a resample draws a fold, shape (B, F).
        label: column of every unit's label, shape (U,); -1 for none.
        measure: ``"iou"``, or ``"f1"`` for 2·I / (A + G).

    Returns:
        the best scores, float32, shape (B, U, K), 0 where no concept scores above 0; their columns, int32, shape (B, U, K),
        -1 where no concept scores above 0; and the scores of the labels, float64, shape (B, U), NaN without one.
    """
    from netdissect.stats.fold_kernel import score_resamples  # imports numba

    shape = (len(weights), I.shape[1], A.shape[2])
    score, column = np.zeros(shape, np.float32), np.full(shape, -1, np.int32)
    of_label = np.full(shape[:2], np.nan)
    wholes = [np.ascontiguousarray(table, np.int64) for table in (A, G, primary, weights, label)]
    score_resamples(np.ascontiguousarray(I), *wholes, measure == "f1", score, column, of_label)
    return score, column, of_label


def compute_honest(
    I: NDArray[np.integer],
    A: NDArray[np.integer],
    G: NDArray[np.integer],
    primary: NDArray[np.int64],
    measure: Measure = "iou",
) -> NDArray[np.float32]:
    """Return the score on one half of the folds of the label that the other half chose, mean of both directions, shape (U,).

    The best of many concepts scores too high on the images that chose it; these did not. A half without a label counts as 0.

    Args:
        I: pixels where mask and label intersect, per fold, shape (F, U, C).
        A: pixels of the mask on the images that have a category, per fold, shape (F, U, K).
        G: labeled pixels, per fold, shape (F, C).
        primary: position of every concept's category, shape (C,).
        measure: as in `resample_best`.
    """
    first = np.arange(len(I)) < len(I) // 2
    halves = np.stack([first, ~first]).astype(np.int64)
    nothing = np.full(I.shape[1], -1, np.int64)
    score, column, _ = resample_best(I, A, G, primary, halves, nothing, measure)
    _, chosen = find_resampled_labels(score, column)
    held_out = np.zeros(I.shape[1])
    for choosing, other in ((0, 1), (1, 0)):
        of_label = resample_best(I, A, G, primary, halves[[other]], chosen[choosing], measure)[2][0]
        held_out += np.nan_to_num(of_label) / 2
    return held_out.astype(np.float32)


def compute_logit_error(of_label: NDArray[np.float64], folds: int) -> NDArray[np.float64]:
    """Return the standard error of the logit of every unit's score, float64, shape (U,); NaN for a unit without a label.

    Args:
        of_label: score of the unit's label on every resample, shape (B, U).
        folds: F; NaN for fewer than 2.

    Example:
        >>> import numpy as np
        >>> compute_logit_error(np.array([[0.5, 0.2], [0.5, 0.3]]), folds=20).round(4).tolist()
        [0.0, 0.391]
    """
    near = np.clip(of_label, _NEAREST, 1 - _NEAREST)
    logit: NDArray[np.float64] = np.log(near) - np.log1p(-near)
    centered = np.ascontiguousarray(
        (logit - logit[:1]).T
    )  # 0 if all are equal; the sum of a unit does not depend on others
    error: NDArray[np.float64] = centered.std(axis=1, ddof=1) * _correct_for_folds(folds)
    return error


def make_intervals(score: ArrayLike, error: ArrayLike, folds: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the 95 % interval of every unit's score, symmetric on the logit scale, each of shape (U,).

    Args:
        score: score of every unit's label on all images, shape (U,).
        error: its standard error on the logit scale, shape (U,); where it is NaN, so are the ends.
        folds: F; the quantile is Student's with F − 1 degrees of freedom.

    Example:
        >>> low, high = make_intervals([0.1], [0.2], folds=20)
        >>> low.round(3).tolist(), high.round(3).tolist()
        ([0.068], [0.144])
    """
    score, error = np.asarray(score, np.float64), np.asarray(error, np.float64)
    reach = find_student_quantile(folds) * error
    with np.errstate(divide="ignore", over="ignore"):
        logit = np.log(score) - np.log1p(-score)
        low, high = 1 / (1 + np.exp(reach - logit)), 1 / (1 + np.exp(-reach - logit))
    exact = error == 0  # no rounding where folds do not differ
    return np.where(exact, score, low), np.where(exact, score, high)


def make_ratio_interval(ratio: float, resampled: ArrayLike, folds: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a positive ratio, such as times chance, symmetric on the logarithmic scale.

    The ends lie around the ratio on all images and not at quantiles of the resamples: best scores are higher on resamples,
    because an image that is drawn twice counts twice for the label that it chose.

    Args:
        ratio: on all images.
        resampled: on every resample, shape (B,).
        folds: F.

    Example:
        >>> tuple(round(end, 2) for end in make_ratio_interval(2.0, [2.0, 2.2, 2.1], folds=20))
        (1.81, 2.22)
    """
    error = float(np.log(np.asarray(resampled, np.float64)).std(ddof=1)) * _correct_for_folds(folds)
    reach = float(np.exp(find_student_quantile(folds) * error))
    return ratio / reach, ratio * reach


def find_resampled_labels(
    score: NDArray[np.float32], column: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return every unit's best score and label on every resample, each of shape (B, U).

    Args:
        score: best score of every category, shape (B, U, K).
        column: column of its concept, shape (B, U, K).

    Returns:
        the best score, 0 without a label, and the column of the label, -1 for none. Of equal scores the last category is
        chosen, as in `find_best_concepts`.
    """
    width = score.shape[2]
    if width == 0:
        return np.zeros(score.shape[:2], np.float32), np.full(score.shape[:2], -1, np.int32)
    last = (width - 1 - score[:, :, ::-1].argmax(axis=2))[:, :, np.newaxis]
    best = np.take_along_axis(score, last, axis=2)[:, :, 0]
    label = np.take_along_axis(column, last, axis=2)[:, :, 0]
    return best, np.where(best > 0, label, np.int32(-1))


def compute_keep(labels: NDArray[np.integer], label: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the share of resamples that give a unit its label, shape (U,); NaN for a unit without a label.

    Args:
        labels: column of every unit's label on every resample, shape (B, U).
        label: column of its label on all images, shape (U,); -1 for none.

    Example:
        >>> import numpy as np
        >>> compute_keep(np.array([[3, 1], [3, 2], [0, 1], [3, 2]]), np.array([3, -1])).tolist()
        [0.75, nan]
    """
    return np.where(label >= 0, (labels == label).mean(axis=0), np.nan)


def find_label_set(labels: NDArray[np.integer], share: float = 0.9) -> list[int]:
    """Return the fewest labels of one unit that a share of its resamples names, most frequent first.

    Args:
        labels: column of the unit's label on every resample, shape (B,); -1 for none, which does not count.
        share: share of the resamples that name a label.

    Example:
        >>> import numpy as np
        >>> find_label_set(np.array([7, 7, 7, 2, 2, 2, 2, 2, 2, 5]))
        [2, 7]
    """
    columns, times = np.unique(labels[labels >= 0], return_counts=True)
    order = np.argsort(-times, kind="stable")
    enough = np.searchsorted(np.cumsum(times[order]), share * times.sum() - 1e-9) + 1
    return [int(column) for column in columns[order][:enough]]


def count_spread(
    score: NDArray[np.float32],
    column: NDArray[np.int32],
    threshold: float,
    definition: Literal["label", "category"] = "label",
) -> CountSpread:
    """Return how far the numbers of detectors and of unique detectors vary over resamples.

    Args:
        score: best score of every category on every resample, float32, shape (B, U, K).
        column: column of its concept, shape (B, U, K).
        threshold: the score that has to be reached by ``"label"``, and exceeded by ``"category"``.
        definition: how detectors are counted, as in `count_detectors`.
    """
    least = np.float32(threshold)  # as the scores were rounded
    if definition == "label":
        best, label = find_resampled_labels(score, column)
        best, label = best[:, :, np.newaxis], label[:, :, np.newaxis]
        detects = (best >= least) & (label >= 0)
    else:
        label, detects = column, (score > least) & (column >= 0)
    units = detects.any(axis=2).sum(axis=1)
    unique = np.array([np.unique(names[found]).size for names, found in zip(label, detects, strict=True)])
    units_low, units_high = _find_percentiles(units)
    unique_low, unique_high = _find_percentiles(unique)
    return CountSpread(
        float(units.std(ddof=1)), float(unique.std(ddof=1)), units_low, units_high, unique_low, unique_high
    )


def _correct_for_folds(folds: int) -> float:
    return float(np.sqrt(folds / (folds - 1))) if folds > 1 else float("nan")


def find_student_quantile(folds: int) -> float:
    """Return the quantile of Student's distribution with F − 1 degrees of freedom that leaves out 2.5 %."""
    from scipy.special import stdtrit

    return float(stdtrit(folds - 1, (1 + _INTERVAL) / 2)) if folds > 1 else float("nan")


def _find_percentiles(counts: NDArray[np.integer]) -> tuple[int, int]:
    outside = (1 - _INTERVAL) / 2
    low = np.quantile(counts, outside, method="lower")
    return int(low), int(np.quantile(counts, 1 - outside, method="higher"))
