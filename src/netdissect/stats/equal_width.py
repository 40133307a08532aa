"""How many distinct concepts a random part of a layer's units detects: what makes layers of unlike width comparable.

More units detect more concepts, whatever they are. Drawing n of U units without replacement, concept c with d_c units
is missed with probability C(U - d_c, n) / C(U, n); the number of concepts found is a sum of such indicators, whose mean
and variance are therefore known exactly and need no sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_unique_at_width(sees: NDArray[np.bool_], units: int) -> tuple[float, float]:
    """Return mean and standard deviation of the number of concepts that `units` random units detect.

    Args:
        sees: which unit detects which concept, shape (U, C).
        units: n, from 0 to U.

    Raises:
        ValueError: if n is not in that range.

    Example:
        >>> import numpy as np
        >>> count_unique_at_width(np.eye(4, dtype=bool), 2)   # four units, each its own concept
        (2.0, 0.0)
    """
    total = sees.shape[0]
    if not 0 <= units <= total:
        raise ValueError(f"of {total} units no {units} can be drawn")
    count = sees.astype(np.int64)
    each = count.sum(axis=0)
    together = each[:, None] + each[None, :] - count.T @ count  # units that see c or c'
    missed = _find_miss_probability(total, each, units)
    neither = _find_miss_probability(total, together, units)
    mean = float((1 - missed).sum())
    variance = float((neither - missed[:, None] * missed[None, :]).sum())
    return mean, float(np.sqrt(max(variance, 0.0)))


def _find_miss_probability(total: int, having: NDArray[np.int64], drawn: int) -> NDArray[np.float64]:
    """Return the probability that none of `having` units is among those drawn."""
    others = total - having
    possible = others >= drawn
    rest = np.where(possible, others, drawn)
    chance = np.exp(gammaln(rest + 1) - gammaln(rest - drawn + 1) - gammaln(total + 1) + gammaln(total - drawn + 1))
    return np.where(possible, np.minimum(chance, 1.0), 0.0)
