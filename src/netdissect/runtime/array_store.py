"""Stores of named arrays, one entry per finished piece of work.

Entries stay in memory up to a budget. In a folder every entry is complete or absent, carries a checksum, and is found
again by the next run. The folder may be any fsspec URL, so that the workers of a cluster can share it. Its name is a hash
of everything that determines its entries, and the checksums include that name, so an entry of other settings is
never used, even if files were moved.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from netdissect.errors import MissingExtraError, RunFileError, SettingsError
from netdissect.io import atomic, reading
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]

#: An entry is an .npz archive followed by a checksum of the archive and the folder's name.
_SUFFIX = ".arrays"
_DIGEST_BYTES = 16


class Store:
    """A store of named arrays, by key.

    Use it as a context manager. A temporary folder is removed at the end; a folder that was named stays until `clear`
    is called, so that an interrupted run can continue.
    """

    def __init__(self, folder: str | Path | None = None, *, budget: int = 0) -> None:
        """Open a store.

        Args:
            folder: path or fsspec URL where every entry is written at once. None keeps entries in memory and writes
                those beyond the budget to a temporary folder.
            budget: bytes to keep in memory.
        """
        self._is_temporary = folder is None
        self._storage: _Storage | None = None if folder is None else _open_storage(folder)
        self._budget = budget
        self._memory: dict[str, Arrays] = {}
        self._memory_bytes = 0
        self.written_bytes = 0

    @property
    def folder(self) -> str:
        """The folder or URL; a temporary folder is created if none was named."""
        return str(self._require_storage())

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key, replacing what was stored under it."""
        self.drop(key)
        size = sum(array.nbytes for array in arrays.values())
        fits = self._memory_bytes + size <= self._budget
        if fits:
            self._memory[key] = dict(arrays)
            self._memory_bytes += size
        if not self._is_temporary or not fits:
            data = encode_npz(arrays)
            storage = self._require_storage()
            storage.write(f"{key}{_SUFFIX}", data + _compute_checksum(storage, data))
            self.written_bytes += size

    def get(self, key: str) -> Arrays:
        """Return the arrays under a key.

        Raises:
            RunFileError: if the entry is missing or damaged.
        """
        arrays = self.get_or_none(key)
        if arrays is None:
            raise RunFileError(
                f"{self._require_storage()}/{key}{_SUFFIX} was lost or damaged during the run: run the same command again, "
                f"only what is missing is computed again"
            )
        return arrays

    def get_or_none(self, key: str) -> Arrays | None:
        """Return the arrays under a key; None if there is no entry, or a damaged one."""
        if key in self._memory:
            return self._memory[key]
        stored = self._storage.read(f"{key}{_SUFFIX}") if self._storage is not None else None
        if self._storage is None or stored is None:
            return None
        data, checksum = stored[:-_DIGEST_BYTES], stored[-_DIGEST_BYTES:]
        if checksum != _compute_checksum(self._storage, data):
            return None
        try:
            return parse_npz(data)
        except ValueError:  # a pickle, which `put` never writes
            return None

    def __contains__(self, key: str) -> bool:
        """Return whether there is an undamaged entry under a key."""
        return self.get_or_none(key) is not None

    def drop(self, key: str) -> None:
        """Remove an entry from memory, if it is there."""
        if key in self._memory:
            self._memory_bytes -= sum(array.nbytes for array in self._memory.pop(key).values())

    def clear(self) -> None:
        """Remove every entry, in memory and in the folder."""
        self._memory.clear()
        self._memory_bytes = 0
        if self._storage is not None:
            self._storage.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_temporary:
            self.clear()

    def _require_storage(self) -> _Storage:
        if self._storage is None:
            self._storage = _LocalStorage(Path(tempfile.mkdtemp(prefix="netdissect-")))
        return self._storage


def _compute_checksum(storage: _Storage, data: bytes) -> bytes:
    name = str(storage).rpartition("/")[2]
    digest = hashlib.blake2b(f"{name}\n".encode(), digest_size=_DIGEST_BYTES)
    digest.update(data)
    return digest.digest()


class _Storage(Protocol):
    """A folder of files."""

    def write(self, name: str, data: bytes) -> None:
        """Write a file completely, or leave none."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None if there is no such file."""
        ...

    def remove(self) -> None:
        """Remove the folder."""
        ...


class _LocalStorage:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def write(self, name: str, data: bytes) -> None:
        atomic.write_bytes(self._path / name, data)

    def read(self, name: str) -> bytes | None:
        if not atomic.is_regular_below(self._path, name):  # `write` makes no links
            return None
        try:
            return reading.read_bytes(self._path / name)
        except OSError:
            return None

    def remove(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


class _RemoteStorage:
    """A folder behind an fsspec URL. Object stores write an object completely or not at all."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        fsspec = import_optional("fsspec", extra="ray", purpose="for addresses like s3://")
        try:
            self._files, self._root = fsspec.core.url_to_fs(self._url)
        except ImportError as error:
            raise MissingExtraError(f"{url} needs a library that is not installed: {error}") from error
        except ValueError as error:
            raise SettingsError(f"{url} is not a URL that can be written to: {error}") from error

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
