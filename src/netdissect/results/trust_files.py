"""Write and read the trust tables of a layer: ``LAYER-trust.npz``, and what follows from them as CSV and Parquet.

Only the .npz file is read; the others are for people and for other tools.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netdissect.errors import RunFileError, root_message
from netdissect.io import atomic
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.results.arrow_arrays import make_list_array, make_number_array, make_optional_array, make_text_array
from netdissect.results.trust import Chance, Reference, Spread, Trust, UnitTrust, Within

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.table_files import TableFiles
    from netdissect.results.trust_record import TrustFacts
    from netdissect.results.units import UnitTable

#: Suffixes of a layer's trust files.
TRUST_SUFFIXES = _CSV, _TABLE, TRUST_ARRAYS_SUFFIX = "-trust.csv", "-trust.parquet", "-trust.npz"
#: Columns of the CSV and of the Parquet table.
_COLUMNS = ("unit", "channel", "label", "score", *(field.name for field in fields(UnitTrust)))
#: What separates the labels of a set in the CSV table.
_BETWEEN_LABELS = "; "
#: Arrays that are stored of every part.
_ARRAYS = {
    "chance": ("score", "label", "observed"),
    "within": ("score", "observed", "applies"),
    "spread": ("score", "column", "error", "honest"),
    "reference": ("excess", "p"),
}


def write_trust(folder: Path, layer: LayerResult) -> list[str]:
    """Write a layer's trust tables into a run's folder, and return the names of the files; none if it has no such tables."""
    if layer.trust is None:
        return []
    stem = layer.layer.file_stem
    parts = {name: getattr(layer.trust, name) for name in _ARRAYS}
    arrays = {
        f"{name}.{array}": getattr(part, array)
        for name, part in parts.items()
        if part is not None
        for array in _ARRAYS[name]
    }
    atomic.write_bytes(folder / f"{stem}{TRUST_ARRAYS_SUFFIX}", encode_npz(arrays, compressed=True))
    for suffix, write in _WRITERS.items():
        write(folder / f"{stem}{suffix}", layer.units)
    return [f"{stem}{suffix}" for suffix in (TRUST_ARRAYS_SUFFIX, *_WRITERS)]


def restore_trust_tables(folder: Path, layer: LayerResult) -> None:
    """Write the CSV and the Parquet table of a layer with trust tables where they are missing."""
    for suffix, write in _WRITERS.items() if layer.trust is not None else ():
        path = folder / f"{layer.layer.file_stem}{suffix}"
        if not path.exists():
            write(path, layer.units)


def read_trust(
    tables: TableFiles, name: str, facts: TrustFacts, units: int, vocabulary: Vocabulary, *, exact: bool
) -> Trust:
    """Read the trust tables of a layer.

    Args:
        tables: the run's tables.
        name: the file's name.
        facts: the tables' sizes, as ``run.json`` records them.
        units: number of units U.
        vocabulary: the concepts.
        exact: whether q is computed from the shifts of each unit alone.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are of another layer or impossible.
    """
    path, data = tables.folder / name, tables.read(name)
    expected = _list_arrays(facts, units, vocabulary)
    size = 2**20 + sum(entry.count_bytes() for entry in expected.values())  # with a margin
    try:
        arrays = parse_npz(data, most=min(size, 1_100 * len(data) + 2**20))
        for key, entry in expected.items():
            entry.check(key, arrays[key])
        return _assemble(arrays, facts, vocabulary, exact=exact)
    except (ValueError, KeyError, AttributeError) as error:
        raise RunFileError(f"{path} is damaged: {root_message(error)}; run it again") from error


@dataclass(frozen=True, slots=True)
class _Expected:
    """What an array must be: its shape, its type, the bounds of its numbers, and whether they may be missing."""

    shape: tuple[int, ...]
    kind: type[np.generic]
    low: float = 0.0
    high: float = 1.0
    may_miss: bool = False

    def count_bytes(self) -> int:
        return int(np.prod(self.shape, dtype=object)) * np.dtype(self.kind).itemsize + 512

    def check(self, name: str, array: NDArray[Any]) -> None:
        if array.shape != self.shape:
            raise ValueError(f"its {name} are of another layer")
        if array.dtype != self.kind:
            raise ValueError(f"its {name} are {array.dtype}, not {np.dtype(self.kind)}")
        possible = (array >= self.low) & (array <= self.high)
        if self.may_miss:
            possible |= np.isnan(array)
        if not possible.all():
            raise ValueError(f"its {name} are not all between {self.low:g} and {self.high:g}")


def _list_arrays(facts: TrustFacts, units: int, vocabulary: Vocabulary) -> dict[str, _Expected]:
    """Return what every array must be, by its name in the file."""
    S, W, B, K, last = (
        facts.shifts,
        facts.within_shifts,
        facts.resamples,
        len(vocabulary.categories),
        len(vocabulary) - 1,
    )
    found: dict[str, _Expected] = {}
    if S:
        found |= {
            "chance.score": _Expected((S, units), np.float32),
            "chance.label": _Expected((S, units), np.int32, -1, last),
            "chance.observed": _Expected((units,), np.float32),
        }
    if W:
        found |= {
            "within.score": _Expected((W, units), np.float32),
            "within.observed": _Expected((units,), np.float32),
            "within.applies": _Expected((units,), np.bool_),
        }
    if B:
        found |= {
            "spread.score": _Expected((B, units, K), np.float32),
            "spread.column": _Expected((B, units, K), np.int32, -1, last),
            "spread.error": _Expected((units,), np.float64, 0, np.finfo(np.float64).max, may_miss=True),
            "spread.honest": _Expected((units,), np.float32, may_miss=True),
        }
    if facts.runs:
        found |= {
            "reference.excess": _Expected((units,), np.float32, -1),
            "reference.p": _Expected((units,), np.float64, may_miss=True),
        }
    return found


def _assemble(arrays: Mapping[str, NDArray[Any]], facts: TrustFacts, vocabulary: Vocabulary, *, exact: bool) -> Trust:
    """Return the parts of which there are arrays.

    Raises:
        ValueError: if arrays contradict one another.
    """
    of = {
        part: {name: arrays[f"{part}.{name}"] for name in names if f"{part}.{name}" in arrays}
        for part, names in _ARRAYS.items()
    }
    if facts.resamples:
        score, column = of["spread"]["score"], of["spread"]["column"]
        named = column >= 0
        place = np.broadcast_to(np.arange(len(vocabulary.categories)), column.shape)
        if (vocabulary.primary[column[named]] != place[named]).any():
            raise ValueError("the best concept of a category is of another category")
        if (score[~named] > 0).any():
            raise ValueError("a score above 0 has no concept")
    return Trust(
        Chance(**of["chance"], left_out=facts.left_out, exact=exact) if facts.shifts else None,
        Within(facts.category, **of["within"], left_out=facts.within_left_out) if facts.within_shifts else None,
        Spread(**of["spread"], folds=facts.folds) if facts.resamples else None,
        Reference(**of["reference"], runs=facts.runs) if facts.runs else None,
    )


def _write_csv(path: Path, units: UnitTable) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in units:
        figures = (row.trust or UnitTrust()).as_dict()
        figures["labels"] = _BETWEEN_LABELS.join(figures["labels"])
        writer.writerow([row.unit, row.channel, row.label, repr(row.score), *map(_format_figure, figures.values())])
    atomic.write_text(path, out.getvalue())


def _format_figure(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def _write_parquet(path: Path, units: UnitTable) -> None:
    rows = [(row.trust or UnitTrust()).as_dict() for row in units]
    columns = {
        "unit": make_number_array(np.array([row.unit for row in units], np.int32)),
        "channel": make_number_array(np.array([row.channel for row in units], np.int32)),
        "label": make_text_array([row.label for row in units]),
        "score": make_number_array(np.array([row.score for row in units], np.float64)),
    }
    for name in _COLUMNS[len(columns) :]:
        values = [row[name] for row in rows]
        columns[name] = make_list_array(values) if name == "labels" else make_optional_array(values)
    with atomic.open_replacement(path) as file:
        pq.write_table(pa.table(columns), file, compression="zstd", write_page_checksum=True)


#: What writes each table that follows from the trust tables.
_WRITERS = {_CSV: _write_csv, _TABLE: _write_parquet}
