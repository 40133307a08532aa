"""Decode masks stored as PNGs, run lengths or brush strokes; sizes are checked before anything is decompressed."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataError
from netdissect.io import images
from netdissect.probe_sets.importers.painting import MaskPatch, abbreviate, parse_coordinate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

#: Largest size of a mask's PNG in bytes, besides its pixels.
_HEADER_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class PNGMask:
    """A mask as a PNG in base64, perhaps compressed with zlib (labelme, Supervisely).

    Attributes:
        text: the base64.
        left: column of the mask's first pixel in the image.
        top: row of the mask's first pixel.
        expected: height and width of the mask in the annotation file; None if it gives none.
    """

    text: str
    left: int
    top: int
    expected: tuple[int, int] | None = None

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        data = decompress_mask(decode_base64(self.text), 5 * size[0] * size[1] + _HEADER_BYTES)
        try:
            with images.open_image(data, "of the mask", what="PNG", formats=("PNG",)) as image:
                got = image.height, image.width
                fits = got[0] <= size[0] and got[1] <= size[1] and self.expected in (None, got)
                pixels = _read_opacity(image) if fits else None
        except DataError as error:
            raise ValueError(str(error)) from error
        if self.expected not in (None, got):
            across, down = self.expected[::-1] if self.expected else got
            raise ValueError(f"its mask has {got[1]} x {got[0]} pixels, and its corners say {across} x {down}")
        if pixels is None:
            raise ValueError(f"its mask of {got[1]} x {got[0]} pixels is larger than the image")
        return place_mask(pixels != 0, self.top, self.left, size)


def _read_opacity(image: Image.Image) -> NDArray[np.integer[Any]]:
    """Return the opacity of a mask's pixels, or their brightness if there is none."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    pixels = np.asarray(image)
    if pixels.ndim == 3:
        return pixels[..., -1] if pixels.shape[2] in (2, 4) else pixels.max(axis=2)
    return pixels


@dataclass(frozen=True, slots=True)
class RunLengthMask:
    """A mask as run lengths in a box, row by row.

    Attributes:
        lengths: lengths of alternating runs of 0 and 1; with `pairs`, start (from 1) and length of every run of 1.
        left: first column of the box.
        top: first row of the box.
        width: width of the box.
        height: height of the box.
        pairs: whether `lengths` holds starts and lengths.
    """

    lengths: tuple[int, ...]
    left: int
    top: int
    width: int
    height: int
    pairs: bool = False

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        whole = self.width * self.height
        if self.width < 0 or self.height < 0 or whole > 4 * size[0] * size[1]:
            raise ValueError(f"its mask of {self.width} x {self.height} pixels does not fit the image")
        if min(self.lengths, default=0) < 0:
            raise ValueError("a run of its mask has a negative length")
        flat = self._fill_pairs(whole) if self.pairs else self._fill_alternating(whole)
        return place_mask(flat.reshape(self.height, self.width), self.top, self.left, size)

    def _fill_alternating(self, whole: int) -> NDArray[np.bool_]:
        if sum(self.lengths) != whole:
            raise ValueError(
                f"the runs of its mask cover {sum(self.lengths)} pixels, and its box has {self.width} x {self.height}"
            )
        return np.repeat(np.arange(len(self.lengths)) % 2 == 1, np.array(self.lengths, np.int64))

    def _fill_pairs(self, whole: int) -> NDArray[np.bool_]:
        if len(self.lengths) % 2:
            raise ValueError("its mask has a start without a length")
        flat = np.zeros(whole, bool)
        end = 0
        for start, length in zip(self.lengths[::2], self.lengths[1::2], strict=True):
            if start - 1 < end or start - 1 + length > whole:
                raise ValueError(
                    f"a run of its mask, from {start} on, does not fit its box of {self.width} x {self.height}"
                )
            end = start - 1 + length
            flat[start - 1 : end] = True
        return flat


@dataclass(frozen=True, slots=True)
class BrushMask:
    """Label Studio's brush mask: RGBA pixels compressed with thi.ng's rle-pack; the alpha channel is the mask.

    The header has 32 bits for the number of values, 5 bits for a value's width in bits minus 1, and 4 x 4 bits for four widths
    of lengths minus 1. Pieces follow, each with 1 bit that is set for a run, 2 bits for the index of its length's width, its
    length minus 1, and the single value of a run or else every value.

    Attributes:
        data: the compressed pixels.
        size: height and width of the image it was painted on.
    """

    data: bytes
    size: tuple[int, int]

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
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
        raise ValueError(f"its brush mask holds {count:,} values, and four per pixel would be {expected:,}")
    if width != 8:
        raise ValueError(f"its brush mask holds values of {width} bits, and 8 bits are expected")
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


def place_mask(mask: NDArray[np.bool_], top: int, left: int, size: tuple[int, int]) -> MaskPatch:
    """Return a mask at its place in an image, cut at the edges."""
    inside = mask[max(0, -top) : max(0, size[0] - top), max(0, -left) : max(0, size[1] - left)]
    return MaskPatch(max(0, top) if inside.size else 0, max(0, left) if inside.size else 0, inside)


def parse_whole_numbers(values: object, count: int | None = None) -> tuple[int, ...]:
    """Return a list of whole numbers, `count` if given; raise ValueError if it is something else."""
    if not isinstance(values, (list, tuple)) or count not in (None, len(values)):
        raise ValueError(f"expected a list of {count or 'whole'} numbers, got {abbreviate(values)}")
    return tuple(parse_whole_number(value) for value in values)


def parse_whole_number(value: object) -> int:
    """Return a whole number, which may be written as 3.0; raise ValueError if it is something else."""
    found = parse_coordinate(value)
    if found != int(found):
        raise ValueError(f"expected a whole number, got {abbreviate(value)}")
    return int(found)


def decode_base64(text: object) -> bytes:
    """Return the bytes of base64; raise ValueError if it is damaged."""
    if not isinstance(text, str):
        raise ValueError(f"expected base64, got {abbreviate(text)}")  # noqa: TRY004 - one kind
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"its base64 is damaged ({error})") from error


def decompress_mask(data: bytes, most: int) -> bytes:
    """Return a PNG, decompressed with zlib if it is compressed; raise ValueError if it has more than `most` bytes."""
    if data.startswith(b"\x89PNG"):
        return data
    unpack = zlib.decompressobj()
    try:
        found = unpack.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(f"its mask is neither a PNG nor compressed with zlib ({error})") from error
    if len(found) > most:
        raise ValueError(f"its mask unpacks to more than the {most:,} bytes that an image of this size can need")
    if not unpack.eof:
        raise ValueError("its compressed mask ends too early")
    return found


def decode_byte_list(values: Sequence[object]) -> bytes:
    """Return bytes from a list of numbers; raise ValueError if one is no byte."""
    try:
        return bytes(values)  # type: ignore[arg-type]  # anything else than 0..255 raises
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected a list of bytes: {error}") from error
