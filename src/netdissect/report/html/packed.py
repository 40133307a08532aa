"""Arrays and facts as JavaScript files: the only data a page opened from disk may load is a script.

A file holds one call, ``netdissect.put(KEY, FACTS, LAYOUT, "BASE64")``. The bytes are the arrays one after another,
each with bytes of equal significance side by side (they compress better so), then zlib. Both sides know nothing else:
the page reads it in ``store.js``, and `unpack` reads it here when a report is drawn again.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Types a page has arrays for, as numpy calls them.
_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
_HEAD = "netdissect.put("
_TAIL = ");\n"
_LEVEL = 6


def as_json(value: Any) -> str:
    """Return JSON that stands safely inside a script: no ``<``, and nothing outside ASCII (so no U+2028)."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pack(key: str, facts: Any, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the arguments of ``netdissect.put`` as JSON without the brackets.

    Args:
        key: what the page asks for.
        facts: plain values.
        arrays: by name; of the types a page has, little-endian.

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
    return as_json([key, facts, layout, data])[1:-1]


def script(packed: str) -> str:
    """Return packed arguments as the text of a JavaScript file."""
    return f"{_HEAD}{packed}{_TAIL}"


def arguments(text: str) -> str:
    """Return the packed arguments that stand in a file.

    Raises:
        ValueError: if it is no file that `script` wrote.
    """
    if not text.startswith(_HEAD) or not text.endswith(_TAIL):
        raise ValueError("expected a data file of a report")
    return text[len(_HEAD) : -len(_TAIL)]


def unpack(text: str) -> tuple[str, Any, dict[str, NDArray[Any]]]:
    """Read a file that `script` wrote: key, facts, arrays.

    Raises:
        ValueError: if it is no such file.
    """
    key, facts, layout, data = json.loads(f"[{arguments(text)}]")
    try:
        flat = np.frombuffer(zlib.decompress(base64.b64decode(data)) if data else b"", np.uint8)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    arrays, at = {}, 0
    for name, kind, shape in layout:
        dtype = np.dtype(f"<{kind}")
        size = int(np.prod(shape, dtype=np.int64))
        part = flat[at : at + size * dtype.itemsize].reshape(dtype.itemsize, size)
        arrays[name] = np.ascontiguousarray(part.T).view(dtype).reshape(shape)
        at += size * dtype.itemsize
    return key, facts, arrays
