"""``netdissect data download`` and ``netdissect zoo download``: an entry of the registry, fetched and unpacked."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netdissect.data.build import shapes
from netdissect.data.download.fetch import RECORD, Fetched, fetch, verify
from netdissect.data.download.registry import Entry, RemoteFile
from netdissect.data.download.transfer import amount
from netdissect.data.download.unpack import is_archive, unpack
from netdissect.errors import DownloadError
from netdissect.io import atomic, locks
from netdissect.protocols import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from netdissect.protocols import Progress

_PHOTOS_AT_ONCE = 4


def download(
    name: str,
    registry: Mapping[str, Entry],
    into: Path,
    *,
    keep: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Download an entry and its members; what is there already is left alone.

    Args:
        name: the entry.
        registry: the entries there are.
        into: where it goes.
        keep: whether archives are kept after unpacking.
        progress: shown how far it is.
        say: told what is being done.

    Returns:
        the folders or files that are there now.

    Raises:
        DownloadError: if a file cannot be had, is not the right one, or cannot be unpacked.
    """
    entry = registry[name]
    found = [
        path
        for member in entry.members
        for path in download(member, registry, into, keep=keep, progress=progress, say=say)
    ]
    shown = progress or Silent()

    def refuse(who: str) -> DownloadError:
        return DownloadError(f"{name} is being downloaded to {into} by another process ({who}): wait for it")

    into.mkdir(parents=True, exist_ok=True)
    with locks.held(into / f".{name}.lock", refuse):
        if entry.folder:
            found.append(_unpacked(entry, into, keep=keep, progress=shown, say=say))
        elif entry.files:
            found += [_file(entry, file, into, shown, say) for file in entry.files]
        if entry.photos:
            _photos(entry, into / entry.folder, shown, say)
    return found


def is_here(entry: Entry, registry: Mapping[str, Entry], into: Path) -> bool:
    """Say whether an entry lies in a folder already."""
    if entry.members and not all(is_here(registry[member], registry, into) for member in entry.members):
        return False
    if entry.folder:
        return (into / entry.folder / entry.marker).exists()
    return all((into / file.name).is_file() for file in entry.files)


def _unpacked(entry: Entry, into: Path, *, keep: bool, progress: Progress, say: Callable[[str], None]) -> Path:
    target = into / entry.folder
    if (target / entry.marker).exists():
        say(f"{entry.name}: {target} is there already")
        return target
    for file in entry.files:
        if not is_archive(file.name):
            raise DownloadError(
                f"{entry.name}: {file.name} is no archive, and its entry names a folder to unpack it to"
            )
        archive = _file(entry, file, into, progress, say)
        say(f"{entry.name}: unpacking {archive.name} to {target}")
        unpack(archive, target, marker=entry.marker, progress=progress)
        _confirm(into, file.name)
        if not keep:
            archive.unlink()
    return target


def _file(entry: Entry, file: RemoteFile, into: Path, progress: Progress, say: Callable[[str], None]) -> Path:
    """Return a file of an entry, fetched if it is not there; its checksum compared or recorded."""
    recorded = _recorded(into, file.name)
    target = into / file.name
    if target.is_file():
        if wrong := verify(target, file, file.digest or recorded):
            raise DownloadError(f"{target} is there already, and {wrong}: delete it and run again")
        say(f"{entry.name}: {target} is there already")
        return target
    fetched = fetch(file, into, progress=progress, say=say, digest=recorded)
    # The hash of an archive counts when it has been unpacked: until then it may be that of a damaged one.
    _record(into, file.name, fetched, proven=file.digest is not None or not entry.folder)
    if file.digest is not None:
        say(f"{entry.name}: {file.name}, {amount(fetched.size)}, {file.digest[0]} as published")
    elif recorded is not None:
        say(f"{entry.name}: {file.name}, {amount(fetched.size)}, the same as the first time")
    else:
        say(
            f"{entry.name}: {file.name}, {amount(fetched.size)}; no checksum of it is published, so its SHA-256 "
            f"{fetched.sha256} was recorded in {into / RECORD}, and a later download is compared with that"
        )
    return target


def _photos(entry: Entry, folder: Path, progress: Progress, say: Callable[[str], None]) -> None:
    """Fetch OpenSurfaces' photos one by one into ``photos/``; those that are there are left alone."""
    target = folder / "photos"
    photos = {f"{int(photo['pk'])}.jpg": str(photo.get("image_orig", "")) for photo in shapes.load_photos(folder)}
    missing = {name: inside for name, inside in photos.items() if not (target / name).is_file()}
    if not missing:
        return
    say(f"{entry.name}: fetching {len(missing)} of {len(photos)} photos one by one to {target}")
    failures: list[str] = []

    def one(name: str, inside: str) -> None:
        file = RemoteFile(name, tuple(f"{base}{inside}" for base in entry.photos))
        try:
            fetch(file, target, progress=Silent(), say=lambda _: None)
        except DownloadError as error:
            failures.append(str(error))

    progress.start("photos", len(photos))
    progress.advance(len(photos) - len(missing))
    with ThreadPoolExecutor(_PHOTOS_AT_ONCE) as pool:
        try:
            for _ in _as_done(pool, one, missing):
                progress.advance(1)
        except KeyboardInterrupt as interrupt:
            pool.shutdown(wait=True, cancel_futures=True)
            raise KeyboardInterrupt(
                "interrupted; the same command goes on with the photos that are missing"
            ) from interrupt
    if failures:
        raise DownloadError(
            f"{len(failures)} of {len(photos)} photos could not be fetched, the first: {failures[0]}. Run again, or build "
            f"without them: netdissect data build --skip-missing"
        )


def _as_done(pool: ThreadPoolExecutor, task: Callable[[str, str], None], jobs: Mapping[str, str]) -> Iterator[None]:
    for future in [pool.submit(task, name, inside) for name, inside in jobs.items()]:
        yield future.result()


def _records(into: Path) -> dict[str, Any]:
    try:
        found = json.loads((into / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _recorded(into: Path, name: str) -> tuple[str, str] | None:
    told = _records(into).get(name, {})
    return ("sha256", str(told["sha256"])) if told.get("sha256") and told.get("proven", True) else None


def _record(into: Path, name: str, fetched: Fetched, *, proven: bool) -> None:
    entry = {
        "url": fetched.url,
        "size": fetched.size,
        "sha256": fetched.sha256,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write(into, {**_records(into), name: entry if proven else {**entry, "proven": False}})


def _confirm(into: Path, name: str) -> None:
    """Let the recorded hash of an archive count from now on."""
    records = _records(into)
    if records.get(name, {}).pop("proven", True) is False:
        _write(into, records)


def _write(into: Path, records: dict[str, Any]) -> None:
    atomic.write_text(into / RECORD, json.dumps(records, indent=1, sort_keys=True) + "\n")
