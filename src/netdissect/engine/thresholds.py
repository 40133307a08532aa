"""Exact thresholds from merged tails (METHOD, § 1).

T_k is the smallest observed value with #{cells : a > T} ≤ q·M: of all M values in falling order, the one at position
⌊q·M⌋ (from 0). The cells above B_k are all known; if there are more than ⌊q·M⌋ of them, T_k is among them, which
proves it. If there are not, but cells *at* the bound make up the difference, T_k = B_k. Otherwise the tail is too
short and the unit must be scanned again with a lower bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.scan import LayerScan


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """The thresholds of a layer.

    Attributes:
        value: T_k, float32, shape (U,); NaN where the tail is too short.
        short: units whose tail is too short to prove their threshold.
    """

    value: NDArray[np.float32]
    short: NDArray[np.int64]


def allowed_above(quantile: Fraction, cells: int) -> int:
    """Return ⌊q·M⌋, how many cells may lie above a threshold."""
    return math.floor(quantile * cells)


def exact_thresholds(
    scans: Callable[[], Iterable[LayerScan]], units: int, allowed: int, *, budget: int = 2**30
) -> Thresholds:
    """Find T_k of every unit.

    Args:
        scans: gives the scans of all shards anew at every call, one by one.
        units: number of units U.
        allowed: ⌊q·M⌋.
        budget: bytes of tails to hold at once; units that do not fit are done in another round over the scans.
    """
    value = np.full(units, np.nan, np.float32)
    short: list[int] = []
    at_once = max(1, min(units, budget // (8 * (allowed + 1))))
    for first in range(0, units, at_once):
        last = min(units, first + at_once)
        tails = [_Tail(allowed + 1) for _ in range(first, last)]
        for scan in scans():
            for unit in range(first, last):
                tails[unit - first].add(scan.candidates.of_unit(unit), scan.bounds.bound[unit], int(scan.equal[unit]))
        for unit, tail in enumerate(tails, start=first):
            threshold = tail.threshold(allowed)
            if threshold is None:
                short.append(unit)
            else:
                value[unit] = threshold
    return Thresholds(value, np.array(short, dtype=np.int64))


class _Tail:
    """The largest values of one unit, as many as can matter, over shards that may have had different bounds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[NDArray[np.float32]] = []
        self._held = 0
        self._bound = np.float32(-np.inf)
        self._equal = 0

    def add(self, values: NDArray[np.float32], bound: np.float32, equal: int) -> None:
        """Add a shard's candidates of the unit, its bound, and how many of its cells lie at the bound."""
        if bound > self._bound:
            # What lies between the old bound and the new is no longer complete; what equals the new one is.
            self._equal = sum(int((part == bound).sum()) for part in self._parts)
            self._parts = [part[part > bound] for part in self._parts]
            self._held = sum(part.size for part in self._parts)
            self._bound = bound
        if bound == self._bound:
            self._equal += equal
        else:
            self._equal += int((values == self._bound).sum())
        above = values[values > self._bound]
        self._parts.append(above)
        self._held += above.size
        if self._held > 2 * self._most:
            merged = np.concatenate(self._parts)
            self._parts = [np.partition(merged, merged.size - self._most)[merged.size - self._most :]]
            self._held = self._most

    def threshold(self, allowed: int) -> np.float32 | None:
        """Return T, or None where the tail cannot prove it."""
        if self._held > allowed:
            merged = np.concatenate(self._parts)
            place = merged.size - 1 - allowed
            return np.float32(np.partition(merged, place)[place])
        return self._bound if self._held + self._equal > allowed else None
