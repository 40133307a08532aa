"""Compute the number of distinct concepts that n random units of a layer detect, to compare layers of different width.

A layer with more units detects more concepts. If n of U units are drawn without replacement, concept c, detected by d_c
units, is missed with probability C(U - d_c, n) / C(U, n). The number of concepts found is a sum of such indicators, so
its mean and variance are known exactly, without sampling. Only the sizes of the sets of units decide them, so concepts,
and pairs of concepts, are grouped by size once for all n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def count_unique_at_widths(detects: NDArray[np.bool_], widths: Iterable[int]) -> list[tuple[float, float]]:
    """Return mean and standard deviation of the number of concepts that n random units detect, for every n.

    Args:
        detects: which unit detects which concept, shape (U, C).
        widths: every n, from 0 to U.

    Raises:
        ValueError: if an n is not in that range.

    Example:
        >>> import numpy as np
        >>> eye = np.eye(4, dtype=bool)  # four units, each with its own concept
        >>> [(round(mean, 6), round(deviation, 6)) for mean, deviation in count_unique_at_widths(eye, [2, 4])]
        [(2.0, 0.0), (4.0, 0.0)]
    """
    total = detects.shape[0]
    sizes, times = np.unique(detects.sum(axis=0), return_counts=True)
    first, second, either, pairs = _group_pairs(detects)
    found = []
    for units in widths:
        missed = _list_miss_probabilities(total, units)
        mean = float(times @ (1 - missed[sizes]))
        variance = float(pairs @ (missed[either] - missed[first] * missed[second]))
        found.append((mean, float(np.sqrt(max(variance, 0.0)))))
    return found


def _group_pairs(detects: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Group the ordered pairs of concepts by the sizes of their sets of units.

    Args:
        detects: which unit detects which concept, shape (U, C).

    Returns:
        for each group, the number of units that detect the first concept, the second, and either; and its number of pairs.
    """
    total = detects.shape[0]
    count = detects.astype(np.float64)  # exact, and multiplied by BLAS
    both = (count.T @ count).astype(np.int64)
    each = both.diagonal()
    rows, columns = np.triu_indices(each.size, 1)
    first, second = np.minimum(each[rows], each[columns]), np.maximum(each[rows], each[columns])
    code = (first * (total + 1) + second) * (total + 1) + first + second - both[rows, columns]
    code, pairs = np.unique(code, return_counts=True)
    first, second, either = code // (total + 1) ** 2, code // (total + 1) % (total + 1), code % (total + 1)
    sizes, times = np.unique(each, return_counts=True)  # every concept with itself
    return (
        np.concatenate([first, sizes]), np.concatenate([second, sizes]), np.concatenate([either, sizes]),
        np.concatenate([2 * pairs, times]),
    )  # fmt: skip


def _list_miss_probabilities(total: int, drawn: int) -> NDArray[np.float64]:
    """Return, for d from 0 to U, the probability C(U - d, n) / C(U, n) that none of d units is among n drawn ones.

    Raises:
        ValueError: if n is not from 0 to U.
    """
    if not 0 <= drawn <= total:
        raise ValueError(f"expected 0 to {total} units, got {drawn}")
    before = np.arange(total)
    steps = np.maximum(total - drawn - before, 0) / (total - before)
    return np.concatenate([[1.0], np.cumprod(steps)])
