"""Read MATLAB files as plain Python values, in a separate process.

scipy's reader is fast and complete, but crashes on some damaged files. So it runs in its own process
(`matlab_process`), which is restarted after a crash and returns JSON and numbers.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import open_regular

if TYPE_CHECKING:
    from typing import IO

_PROBLEMS = {
    "new": "expected a MATLAB file up to version 7, got version 7.3 (HDF5)",
    "damaged": "the MATLAB file is cut off or damaged",
    "large": "what it holds is larger than any file of Broden's sources",
}


def read_mat_variable(path: Path, name: str) -> Any:
    """Read one variable of a .mat file: structures as dictionaries, cells as arrays.

    Raises:
        DataNotFoundError: if the file is missing.
        DataFileError: if it is no regular file, damaged, of version 7.3 (HDF5), larger than any of Broden's files, or
            has no such variable.
    """
    try:
        open_regular(path).close()  # scipy would wait forever for a named pipe
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path} does not exist") from error
    except OSError as error:
        raise DataFileError(f"{path} cannot be read as a MATLAB file: {error.strerror}") from error
    (kind, value), data = _reader.ask(path, name)
    if kind == "missing":
        raise DataNotFoundError(f"{path} does not exist")
    if kind == "without":
        raise DataFileError(f"{path}: expected a variable {name!r}, which it does not have")
    if kind != "value":
        raise DataFileError(f"{path}: {_PROBLEMS[kind]}{f' ({value})' if value else ''}")
    return _rebuild(value, data)


class _ReaderProcess:
    """The reader process; it starts at the first request."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, path: Path, name: str) -> tuple[list[Any], bytes]:
        """Return the answer to a request, and the bytes of the arrays in it."""
        with self._lock:
            return self._ask(path, name)

    def _ask(self, path: Path, name: str) -> tuple[list[Any], bytes]:
        if self._process is None:
            program = [sys.executable, str(Path(__file__).with_name("matlab_process.py"))]
            self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
            atexit.register(self.close)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([str(path.resolve()), name]).encode() + b"\n")
            self._process.stdin.flush()
            length, data = struct.unpack("<QQ", _read_exactly(self._process.stdout, 16))
            return json.loads(_read_exactly(self._process.stdout, length)), _read_exactly(self._process.stdout, data)
        except (EOFError, BrokenPipeError):
            self.close()
            return ["damaged", "its reader crashed, or ran out of memory or time"], b""
        except BaseException:  # otherwise the rest of an interrupted answer would be read as the next one
            self.close()
            raise

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        atexit.unregister(self.close)
        process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.communicate()


_reader = _ReaderProcess()


def _read_exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _rebuild(plain: list[Any], data: bytes) -> Any:
    kind, *rest = plain
    if kind == "structure":
        return {key: _rebuild(part, data) for key, part in rest[0].items()}
    if kind == "text":
        return rest[0]
    if kind == "numbers":
        dtype, shape, place = rest
        numbers = np.frombuffer(data, dtype, int(np.prod(shape)), place).reshape(shape)
        return numbers if shape else numbers[()]
    if kind == "texts":
        return np.array(rest[1]).reshape(rest[0])
    array = np.empty(rest[0], object)
    for position, part in enumerate(rest[1]):
        array.flat[position] = _rebuild(part, data)
    return array


def to_list(value: Any) -> list[Any]:
    """Return a cell array or an array of structures as a list; MATLAB stores a single element without an array."""
    if isinstance(value, np.ndarray):
        return list(value.ravel())
    if isinstance(value, list):
        return value
    return [value]


def to_text(value: Any) -> str:
    """Return a string; MATLAB stores an empty one as an empty array."""
    return value if isinstance(value, str) else ""


def get_field(structure: Any, name: str, path: Path) -> Any:
    """Return a field of a structure.

    Raises:
        DataFileError: if the value is no structure, or has no such field.
    """
    if not isinstance(structure, dict) or name not in structure:
        raise DataFileError(f"{path}: expected a structure with the field {name!r}")
    return structure[name]
