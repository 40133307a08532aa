"""Exact thresholds from the scans' tails, in memory that does not grow with them (docs/method.md, § 1).

T_k is the smallest observed value with #{cells : a > T} ≤ q·M: of all M values in falling order, the one at position
⌊q·M⌋ (from 0). The cells above B_k are all known; if there are more than ⌊q·M⌋ of them, T_k is among them, which
proves it. If there are not, but cells *at* the bound make up the difference, T_k = B_k. Otherwise the tail is too
short and the unit must be scanned again with a lower bound.

Floats are ordered as their bits are. A histogram of the bits of every tail tells between which two numbers T_k lies,
and how many values lie above; what lies between is counted again, finer, until it is little enough to be sorted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.candidates import Candidates
    from netdissect.engine.scan import LayerScan

#: Bins of a unit's histogram, as a power of 2; and of the first one their width: together they span four octaves.
_BINS = 11
_WIDTH = 14


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """The thresholds of a layer.

    Attributes:
        value: T_k, float32, shape (U,); NaN where the tail is too short.
        short: units whose tail is too short to prove their threshold.
    """

    value: NDArray[np.float32]
    short: NDArray[np.int64]


def count_allowed_above(quantile: Fraction, cells: int) -> int:
    """Return ⌊q·M⌋, how many cells may lie above a threshold."""
    return math.floor(quantile * cells)


def find_thresholds(
    scans: Callable[[], Iterable[LayerScan]], units: int, allowed: int, *, most: int = 2**22
) -> Thresholds:
    """Find T_k of every unit.

    Args:
        scans: gives the scans of all shards anew at every call, one by one, all made with the same bounds.
        units: number of units U.
        allowed: ⌊q·M⌋.
        most: values to hold at once, over all units.
    """
    bound, equal = np.full(units, np.nan, np.float32), np.zeros(units, np.int64)
    found = _ThresholdSearch(units, allowed)
    for scan in scans():
        bound, equal = scan.bounds.bound, equal + scan.equal
        found.count(scan, _find_keys_above(bound.view(np.uint32)))
    held = found.narrow()
    while found.inside.sum() > most:
        for scan in scans():
            found.count(scan)
        found.narrow()
    value = found.sort_remaining(scan.candidates for scan in scans())
    value[held <= allowed] = np.nan
    tied = (held <= allowed) & (held + equal > allowed)
    value[tied] = bound[tied]
    return Thresholds(value, np.flatnonzero((held <= allowed) & ~tied))


class _ThresholdSearch:
    """Where every unit's threshold may lie among the keys of floats.

    Attributes:
        low: the smallest key it may have, int64, shape (U,).
        top: one past the largest.
        above: values above those, int64, shape (U,).
        inside: values among them that are still to be told apart, int64, shape (U,).
    """

    def __init__(self, units: int, allowed: int) -> None:
        self._allowed = allowed
        self.low = np.zeros(units, np.int64)
        self.top = np.full(units, 2**32, np.int64)
        self.above = np.zeros(units, np.int64)
        self.inside = np.zeros(units, np.int64)
        self._width = np.full(units, _WIDTH, np.int64)
        self._histogram = np.zeros((units, 2**_BINS), np.int64)

    def count(self, scan: LayerScan, low: NDArray[np.int64] | None = None) -> None:
        """Count a scan's values in the bins; `low` tells where they begin, where that was not known yet."""
        if low is not None:
            self.low = low
        found = scan.candidates
        bits = found.values.view(np.uint32)
        _count_keys(found.pair_unit, found.pair_start, bits, self.low, self.top, self._width, self._histogram)

    def narrow(self) -> NDArray[np.int64]:
        """Go on with the bin that holds the threshold; return how many values were counted, shape (U,)."""
        counted: NDArray[np.int64] = self._histogram.sum(axis=1)
        _narrow_bins(self._histogram, self._allowed, self.low, self.top, self._width, self.above, self.inside)
        self._histogram[:] = 0
        return counted

    def sort_remaining(self, blocks: Iterable[Candidates]) -> NDArray[np.float32]:
        """Return every unit's threshold: what is left to tell apart is sorted."""
        ends = np.cumsum(self.inside)
        values = np.empty(self.inside.sum(), np.float32)
        place = ends - self.inside
        for found in blocks if values.size else ():
            bits = found.values.view(np.uint32)
            _collect_values(found.pair_unit, found.pair_start, bits, found.values, self.low, self.top, place, values)
        value = np.array([_find_bits(key) for key in self.low], np.uint32).view(np.float32)
        for unit in np.flatnonzero(self.inside):
            rank = ends[unit] - 1 - (self._allowed - self.above[unit])
            first = ends[unit] - self.inside[unit]
            value[unit] = np.partition(values[first : ends[unit]], rank - first)[rank - first]
        return value


@cached_njit()
def _make_key(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return, for a float's bits, a number that is ordered as floats are, between 0 and 2^32; both zeros have one."""
    whole = np.int64(bits)
    if whole <= 2**31:
        return whole + 2**31 if whole < 2**31 else whole
    return 2**32 - 1 - whole


@cached_njit()
def _find_keys_above(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    keys = np.empty(bits.size, np.int64)
    for u in range(bits.size):
        keys[u] = _make_key(bits[u]) + 1
    return keys


@cached_njit()
def _find_bits(key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.uint32(key - 2**31 if key >= 2**31 else 2**32 - 1 - key)


@cached_njit()
def _count_keys(pair_unit, pair_start, bits, low, top, width, histogram):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    last = histogram.shape[1] - 1
    for pair in range(pair_unit.size):
        u = pair_unit[pair]
        for at in range(pair_start[pair], pair_start[pair + 1]):
            key = _make_key(bits[at])
            if low[u] <= key < top[u]:
                histogram[u, min((key - low[u]) >> width[u], last)] += 1


@cached_njit()
def _narrow_bins(histogram, allowed, low, top, width, above, inside):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for u in range(low.size):
        place = histogram.shape[1]
        while place and above[u] <= allowed:
            place -= 1
            inside[u] = histogram[u, place]
            above[u] += inside[u]
        if above[u] <= allowed:  # none: the tail is too short
            top[u] = low[u]
            inside[u] = 0
            continue
        above[u] -= inside[u]
        if place < histogram.shape[1] - 1:
            top[u] = min(top[u], low[u] + ((place + 1) << width[u]))
        low[u] += place << width[u]
        width[u] = 0
        while (top[u] - low[u] - 1) >> width[u] >= histogram.shape[1]:
            width[u] += 1
        if top[u] - low[u] == 1:  # all the same: nothing is sought among them any more
            top[u] = low[u]
            inside[u] = 0


@cached_njit()
def _collect_values(pair_unit, pair_start, bits, values, low, top, place, taken):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for pair in range(pair_unit.size):
        u = pair_unit[pair]
        for at in range(pair_start[pair], pair_start[pair + 1]):
            if low[u] <= _make_key(bits[at]) < top[u]:
                taken[place[u]] = values[at]
                place[u] += 1
