"""Open a prepared file: mapped into memory, or at a URL read batch by batch."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from netdissect.errors import DataFileError, DataNotFoundError, MissingExtraError, NetdissectError
from netdissect.io.reading import open_regular
from netdissect.optional_libraries import import_optional
from netdissect.probe_sets.prepared.prepared_schema import FACTS_TABLE, KIND, list_columns, read_facts
from netdissect.probe_sets.prepared.probe_folder import FIRST_BYTES
from netdissect.probe_sets.prepared.stored_rows import StoredRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.segments import Segments

#: Record batches of a file at a URL that are kept in memory.
_BATCHES_KEPT = 8
#: In how many bytes at the beginning the schema with the facts lies.
_HEAD_BYTES = 2**14


class PreparedFile:
    """A prepared file, opened for reading; a pickled one is opened again where it is used.

    Attributes:
        where: its absolute path, or its URL.
        facts: its facts.
    """

    _reader: Any

    def __init__(self, where: str | Path) -> None:
        """Open a file and read its facts.

        Args:
            where: its path or fsspec URL.

        Raises:
            DataNotFoundError: if it does not exist or cannot be reached.
            DataFileError: if it is damaged, of another version, or no prepared probe set.
            MissingExtraError: if a library for this kind of URL is not installed.
        """
        self.where = str(where) if "://" in str(where) else str(Path(where).resolve())
        self._forget()
        self._reader = self._open()
        self.facts = read_facts(self._reader.schema, self.where)
        batches = -(-self.facts.images // self.facts.rows_per_batch)
        if self._reader.num_record_batches != batches:
            raise DataFileError(
                f"{self.where} is damaged (expected {batches:,} batches of rows, got {self._reader.num_record_batches:,}): "
                f"make it again with netdissect data prepare"
            )

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, StoredRows] = {}
        self._reader = None

    def _open(self) -> Any:
        try:
            source = _open_url(self.where) if "://" in self.where else _map_file(self.where)
            self._bytes = source.size()
            return pa.ipc.open_file(source)
        except NetdissectError:
            raise
        except Exception as error:  # a damaged file, or one at a URL, may raise anything
            raise _make_read_error(self.where, error) from error

    def close(self) -> None:
        """Let the file go, so that it can be removed; reading from it opens it again."""
        with self._lock:
            self._rows.clear()
            self._reader = None

    def __getstate__(self) -> dict[str, Any]:
        return {"where": self.where, "facts": self.facts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.where, self.facts = state["where"], state["facts"]
        self._forget()

    def read_tables(self) -> Mapping[str, bytes]:
        """Return the tables of the probe set by name.

        Raises:
            DataFileError: if they are damaged.
        """
        tables = self._load(0).read_tables()
        return {name: data for name, data in tables.items() if name != FACTS_TABLE}

    def read_image(self, image: int, row: int) -> NDArray[np.uint8]:
        """Return the bytes of an image.

        Args:
            image: its position among the images that carry a label.
            row: its row in ``index.csv``.

        Raises:
            DataFileError: if they are damaged.
        """
        rows, position = self._find(image, row)
        return rows.read_image(position)

    def read_labels(self, image: int, row: int, shape: tuple[int, int, int]) -> Segments | NDArray[np.uint16]:
        """Return the label numbers of an image, as `StoredRows.read_labels`.

        Args:
            image: its position among the images that carry a label.
            row: its row in ``index.csv``.
            shape: number of planes, height and width of the label maps.

        Raises:
            DataFileError: if they are damaged.
        """
        rows, position = self._find(image, row)
        return rows.read_labels(position, shape)

    def _find(self, image: int, row: int) -> tuple[StoredRows, int]:
        """Return the batch of an image, and its position there."""
        number, position = divmod(image, self.facts.rows_per_batch)
        rows = self._rows.get(number) or self._load(number)
        if position >= len(rows) or rows.row[position] != row:
            raise DataFileError(f"{self.where} is damaged: it lists other images than its index.csv")
        return rows, position

    def _load(self, number: int) -> StoredRows:
        with self._lock:  # the reader has a position in the file
            if self._reader is None:
                self._reader = self._open()
                if read_facts(self._reader.schema, self.where) != self.facts:
                    raise DataFileError(f"{self.where} is not the file that other processes use: it was replaced")
            try:
                batch = self._reader.get_batch(number)
            except Exception as error:  # a damaged file, or one at a URL, may raise anything
                raise _make_read_error(self.where, error) from error
            if batch.get_total_buffer_size() > self._bytes:
                raise DataFileError(f"{self.where} is compressed: make it again with netdissect data prepare")
            rows = StoredRows(batch.select(list(list_columns(self.facts.size))), self.where)
            if "://" in self.where and len(self._rows) >= _BATCHES_KEPT:
                del self._rows[next(iter(self._rows))]
            self._rows[number] = rows
        return rows


def is_own_file(path: Path) -> bool:
    """Return whether a file begins as those that are written here, whatever its version, and even if it ends too early."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return head.startswith(FIRST_BYTES) and KIND.encode() in head


def _make_read_error(where: str, error: Exception) -> Exception:
    """Return the error for a prepared file that cannot be read."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160] or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return DataNotFoundError(f"there is no prepared probe set at {where}: netdissect data prepare makes one")
    return DataFileError(
        f"{where} cannot be read as a prepared probe set ({reason}): copy it again, or make it again with netdissect data "
        f"prepare"
    )


def _map_file(path: str) -> Any:
    """Return a file mapped into memory."""
    try:
        with open_regular(path) as file:
            return pa.BufferReader(pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except (OSError, ValueError) as error:  # an empty file is a ValueError
        raise _make_read_error(path, error) from error


def _open_url(url: str) -> Any:
    upath = import_optional("upath", extra="ray", purpose="for addresses like s3://")
    try:
        return pa.PythonFile(upath.UPath(url).open("rb"), mode="r")
    except ImportError as error:
        raise MissingExtraError(f"{url} needs a library that is not installed: {error}") from error
    except Exception as error:
        raise _make_read_error(url, error) from error
