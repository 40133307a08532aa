"""Calibration: from a random sample of the images, a bound B_k that lies below T_k almost surely.

The lower the bound, the more cells must be kept; the higher, the likelier that it passes T_k and the unit must be
scanned again. Activations come in clusters (one image may hold most of a unit's high cells), so the margin is set
from how unevenly the sample's images contribute: a bound is taken when, `MARGIN` standard errors below what the sample
shows, more than a share q of all cells would still lie above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.candidates import UnitPool

#: Standard errors between what the sample shows and what is relied upon.
MARGIN = 5.0
#: Shares of cells above the bound that are tried, as multiples of q.
_LEVELS = np.array([1.05, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 9.0, 14.0, 20.0, 30.0])


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What a scan must know of a layer beforehand.

    Attributes:
        bound: B_k, float32, shape (U,).
        low: lower edge of the activation histogram, float32, shape (U,).
        high: upper edge, float32, shape (U,).
    """

    bound: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def calibrate(sample: NDArray[np.float32], quantile: Fraction, images: int, pool: UnitPool) -> Bounds:
    """Choose bounds from a sample.

    Args:
        sample: activations of a simple random sample of the images, float32, shape (n, U, h, w), finite.
        quantile: q.
        images: number of images N of the whole probe set; a sample of all of them needs no margin.
        pool: the threads to use.
    """
    n, units = sample.shape[:2]
    cells = n * sample.shape[2] * sample.shape[3]
    allowed = math.floor(quantile * cells)
    ranks = np.minimum(np.ceil(_LEVELS * float(quantile) * cells).astype(np.int64), cells - 1)
    ranks = np.concatenate([[min(allowed, cells - 1)], ranks]) if n == images else ranks
    margin = MARGIN * math.sqrt(max(0.0, 1 - n / images))
    bound = np.empty(units, np.float32)
    low = np.empty(units, np.float32)
    high = np.empty(units, np.float32)
    pool.each(units, _calibrate, sample, np.unique(ranks), allowed, margin, bound, low, high)
    return Bounds(bound, low, high)


@njit(cache=True, nogil=True)
def _calibrate(first, last, sample, ranks, allowed, margin, bound, low, high):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    n, _, h, w = sample.shape
    size = n * h * w
    deepest = ranks[-1]
    for u in range(first, last):
        values = np.empty(size, np.float32)
        for i in range(n):
            values[i * h * w : (i + 1) * h * w] = sample[i, u].ravel()
        low[u] = values.min()
        high[u] = values.max()
        top = np.sort(np.partition(values, size - 1 - deepest)[size - 1 - deepest :])[::-1]
        bound[u] = low[u]
        for rank in ranks:
            level = top[rank]
            total = 0.0
            squares = 0.0
            for i in range(n):
                count = 0.0
                for value in values[i * h * w : (i + 1) * h * w]:
                    if value > level:
                        count += 1.0
                total += count
                squares += count * count
            error = math.sqrt(max(0.0, squares - total * total / n) * n / max(n - 1, 1))
            # A level that more than q of the cells reach, counting those that equal it, cannot lie above T.
            if total - margin * error > allowed or (margin == 0.0 and rank >= allowed):
                bound[u] = level
                break
