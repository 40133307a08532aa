"""The tables of a prepared file, as a folder that the reader of Broden's tables reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdissect.probe_sets.prepared.prepared_file import PreparedFile


@dataclass(frozen=True)
class StoredTable:
    """A table in a prepared file, with those methods of a path that reading a table needs.

    Attributes:
        file: the prepared file.
        table: the table's name.
    """

    file: PreparedFile
    table: str

    def read_bytes(self) -> bytes:
        """Return the table's bytes.

        Raises:
            FileNotFoundError: if the file holds no such table.
        """
        tables = self.file.read_tables()
        if self.table not in tables:
            raise FileNotFoundError(f"{self} does not exist")
        return tables[self.table]

    def is_file(self) -> bool:
        """Return whether the file holds the table."""
        return self.table in self.file.read_tables()

    def __str__(self) -> str:
        return f"{self.file.where}:{self.table}"


@dataclass(frozen=True)
class StoredFolder:
    """The tables of a prepared file.

    Attributes:
        file: the prepared file.
    """

    file: PreparedFile

    @property
    def name(self) -> str:
        """The probe set's name."""
        return self.file.facts.name

    def resolve(self) -> StoredFolder:
        """Return this folder."""
        return self

    def is_dir(self) -> bool:
        """Return True, as for a folder that exists."""
        return True

    def __truediv__(self, table: str) -> StoredTable:
        return StoredTable(self.file, table)

    def __str__(self) -> str:
        return self.file.where
