"""Read and write the parts of protobuf's wire format that Caffe's binary files use, without copying arrays.

A caffemodel is hundreds of megabytes of floats in a few hundred small messages. These functions do not copy the floats,
and check every length before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)


class WireError(ValueError):
    """The bytes are not protobuf; the message says what is wrong and where."""


class WireField(NamedTuple):
    """One field of a message.

    Attributes:
        number: of the field.
        kind: VARINT, FIXED64, BYTES or FIXED32.
        value: of a VARINT, else 0.
        start: offset of its contents in the buffer.
        end: offset after its contents.
    """

    number: int
    kind: int
    value: int
    start: int
    end: int


def read_wire_fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[WireField]:
    """Yield the fields of the message in ``data[start:end]``.

    Raises:
        WireError: if a length is beyond the end, a varint does not end, or a kind does not exist.
    """
    place, end = start, len(data) if end is None else end
    while place < end:
        begun = place
        key, place = read_varint(data, place, end)
        number, kind = key >> 3, key & 7
        value = 0
        if kind == VARINT:
            value, stop = read_varint(data, place, end)
        elif kind == FIXED64:
            stop = place + 8
        elif kind == FIXED32:
            stop = place + 4
        elif kind == BYTES:
            length, place = read_varint(data, place, end)
            stop = place + length
        else:
            raise WireError(f"byte {begun} begins a field of kind {kind}, which Caffe does not use")
        if number == 0:
            raise WireError(f"byte {begun} begins a field number 0, which does not exist")
        if stop > end:
            raise WireError(f"the field at byte {begun} claims {stop - place} bytes and {end - place} are left")
        yield WireField(number, kind, value, place, stop)
        place = stop


def read_varint(data: bytes, place: int, end: int) -> tuple[int, int]:
    """Return the varint at `place`, and the offset after it.

    Raises:
        WireError: if it does not end within ten bytes and before `end`.
    """
    value = 0
    for count in range(min(10, end - place)):
        byte = data[place + count]
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, place + count + 1
    raise WireError(f"the number at byte {place} does not end")


def to_signed_int(value: int) -> int:
    """Return the signed number with the bits of an unsigned 64-bit one."""
    return value - (1 << 64) if value >> 63 else value


def encode_varint(value: int) -> bytes:
    """Return a non-negative number as a varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_header(number: int, length: int) -> bytes:
    """Return the header of a field of kind BYTES with `length` bytes."""
    return encode_varint(number << 3 | BYTES) + encode_varint(length)


def encode_bytes(number: int, contents: bytes) -> bytes:
    """Return a field of kind BYTES: a string, a message or packed numbers."""
    return encode_header(number, len(contents)) + contents
