"""Reads caffemodels, {layer: its weights}, in all three of Caffe's binary formats, without copying.

=======  ==========================  ==================  ====================
format   layers                      name of a layer     its weights
=======  ==========================  ==================  ====================
current  field 100 of the network    1                   7
V1       2                           4                   6
V0       2, and 1 within it          1                   50
=======  ==========================  ==================  ====================
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.io import reading
from netdissect.io.reading import MAX_FILE_BYTES
from netdissect.networks.sources.caffe import sniff
from netdissect.networks.sources.caffe.wire_format import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    WireError,
    WireField,
    read_varint,
    read_wire_fields,
    to_signed_int,
)

if TYPE_CHECKING:
    from pathlib import Path

#: A layer's weights or bias.
Blob = NDArray[np.float32]

#: NVIDIA's branch stores raw bytes (field 12) of one of these types (field 10).
_RAW_TYPES = {0: "<f8", 1: "<f4", 2: "<f2"}


def read_caffemodel(path: Path) -> dict[str, list[Blob]]:
    """Read the weights of every layer that has any.

    Returns:
        for every layer its blobs, float32, in Caffe's order (weights, then bias), in the shape that the file gives. They
        are views of the file's bytes: read-only, and not aligned.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is of another kind, truncated or damaged.
    """
    return parse_caffemodel(read_caffe_file(path, "caffemodel"), where=str(path))


def parse_caffemodel(data: bytes, *, where: str = "caffemodel") -> dict[str, list[Blob]]:
    """Return the weights in the bytes of a caffemodel; `where` names it in error messages.

    Raises:
        ModelFileError: if it is of another kind, truncated or damaged.
    """
    suspicion = sniff.sniff_caffemodel(data)
    if suspicion:
        raise ModelFileError(f"{where}: expected a binary caffemodel, got {suspicion}")
    found: dict[str, list[Blob]] = {}
    layers = 0
    try:
        for field in read_wire_fields(data):
            if field.kind == BYTES and field.number in (2, 100):
                name, blobs = _read_layer(data, field, *((1, 7) if field.number == 100 else (4, 6)))
                layers += 1
                if blobs:
                    found[name] = blobs
    except WireError as error:
        raise ModelFileError(
            f"{where}: expected a binary caffemodel, got one that is truncated or damaged: {error} "
            f"(it has {len(data):,} bytes); download it again"
        ) from error
    if not layers:
        raise ModelFileError(f"{where}: expected a binary caffemodel, got a file without a single layer")
    return found


def read_blob(data: bytes, start: int = 0, end: int | None = None, *, name: str = "blob") -> Blob:
    """Return the numbers of the ``BlobProto`` message in ``data[start:end]``.

    Raises:
        WireError: if it is damaged, or its numbers do not fit its shape.
    """
    shape: list[int] | None = None
    legacy = [0, 0, 0, 0]
    parts: dict[str, list[bytes | bytearray | memoryview]] = {"<f4": [], "<f8": [], "raw": []}
    raw_type = "<f4"
    for field in read_wire_fields(data, start, end):
        contents = memoryview(data)[field.start : field.end]
        if field.number in (1, 2, 3, 4) and field.kind == VARINT:
            legacy[field.number - 1] = to_signed_int(field.value)
        elif field.number == 7 and field.kind == BYTES:
            shape = _read_shape(data, field)
        elif field.number == 5 and field.kind in (BYTES, FIXED32):
            _append_numbers(parts["<f4"], contents, single=field.kind == FIXED32)
        elif field.number == 8 and field.kind in (BYTES, FIXED64):
            _append_numbers(parts["<f8"], contents, single=field.kind == FIXED64)
        elif field.number == 10 and field.kind == VARINT:
            raw_type = _RAW_TYPES.get(field.value, "")
        elif field.number == 12 and field.kind == BYTES:
            parts["raw"].append(contents)
    if parts["raw"] and not raw_type:
        raise WireError(f"the weights of {name} are whole numbers, which are not supported")
    numbers = _to_array(parts["<f4"] or parts["raw"] or parts["<f8"], _pick_dtype(parts, raw_type), name)
    return _reshape(numbers, shape if shape is not None else legacy if any(legacy) else [numbers.size], name)


def read_caffe_file(path: Path, kind: str, *, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it cannot be read, is not a regular file, or is larger than `most` bytes.
    """
    try:
        return reading.read_bytes(path, most=most)
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"{path}: no such {kind}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path}: expected a {kind}, but it cannot be read ({why})") from error


def _read_layer(data: bytes, layer: WireField, name_number: int, blobs_number: int) -> tuple[str, list[Blob]]:
    """Return a layer's name and weights; a V1 layer may hold a V0 layer that has both."""
    name, spans = "", []
    for field in read_wire_fields(data, layer.start, layer.end):
        if field.kind != BYTES:
            continue
        if field.number == name_number:
            name = data[field.start : field.end].decode("utf-8", "replace")
        elif field.number == blobs_number:
            spans.append((field.start, field.end))
        elif field.number == 1 and name_number == 4:
            return _read_layer(data, field, 1, 50)
    return name, [read_blob(data, *span, name=f"layer {name!r}") for span in spans]


def _append_numbers(parts: list[bytes | bytearray | memoryview], contents: memoryview, *, single: bool) -> None:
    """Add numbers to a blob; single ones, of which old files have millions, are joined as they come."""
    if not single:
        parts.append(contents)
    elif parts and isinstance(parts[-1], bytearray):
        parts[-1] += contents
    else:
        parts.append(bytearray(contents))


def _read_shape(data: bytes, shape: WireField) -> list[int]:
    dims: list[int] = []
    for field in read_wire_fields(data, shape.start, shape.end):
        if field.number == 1 and field.kind == VARINT:
            dims.append(to_signed_int(field.value))
        elif field.number == 1 and field.kind == BYTES:
            place = field.start
            while place < field.end:
                dim, place = read_varint(data, place, field.end)
                dims.append(to_signed_int(dim))
    return dims


def _pick_dtype(parts: dict[str, list[bytes | bytearray | memoryview]], raw_type: str) -> str:
    return "<f4" if parts["<f4"] else raw_type if parts["raw"] else "<f8" if parts["<f8"] else "<f4"


def _to_array(parts: list[bytes | bytearray | memoryview], kind: str, name: str) -> Blob:
    joined = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(joined) % np.dtype(kind).itemsize:
        raise WireError(f"the weights of {name} fill {len(joined)} bytes, which is no whole number of floats")
    numbers = np.frombuffer(joined, dtype=kind)
    with np.errstate(over="ignore"):
        return numbers if kind == "<f4" else numbers.astype(np.float32)


def _reshape(numbers: Blob, shape: list[int], name: str) -> Blob:
    if len(shape) > 32 or any(dim < 0 for dim in shape) or math.prod(shape) != numbers.size:
        said = " x ".join(map(str, shape[:8])) + (" …" if len(shape) > 8 else "")
        raise WireError(f"the weights of {name} should be {said} numbers and are {numbers.size:,}")
    return numbers.reshape(shape)
