"""``downloads.json``: what was downloaded to a folder, from where, and the checksums that were found."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netdissect.data.download.partial import held
from netdissect.errors import DownloadError
from netdissect.io import atomic
from netdissect.io.json_files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.data.download.fetch import Fetched

#: The file's name.
RECORD = "downloads.json"
_LARGEST = 16 << 20
#: Times of 0.05 seconds that another process is waited for.
_WAITS = 400


class _NoneYetError(DownloadError):
    pass


class _BusyError(DownloadError):
    pass


def load(into: Path) -> dict[str, dict[str, Any]]:
    """Return what is recorded of every file, by its name.

    Raises:
        DownloadError: if the file is damaged, or is something else of that name: it is left alone.
    """
    path = into / RECORD
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


def checksum(into: Path, name: str) -> tuple[str, str] | None:
    """Return the checksum of a file at its first download; None if there was none that proved right."""
    told = load(into).get(name)
    return ("sha256", told["sha256"]) if told and told.get("proven", True) else None


def add(into: Path, name: str, fetched: Fetched, *, proven: bool) -> None:
    """Record a file that was fetched; `proven` says whether it is known by now to be the right one."""
    entry = {
        "url": fetched.url,
        "size": fetched.size,
        "sha256": fetched.sha256,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with _alone(into):
        _write(into, {**load(into), name: entry if proven else {**entry, "proven": False}})


def confirm(into: Path, name: str) -> bool:
    """Let the recorded checksum of an archive count from now on; say whether it was fetched here at all."""
    with _alone(into):
        found = load(into)
        if found.get(name, {}).pop("proven", True) is False:
            _write(into, found)
    return name in found


@contextlib.contextmanager
def _alone(into: Path) -> Iterator[None]:
    """Wait until no other process changes the record, for twenty seconds at most."""
    with contextlib.ExitStack() as stack:
        for left in reversed(range(_WAITS)):
            try:
                stack.enter_context(held(into, ".record", _BusyError))
                break
            except _BusyError as error:
                if not left:
                    raise DownloadError(
                        f"{into / RECORD} is being changed by another process ({error}): run again"
                    ) from error
                time.sleep(0.05)
        yield


def _is_record(told: Any) -> bool:
    return isinstance(told, dict) and all(isinstance(told.get(key), str) for key in ("url", "sha256"))


def _write(into: Path, found: dict[str, dict[str, Any]]) -> None:
    atomic.write_text(into / RECORD, json.dumps(found, indent=1, sort_keys=True) + "\n")
