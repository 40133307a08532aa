"""Exact thresholds from the candidates of all shards, in memory that does not grow with them (docs/method.md, § 1).

T_k is the smallest observed value with #{cells : a > T} ≤ q·M: of all M values in falling order, the one at position
⌊q·M⌋ (from 0). The cells above the bound B_k, the unit's *tail*, are all known. If there are more than ⌊q·M⌋ of them, T_k
is one of them. If there are more only together with the cells exactly *at* the bound, T_k = B_k. Otherwise the tail is too
short, and the unit must be scanned again without a bound.

The bits of a float, read as an integer *key*, have the order of the floats. A histogram of the keys of every tail shows
in which range of keys T_k lies, and how many values lie above that range; the values in it are counted again in finer
bins, until they are few enough to be sorted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.candidates import Candidates
    from netdissect.engine.scan import LayerScan

#: Bins of a unit's histogram, as a power of 2.
_BINS = 11
#: Width of the first histogram's bins, as a power of 2: they span four octaves.
_WIDTH = 14


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """The thresholds of a layer.

    Attributes:
        value: T_k, float32, shape (U,); NaN where the tail is too short.
        short: units whose tail is too short, int64.
    """

    value: NDArray[np.float32]
    short: NDArray[np.int64]


def count_allowed_above(quantile: Fraction, cells: int) -> int:
    """Return ⌊q·M⌋, how many of M cells may lie above a threshold."""
    return math.floor(quantile * cells)


def find_thresholds(
    scans: Callable[[], Iterable[LayerScan]], units: int, allowed: int, *, most: int = 2**22
) -> Thresholds:
    """Find T_k of every unit.

    Args:
        scans: yields the scans of all shards, one at a time, at every call; all were made with the same bounds.
        units: number of units U.
        allowed: ⌊q·M⌋.
        most: most values in memory at once, over all units.
    """
    bound, equal = np.full(units, np.nan, np.float32), np.zeros(units, np.int64)
    search = _ThresholdSearch(units, allowed)
    for scan in scans():
        bound, equal = scan.bounds.bound, equal + scan.equal
        search.start_above(bound)
        search.count(scan.candidates)
    tail = search.narrow()
    while search.remaining > most:
        for scan in scans():
            search.count(scan.candidates)
        search.narrow()
    value = search.sort_remaining(scan.candidates for scan in scans())
    value[tail <= allowed] = np.nan
    tied = (tail <= allowed) & (tail + equal > allowed)
    value[tied] = bound[tied]
    return Thresholds(value, np.flatnonzero((tail <= allowed) & ~tied))


class _Ranges(NamedTuple):
    """The range of keys in which every unit's threshold lies; int64, shape (U,) each.

    Attributes:
        low: the smallest key of the range.
        top: one past the largest.
        width: width of the histogram's bins, as a power of 2.
        above: number of values above the range.
        inside: number of values in the range that are not sorted yet.
    """

    low: NDArray[np.int64]
    top: NDArray[np.int64]
    width: NDArray[np.int64]
    above: NDArray[np.int64]
    inside: NDArray[np.int64]


class _Tail(NamedTuple):
    """The values of a layer's candidates over some images, as in `Candidates`."""

    pair_unit: NDArray[np.int32]
    pair_start: NDArray[np.int64]
    values: NDArray[np.float32]
    bits: NDArray[np.uint32]


class _ThresholdSearch:
    """Narrows, for every unit, the range of keys in which its threshold lies."""

    def __init__(self, units: int, allowed: int) -> None:
        self._allowed = allowed
        zeros = np.zeros((3, units), np.int64)
        self._ranges = _Ranges(
            zeros[0], np.full(units, 2**32, np.int64), np.full(units, _WIDTH, np.int64), zeros[1], zeros[2]
        )
        self._histogram = np.zeros((units, 2**_BINS), np.int64)

    @property
    def remaining(self) -> int:
        """Number of values that are not sorted yet, over all units."""
        return int(self._ranges.inside.sum())

    def start_above(self, bound: NDArray[np.float32]) -> None:
        """Set the start of every range just above the unit's bound, shape (U,)."""
        _find_keys_above(bound.view(np.uint32), self._ranges.low)

    def count(self, candidates: Candidates) -> None:
        """Count the values of a scan in the bins."""
        _count_keys(_make_tail(candidates), self._ranges, self._histogram)

    def narrow(self) -> NDArray[np.int64]:
        """Narrow every range to the bin that holds the threshold; return how many values were counted, shape (U,)."""
        counted: NDArray[np.int64] = self._histogram.sum(axis=1)
        _narrow_bins(self._histogram, self._allowed, self._ranges)
        self._histogram[:] = 0
        return counted

    def sort_remaining(self, blocks: Iterable[Candidates]) -> NDArray[np.float32]:
        """Return every unit's threshold: sort the values that are left in its range."""
        ranges = self._ranges
        ends = np.cumsum(ranges.inside)
        values = np.empty(ranges.inside.sum(), np.float32)
        place = ends - ranges.inside
        for candidates in blocks if values.size else ():
            _collect_values(_make_tail(candidates), ranges, place, values)
        value = np.array([_find_bits(key) for key in ranges.low], np.uint32).view(np.float32)
        for unit in np.flatnonzero(ranges.inside):
            rank = ends[unit] - 1 - (self._allowed - ranges.above[unit])
            first = ends[unit] - ranges.inside[unit]
            value[unit] = np.partition(values[first : ends[unit]], rank - first)[rank - first]
        return value


def _make_tail(candidates: Candidates) -> _Tail:
    values = candidates.values
    return _Tail(candidates.pair_unit, candidates.pair_start, values, values.view(np.uint32))


@cached_njit()
def _make_key(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return a float's key, given its bits: an integer from 0 to 2^32 in the order of floats; both zeros have one key."""
    whole = np.int64(bits)
    if whole <= 2**31:
        return whole + 2**31 if whole < 2**31 else whole
    return 2**32 - 1 - whole


@cached_njit()
def _find_keys_above(bits, keys):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for u in range(bits.size):
        keys[u] = _make_key(bits[u]) + 1


@cached_njit()
def _find_bits(key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the bits of the float with a key."""
    return np.uint32(key - 2**31 if key >= 2**31 else 2**32 - 1 - key)


@cached_njit()
def _count_keys(tail, ranges, histogram):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    pair_unit, pair_start, _, bits = tail
    low, top, width, _, _ = ranges
    last = histogram.shape[1] - 1
    for pair in range(pair_unit.size):
        u = pair_unit[pair]
        for at in range(pair_start[pair], pair_start[pair + 1]):
            key = _make_key(bits[at])
            if low[u] <= key < top[u]:
                histogram[u, min((key - low[u]) >> width[u], last)] += 1


@cached_njit()
def _narrow_bins(histogram, allowed, ranges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    low, top, width, above, inside = ranges
    for u in range(low.size):
        place = histogram.shape[1]
        while place and above[u] <= allowed:
            place -= 1
            inside[u] = histogram[u, place]
            above[u] += inside[u]
        if above[u] <= allowed:  # the tail is too short
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
        if top[u] - low[u] == 1:  # all values in the range are equal, and none has to be sorted
            top[u] = low[u]
            inside[u] = 0


@cached_njit()
def _collect_values(tail, ranges, place, collected):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy the values in every unit's range to `collected`, from the unit's `place` on."""
    pair_unit, pair_start, values, bits = tail
    low, top, _, _, _ = ranges
    for pair in range(pair_unit.size):
        u = pair_unit[pair]
        for at in range(pair_start[pair], pair_start[pair + 1]):
            if low[u] <= _make_key(bits[at]) < top[u]:
                collected[place[u]] = values[at]
                place[u] += 1
