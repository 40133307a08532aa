"""Tables with named columns of fixed types, as numpy arrays, pandas, Arrow, CSV and Parquet: the same columns in each."""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from netdissect.errors import SettingsError, UnknownColumnError, suggest_nearest
from netdissect.io import atomic
from netdissect.io.text import make_writable
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

#: What a column holds: text, whole numbers, numbers, yes or no; or a list of texts or of whole numbers in each row.
Kind = Literal["text", "integer", "number", "flag", "texts", "integers"]
#: What separates the entries of a list in a CSV file.
BETWEEN_ENTRIES = ";"
#: The dtypes of columns without missing values.
_DTYPES = {"integer": "int64", "number": "float64", "flag": "bool"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        kind: what it holds.
        cells: a value for each row; None where it is missing.
        may_miss: whether values may be missing, also if none of this table's is: pandas then has a type with missing values.
    """

    kind: Kind
    cells: Sequence[Any]
    may_miss: bool = False

    def to_numpy(self) -> NDArray[Any]:
        """Return the column as an array, shape (n,): NaN for a missing number, None for another missing value."""
        import numpy as np  # commands import this module, and their help needs no arrays

        values: Any = self.cells
        missing = any(value is None for value in values)
        if self.kind == "number" or (self.kind == "integer" and missing):
            return np.array([np.nan if value is None else value for value in values], np.float64)
        if self.kind in _DTYPES and not missing:
            return np.array(values, _DTYPES[self.kind])
        if self.kind == "text" and not missing:
            return np.array(values, np.str_)
        found = np.empty(len(values), object)
        found[:] = [tuple(value) if isinstance(value, (tuple, list)) else value for value in values]
        return found


class Table(ABC):
    """The base class of everything that is a table: named columns that convert without surprises.

    A column has one name, one order and one type, whether it is read as a numpy array, in pandas, in Arrow, in CSV or in
    Parquet; units count from 1 in `unit` and from 0 in `channel`, everywhere.
    """

    @abstractmethod
    def _make_columns(self) -> Mapping[str, Column]:
        """Return the columns by name, in their order."""

    @cached_property
    def _columns(self) -> Mapping[str, Column]:
        return self._make_columns()

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order of every conversion."""
        return list(self._columns)

    def get_column(self, name: str) -> Column:
        """Return a column with its values and what it holds.

        Raises:
            UnknownColumnError: if there is no such column; the message names the nearest ones.
        """
        if name not in self._columns:
            raise UnknownColumnError(f"this table has no column {name!r}: {suggest_nearest(str(name), self._columns)}")
        return self._columns[name]

    def to_arrow(self) -> pa.Table:
        """Return the table as a pyarrow Table: string, int64, double, bool and lists of these; null where a value is missing."""
        import pyarrow as pa

        kinds = {
            "text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_(), "texts": pa.list_(pa.string()),
            "integers": pa.list_(pa.int64()),
        }  # fmt: skip
        columns = self._columns
        return pa.table(
            {name: pa.array(_list_writable(column), kinds[column.kind]) for name, column in columns.items()}
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame: text, int64, float64 and bool; Int64 and boolean where values may be missing.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        pandas = import_optional("pandas", extra="pandas", purpose="for data frames")
        frame: pd.DataFrame = pandas.DataFrame(
            {name: _make_series(pandas, column) for name, column in self._columns.items()}
        )
        return frame

    @overload
    def to_csv(self, path: None = None) -> str: ...
    @overload
    def to_csv(self, path: str | Path) -> None: ...
    def to_csv(self, path: str | Path | None = None) -> str | None:
        """Write the table as a CSV file, or return its text; missing values are empty, entries of lists separated by ``;``.

        Args:
            path: the file; None returns the text.

        Raises:
            SettingsError: if the file would replace one of a run.
        """
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self._columns)
        cells = [[_format_cell(value) for value in column.cells] for column in self._columns.values()]
        writer.writerows(zip(*cells, strict=True))
        text = make_writable(out.getvalue())
        if path is None:
            return text
        atomic.write_text(require_outside_run(path), text)
        return None

    def to_parquet(self, path: str | Path) -> None:
        """Write the table as a Parquet file, with the columns of `to_arrow`.

        Args:
            path: the file.

        Raises:
            SettingsError: if the file would replace one of a run.
        """
        import pyarrow.parquet as pq

        with atomic.open_replacement(require_outside_run(path)) as file:
            pq.write_table(self.to_arrow(), file, compression="zstd")


def collect_columns(rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, tuple[Kind, bool]]) -> dict[str, Column]:
    """Return the columns of rows.

    Args:
        rows: every row under the names of the columns.
        kinds: what each column holds, and whether values may be missing, in their order.
    """
    listed = list(rows)
    return {name: Column(kind, [row[name] for row in listed], may_miss) for name, (kind, may_miss) in kinds.items()}


def require_outside_run(path: str | Path) -> Path:
    """Return the path of a file to write.

    Raises:
        SettingsError: if it would replace a file of a run.
    """
    path = Path(path)
    if path.exists() and (path.parent / "run.json").exists():
        raise SettingsError(f"this would replace {path}, a file in a run's folder: choose another name")
    return path


def _list_writable(column: Column) -> Sequence[Any]:
    """Return the values of a column; texts, alone or in lists, without what UTF-8 cannot hold."""
    if column.kind == "texts":
        return [value and [entry and make_writable(entry) for entry in value] for value in column.cells]
    if column.kind == "text":
        return [value and make_writable(value) for value in column.cells]
    return column.cells


def _make_series(pandas: Any, column: Column) -> Any:
    if column.kind == "text":
        import pyarrow as pa

        return pa.array(_list_writable(column), pa.string()).to_pandas()
    if column.kind in ("texts", "integers"):
        entries = (value if value is None else tuple(value) for value in _list_writable(column))
        return pandas.Series(list(entries), dtype=object)
    kinds = {"integer": "Int64" if column.may_miss else "int64", "number": "float64", "flag": "boolean" if column.may_miss else "bool"}  # fmt: skip
    return pandas.Series(list(column.cells), dtype=kinds[column.kind])


def _format_cell(value: Any) -> object:
    """Return a value as a cell of a CSV file.

    >>> [_format_cell(value) for value in (None, float("nan"), 0.1, ("sky", "tree"))]
    ['', '', 0.1, 'sky;tree']
    """
    if value is None or value != value:  # noqa: PLR0124  # NaN
        return ""
    return BETWEEN_ENTRIES.join(map(str, value)) if isinstance(value, (tuple, list)) else value
