"""The folder of an export: its own kind, locked while it is written, whose ``export.json`` says what it holds."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from netdissect.errors import FolderTakenError, RunBusyError
from netdissect.io import atomic, folders
from netdissect.io.json_files import parse_json
from netdissect.io.reading import read_bytes
from netdissect.results.run_folder import WORK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXPORT_FILE = "export.json"
_KIND = "netdissect export"


def _parse_export(data: bytes) -> dict[str, Any]:
    """Return the record of an export; an empty one for anything else."""
    try:
        record = parse_json(data)
    except ValueError:
        return {}
    return record if isinstance(record, dict) and record.get("kind") == _KIND else {}


EXPORT_FOLDER = folders.FolderKind(
    "netdissect export",
    {EXPORT_FILE: lambda data: bool(_parse_export(data))},
    WORK,
    FolderTakenError,
    RunBusyError,
    "written by another export",
)


@contextlib.contextmanager
def lock_export_folder(folder: Path, key: str) -> Iterator[bool]:
    """Return a context manager that locks an export's folder and yields whether the same export is finished in it.

    Args:
        folder: the folder.
        key: hash of everything that decides the export.

    Raises:
        FolderTakenError: if it holds another export, or something else.
        RunBusyError: if another process writes into it.
    """
    with folders.lock_folder(folder, EXPORT_FOLDER):
        record = _read(folder)
        if record and record.get("key") != key:
            raise FolderTakenError(
                f"{folder} holds another export (other images, layers, network or choices): choose another --out, or delete it"
            )
        with atomic.stage_writes(folder, folder / WORK / "parts", lambda _: None):
            try:
                if not record:
                    write_record(folder, {"key": key, "finished": False})
                yield bool(record.get("finished"))
            finally:
                atomic.remove_partial_files(folder / WORK)
                for path in (folder / WORK / "parts", folder / WORK):
                    with contextlib.suppress(OSError):
                        path.rmdir()


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``export.json``."""
    text = json.dumps({"kind": _KIND, **record}, indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(folder / EXPORT_FILE, f"{text}\n")


def _read(folder: Path) -> dict[str, Any]:
    if not atomic.is_regular_below(folder, EXPORT_FILE):
        return {}
    return _parse_export(read_bytes(folder / EXPORT_FILE, most=2**26))
