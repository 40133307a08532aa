"""Read and write ``downloads.json``: what was downloaded to a folder, from where, and its checksums."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netdissect.errors import DownloadError
from netdissect.io import atomic
from netdissect.io.json_files import read_json
from netdissect.probe_sets.download.partial import lock_work_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.probe_sets.download.fetch import FetchedFile

#: File name of the record.
RECORD_FILE = "downloads.json"
_MAX_BYTES = 16 << 20
#: Most waits of 0.05 seconds for another process.
_MAX_WAITS = 400


class _NoneYetError(DownloadError):
    pass


class _BusyError(DownloadError):
    pass


def load_record(into: Path) -> dict[str, dict[str, Any]]:
    """Return the record of every file, by file name.

    Raises:
        DownloadError: if ``downloads.json`` is damaged or something else.
    """
    path = into / RECORD_FILE
    try:
        found = read_json(path, "the record of downloads", missing=_NoneYetError, wrong=DownloadError, most=_MAX_BYTES)
    except _NoneYetError:
        return {}
    if not isinstance(found, dict) or not all(_is_record(entry) for entry in found.values()):
        raise DownloadError(
            f"{path} is not the record of downloads, which has this name: move it, or choose another place with --into"
        )
    return found


def get_recorded_checksum(into: Path, name: str) -> tuple[str, str] | None:
    """Return the checksum of a file at its first download; None if none was confirmed."""
    entry = load_record(into).get(name)
    return ("sha256", entry["sha256"]) if entry and entry.get("proven", True) else None


def record_download(into: Path, name: str, fetched: FetchedFile, *, proven: bool) -> None:
    """Record a file that was fetched.

    Args:
        into: the folder.
        name: the file's name.
        fetched: what was fetched.
        proven: whether it is known to be the right file.
    """
    entry = {
        "url": fetched.url,
        "size": fetched.size,
        "sha256": fetched.sha256,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with _lock_record(into):
        _write_record(into, {**load_record(into), name: entry if proven else {**entry, "proven": False}})


def confirm_checksum(into: Path, name: str) -> bool:
    """Mark the recorded checksum of an archive as right; return whether the archive is in the record."""
    with _lock_record(into):
        found = load_record(into)
        if found.get(name, {}).pop("proven", True) is False:
            _write_record(into, found)
    return name in found


@contextlib.contextmanager
def _lock_record(into: Path) -> Iterator[None]:
    """Lock the record within the block; wait for another process for at most twenty seconds."""
    with contextlib.ExitStack() as stack:
        for left in reversed(range(_MAX_WAITS)):
            try:
                stack.enter_context(lock_work_folder(into, ".record", _BusyError))
                break
            except _BusyError as error:
                if not left:
                    raise DownloadError(
                        f"{into / RECORD_FILE} is being changed by another process ({error}): run again"
                    ) from error
                time.sleep(0.05)
        yield


def _is_record(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in ("url", "sha256"))


def _write_record(into: Path, found: dict[str, dict[str, Any]]) -> None:
    atomic.write_text(into / RECORD_FILE, json.dumps(found, indent=1, sort_keys=True) + "\n")
