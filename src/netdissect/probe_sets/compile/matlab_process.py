"""A process that reads MATLAB files for another one (`matlab`): scipy's reader may crash, or ask for all memory there is.

It is asked in lines of JSON, ``[path, variable]``, and answers each by two lengths of eight bytes, JSON, and the bytes of
the arrays that the JSON names by place. It is run as a script and imports nothing of the project.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
import warnings
import zlib
from typing import Any

import numpy as np

#: Bytes of memory it may take, and seconds for one file; the system ends it then.
MEMORY, SECONDS = 4 << 30, 60
#: Bytes of an answer: the index of ADE20K has 600 MB.
LARGEST = 1 << 30
#: Structures and cells may lie in one another so deep; those of Broden's sources lie five deep.
DEEPEST = 50

# What scipy's reader is known to raise on files that are cut off, overwritten, or something else altogether.
_DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, OverflowError, MemoryError,
    UnicodeDecodeError, RecursionError, struct.error, zlib.error, Warning,
)  # fmt: skip


def main() -> None:
    """Answer until nobody asks any more."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows has no such limits
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        if hasattr(signal, "alarm"):
            signal.alarm(SECONDS)
        blobs = _Blobs()
        path, name = json.loads(line)
        said = json.dumps(_answer(path, name, blobs)).encode()
        data = b"".join(blobs)
        sys.stdout.buffer.write(struct.pack("<QQ", len(said), len(data)) + said + data)
        sys.stdout.buffer.flush()
        if hasattr(signal, "alarm"):
            signal.alarm(0)


class _TooMuchError(Exception):
    """An answer would be larger than `LARGEST`."""


class _Blobs(list[bytes]):
    """The bytes of arrays, one after the other.

    Attributes:
        size: how many they are.
    """

    size = 0

    def keep(self, data: bytes) -> int:
        """Put an array behind the others; return its place."""
        place = self.size
        self.size += len(data)
        if self.size > LARGEST:
            raise _TooMuchError
        self.append(data)
        return place


def _answer(path: str, name: str, blobs: _Blobs) -> list[Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            variables = loadmat(path, simplify_cells=True, variable_names=[name])
        return ["value", _plain(variables[name], blobs)] if name in variables else ["without", ""]
    except FileNotFoundError:
        return ["missing", ""]
    except NotImplementedError:
        return ["new", ""]
    except _TooMuchError:
        blobs.clear()
        return ["large", ""]
    except (*_DAMAGE, MatReadError) as error:
        blobs.clear()
        return ["damaged", str(error).splitlines()[0] if str(error) else type(error).__name__]


def _plain(value: Any, blobs: _Blobs, depth: int = 0) -> list[Any]:
    """Return a value as JSON, its numbers apart."""
    if depth > DEEPEST:
        raise RecursionError(f"structures lie in one another more than {DEEPEST} times")
    if isinstance(value, dict):
        return ["structure", {str(key): _plain(part, blobs, depth + 1) for key, part in value.items()}]
    if isinstance(value, str):
        return ["text", value]
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return ["cells", array.shape, [_plain(part, blobs, depth + 1) for part in array.ravel()]]
    if array.dtype.kind == "U":
        return ["texts", array.shape, [str(part) for part in array.ravel()]]
    if array.nbytes > LARGEST:
        raise _TooMuchError
    place = blobs.keep(np.ascontiguousarray(array).tobytes())
    return ["numbers", array.dtype.str, array.shape, place]


if __name__ == "__main__":
    main()
