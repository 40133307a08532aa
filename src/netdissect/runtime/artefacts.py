"""Artefacts: what a shard's work leaves behind, as named arrays under a key; in memory while it fits, else on disk."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from netdissect import atomic
from netdissect.errors import RunFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Artefacts:
    """A store of named arrays. Memory is used up to a budget; what comes later spills to disk.

    Use it as a context manager: what it spilled goes when the block ends.
    """

    def __init__(self, budget: int, folder: Path | None = None) -> None:
        """Open a store.

        Args:
            budget: bytes to keep in memory.
            folder: where to spill; None makes a temporary folder when it is first needed.
        """
        self._budget = budget
        self._held = 0
        self._memory: dict[str, dict[str, NDArray[Any]]] = {}
        self._folder = folder
        self._spilled: set[str] = set()
        self.spilled_bytes = 0

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key; what was stored under it before is replaced."""
        self.drop(key)
        size = sum(array.nbytes for array in arrays.values())
        if self._held + size <= self._budget:
            self._memory[key] = dict(arrays)
            self._held += size
            return
        with atomic.replacing(self._path(key)) as file:
            np.savez(file, allow_pickle=False, **arrays)
        self._spilled.add(key)
        self.spilled_bytes += size

    def get(self, key: str) -> dict[str, NDArray[Any]]:
        """Return the arrays stored under a key.

        Raises:
            RunFileError: if their file was damaged.
            KeyError: if there is no such key.
        """
        if key in self._memory:
            return self._memory[key]
        if key not in self._spilled:
            raise KeyError(key)
        path = self._path(key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise RunFileError(f"{path}: an intermediate file of this run was damaged ({error}); run again") from error

    def __contains__(self, key: str) -> bool:
        return key in self._memory or key in self._spilled

    def drop(self, key: str) -> None:
        """Forget a key, if it is there."""
        if key in self._memory:
            self._held -= sum(array.nbytes for array in self._memory.pop(key).values())
        if key in self._spilled:
            self._path(key).unlink(missing_ok=True)
            self._spilled.discard(key)

    def close(self) -> None:
        """Forget everything and remove what was spilled."""
        self._memory.clear()
        self._held = 0
        if self._folder is not None and self._spilled:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._spilled.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _path(self, key: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="netdissect-"))
        return self._folder / f"{key}.npz"
