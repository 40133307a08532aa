"""Write a prepared probe set back as a folder, from its file or from a Hugging Face data set with its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from netdissect.errors import DataError, DataFileError, SettingsError
from netdissect.io import atomic, folders
from netdissect.io.text import escape_line
from netdissect.probe_sets.broden.label_pngs import encode_label_map
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.prepared.prepare import list_table_names
from netdissect.probe_sets.prepared.prepared_file import PreparedFile
from netdissect.probe_sets.prepared.prepared_schema import FACTS_TABLE, PIXELS, PreparedFacts, list_columns
from netdissect.probe_sets.prepared.prepared_set import PreparedSet
from netdissect.probe_sets.prepared.stored_rows import StoredRows
from netdissect.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from netdissect.probe_sets.broden.probe_images import ProbeImage
    from netdissect.protocols import Progress

#: File that is in the folder while it is being written, and its content.
_MARK, _MARK_CONTENT = ".restoring", b"netdissect is writing a probe set here\n"
_RESTORED = folders.FolderKind(
    "probe set that is being written", {_MARK: _MARK_CONTENT.__eq__}, ".work", DataError, DataError,
    "written by another process",
)  # fmt: skip
#: Number of rows of a data set that are read at a time.
_ROWS = 64


class PreparedRows(PreparedFile):
    """The rows of a prepared probe set in a Hugging Face data set, in any order."""

    def __init__(self, rows: Any, where: str) -> None:
        """Find the tables and every image's row.

        Args:
            rows: the data set, ``datasets.Dataset``.
            where: its name, for errors.

        Raises:
            DataFileError: if it lacks a column, the tables, or an image.
        """
        self.where = where
        self._forget()
        self._dataset = rows
        self.tables = self._find_tables()
        self.facts = PreparedFacts.from_json(self.tables.get(FACTS_TABLE, b""), where)
        numbers = np.concatenate([table["row"].to_numpy() for table in self._iterate(["row"])])
        self._order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[self._order]

    def read_tables(self) -> Mapping[str, bytes]:
        """Return the tables of the probe set by name."""
        return {name: data for name, data in self.tables.items() if name != FACTS_TABLE}

    def _find(self, image: int, row: int) -> tuple[StoredRows, int]:
        if image >= self._numbers.size or self._numbers[image] != row:
            raise DataFileError(
                f"{self.where}: expected a row for every image of its index.csv, got none for row {row}"
            )
        columns = list_columns(self.facts.size)
        table = self._dataset.with_format("arrow", columns=list(columns))[
            int(self._order[image]) : int(self._order[image]) + 1
        ]
        return StoredRows(_cast(table, columns, self.where), self.where), 0

    def _find_tables(self) -> Mapping[str, bytes]:
        for table in self._iterate(["tables"]):
            for cell in table["tables"]:
                if cell.is_valid:
                    return {entry["name"]: entry["data"] for entry in cell.as_py()}
        raise DataFileError(f"{self.where}: no row holds the tables of the probe set: give the whole data set")

    def _iterate(self, columns: list[str]) -> Iterator[Any]:
        """Yield the values of some columns, some rows at a time."""
        rows = self._dataset.with_format("arrow", columns=columns)
        for start in range(0, len(self._dataset), _ROWS):
            yield rows[start : start + _ROWS]


def restore_probe_set(file: PreparedFile, out: Path, progress: Progress) -> Broden:
    """Write a prepared probe set back as a folder in Broden's format; return the folder's probe set.

    Args:
        file: the prepared file, or the rows of a data set.
        out: the folder, which is new or empty; an interrupted call can be repeated.
        progress: reports the progress.

    Raises:
        DataError: a subclass, if anything in it is damaged, or the folder holds something else.
        SettingsError: if it holds scaled images only.
    """
    if file.facts.size is not None:
        raise SettingsError(
            f"{file.where} holds images that were scaled, and not the files they were ({PIXELS}): a folder is written back "
            f"from one that was prepared with --images original"
        )
    probe_set = PreparedSet(file)
    tables = file.read_tables()
    names = [name for name in list_table_names(probe_set) if name in tables]
    with folders.lock_folder(out, _RESTORED):
        atomic.write_bytes(out / _MARK, _MARK_CONTENT)
        progress.start("write", len(probe_set))
        written: set[str] = set()
        below = out / "images"
        with atomic.stage_writes(below, below, lambda _: None):  # no link is followed there
            for index, row in enumerate(probe_set.rows):
                for name, data in _list_files(probe_set, index, row):
                    if name not in written:
                        written.add(name)
                        atomic.write_bytes(below / name, data)
                progress.advance(1)
        for name in sorted(names, key=lambda name: name == "index.csv"):  # index.csv last: with it the set is complete
            atomic.write_bytes(out / name, tables[name])
        (out / _MARK).unlink()
    return Broden(out)


def _list_files(probe_set: PreparedSet, index: int, row: ProbeImage) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of an image's files."""
    yield row.image, probe_set.read_image_file(index)
    found = probe_set.read_numbers(index)
    planes = found.to_labels().planes if isinstance(found, Segments) else found
    for name, plane in zip(row.planes, planes, strict=True):
        yield name, encode_label_map(plane)


def _cast(table: Any, columns: Mapping[str, pa.DataType], where: str) -> pa.RecordBatch:
    """Return one row of a data set with the columns' own types."""
    try:
        wanted = pa.schema([pa.field(name, kind) for name, kind in columns.items()])
        return table.select(list(columns)).cast(wanted).combine_chunks().to_batches()[0]
    except (ValueError, KeyError, IndexError) as error:
        raise DataFileError(
            f"{where}: its columns are not those of a prepared probe set ({escape_line(str(error))[:160]})"
        ) from error
