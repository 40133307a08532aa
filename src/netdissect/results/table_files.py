"""Read and write the tables of a layer: counts and image maxima as Parquet, exemplars and activity as .npz.

When a table is read, its checksum, the size that it would decompress to and its numbers are checked.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netdissect.errors import RunFileError, root_message
from netdissect.io import atomic, reading
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.results import parquet_sizes
from netdissect.results.arrow_arrays import make_number_array, make_text_array, unpack_numbers
from netdissect.results.counts import Counts, compute_iou
from netdissect.results.layer_result import Activity, Exemplars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.layers import Layer
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.scores import ScoreTable

#: A table may decompress to this multiple of its size plus so many bytes; real ones reach a few hundred times.
_MAX_UNPACKED_RATIO, _MAX_UNPACKED_EXTRA = 5_000, 2**26
#: The most pixels that a probe set may have, so that sums of counts fit into 64 bits.
_MAX_PIXELS = 2**60
#: Suffixes of a layer's files.
CSV_SUFFIX, COUNTS_SUFFIX, ARRAYS_SUFFIX, MAXIMA_SUFFIX = "-result.csv", ".parquet", ".npz", "-image-maxima.parquet"
#: Columns of a table of counts, and their types.
COUNT_COLUMNS = {"unit": pa.int32(), "number": pa.int32(), "I": pa.int64(), "A": pa.int64(), "G": pa.int64()}


@dataclass(frozen=True)
class TableFiles:
    """The tables of a run's folder, read only if their checksums are right.

    Attributes:
        folder: the run's folder.
        checksums: SHA-256 by file name; empty for runs that were written without checksums.
    """

    folder: Path
    checksums: Mapping[str, str]

    def read(self, name: str) -> bytes:
        """Return the bytes of a table.

        Raises:
            RunFileError: if it is missing, is not a regular file, or has another checksum.
        """
        path = self.folder / name
        try:
            data = reading.read_bytes(path)
        except FileNotFoundError as error:
            raise RunFileError(f"{path} is missing: the run is not complete; run it again") from error
        except OSError as error:
            raise RunFileError(f"{path} cannot be read: {error.strerror or error}") from error
        if self.checksums and self.checksums.get(name) != hashlib.sha256(data).hexdigest():
            raise RunFileError(f"{path} is damaged: its checksum is not the one in run.json; run it again")
        return data

    def has(self, name: str) -> bool:
        """Return whether the run has a table of that name."""
        return name in self.checksums if self.checksums else (self.folder / name).exists()


def compute_checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(reading.read_bytes(path)).hexdigest()


def write_counts(path: Path, layer: LayerResult) -> None:
    """Write I, A, G and IoU of every unit and concept, unit by unit, and the run's score if it is not IoU."""
    table, width = make_counts_table(layer.vocabulary, layer.counts, layer.score_table), len(layer.vocabulary)
    with atomic.open_replacement(path) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=max(width, 1) * 256, write_page_checksum=True)


def make_counts_table(vocabulary: Vocabulary, counts: Counts, score: ScoreTable | None) -> pa.Table:
    """Return I, A, G and IoU of every unit and concept, unit by unit, and the score if it is not IoU."""
    units, width = counts.I.shape
    unit = np.repeat(np.arange(1, units + 1, dtype=np.int32), width)
    names = pa.DictionaryArray.from_arrays(
        make_number_array(np.tile(np.arange(width, dtype=np.int32), units)), make_text_array(vocabulary.names)
    )
    categories = pa.DictionaryArray.from_arrays(
        make_number_array(np.tile(vocabulary.primary.astype(np.int32), units)), make_text_array(vocabulary.categories)
    )
    numbers = np.array([concept.number for concept in vocabulary.concepts], dtype=np.int32)
    columns: dict[str, NDArray[Any]] = {"I": counts.I.ravel(), "A": counts.A.ravel(), "G": np.tile(counts.G, units)}
    columns["iou"] = compute_iou(counts).ravel()
    columns |= {} if score is None else {"score": score.values.ravel()}
    return pa.table({
        "unit": make_number_array(unit),
        "channel": make_number_array(unit - 1),
        "number": make_number_array(np.tile(numbers, units)),
        "concept": names,
        "category": categories,
        **{name: make_number_array(values) for name, values in columns.items()},
    })  # fmt: skip


def write_maxima(path: Path, maxima: NDArray[np.float32]) -> None:
    """Write the maximum of every image and unit: a row per image, a column per unit, from 1."""
    table = pa.table({str(channel + 1): make_number_array(maxima[:, channel]) for channel in range(maxima.shape[1])})
    with atomic.open_replacement(path) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def read_maxima(tables: TableFiles, name: str, rows: int, units: int) -> NDArray[np.float32] | None:
    """Read the maximum of every image and unit, shape (N, U); None if the run has none.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are not the maxima of that many images and units.
    """
    if not tables.has(name):
        return None
    kinds: dict[str, pa.DataType] = {str(unit + 1): pa.float32() for unit in range(units)}
    columns = read_columns(tables, name, kinds, rows)
    maxima = np.stack(list(columns.values()), axis=1) if columns else np.zeros((rows, 0), np.float32)
    require_valid(tables.folder / name, not np.isinf(maxima).any(), "a maximum is infinite")
    return maxima


def read_counts(tables: TableFiles, name: str, units: int, vocabulary: Vocabulary, *, overlapping: bool) -> Counts:
    """Read I, A and G of every unit and concept.

    Args:
        tables: the run's tables.
        name: the file's name.
        units: number of units U.
        vocabulary: the C concepts.
        overlapping: whether a pixel may have a concept's label more than once, so that I may exceed A.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are not counts of these units and concepts.
    """
    columns = read_columns(tables, name, COUNT_COLUMNS, units * len(vocabulary))
    return check_counts(tables.folder / name, columns, units, vocabulary, overlapping=overlapping)


def check_counts(
    path: Path, columns: Mapping[str, NDArray[Any]], units: int, vocabulary: Vocabulary, *, overlapping: bool
) -> Counts:
    """Return the counts of `COUNT_COLUMNS`, each of shape (U · C,); `read_counts` documents the other arguments.

    Raises:
        RunFileError: if they are not counts of these units and concepts.
    """
    width = len(vocabulary)
    columns = {name: columns[name].reshape(units, width) for name in COUNT_COLUMNS}
    numbers = np.array([concept.number for concept in vocabulary.concepts], np.int64)
    ordered = (columns["unit"] == np.arange(1, units + 1)[:, None]).all() and (columns["number"] == numbers).all()
    require_valid(path, bool(ordered), "its rows are not every unit and concept in their order")
    I, A, G = columns["I"], columns["A"], columns["G"]
    require_valid(path, bool((G[:1] == G).all()), "G of a concept differs from unit to unit")
    require_valid(path, not (I < 0).any(), "a count is negative")
    require_valid(path, not (I[A <= 0] > 0).any(), "an intersection I is larger than its A")
    require_valid(path, overlapping or not (I > A).any(), "an intersection I is larger than its A")
    require_valid(path, not (I > G).any(), "an intersection I is larger than its G")
    require_valid(
        path, not (A > _MAX_PIXELS).any() and not (G > _MAX_PIXELS).any(), "a count is larger than any can be"
    )
    return Counts(np.ascontiguousarray(I), np.ascontiguousarray(A), G[0].copy() if units else np.zeros(width, np.int64))


def read_scores(tables: TableFiles, name: str, units: int, vocabulary: Vocabulary) -> NDArray[np.float64]:
    """Read the score of every unit and concept, shape (U, C), that a run has besides IoU.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are not numbers between 0 and 1 of these units and concepts.
    """
    values = read_columns(tables, name, {"score": pa.float64()}, units * len(vocabulary))["score"]
    require_valid(tables.folder / name, bool(((values >= 0) & (values <= 1)).all()), "a score is not between 0 and 1")
    return values.reshape(units, len(vocabulary))


def read_columns(tables: TableFiles, name: str, kinds: Mapping[str, pa.DataType], rows: int) -> dict[str, NDArray[Any]]:
    """Return columns of a Parquet table, whose metadata is checked before anything is decompressed.

    Args:
        tables: the run's tables.
        name: the file's name.
        kinds: the columns, and their types.
        rows: number of rows.

    Raises:
        RunFileError: as `TableFiles.read`, or if it is no table of such columns.
    """
    path, data = tables.folder / name, tables.read(name)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        count = file.metadata.num_rows
        require_valid(path, count == rows, f"expected {rows:,} rows, got {count:,}")
        right = [file.schema_arrow.field(column).type == kind for column, kind in kinds.items()]
        require_valid(path, all(right), "its columns are of other types")
        width = sum(kind.bit_width // 8 for kind in kinds.values())
        most = _MAX_UNPACKED_RATIO * len(data) + _MAX_UNPACKED_EXTRA
        require_valid(path, rows * width <= most, f"it would unpack to {rows * width:,} bytes")
        pages = parquet_sizes.count_unpacked_bytes(data, file.metadata, kinds)
        require_valid(path, pages <= 2 * rows * width + _MAX_UNPACKED_EXTRA, f"it would unpack to {pages:,} bytes")
        table = file.read(columns=list(kinds))
        require_valid(path, not any(table[column].null_count for column in kinds), "values are missing")
        return {column: unpack_numbers(table[column], kind) for column, kind in kinds.items()}
    except RunFileError:
        raise
    except (pa.ArrowException, ValueError, OSError, KeyError, MemoryError, OverflowError) as error:
        raise RunFileError(f"{path} is damaged: {root_message(error)}; run it again") from error


def write_arrays(path: Path, layer: LayerResult) -> None:
    """Write thresholds, exemplars and activity."""
    arrays = {
        "thresholds": layer.thresholds,
        **{f"exemplars.{field.name}": getattr(layer.exemplars, field.name) for field in dataclasses.fields(Exemplars)},
        **{f"activity.{field.name}": getattr(layer.activity, field.name) for field in dataclasses.fields(Activity)},
    }
    atomic.write_bytes(path, encode_npz(arrays, compressed=True))


def read_arrays(
    tables: TableFiles, name: str, layer: Layer, exemplars_each: int
) -> tuple[NDArray[np.float32], Exemplars, Activity]:
    """Read thresholds, exemplars and activity.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are of another layer or impossible.
    """
    path, data = tables.folder / name, tables.read(name)
    per_exemplar = 16 + 4 * layer.grid[0] * layer.grid[1]
    expected = 2**20 + layer.units * (2**12 + exemplars_each * per_exemplar)  # in bytes, with a margin
    try:
        arrays = parse_npz(data, most=min(expected, 1_100 * len(data) + 2**20))
        exemplars = Exemplars(**{f.name: arrays[f"exemplars.{f.name}"] for f in dataclasses.fields(Exemplars)})
        activity = Activity(**{f.name: arrays[f"activity.{f.name}"] for f in dataclasses.fields(Activity)})
        thresholds = arrays["thresholds"]
    except (ValueError, KeyError, AttributeError) as error:
        raise RunFileError(f"{path} is damaged: {root_message(error)}; run it again") from error
    _check_arrays(path, layer, thresholds, exemplars, activity)
    return thresholds, exemplars, activity


def _check_arrays(path: Path, layer: Layer, thresholds: NDArray[Any], exemplars: Exemplars, activity: Activity) -> None:
    """Refuse arrays of another layer, of other types, or with impossible values."""
    units, k = layer.units, exemplars.images.shape[1:]
    shapes: dict[str, tuple[NDArray[Any], tuple[int, ...], type]] = {
        "images": (exemplars.images, (units, *k), np.int64),
        "maxima": (exemplars.maxima, (units, *k), np.float32),
        "grids": (exemplars.grids, (units, *k, *layer.grid), np.float16),
        "scale": (exemplars.scale, (units,), np.float32),
        "thresholds": (thresholds, (units,), np.float32),
        "histogram": (activity.histogram, (units, *activity.histogram.shape[1:2]), np.int64),
        "low": (activity.low, (units,), np.float32),
        "high": (activity.high, (units,), np.float32),
        "mean": (activity.mean, (units,), np.float64),
        "minimum": (activity.minimum, (units,), np.float32),
        "maximum": (activity.maximum, (units,), np.float32),
    }
    for name, (array, shape, kind) in shapes.items():
        require_valid(path, len(k) == 1 and array.shape == shape, f"its {name} are of another layer")
        require_valid(path, array.dtype == kind, f"its {name} are {array.dtype}, not {np.dtype(kind)}")
    shown = exemplars.images >= 0
    ordered = np.sort(exemplars.images, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    numbers = {"thresholds": thresholds, "scale": exemplars.scale, "mean": activity.mean, "low": activity.low,
               "high": activity.high, "grids": exemplars.grids, "maxima": exemplars.maxima[shown]}  # fmt: skip
    for name, array in numbers.items():
        require_valid(path, bool(np.isfinite(array).all()), f"its {name} are not all finite numbers")
    require_valid(path, not (exemplars.images < -1).any(), "the row of an exemplar image is negative")
    require_valid(path, not twice.any(), "a unit shows an image twice")
    require_valid(path, not (activity.histogram < 0).any(), "a histogram has a negative count")


def require_valid(path: Path, true: bool, otherwise: str) -> None:
    """Refuse a table that is not valid, and say why.

    Raises:
        RunFileError: if it is not.
    """
    if not true:
        raise RunFileError(f"{path} is damaged: {otherwise}; run it again")
