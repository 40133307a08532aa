"""Plain label PNGs decode as with Pillow; all others are left to Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netdissect.probe_sets.broden.png_decoder import decode_plain_png


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(raw, height, width, *, head=bytes([8, 2, 0, 0, 0]), cut=1, tail=True):
    packed = zlib.compress(raw)
    step = -(-len(packed) // cut)
    parts = b"".join(chunk(b"IDAT", packed[n : n + step]) for n in range(0, len(packed), step))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II", width, height) + head) + chunk(b"tEXt", b"a\0b")
    return start + parts + (chunk(b"IEND", b"") if tail else b"")


def pillows(data):
    pixels = np.asarray(Image.open(io.BytesIO(data))).astype(np.uint16)
    return pixels[..., 0] | pixels[..., 1] << 8


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 9), width=st.integers(1, 9), cut=st.integers(1, 3))
def test_any_filters_give_what_pillow_gives(seed, height, width, cut):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, size=(height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = rng.integers(0, 5, size=height)
    data = png(rows.tobytes(), height, width, cut=cut)
    np.testing.assert_array_equal(decode_plain_png(data, (height, width)), pillows(data))


def test_what_pillow_writes_is_plain():
    pixels = np.random.default_rng(1).integers(0, 9, size=(40, 30, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")
    np.testing.assert_array_equal(decode_plain_png(out.getvalue(), (40, 30)), pillows(out.getvalue()))


GOOD = png(bytes(4 * 10), 4, 3)


def test_a_file_of_another_size_with_as_many_bytes_is_not_that_plane():
    assert decode_plain_png(png(bytes(28), 7, 1), (7, 1)) is not None
    assert decode_plain_png(png(bytes(28), 7, 1), (4, 2)) is None
    assert decode_plain_png(png(bytes(28), 4, 2), (7, 1)) is None


def with_a_flipped_checksum(data, kind):
    """Flip a bit of a chunk's CRC, not of its data."""
    start = data.index(kind)
    at = start + 4 + int.from_bytes(data[start - 4 : start], "big")
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def without_the_end_of_its_stream(height, width):
    """Leave out the last block of a deflate stream: all rows are there, but the stream does not end."""
    packer = zlib.compressobj()
    packed = packer.compress(bytes(height * (1 + 3 * width))) + packer.flush(zlib.Z_SYNC_FLUSH)
    start = png(b"", height, width)
    return start[: start.index(b"IDAT") - 4] + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("another size", png(bytes(4 * 10), 3, 4)),
        ("a palette", png(bytes(4 * 10), 4, 3, head=bytes([8, 3, 0, 0, 0]))),
        ("interlaced", png(bytes(4 * 10), 4, 3, head=bytes([8, 2, 0, 0, 1]))),
        ("too few rows", png(bytes(3 * 10), 4, 3)),
        ("too many rows", png(bytes(5 * 10), 4, 3)),
        ("a bomb", png(bytes(10**7), 4, 3)),
        ("no such filter", png(b"\5" + bytes(4 * 10 - 1), 4, 3)),
        ("no end", png(bytes(4 * 10), 4, 3, tail=False)),
        ("cut short", GOOD[:-20]),
        ("a flipped bit", GOOD[:60] + bytes([GOOD[60] ^ 1]) + GOOD[61:]),
        ("a flipped checksum of rows", with_a_flipped_checksum(GOOD, b"IDAT")),
        ("a flipped checksum of text", with_a_flipped_checksum(GOOD, b"tEXt")),
        ("a flipped checksum of the end", with_a_flipped_checksum(GOOD, b"IEND")),
        ("a stream without its end", without_the_end_of_its_stream(4, 3)),
        ("another signature", b"\x90" + GOOD[1:]),
        ("a smaller signature", b"\x88" + GOOD[1:]),
        ("rows that are no deflate stream", GOOD[:33] + chunk(b"IDAT", b"\xff" * 30) + chunk(b"IEND", b"")),
        ("no rows", GOOD[:33] + chunk(b"IEND", b"")),
        ("empty", b""),
        ("a JPEG", b"\xff\xd8\xff\xe0" + bytes(64)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_left_to_pillow(what, data):
    del what
    assert decode_plain_png(GOOD, (4, 3)) is not None
    assert decode_plain_png(data, (4, 3)) is None
