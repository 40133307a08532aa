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
        scans: gives the scans of all shards anew at every call, one by one, all made with the same bounds.
        units: number of units U.
        allowed: ⌊q·M⌋.
        budget: bytes of tails to hold at once; units that do not fit are done in another round over the scans.
    """
    value = np.full(units, np.nan, np.float32)
    short: list[int] = []
    at_once = max(1, min(units, budget // (8 * (allowed + 1))))
    for first in range(0, units, at_once):
        tails = [_Tail(allowed + 1) for _ in range(first, min(units, first + at_once))]
        bound, equal = np.zeros(units, np.float32), np.zeros(units, np.int64)
        for scan in scans():
            bound, equal = scan.bounds.bound, equal + scan.equal
            values, start = scan.candidates.tails(scan.bounds.bound)
            for unit, tail in enumerate(tails, start=first):
                tail.add(values[start[unit] : start[unit + 1]])
        for unit, tail in enumerate(tails, start=first):
            if tail.held > allowed:
                value[unit] = tail.at(allowed)
            elif tail.held + equal[unit] > allowed:
                value[unit] = bound[unit]
            else:
                short.append(unit)
    return Thresholds(value, np.array(short, dtype=np.int64))


class _Tail:
    """The largest values of one unit, as many as can matter."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[NDArray[np.float32]] = []
        self.held = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Add values above the bound."""
        self._parts.append(values)
        self.held += values.size
        if self.held > 2 * self._most:
            self._parts = [np.partition(np.concatenate(self._parts), self.held - self._most)[-self._most :]]
            self.held = self._most

    def at(self, place: int) -> np.float32:
        """Return the value at a place in falling order, counted from 0."""
        merged = np.concatenate(self._parts)
        return np.float32(np.partition(merged, merged.size - 1 - place)[merged.size - 1 - place])
