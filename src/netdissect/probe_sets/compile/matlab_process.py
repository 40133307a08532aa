"""Read MATLAB files for another process (`matlab`), because scipy's reader may crash or use up all memory.

A request is a line of JSON, ``[path, variable]``. An answer is two lengths of eight bytes each, JSON, and the bytes of the
arrays that the JSON refers to by offset. The file is run as a script and imports nothing of the project.
"""

from __future__ import annotations

import contextlib
import json
import signal
import struct
import sys
import warnings
import zlib
from typing import Any

import numpy as np

#: Bytes of memory that the process may use, and seconds per file; the operating system kills it beyond them.
MEMORY, SECONDS = 4 << 30, 60
#: Bytes of an answer; the index of ADE20K takes 600 MB.
MAX_ANSWER = 1 << 30
#: Levels of nested structures and cells; Broden's sources have five.
MAX_DEPTH = 50

# What scipy's reader raises for files that are truncated, overwritten, or of another kind.
_DAMAGE_ERRORS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, OverflowError, MemoryError,
    UnicodeDecodeError, RecursionError, struct.error, zlib.error, Warning,
)  # fmt: skip


def main() -> None:
    """Answer requests until stdin is closed."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows has no such limits
        pass
    else:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses to limit the address space
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        if hasattr(signal, "alarm"):
            signal.alarm(SECONDS)
        blobs = _ArrayBytes()
        path, name = json.loads(line)
        answer = json.dumps(_answer_request(path, name, blobs)).encode()
        data = b"".join(blobs)
        sys.stdout.buffer.write(struct.pack("<QQ", len(answer), len(data)) + answer + data)
        sys.stdout.buffer.flush()
        if hasattr(signal, "alarm"):
            signal.alarm(0)


class _TooMuchError(Exception):
    """An answer would be larger than `MAX_ANSWER`."""


class _ArrayBytes(list[bytes]):
    """The bytes of arrays, one after the other.

    Attributes:
        size: number of bytes.
    """

    size = 0

    def keep(self, data: bytes) -> int:
        """Append an array; return its offset."""
        place = self.size
        self.size += len(data)
        if self.size > MAX_ANSWER:
            raise _TooMuchError
        self.append(data)
        return place


def _answer_request(path: str, name: str, blobs: _ArrayBytes) -> list[Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            variables = loadmat(path, simplify_cells=True, variable_names=[name])
        return ["value", _to_json(variables[name], blobs)] if name in variables else ["without", ""]
    except FileNotFoundError:
        return ["missing", ""]
    except NotImplementedError:
        return ["new", ""]
    except _TooMuchError:
        blobs.clear()
        return ["large", ""]
    except (*_DAMAGE_ERRORS, MatReadError) as error:
        blobs.clear()
        return ["damaged", str(error).splitlines()[0] if str(error) else type(error).__name__]


def _to_json(value: Any, blobs: _ArrayBytes, depth: int = 0) -> list[Any]:
    """Return a value as JSON, with its numbers moved to `blobs`."""
    if depth > MAX_DEPTH:
        raise RecursionError(f"structures are nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return ["structure", {str(key): _to_json(part, blobs, depth + 1) for key, part in value.items()}]
    if isinstance(value, str):
        return ["text", value]
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return ["cells", array.shape, [_to_json(part, blobs, depth + 1) for part in array.ravel()]]
    if array.dtype.kind == "U":
        return ["texts", array.shape, [str(part) for part in array.ravel()]]
    if array.nbytes > MAX_ANSWER:
        raise _TooMuchError
    place = blobs.keep(np.ascontiguousarray(array).tobytes())
    return ["numbers", array.dtype.str, array.shape, place]


if __name__ == "__main__":
    main()
