"""``downloads.json``: what was downloaded to a folder, from where, and the checksums that were found."""

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

#: The file's name.
RECORD_FILE = "downloads.json"
_LARGEST = 16 << 20
#: Times of 0.05 seconds that another process is waited for.
_WAITS = 400


class _NoneYetError(DownloadError):
    pass


class _BusyError(DownloadError):
    pass


def load_record(into: Path) -> dict[str, dict[str, Any]]:
    """Return what is recorded of every file, by its name.

    Raises:
        DownloadError: if the file is damaged, or is something else of that name: it is left alone.
    """
    path = into / RECORD_FILE
    try:
        found = read_json(path, "the record of downloads", missing=_NoneYetError, wrong=DownloadError, most=_LARGEST)
    except _NoneYetError:
        return {}
    if not isinstance(found, dict) or not all(_is_record(told) for told in found.values()):
        raise DownloadError(
            f"{path} is not the record of downloads that is kept under this name: move it, or choose another place with "
            f"--into"
        )
    return found


def get_recorded_checksum(into: Path, name: str) -> tuple[str, str] | None:
    """Return the checksum of a file at its first download; None if there was none that proved right."""
    told = load_record(into).get(name)
    return ("sha256", told["sha256"]) if told and told.get("proven", True) else None


def record_download(into: Path, name: str, fetched: FetchedFile, *, proven: bool) -> None:
    """Record a file that was fetched; `proven` says whether it is known by now to be the right one."""
    entry = {
        "url": fetched.url,
        "size": fetched.size,
        "sha256": fetched.sha256,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with _alone(into):
        _write(into, {**load_record(into), name: entry if proven else {**entry, "proven": False}})


def confirm_checksum(into: Path, name: str) -> bool:
    """Let the recorded checksum of an archive count from now on; say whether it was fetched here at all."""
    with _alone(into):
        found = load_record(into)
        if found.get(name, {}).pop("proven", True) is False:
            _write(into, found)
    return name in found


@contextlib.contextmanager
def _alone(into: Path) -> Iterator[None]:
    """Wait until no other process changes the record, for twenty seconds at most."""
    with contextlib.ExitStack() as stack:
        for left in reversed(range(_WAITS)):
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


def _is_record(told: Any) -> bool:
    return isinstance(told, dict) and all(isinstance(told.get(key), str) for key in ("url", "sha256"))


def _write(into: Path, found: dict[str, dict[str, Any]]) -> None:
    atomic.write_text(into / RECORD_FILE, json.dumps(found, indent=1, sort_keys=True) + "\n")
