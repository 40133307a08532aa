"""Segments: the labels of one image as one map.

Pixels that have the same code in every plane form a *segment*. An image has tens of segments, so counting by segment reads
one number per pixel instead of one per plane, and the map and a small table hold all that the planes hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.concepts import Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Most segments that 16 bits can number; few images have more.
MAX_SEGMENTS = 2**16


@dataclass(frozen=True, eq=False)
class Segments:
    """The labels of one image: its label planes as one map of segments, and labels for the whole image.

    Attributes:
        map: the segment of every pixel, numbered from 0 in the order of their first pixels, uint16 (uint32 if there are
            more than 65,536), shape (sh, sw).
        table: the code of every segment in every plane, 0 where it has none, uint16, shape (n, P).
        whole: codes of labels for the whole image, each once, int64, shape (W,).

    Example:
        >>> planes = np.array([[[1, 1, 2]], [[0, 3, 1]]], np.uint16)
        >>> segments = Segments.from_labels(Labels(planes, np.array([5])))
        >>> segments.map, segments.codes, segments.start
        (array([[0, 1, 2]], dtype=uint16), array([1, 1, 3, 2, 1], dtype=uint16), array([0, 1, 3, 5]))
    """

    map: NDArray[np.uint16 | np.uint32]
    table: NDArray[np.uint16]
    whole: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def from_labels(cls, labels: Labels) -> Self:
        """Return the segments of an image's labels."""
        planes = np.ascontiguousarray(labels.planes)
        size = labels.shape[0] * labels.shape[1]
        flat = planes.reshape(planes.shape[0], size)
        for bits in (10, 17, size.bit_length() + 1):  # few images need more than the first table
            slots = np.full(2**bits, -1, np.int32)
            first = np.empty(2 ** (bits - 1), np.int64)
            segments: NDArray[Any] = np.empty(size, np.uint16 if first.size <= MAX_SEGMENTS else np.uint32)
            found = _find_segments(flat, segments, slots, first)
            if found >= 0:
                break
        return cls(segments.reshape(labels.shape), np.ascontiguousarray(flat[:, first[:found]].T), labels.whole)

    @cached_property
    def codes(self) -> NDArray[np.uint16]:
        """Codes of all segments, one segment after the other, without 0; a code in two planes is listed twice."""
        codes: NDArray[np.uint16] = self.table[self.table != 0]
        return codes

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """Position of every segment's first code in `codes`, and the end of the last, int64, shape (n + 1,)."""
        start = np.zeros(len(self.table) + 1, np.int64)
        np.cumsum(np.count_nonzero(self.table, axis=1), out=start[1:])
        return start

    def to_labels(self) -> Labels:
        """Return the labels as planes."""
        planes = np.empty((self.table.shape[1], *self.map.shape), np.uint16)
        _paint_planes(self.map.reshape(-1), self.table, planes.reshape(len(planes), self.map.size))
        return Labels(planes, self.whole)


@cached_njit()
def _find_segments(planes, segments, slots, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Number the segments of planes, shape (P, pixels); return how many there are, -1 if they do not fit `first`.

    `slots` is a hash table of segments, all -1, whose size is a power of 2; `first` receives the first pixel of each.
    """
    count, pixels = planes.shape
    mask = np.uint64(slots.size - 1)
    found = 0
    for pixel in range(pixels):
        if pixel and _is_equal(planes, pixel, pixel - 1):
            segments[pixel] = segments[pixel - 1]
            continue
        mixed = np.uint64(1)
        for plane in range(count):
            mixed = (mixed ^ np.uint64(planes[plane, pixel])) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        place = mixed & mask
        while slots[place] >= 0 and not _is_equal(planes, pixel, first[slots[place]]):
            place = (place + np.uint64(1)) & mask
        if slots[place] < 0:
            if found == first.size:
                return -1
            slots[place] = found
            first[found] = pixel
            found += 1
        segments[pixel] = slots[place]
    return found


@cached_njit()
def _is_equal(planes, pixel, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for plane in range(planes.shape[0]):  # noqa: SIM110 - all() would not compile to a loop
        if planes[plane, pixel] != planes[plane, other]:
            return False
    return True


@cached_njit()
def _paint_planes(segments, table, planes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for plane in range(planes.shape[0]):
        codes = table[:, plane].copy()
        row = planes[plane]
        for pixel in range(segments.size):
            row[pixel] = codes[segments[pixel]]
