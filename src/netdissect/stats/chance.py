"""Which scores are more than chance: p-values, false discovery rates and cuts from best scores with borrowed labels.

Every function takes best scores: `observed`, of units with the labels of their own images, shape (U,), and `null`, of the
same units with the labels of other images, under S shifts, shape (S, U). docs/trust.md says which question each number
answers, and which recipes give wrong answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Scores are compared on a logarithmic scale; smaller ones count as this.
_LEAST = 1e-5
#: The share of shifts in which a unit exceeds its cut; the false discovery rate of a layer's cut.
_LEVEL = 0.05
#: p-values above this are taken to be those of units without an effect (Storey's λ).
_NULL_P = 0.5


def compute_pooled_p(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of such a score by chance, by the standardized shifts of all units, shape (U,).

    On the logarithmic scale, every shift of a unit is standardized by the unit's other shifts, and the observed score by all of
    them; both standard deviations are those of a prediction, so the two are comparable. p is the rank of the observed
    among the shifts of all units: (1 + #{z ≥ z₀}) / (1 + S·U), where units whose shifts are all equal do not count.

    A unit with observed score 0 has p = 1. A unit whose shifts are all equal has the p of `compute_own_p`, and so have all
    units where fewer than two have shifts that differ.

    Args:
        observed: best score with the own labels, shape (U,).
        null: best score under every shift, shape (S, U).

    Example:
        >>> import numpy as np
        >>> null = np.random.default_rng(0).uniform(0.01, 0.03, (20, 100))
        >>> p = compute_pooled_p(np.r_[0.2, 0, null[3, 2:]], null)
        >>> float(p[0].round(4)), float(p[1]), bool(0.4 < p[2:].mean() < 0.6)
        (0.0005, 1.0, True)
    """
    observed, null = _as_scores(observed), _as_scores(null)
    p = compute_own_p(observed, null)
    varies = _find_varying(null)
    if varies.sum() > 1:
        mean, deviation = _predict(null[:, varies])
        z = (_take_log(observed[varies]) - mean) / deviation
        pool = _standardize_shifts(null[:, varies])
        p[varies] = (1 + pool.size - np.searchsorted(pool, z, side="left")) / (1 + pool.size)
    p[observed <= 0] = 1.0
    return p


def compute_own_p(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of such a score by chance, by the unit's own shifts, shape (U,): (1 + #{null ≥ observed}) / (1 + S).

    It is exact, whatever the distribution of the scores, but never below 1 / (1 + S).

    Args:
        observed: best score with the own labels, shape (U,).
        null: best score under every shift, shape (S, U).

    Example:
        >>> compute_own_p([0.3, 0.1], [[0.1, 0.1], [0.2, 0.05], [0.1, 0.2]]).tolist()
        [0.25, 0.75]
    """
    observed, null = _as_scores(observed), _as_scores(null)
    p: NDArray[np.float64] = (1.0 + (null >= observed).sum(axis=0)) / (1 + len(null))
    return p


def adjust_p(p: ArrayLike, taking_part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return q, the false discovery rate among the units of at most a unit's p, shape (U,) (Benjamini and Hochberg, 1995).

    Args:
        p: p-values, shape (U,).
        taking_part: the units to correct for, bool, shape (U,); the others get NaN.

    Example:
        >>> import numpy as np
        >>> adjust_p([0.01, 0.02, 0.9, 0.6], np.array([True, True, False, True])).round(3).tolist()
        [0.03, 0.03, nan, 0.6]
    """
    q = np.full(len(taking_part), np.nan)
    tested = _as_scores(p)[taking_part]
    order = np.argsort(tested, kind="stable")
    rate = tested[order] * tested.size / np.arange(1, tested.size + 1)
    adjusted = np.empty(tested.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(rate[::-1])[::-1], 1)
    q[taking_part] = adjusted
    return q


def estimate_null_share(p: ArrayLike) -> float:
    """Return the estimated share of units without an effect, at most 1 (Storey, 2002, with λ = ½).

    It is printed and not used in q, because it relies on large p-values and on units that do not depend on one another.

    Args:
        p: p-values of the units that take part, shape (n,); 1 for none.

    Example:
        >>> estimate_null_share([0.001] * 61 + [0.6] * 19)
        0.5
    """
    p = _as_scores(p)
    return min(1.0, (1 + int((p > _NULL_P).sum())) / (max(1, p.size) * (1 - _NULL_P)))


def describe_null(null: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score that every unit reaches by chance, and the one that it exceeds in 5 % of shifts, each of shape (U,).

    The first is the geometric mean over the shifts. The second is the score whose `compute_pooled_p` is 0.05: a unit's p is
    at most 0.05 if and only if its observed score exceeds it. Scores below 0.00001 count as 0.00001.

    Args:
        null: best score under every shift, shape (S, U).

    Example:
        >>> import numpy as np
        >>> null = np.random.default_rng(0).uniform(0.01, 0.03, (20, 100))
        >>> chance, cut = describe_null(null)
        >>> bool(0.017 < chance[0] < 0.021), bool(0.03 < cut[0] < 0.04)
        (True, True)
    """
    null = _as_scores(null)
    log = _take_log(null)
    cut = np.sort(log, axis=0)[-_count_above_cut(len(null))]
    varies = _find_varying(null)
    if varies.sum() > 1:
        mean, deviation = _predict(null[:, varies])
        pool = _standardize_shifts(null[:, varies])
        cut[varies] = mean + deviation * pool[-_count_above_cut(pool.size)]
    return np.exp(log.mean(axis=0)), np.exp(cut)


def find_layer_cut(observed: ArrayLike, null: ArrayLike) -> float | None:
    """Return the smallest score that at most 5 % as many units reach by chance as reach it, or None if there is none.

    One cut for all units of a layer is information only: units differ in what they reach by chance.

    Args:
        observed: best score with the own labels, shape (U,).
        null: best score under every shift, shape (S, U).

    Example:
        >>> import numpy as np
        >>> find_layer_cut([0.3, 0.2, 0.01], np.full((10, 3), 0.02))
        0.2
    """
    observed, null = _as_scores(observed), _as_scores(null)
    cuts, by_chance = np.unique(observed[observed > 0]), np.sort(null, axis=None)
    reached = observed.size - np.searchsorted(np.sort(observed), cuts, side="left")
    expected = (by_chance.size - np.searchsorted(by_chance, cuts, side="left")) / len(null)
    fine = np.flatnonzero(expected <= _LEVEL * reached)
    return float(cuts[fine[0]]) if fine.size else None


def compute_times_chance(score: ArrayLike, null: ArrayLike) -> float:
    """Return how many times their chance score a layer's units reach, a ratio of geometric means; NaN without units.

    Units that score 0 under every shift, such as those without a mask, do not count. Scores below 0.00001 count as 0.00001.

    Args:
        score: best score with the own labels, shape (U,).
        null: best score under every shift, shape (S, U).

    Example:
        >>> import numpy as np
        >>> round(compute_times_chance([0.2, 0.1, 0], np.array([[0.1, 0.05, 0], [0.1, 0.05, 0]])), 6)
        2.0
    """
    score, null = _as_scores(score), _as_scores(null)
    units = (null > 0).any(axis=0)
    if not units.any():
        return float("nan")
    return float(np.exp(_take_log(score[units]).mean() - _take_log(null[:, units]).mean()))


def _as_scores(values: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _take_log(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    log: NDArray[np.float64] = np.log(np.maximum(scores, _LEAST))
    return log


def _find_varying(null: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which units' shifts differ, and can be standardized, bool, shape (U,)."""
    log = _take_log(null)
    varying: NDArray[np.bool_] = log.max(axis=0) > log.min(axis=0)
    return varying & (len(null) > 2)


def _predict(null: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of a further log score, from S of them, each of shape (U,)."""
    log, shifts = _take_log(null), len(null)
    return log.mean(axis=0), log.std(axis=0, ddof=1) * np.sqrt(1 + 1 / shifts)


def _standardize_shifts(null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return every shift standardized as a further one of the unit's other S − 1, in rising order, shape (S·U,).

    With d the distance of a shift from the mean of all S, the others' mean is d / (S − 1) on the other side of it, and their
    squared distances from their own mean add up to Σd² − d²·S / (S − 1).
    """
    log, shifts = _take_log(null), len(null)
    distance = log - log.mean(axis=0)
    squares = (distance**2).sum(axis=0) - distance**2 * (shifts / (shifts - 1))
    deviation = np.sqrt(np.maximum(squares, 1e-24) / (shifts - 2) * (1 + 1 / (shifts - 1)))
    return np.sort(distance * (shifts / (shifts - 1)) / deviation, axis=None)


def _count_above_cut(values: int) -> int:
    """Return r such that 5 % of shifts exceed the r-th largest of values: p is then r / (1 + values), at most 0.05."""
    return max(1, int(_LEVEL * (values + 1) + 1e-9))
