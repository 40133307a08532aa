"""Save and load a run: ``run.json``, and the CSV, Parquet and .npz tables of every layer (docs/run-folder.md).

``run.json`` is written last: a folder that has one holds a finished run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netdissect.errors import NetdissectError, RunFileError, RunNotFoundError, root_message
from netdissect.io import atomic, reading
from netdissect.io.json_files import InvalidJSONError, parse_json
from netdissect.layers import check_file_stems, make_file_stem
from netdissect.results import classic
from netdissect.results import record as record_of
from netdissect.results.ablation_files import ABLATION_SUFFIXES, restore_ablation_table, write_ablation
from netdissect.results.exemplar_files import EXEMPLAR_SUFFIXES, write_exemplars
from netdissect.results.formula_files import FORMULA_SUFFIXES, restore_formula_table, write_formulas
from netdissect.results.range_files import RANGE_SUFFIXES, restore_range_table, write_ranges
from netdissect.results.table_files import (
    ARRAYS_SUFFIX,
    COUNTS_SUFFIX,
    CSV_SUFFIX,
    MAXIMA_SUFFIX,
    TableFiles,
    compute_checksum,
    write_arrays,
    write_counts,
    write_maxima,
)
from netdissect.results.trust_files import TRUST_SUFFIXES, restore_trust_tables, write_trust

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.results.run_result import Result

#: The largest ``run.json`` in bytes; it names every exemplar image.
_MAX_BYTES = 2**28


def save_run(result: Result, folder: Path) -> None:
    """Write a run's tables and ``run.json`` into a folder.

    Raises:
        SettingsError: if two layers would have the same file name.
        OSError: if the folder cannot be written.
    """
    check_file_stems(list(result.layers))
    atomic.make_folder(folder)
    (folder / "run.json").unlink(missing_ok=True)
    written = []
    for layer in result.layers.values():
        stem = layer.layer.file_stem
        classic.write_result_csv(folder / f"{stem}{CSV_SUFFIX}", layer.units, layer.vocabulary.categories)
        write_counts(folder / f"{stem}{COUNTS_SUFFIX}", layer)
        write_arrays(folder / f"{stem}{ARRAYS_SUFFIX}", layer)
        written += [f"{stem}{CSV_SUFFIX}", f"{stem}{COUNTS_SUFFIX}", f"{stem}{ARRAYS_SUFFIX}"]
        if layer.image_maxima is not None:
            write_maxima(folder / f"{stem}{MAXIMA_SUFFIX}", layer.image_maxima)
            written.append(f"{stem}{MAXIMA_SUFFIX}")
        written += write_exemplars(folder, layer)
        written += write_trust(folder, layer)
        written += write_ranges(folder, layer)
        written += write_formulas(folder, layer)
        written += write_ablation(folder, layer)
    record = record_of.run_to_json(result) | {"checksums": {name: compute_checksum(folder / name) for name in written}}
    atomic.write_text(folder / "run.json", json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def restore_tables(result: Result, folder: Path) -> None:
    """Write the tables that are missing from a finished run's folder and that `load_run` does not need."""
    for layer in result.layers.values():
        path = folder / f"{layer.layer.file_stem}{CSV_SUFFIX}"
        if not path.exists():
            classic.write_result_csv(path, layer.units, layer.vocabulary.categories)
        restore_trust_tables(folder, layer)
        restore_range_table(folder, layer)
        restore_formula_table(folder, layer)
        restore_ablation_table(folder, layer)


def load_run(folder: Path) -> Result:
    """Read a finished run.

    Raises:
        RunNotFoundError: if the folder holds no finished run.
        RunFileError: if one of its files is damaged, missing, of a newer version, or was changed since the run.
    """
    path, record = folder / "run.json", _read_record(folder)
    try:
        version = record["schema_version"]
        if not isinstance(version, int) or version < 1:
            raise RunFileError(f"{path} is damaged: its schema_version is {version!r}; run it again")
        if version > record_of.SCHEMA_VERSION:
            raise RunFileError(
                f"{path} was written by a newer netdissect (schema {version}, this one reads up to {record_of.SCHEMA_VERSION}): "
                f"upgrade with pip install -U netdissect"
            )
        return record_of.run_from_json(record, TableFiles(folder, record_of.read_checksums(record)))
    except RunFileError:
        raise
    except NetdissectError as error:  # impossible settings, layers or concepts
        raise RunFileError(f"{path} is damaged: {str(error).rstrip('.')}; run it again") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunFileError(f"{path} is damaged: {type(error).__name__} {root_message(error)}; run it again") from error


def require_unchanged(table: Path) -> None:
    """Refuse a CSV table that was changed since its run wrote it; a table without a run is accepted.

    Raises:
        RunFileError: if the ``run.json`` of its folder has another checksum for it.
    """
    try:
        known = record_of.read_checksums(_read_record(table.parent)).get(table.name)
        found = compute_checksum(table)
    except (NetdissectError, AttributeError, TypeError, OSError):
        return
    if known is not None and known != found:
        raise RunFileError(
            f"{table} was changed since its run wrote it (its checksum is not the one in run.json): compare the run's folder, "
            f"{table.parent}"
        )


def list_table_files(folder: Path) -> dict[str, None]:
    """Return the names of a run's tables by its ``run.json``; none if that cannot be read."""
    try:
        record = _read_record(folder)
        stems = [make_file_stem(str(entry["files"])) for entry in record["layers"]]
    except (NetdissectError, KeyError, TypeError):
        return {}
    endings = (
        CSV_SUFFIX,
        COUNTS_SUFFIX,
        ARRAYS_SUFFIX,
        MAXIMA_SUFFIX,
        *EXEMPLAR_SUFFIXES,
        *TRUST_SUFFIXES,
        *RANGE_SUFFIXES,
        *FORMULA_SUFFIXES,
        *ABLATION_SUFFIXES,
    )
    return dict.fromkeys(f"{stem}{ending}" for stem in stems for ending in endings)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    try:
        record = parse_json(reading.read_bytes(path, most=_MAX_BYTES))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "is not a folder" if folder.exists() else "does not exist"
        what = "holds no finished run (run.json is missing)" if folder.is_dir() else what
        raise RunNotFoundError(f"{folder} {what}: expected a folder that netdissect run wrote") from error
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except InvalidJSONError as error:
        raise RunFileError(f"{path} is damaged: {str(error).rstrip('.')}; run it again") from error
    if not isinstance(record, dict):
        raise RunFileError(f"{path} is damaged: expected an object, got {type(record).__name__}; run it again")
    return record
