"""A cache of arrays: in memory up to a budget, then in a temporary file, and no further once the disk has no room."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from numpy.typing import NDArray

_LOG = logging.getLogger("netdissect")
#: Bytes of the disk that the temporary file leaves free.
FREE_BYTES = 2**30


class _Place(NamedTuple):
    """Where an array is in the temporary file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class ArrayCache:
    """Arrays by key, for several threads; an array that was put may be absent, and must not be changed.

    The temporary file has no name, so the system removes it even if the process is killed.

    Attributes:
        memory_bytes: bytes of the arrays in memory.
        file_bytes: bytes of the arrays in the temporary file.

    Example:
        >>> with ArrayCache(8) as cache:
        ...     cache.put("a", np.arange(8, dtype=np.uint8))
        ...     cache.put("b", np.arange(4, dtype=np.uint8))
        ...     cache.get("b"), cache.get("c"), cache.memory_bytes, cache.file_bytes
        (array([0, 1, 2, 3], dtype=uint8), None, 8, 4)
    """

    def __init__(
        self, budget: int, folder: Path | None = None, *, free_bytes: int = FREE_BYTES, on_disk: bool = True
    ) -> None:
        """Open an empty cache.

        Args:
            budget: bytes to keep in memory.
            folder: folder of the temporary file; None takes the system's.
            free_bytes: bytes of the disk that stay free.
            on_disk: whether arrays beyond the budget are kept in the temporary file.
        """
        self._budget = budget
        self._folder = folder
        self._free_bytes = free_bytes
        self._lock = threading.Lock()
        self._memory: dict[Hashable, NDArray[Any]] = {}
        self._places: dict[Hashable, _Place] = {}
        self._file: IO[bytes] | None = None
        self._is_full = not on_disk
        self.memory_bytes = 0
        self.file_bytes = 0

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return the array under a key; None if there is none."""
        array = self._memory.get(key)
        place = self._places.get(key) if array is None else None
        if place is None or self._file is None:
            return array
        found = np.empty(place.shape, place.dtype)
        data = self._read_bytes(self._file, found.nbytes, place.offset)
        if len(data) != found.nbytes:
            return None
        found.reshape(-1).view(np.uint8)[:] = np.frombuffer(data, np.uint8)
        return found

    def put(self, key: Hashable, array: NDArray[Any]) -> None:
        """Keep an array under a key, if there is none yet and there is room."""
        array = np.ascontiguousarray(array)
        with self._lock:
            if key in self._memory or key in self._places:
                return
            if self.memory_bytes + array.nbytes <= self._budget:
                self._memory[key] = array
                self.memory_bytes += array.nbytes
            elif not self._is_full:
                self._write(key, array)

    def close(self) -> None:
        """Remove every array, in memory and on disk."""
        self._memory.clear()
        self._places.clear()
        if self._file is not None:
            self._file.close()
        self._file, self._is_full, self._budget = None, True, -1  # nothing more is kept
        self.memory_bytes = self.file_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_bytes(self, file: IO[bytes], count: int, offset: int) -> bytes:
        """Return bytes of the temporary file; threads wait for each other where the system has no `os.pread`."""
        if hasattr(os, "pread"):
            return os.pread(file.fileno(), count, offset)
        with self._lock:
            file.seek(offset)
            return file.read(count)

    def _write(self, key: Hashable, array: NDArray[Any]) -> None:
        """Write an array to the temporary file; if that fails, or the disk has no room, nothing more is written."""
        self._is_full = True
        with contextlib.suppress(OSError):
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="netdissect-", dir=self._folder, buffering=0)  # noqa: SIM115 - `close` does
            free = shutil.disk_usage(self._folder or tempfile.gettempdir()).free
            if free - array.nbytes >= self._free_bytes:
                self._file.seek(self.file_bytes)
                if self._file.write(array.reshape(-1).view(np.uint8).data) == array.nbytes:
                    self._places[key] = _Place(self.file_bytes, array.dtype, array.shape)
                    self.file_bytes += array.nbytes
                    self._is_full = False
        if self._is_full:
            _LOG.info(
                "the disk has no room for more decoded images and labels: the others are decoded again every time"
            )
