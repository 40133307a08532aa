"""Compute the number of distinct concepts that n random units of a layer detect, to compare layers of different width.

A layer with more units detects more concepts. If n of U units are drawn without replacement, concept c, detected by d_c
units, is missed with probability C(U - d_c, n) / C(U, n). The number of concepts found is a sum of such indicators, so
its mean and variance are known exactly, without sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_unique_at_width(detects: NDArray[np.bool_], units: int) -> tuple[float, float]:
    """Return mean and standard deviation of the number of concepts that `units` random units detect.

    Args:
        detects: which unit detects which concept, shape (U, C).
        units: n, from 0 to U.

    Raises:
        ValueError: if n is not in that range.

    Example:
        >>> import numpy as np
        >>> mean, deviation = count_unique_at_width(np.eye(4, dtype=bool), 2)  # four units, each with its own concept
        >>> round(mean, 6), round(deviation, 6)
        (2.0, 0.0)
    """
    total = detects.shape[0]
    if not 0 <= units <= total:
        raise ValueError(f"expected 0 to {total} units, got {units}")
    count = detects.astype(np.int64)
    each = count.sum(axis=0)
    either = each[:, None] + each[None, :] - count.T @ count  # units that detect c or c'
    missed = _find_miss_probability(total, each, units)
    neither = _find_miss_probability(total, either, units)
    mean = float((1 - missed).sum())
    variance = float((neither - missed[:, None] * missed[None, :]).sum())
    return mean, float(np.sqrt(max(variance, 0.0)))


def _find_miss_probability(total: int, detecting: NDArray[np.int64], drawn: int) -> NDArray[np.float64]:
    """Return the probability that none of `detecting` units is among `drawn` random ones."""
    others = total - detecting
    possible = others >= drawn
    rest = np.where(possible, others, drawn)
    chance = np.exp(gammaln(rest + 1) - gammaln(rest - drawn + 1) - gammaln(total + 1) + gammaln(total - drawn + 1))
    return np.where(possible, np.minimum(chance, 1.0), 0.0)
