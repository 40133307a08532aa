"""Pack arrays and plain values into JavaScript files, the only data that a page opened from disk can load.

A file is one call, ``netdissect.put(KEY, FACTS, LAYOUT, "BASE64")``. The bytes are the concatenated arrays, compressed by zlib.
Each array's bytes are shuffled first, for better compression: the lowest byte of every number, then the next of every number,
and so on. ``data.js`` unpacks the files in the page, and `unpack_script` when a report is redrawn.
"""

from __future__ import annotations

import base64
import json
import zlib
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.io.json_files import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Types for which JavaScript has arrays, by their names in numpy.
_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
#: The most bytes of a file's arrays; an image's label map takes about a hundredth of it.
MAX_ARRAY_BYTES = 2**26
_HEAD = "netdissect.put("
_TAIL = ");\n"
_LEVEL = 6


def encode_script_json(value: Any) -> str:
    """Return JSON that is safe inside a script: without ``<``, ``>`` and ``&``, and ASCII only (so no U+2028)."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pack_arrays(key: str, facts: Any, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the arguments of ``netdissect.put`` as JSON without the brackets.

    Args:
        key: name of the data file.
        facts: values that JSON can hold.
        arrays: arrays by name, of the types in `_TYPES`.

    Raises:
        ValueError: if an array is of another type.
    """
    layout, parts = [], []
    for name, array in arrays.items():
        kind = array.dtype.str[1:]
        if kind not in _TYPES:
            raise ValueError(f"{name} is {array.dtype}: a page has arrays of {', '.join(_TYPES)} only")
        layout.append([name, kind, list(array.shape)])
        little = np.ascontiguousarray(array, dtype=f"<{kind}")
        parts.append(little.reshape(-1).view(np.uint8).reshape(-1, little.itemsize).T.tobytes())
    data = base64.b64encode(zlib.compress(b"".join(parts), _LEVEL)).decode() if parts else ""
    return encode_script_json([key, facts, layout, data])[1:-1]


def format_script(packed: str) -> str:
    """Return packed arguments as the text of a JavaScript file."""
    return f"{_HEAD}{packed}{_TAIL}"


def read_script_arguments(text: str) -> str:
    """Return the packed arguments in a file.

    Raises:
        ValueError: if `format_script` did not write it.
    """
    if not text.startswith(_HEAD) or not text.endswith(_TAIL):
        raise ValueError("expected a data file of a report")
    return text[len(_HEAD) : -len(_TAIL)]


def unpack_script(text: str, *, most: int = MAX_ARRAY_BYTES) -> tuple[str, Any, dict[str, NDArray[Any]]]:
    """Return key, facts and arrays of a file that `format_script` wrote.

    Args:
        text: the file.
        most: the most bytes that its arrays may have.

    Raises:
        ValueError: if it is not such a file, or has more bytes.
    """
    try:
        key, facts, layout, data = parse_json(f"[{read_script_arguments(text)}]")
        kinds = [
            (name, np.dtype(f"<{_check_type(kind)}"), tuple(map(_check_size, shape))) for name, kind, shape in layout
        ]
        flat = np.frombuffer(
            _inflate(data, sum(kind.itemsize * prod(shape) for _, kind, shape in kinds), most), np.uint8
        )
    except (TypeError, zlib.error) as error:
        raise ValueError(f"expected a data file of a report ({error})") from error
    arrays, at = {}, 0
    for name, dtype, shape in kinds:
        size = prod(shape)
        part = flat[at : at + size * dtype.itemsize].reshape(dtype.itemsize, size)
        arrays[name] = np.ascontiguousarray(part.T).view(dtype).reshape(shape)
        at += size * dtype.itemsize
    return key, facts, arrays


def _inflate(data: str, expected: int, most: int) -> bytes:
    """Decompress base64 and zlib to exactly the expected number of bytes; never decompress more."""
    if expected > most:
        raise ValueError(f"expected at most {most:,} bytes of arrays, got {expected:,}")
    if not data and not expected:
        return b""
    stream = zlib.decompressobj()
    flat = stream.decompress(base64.b64decode(data, validate=True), expected + 1)
    if len(flat) != expected or not stream.eof:
        raise ValueError(
            f"expected {expected:,} bytes of arrays, got {'others' if len(flat) == expected else len(flat)}"
        )
    return flat


def _check_type(kind: object) -> str:
    if kind not in _TYPES:
        raise ValueError(f"expected arrays of {', '.join(_TYPES)}, got {kind!r}")
    return str(kind)


def _check_size(number: object) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(f"expected sizes of arrays, got {number!r}")
    return number
