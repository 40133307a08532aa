"""The rows of one record batch of a prepared file, as arrays that are sliced without copying."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.probe_sets.prepared.prepared_schema import IMAGE, PIXELS
from netdissect.segments import MAX_SEGMENTS, Segments

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class _Slices:
    """A column of bytes or lists: the values of all rows one after the other, and where each begins."""

    start: NDArray[np.integer[Any]]
    values: NDArray[Any]

    def __getitem__(self, position: int) -> NDArray[Any]:
        return self.values[self.start[position] : self.start[position + 1]]


class StoredRows:
    """Some rows of a prepared file; they are checked when they are read."""

    def __init__(self, batch: pa.RecordBatch, where: str) -> None:
        """Check the arrays of a record batch.

        Args:
            batch: the rows, with the columns of `list_columns`.
            where: the file, for errors.

        Raises:
            DataFileError: if an offset or a text of them is impossible, or a field is empty.
        """
        self._where = where
        try:
            batch.validate(full=True)
            columns = {name: batch.column(name) for name in batch.schema.names}
            image = columns[IMAGE].field("bytes") if IMAGE in columns else columns[PIXELS]
            plain = [columns[name] for name in ("row", "segments", "labels", "image_crc32", "labels_crc32")]
            if any(column.null_count for column in (image, *plain)) or columns["labels"].values.null_count:
                raise ValueError("a field is empty")
            self.row = columns["row"].to_numpy()
            self._crc32 = columns["image_crc32"].to_numpy(), columns["labels_crc32"].to_numpy()
            self._images, self._segments = _slice_bytes(image), _slice_bytes(columns["segments"])
            labels = columns["labels"]
            self._labels = _Slices(labels.offsets.to_numpy(), labels.values.to_numpy())
            self._tables = columns["tables"]
        except (ValueError, KeyError, ArithmeticError) as error:  # Arrow's errors are ValueErrors and KeyErrors
            raise self._make_error(str(error).splitlines()[0] if str(error) else type(error).__name__) from error

    def __len__(self) -> int:
        return int(self.row.size)

    def read_image(self, position: int) -> NDArray[np.uint8]:
        """Return the bytes of an image: its file, or its pixels.

        Raises:
            DataFileError: if their checksum is wrong.
        """
        data = self._images[position]
        if zlib.crc32(data.data) != self._crc32[0][position]:
            raise self._make_error(f"the checksum of the image of row {self.row[position]} is wrong")
        return data

    def read_labels(self, position: int, shape: tuple[int, int, int]) -> Segments | NDArray[np.uint16]:
        """Return the label planes of an image as segments of label numbers; as planes if there are too many segments.

        Args:
            position: position of the row in the batch.
            shape: number of planes, height and width of the label maps.

        Raises:
            DataFileError: if their checksum is wrong, or they are of another size.
        """
        stored, numbers = self._segments[position], self._labels[position]
        if zlib.crc32(numbers.data, zlib.crc32(stored.data)) != self._crc32[1][position]:
            raise self._make_error(f"the checksum of the labels of row {self.row[position]} is wrong")
        planes, height, width = shape
        pixels = height * width
        if not stored.size and numbers.size == planes * pixels:
            return numbers.reshape(planes, height, width)
        wide = stored.size == 2 * pixels
        parts = numbers.size // planes if planes else 1
        if stored.size not in (pixels, 2 * pixels) or numbers.size != parts * planes:
            raise self._make_error(f"the labels of row {self.row[position]} have another size than index.csv says")
        found = np.frombuffer(stored.tobytes(), "<u2").astype(np.uint16) if wide else stored.astype(np.uint16)
        if int(found.max()) >= parts:
            raise self._make_error(f"row {self.row[position]} holds a segment beyond its {parts}")
        return Segments(found.reshape(height, width), numbers.reshape(parts, planes))

    def read_tables(self) -> Mapping[str, bytes]:
        """Return the tables in the first of the rows that has any; none if no row has.

        Raises:
            DataFileError: if a table has no name or no bytes.
        """
        for position in np.flatnonzero(self._tables.is_valid().to_numpy(zero_copy_only=False)).tolist():
            entries = self._tables[position].values
            names, data = entries.field("name"), entries.field("data")
            if names.null_count or data.null_count:
                raise self._make_error("a table has no name")
            return {names[at].as_py(): data[at].as_py() for at in range(len(names))}
        return {}

    def _make_error(self, problem: str) -> DataFileError:
        return DataFileError(f"{self._where} is damaged ({problem}): make it again with netdissect data prepare")


def encode_segments(segments: Segments, numbers: NDArray[np.uint16]) -> tuple[bytes, NDArray[np.uint16]]:
    """Return what the columns `segments` and `labels` hold of an image: its planes if it has too many segments.

    Args:
        segments: the segments of its label numbers.
        numbers: its label planes, shape (P, sh, sw).
    """
    if len(segments.table) > MAX_SEGMENTS:
        return b"", numbers.ravel()
    kind = np.uint8 if len(segments.table) <= 256 else np.dtype("<u2")
    return segments.map.astype(kind).tobytes(), segments.table.ravel()


def _slice_bytes(column: pa.Array) -> _Slices:
    """Return a column of bytes."""
    _, offsets, data = column.buffers()
    start = np.frombuffer(offsets, np.int32, len(column) + 1, 4 * column.offset)
    return _Slices(start, np.frombuffer(data if data is not None else b"", np.uint8))
