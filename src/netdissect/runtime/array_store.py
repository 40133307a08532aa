"""Artefacts: what finished pieces of work leave behind, as named arrays under a key.

In memory while a budget lasts; in a folder, where every artefact is whole or not there, carries checksums, and is
found again by the next run. The folder may be any fsspec URL, so that the workers of a cluster can share it. A folder
belongs to one set of settings: its name is a hash of everything that made its artefacts, and every checksum covers it,
so nothing else is ever reused, wherever files were moved.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from netdissect.errors import MissingExtraError, RunFileError, SettingsError
from netdissect.io import atomic, reading
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]

#: An artefact is a .npz archive with a checksum behind it, of the archive and the folder's name.
_SUFFIX = ".arrays"
_DIGEST = 16


class Store:
    """A store of named arrays.

    Use it as a context manager. A temporary folder goes when the block ends; a folder that was given stays until
    `clear` is called, so that an interrupted run can go on.
    """

    def __init__(self, folder: str | Path | None = None, *, budget: int = 0) -> None:
        """Open a store.

        Args:
            folder: where every artefact is written at once, a path or an fsspec URL; None keeps them in memory and
                spills to a temporary folder what is beyond the budget.
            budget: bytes to keep in memory.
        """
        self._given = folder is not None
        self._place: _Storage | None = None if folder is None else _open_storage(folder)
        self._budget = budget
        self._memory: dict[str, Arrays] = {}
        self._held = 0
        self.written_bytes = 0

    @property
    def folder(self) -> str:
        """Where artefacts are written; a temporary folder is made if none was given."""
        return str(self._somewhere())

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key; what was stored under it before is replaced."""
        self.drop(key)
        size = sum(array.nbytes for array in arrays.values())
        fits = self._held + size <= self._budget
        if fits:
            self._memory[key] = dict(arrays)
            self._held += size
        if self._given or not fits:
            out = io.BytesIO()
            named: dict[str, Any] = dict(arrays)
            np.savez(out, **named)
            data = out.getvalue()
            place = self._somewhere()
            place.write(f"{key}{_SUFFIX}", data + _compute_checksum(place, data))
            self.written_bytes += size

    def get(self, key: str) -> Arrays:
        """Return the arrays stored under a key.

        Raises:
            KeyError: if there is nothing whole under that key.
        """
        if key in self._memory:
            return self._memory[key]
        stored = self._place.read(f"{key}{_SUFFIX}") if self._place is not None else None
        if (
            self._place is None
            or stored is None
            or stored[-_DIGEST:] != _compute_checksum(self._place, stored[:-_DIGEST])
        ):
            raise KeyError(key)
        try:
            with np.load(io.BytesIO(stored[:-_DIGEST]), allow_pickle=False) as arrays:
                return dict(arrays)
        except ValueError as error:  # what is not unpickled; nothing that was put in here by `put`
            raise KeyError(key) from error

    def __contains__(self, key: str) -> bool:
        """Tell whether a whole artefact lies under a key; a damaged one is as good as none."""
        try:
            self.get(key)
        except KeyError:
            return False
        return True

    def must(self, key: str) -> Arrays:
        """Return the arrays stored under a key.

        Raises:
            RunFileError: if they are gone or were damaged since they were written.
        """
        try:
            return self.get(key)
        except KeyError as error:
            raise RunFileError(
                f"{self._somewhere()}/{key}{_SUFFIX} was lost or damaged while the run was going on: run the same command "
                f"again, it makes only what is missing"
            ) from error

    def drop(self, key: str) -> None:
        """Forget a key, if it is there."""
        if key in self._memory:
            self._held -= sum(array.nbytes for array in self._memory.pop(key).values())

    def clear(self) -> None:
        """Forget everything, on disk too."""
        self._memory.clear()
        self._held = 0
        if self._place is not None:
            self._place.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._given:
            self.clear()

    def _somewhere(self) -> _Storage:
        if self._place is None:
            self._place = _LocalStorage(Path(tempfile.mkdtemp(prefix="netdissect-")))
        return self._place


def _compute_checksum(place: _Storage, data: bytes) -> bytes:
    name = str(place).rpartition("/")[2]
    hashed = hashlib.blake2b(f"{name}\n".encode(), digest_size=_DIGEST)
    hashed.update(data)
    return hashed.digest()


class _Storage(Protocol):
    """Somewhere to keep files."""

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file, or nothing."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if it is not there."""
        ...

    def remove(self) -> None:
        """Remove everything."""
        ...


class _LocalStorage:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def write(self, name: str, data: bytes) -> None:
        atomic.write_bytes(self._path / name, data)

    def read(self, name: str) -> bytes | None:
        if not atomic.is_regular_below(self._path, name):  # what lies behind a link was not put there by `write`
            return None
        try:
            return reading.read_bytes(self._path / name)
        except OSError:
            return None

    def remove(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


class _RemoteStorage:
    """A folder behind an fsspec URL; object stores put a whole object or nothing."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        fsspec = import_optional("fsspec", extra="ray", purpose="for addresses like s3://")
        try:
            self._files, self._root = fsspec.core.url_to_fs(self._url)
        except ImportError as error:
            raise MissingExtraError(f"{url} needs a library that is not installed: {error}") from error
        except ValueError as error:
            raise SettingsError(f"{url} is no address that can be written to: {error}") from error

    def __str__(self) -> str:
        return self._url

    def write(self, name: str, data: bytes) -> None:
        self._files.makedirs(self._root, exist_ok=True)
        self._files.pipe_file(f"{self._root}/{name}", data)

    def read(self, name: str) -> bytes | None:
        try:
            data: bytes = self._files.cat_file(f"{self._root}/{name}")
        except OSError:
            return None
        return data

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self._files.rm(self._root, recursive=True)


def _open_storage(folder: str | Path) -> _Storage:
    return _RemoteStorage(folder) if isinstance(folder, str) and "://" in folder else _LocalStorage(Path(folder))
