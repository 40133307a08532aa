"""A finished dissection on disk: ``run.json`` and, per layer, a CSV, a Parquet table and an array file.

``run.json`` is written last: a folder that has one is a finished run (docs/run-folder.md).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netdissect.errors import NetdissectError, RunFileError, RunNotFoundError
from netdissect.io import atomic, reading
from netdissect.io.json_files import parse_json
from netdissect.layers import check_stems, file_stem
from netdissect.results import classic
from netdissect.results import record as record_of
from netdissect.results.tables import (
    ARRAYS,
    CLASSIC,
    COUNTS,
    MAXIMA,
    Tables,
    checksum,
    first_line,
    write_arrays,
    write_counts,
    write_maxima,
)

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run import RunResult

#: Bytes of ``run.json`` at most; it names every exemplar image.
_LONGEST = 2**28


def save(result: RunResult, folder: Path) -> None:
    """Write a dissection into a folder, pictures and report aside.

    Raises:
        SettingsError: if two layers would have the same file name.
        OSError: if the folder cannot be written.
    """
    check_stems(list(result.layers))
    atomic.make_folder(folder)
    (folder / "run.json").unlink(missing_ok=True)
    written = []
    for layer in result.layers.values():
        stem = layer.layer.file_stem
        classic.write(folder / f"{stem}{CLASSIC}", layer.units, layer.vocabulary.categories)
        write_counts(folder / f"{stem}{COUNTS}", layer)
        write_arrays(folder / f"{stem}{ARRAYS}", layer)
        written += [f"{stem}{CLASSIC}", f"{stem}{COUNTS}", f"{stem}{ARRAYS}"]
        if layer.image_maxima is not None:
            write_maxima(folder / f"{stem}{MAXIMA}", layer.image_maxima)
            written.append(f"{stem}{MAXIMA}")
    record = record_of.as_json(result) | {"checksums": {name: checksum(folder / name) for name in written}}
    atomic.write_text(folder / "run.json", json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def restore(result: RunResult, folder: Path) -> None:
    """Write the result tables that were deleted from a finished run's folder; no run is read from them."""
    for layer in result.layers.values():
        path = folder / f"{layer.layer.file_stem}{CLASSIC}"
        if not path.exists():
            classic.write(path, layer.units, layer.vocabulary.categories)


def load(folder: Path) -> RunResult:
    """Read a finished dissection.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged, missing, of a newer version, or not as the run wrote it.
    """
    path, record = folder / "run.json", _record(folder)
    try:
        version = record["schema_version"]
        if not isinstance(version, int) or version < 1:
            raise RunFileError(f"{path} is damaged: its schema_version is {version!r}; run it again")
        if version > record_of.SCHEMA_VERSION:
            raise RunFileError(
                f"{path} was written by a newer netdissect (schema {version}, this one reads up to {record_of.SCHEMA_VERSION}): "
                f"upgrade with pip install -U netdissect"
            )
        return record_of.from_json(record, Tables(folder, record_of.checksums(record)))
    except RunFileError:
        raise
    except NetdissectError as error:  # settings, layers or concepts that no run has
        raise RunFileError(f"{path} is damaged: {first_line(error)}; run it again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunFileError(f"{path} is damaged: {type(error).__name__} {first_line(error)}; run it again") from error


def require_as_written(table: Path) -> None:
    """Refuse a result table that a run wrote and somebody changed since; one with no run beside it is taken as it is.

    Raises:
        RunFileError: if the run's record beside it has another checksum for it.
    """
    try:
        known = record_of.checksums(_record(table.parent)).get(table.name)
        found = checksum(table)
    except (NetdissectError, AttributeError, TypeError, OSError):
        return
    if known is not None and known != found:
        raise RunFileError(
            f"{table} is not as the run beside it wrote it (its checksum is another): compare the run's folder, {table.parent}"
        )


def names_in(folder: Path) -> dict[str, None]:
    """Return the names of a run's tables, as its ``run.json`` tells them; none where it tells nothing."""
    try:
        record = _record(folder)
        stems = [file_stem(str(entry["files"])) for entry in record["layers"]]
    except (NetdissectError, KeyError, TypeError):
        return {}
    return dict.fromkeys(f"{stem}{ending}" for stem in stems for ending in (CLASSIC, COUNTS, ARRAYS, MAXIMA))


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        record = parse_json(reading.read_bytes(path, most=_LONGEST))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "holds no finished run (run.json is missing)" if folder.is_dir() else "does not exist"
        raise RunNotFoundError(f"{folder} {what}: expected a folder that netdissect run wrote") from error
<<<<<<< HEAD
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RunFileError(f"{path} is damaged: {first_line(error)}; run it again") from error
    if not isinstance(record, dict):
        raise RunFileError(f"{path} is damaged: expected an object, got {type(record).__name__}; run it again")
    return record
=======
    except (ValueError, OSError, RecursionError) as error:
        raise RunFileError(f"{path} is damaged: {_first_line(error)}; run it again") from error
    try:
        if record["schema_version"] > SCHEMA_VERSION:
            raise RunFileError(
                f"{path} was written by a newer netdissect (schema {record['schema_version']}, this one reads up to "
                f"{SCHEMA_VERSION}): upgrade with pip install -U netdissect"
            )
        return _from_json(record, folder)
    except RunFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunFileError(f"{path} is damaged: {type(error).__name__} {_first_line(error)}; run it again") from error


def as_json(result: RunResult) -> dict[str, Any]:
    """Return everything ``run.json`` holds, as plain values."""
    probe_set = dataclasses.asdict(dataclasses.replace(result.probe_set, vocabulary=Vocabulary((), ())))
    vocabulary = result.probe_set.vocabulary
    probe_set["vocabulary"] = {
        "categories": list(vocabulary.categories),
        "concepts": [[concept.number, concept.name, concept.category] for concept in vocabulary.concepts],
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "settings": result.settings.as_dict(),
        "network": dataclasses.asdict(result.network),
        "probe_set": probe_set,
        "layers": [
            {
                **{field.name: getattr(entry.layer, field.name) for field in dataclasses.fields(entry.layer)},
                "field": entry.layer.field._asdict(),
                "files": entry.layer.file_stem,
                "cells": entry.cells,
            }
            for entry in result.layers.values()
        ],
        "detectors": {
            definition: {
                name: {"units": found.units, "unique": found.unique}
                for name, found in result.detectors(result.settings.threshold, definition).items()
            }
            for definition in ("label", "category")
        },
        "image_names": {str(row): name for row, name in result.image_names.items()},
        **result.journal,
    }


def _from_json(record: Mapping[str, Any], folder: Path) -> RunResult:
    words = record["probe_set"]["vocabulary"]
    vocabulary = Vocabulary(
        tuple(words["categories"]), tuple(Concept(number, name, kind) for number, name, kind in words["concepts"])
    )
    known = {field.name for field in dataclasses.fields(Settings)}
    settings = Settings(**{name: value for name, value in record["settings"].items() if name in known})
    rows = record["probe_set"]["images"] + len(record.get("skipped_images", ()))
    layers = {
        entry["name"]: _layer(entry, vocabulary, folder, settings.images_per_unit, rows) for entry in record["layers"]
    }
    network = dict(record["network"], input_size=tuple(record["network"]["input_size"]))
    probe_set = dict(
        record["probe_set"],
        vocabulary=vocabulary,
        image_size=tuple(record["probe_set"]["image_size"]),
        label_size=tuple(record["probe_set"]["label_size"]),
    )
    own = {"schema_version", "settings", "network", "probe_set", "layers", "detectors", "image_names"}
    return RunResult(
        layers,
        settings,
        NetworkCard(**network),
        ProbeSetCard(**probe_set),
        {int(row): name for row, name in record["image_names"].items()},
        {name: value for name, value in record.items() if name not in own},
    )


def _layer(
    entry: Mapping[str, Any], vocabulary: Vocabulary, folder: Path, exemplars_each: int, rows: int
) -> LayerResult:
    field = FieldMap(*(tuple(entry["field"][name]) for name in FieldMap._fields))
    layer = Layer(
        entry["name"], entry["units"], tuple(entry["grid"]), field, entry["geometry"], entry["kind"], entry["note"],
        tuple(entry.get("shape", ())),
    )  # fmt: skip
    stem = file_stem(entry["files"])
    counts = _read_table(folder / f"{stem}.parquet", layer.units, len(vocabulary))
    thresholds, exemplars, activity = _read_arrays(folder / f"{stem}.npz", layer, exemplars_each)
    maxima = _read_maxima(folder / f"{stem}-image-maxima.parquet", rows, layer.units)
    return LayerResult(layer, vocabulary, counts, thresholds, entry["cells"], exemplars, activity, maxima)


def _write_table(path: Path, layer: LayerResult) -> None:
    """Write every unit x concept with I, A, G and IoU, unit by unit."""
    vocabulary, counts = layer.vocabulary, layer.counts
    units, width = counts.I.shape
    unit = np.repeat(np.arange(1, units + 1, dtype=np.int32), width)
    names = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(width, dtype=np.int32), units)), pa.array(vocabulary.names, pa.string())
    )
    categories = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(vocabulary.primary.astype(np.int32), units)), pa.array(vocabulary.categories, pa.string())
    )
    numbers = np.array([concept.number for concept in vocabulary.concepts], dtype=np.int32)
    table = pa.table(
        {
            "unit": unit,
            "number": np.tile(numbers, units),
            "concept": names,
            "category": categories,
            "I": counts.I.ravel(),
            "A": counts.A.ravel(),
            "G": np.tile(counts.G, units),
            "iou": layer.iou.ravel(),
        }
    )
    with atomic.replacing(path) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=max(width, 1) * 256, write_page_checksum=True)


def _write_maxima(path: Path, maxima: NDArray[np.float32]) -> None:
    """Write the maximum of every (image, unit): a row per image of the probe set, a column per unit, from 1."""
    table = pa.table({str(channel + 1): maxima[:, channel] for channel in range(maxima.shape[1])})
    with atomic.replacing(path) as file:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def _read_maxima(path: Path, rows: int, units: int) -> NDArray[np.float32] | None:
    if not path.exists():
        return None
    columns = _columns(path, [str(unit + 1) for unit in range(units)], rows)
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.float32)


def _read_table(path: Path, units: int, width: int) -> Counts:
    I, A, G = (column.reshape(units, width) for column in _columns(path, ["I", "A", "G"], units * width))
    return Counts(np.ascontiguousarray(I), np.ascontiguousarray(A), G[0].copy() if units else np.zeros(width, np.int64))


def _columns(path: Path, names: Sequence[str], rows: int) -> list[NDArray[Any]]:
    """Return columns of a Parquet table; how long it says it is, is looked at before anything is unpacked."""
    try:
        said = pq.read_metadata(path).num_rows
        if said != rows:
            raise RunFileError(f"{path} is damaged: expected {rows:,} rows, got {said:,}; run it again")
        table = pq.read_table(path, columns=list(names), page_checksum_verification=True)
        return [table[name].to_numpy() for name in names]
    except FileNotFoundError as error:
        raise RunFileError(f"{path} is missing: the run is not complete; run it again") from error
    except RunFileError:
        raise
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise RunFileError(f"{path} is damaged: {_first_line(error)}; run it again") from error


def _write_arrays(path: Path, layer: LayerResult) -> None:
    arrays = {
        **{f"exemplars.{field.name}": getattr(layer.exemplars, field.name) for field in dataclasses.fields(Exemplars)},
        **{f"activity.{field.name}": getattr(layer.activity, field.name) for field in dataclasses.fields(Activity)},
    }
    with atomic.replacing(path) as file:
        # numpy before 2.1 takes allow_pickle for the name of an array; numbers are never pickled
        np.savez_compressed(file, thresholds=layer.thresholds, **arrays)


def _read_arrays(path: Path, layer: Layer, exemplars_each: int) -> tuple[Any, Exemplars, Activity]:
    per_exemplar = 16 + 4 * layer.grid[0] * layer.grid[1]
    most = 2**20 + layer.units * (2**12 + exemplars_each * per_exemplar)  # bytes, with room to spare
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            said = sum(info.file_size for info in arrays.zip.infolist())
            if said > most:
                raise RunFileError(f"{path} is damaged: it would unpack to {said:,} bytes; run it again")
            exemplars = Exemplars(**{f.name: arrays[f"exemplars.{f.name}"] for f in dataclasses.fields(Exemplars)})
            activity = Activity(**{f.name: arrays[f"activity.{f.name}"] for f in dataclasses.fields(Activity)})
            thresholds = arrays["thresholds"]
    except FileNotFoundError as error:
        raise RunFileError(f"{path} is missing: the run is not complete; run it again") from error
    except RunFileError:
        raise
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error, NotImplementedError,
            RuntimeError, MemoryError) as error:  # fmt: skip
        raise RunFileError(f"{path} is damaged: {_first_line(error)}; run it again") from error
    k = exemplars.images.shape[1:]
    shapes = {"images": (layer.units, *k), "maxima": (layer.units, *k), "grids": (layer.units, *k, *layer.grid)}
    wrong = [name for name, shape in shapes.items() if getattr(exemplars, name).shape != shape]
    wrong += ["thresholds"] if thresholds.shape != (layer.units,) else []
    if wrong:
        raise RunFileError(f"{path} is damaged: its {wrong[0]} are of another layer; run it again")
    return thresholds, exemplars, activity


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
>>>>>>> 395e7f5 (Compiled: one decorator, one decision where machine code is kept; savez as every numpy takes it)
