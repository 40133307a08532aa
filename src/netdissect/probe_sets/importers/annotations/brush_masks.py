"""Label Studio's brush masks: RGBA pixels compressed with thi.ng's rle-pack; the alpha channel is the mask.

The bits: 32 for the number of values, 5 for the width of a value less 1, four times 4 for widths of lengths less 1; then
pieces: 1 bit whether it is a run, 2 for which of the four widths its length has, the length less 1, and the one value of a run
or all values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.probe_sets.importers.painting import MaskPatch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class BrushMask:
    """A brush mask.

    Attributes:
        data: the compressed pixels.
        size: height and width of the image it was painted on.
    """

    data: bytes
    size: tuple[int, int]

    def patch(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        if self.size != size:
            raise ValueError(
                f"it was painted on an image of {self.size[1]} x {self.size[0]} pixels, and this one has {size[1]} x {size[0]}"
            )
        values = decode_brush(self.data, 4 * size[0] * size[1])
        return MaskPatch(0, 0, values[3::4].reshape(size) != 0)


def decode_brush(data: bytes, expected: int) -> NDArray[np.uint8]:
    """Return the values of a brush mask; raise ValueError if they are not as many bytes as expected."""
    bits = _BitReader(data)
    count, width = bits.read(32), bits.read(5) + 1
    sizes = [bits.read(4) + 1 for _ in range(4)]
    if count != expected:
        raise ValueError(f"its brush mask holds {count:,} values, and four for every pixel are {expected:,}")
    if width != 8:
        raise ValueError(f"its brush mask holds values of {width} bits, and expected are 8")
    values = np.zeros(count, np.uint8)
    at = 0
    while at < count:
        is_run = bits.read(1)
        end = at + 1 + bits.read(sizes[bits.read(2)])
        if end > count:
            raise ValueError("a piece of its brush mask is longer than the mask")
        values[at:end] = bits.read(8) if is_run else bits.bytes(end - at)
        at = end
    return values


class _BitReader:
    """A stream of bits, from the highest bit of every byte to the lowest."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        """Return the next bits as a number."""
        first, end = self._at >> 3, self._at + count
        if end > 8 * len(self._data):
            raise ValueError("its brush mask ends too early")
        last = (end + 7) >> 3
        number = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._at = end
        return number & ((1 << count) - 1)

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """Return the next bytes, which may begin inside a byte of the stream."""
        first, shift, end = self._at >> 3, self._at & 7, self._at + 8 * count
        if end > 8 * len(self._data):
            raise ValueError("its brush mask ends too early")
        raw = np.frombuffer(self._data[first : (end + 7) >> 3], np.uint8).astype(np.uint16)
        self._at = end
        if not shift:
            return raw.astype(np.uint8)
        return ((raw[:-1] << shift | raw[1:] >> (8 - shift)) & 255).astype(np.uint8)
