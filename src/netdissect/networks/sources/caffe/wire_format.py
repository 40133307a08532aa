"""Protobuf's wire format, as far as Caffe's binary files need it: fields in, fields out, numbers never copied.

A caffemodel is hundreds of megabytes of floats in a few hundred small messages. Walking the messages here leaves the
floats where they lie, and lets no length in a damaged file be believed before it is checked.
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
        start: where its contents begin in the buffer.
        end: where they end.
    """

    number: int
    kind: int
    value: int
    start: int
    end: int


def read_wire_fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[WireField]:
    """Walk the fields of the message that fills ``data[start:end]``.

    Raises:
        WireError: at a length beyond the end, a varint without end, or a kind that does not exist.
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
    """Return the number at `place` and where it ends.

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
    """Return an unsigned 64-bit number as the signed one with the same bits."""
    return value - (1 << 64) if value >> 63 else value


def encode_varint(value: int) -> bytes:
    """Return a number that is not negative as bytes."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_header(number: int, length: int) -> bytes:
    """Return what stands before `length` bytes of a field of kind BYTES."""
    return encode_varint(number << 3 | BYTES) + encode_varint(length)


def encode_bytes(number: int, contents: bytes) -> bytes:
    """Return a whole field of kind BYTES: a text, a message or packed numbers."""
    return encode_header(number, len(contents)) + contents
