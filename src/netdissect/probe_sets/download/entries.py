"""Download entries of the registry and unpack them (``netdissect data download``, ``netdissect zoo download``)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from netdissect.errors import DownloadError
from netdissect.io.reading import is_regular
from netdissect.probe_sets.compile import opensurfaces_shapes
from netdissect.probe_sets.download import download_record
from netdissect.probe_sets.download.fetch import fetch_file, find_file_problem
from netdissect.probe_sets.download.partial import lock_work_folder, remove_if_empty
from netdissect.probe_sets.download.registry import Mirror, RegistryEntry, RemoteFile
from netdissect.probe_sets.download.transfer import format_bytes
from netdissect.probe_sets.download.unpack import is_archive, unpack_archive
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netdissect.protocols import Progress

_PHOTO_THREADS = 4


def download_entry(
    name: str,
    registry: Mapping[str, RegistryEntry],
    into: Path,
    *,
    keep: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Download an entry and its members, except for what is there already.

    Args:
        name: the entry.
        registry: all entries.
        into: the folder to download to.
        keep: whether to keep archives after unpacking them.
        progress: reports the progress.
        say: receives messages about what is being done.

    Returns:
        the folders or files of the entry.

    Raises:
        DownloadError: if a file cannot be fetched, is not the right one, or cannot be unpacked.
    """
    entry = registry[name]
    found = [
        path
        for member in entry.members
        for path in download_entry(member, registry, into, keep=keep, progress=progress, say=say)
    ]

    def refuse(who: str) -> DownloadError:
        return DownloadError(f"{name} is being downloaded to {into} by another process ({who}): wait for it")

    is_new = not into.exists()
    if not is_new and not into.is_dir():
        raise DownloadError(f"{into} is no folder: choose one with --into")
    download_record.load_record(into)  # before any work: refuse a foreign file of that name
    try:
        with lock_work_folder(into, name, refuse):
            found += _download_files(entry, into, keep=keep, progress=progress or NullProgress(), say=say)
    finally:
        if is_new:
            remove_if_empty(into)  # nothing was downloaded
    return found


def _download_files(
    entry: RegistryEntry, into: Path, *, keep: bool, progress: Progress, say: Callable[[str], None]
) -> list[Path]:
    """Download the files of an entry itself; return its folder or files."""
    if entry.folder:
        _require_inside(into, into / entry.folder)
        found = [_fetch_and_unpack(entry, into, keep=keep, progress=progress, say=say)]
    else:
        found = [_fetch_or_verify(entry, file, into, progress, say) for file in entry.files]
    if entry.photos:
        _fetch_photos(entry, into / entry.folder, progress, say)
    return found


def is_downloaded(entry: RegistryEntry, registry: Mapping[str, RegistryEntry], into: Path) -> bool:
    """Return whether a folder holds an entry already."""
    if entry.members and not all(is_downloaded(registry[member], registry, into) for member in entry.members):
        return False
    if entry.folder:
        return (into / entry.folder / entry.marker).exists()
    return all(is_regular(into / file.name) for file in entry.files)


def _require_inside(into: Path, target: Path) -> None:
    """Refuse a folder that is outside `into` when symbolic links are followed.

    Raises:
        DownloadError: if it is.
    """
    if not target.resolve().is_relative_to(into.resolve()):
        raise DownloadError(
            f"{target} leads to {target.resolve()}, outside {into}: nothing is written there; choose that place with --into"
        )


def _fetch_and_unpack(
    entry: RegistryEntry, into: Path, *, keep: bool, progress: Progress, say: Callable[[str], None]
) -> Path:
    target = into / entry.folder
    if (target / entry.marker).exists():
        say(f"{entry.name}: {target} is there already")
        return target
    for file in entry.files:
        if not is_archive(file.name):
            raise DownloadError(
                f"{entry.name}: {file.name} is not an archive, but its entry names a folder to unpack it to"
            )
        archive = _fetch_or_verify(entry, file, into, progress, say)
        say(f"{entry.name}: unpacking {archive.name} to {target}")
        unpack_archive(archive, target, marker=entry.marker, progress=progress)
        fetched_here = download_record.confirm_checksum(into, file.name)
        if fetched_here and not keep:  # an archive that the user put there stays
            archive.unlink()
    return target


def _fetch_or_verify(
    entry: RegistryEntry, file: RemoteFile, into: Path, progress: Progress, say: Callable[[str], None]
) -> Path:
    """Return a file of an entry: fetch it if it is missing, and compare or record its checksum."""
    recorded = download_record.get_recorded_checksum(into, file.name)
    target = into / file.name
    if target.is_file():
        if wrong := find_file_problem(target, file, file.digest or recorded):
            raise DownloadError(f"{target} is there already, and {wrong}: delete it and run again")
        say(f"{entry.name}: {target} is there already")
        return target
    fetched = fetch_file(file, into, progress=progress, say=say, digest=recorded)
    # The checksum of an archive is trusted once it was unpacked: until then the archive may be damaged.
    download_record.record_download(into, file.name, fetched, proven=file.digest is not None or not entry.folder)
    if file.digest is not None:
        say(f"{entry.name}: {file.name}, {format_bytes(fetched.size)}, {file.digest[0]} as published")
    elif recorded is not None:
        say(f"{entry.name}: {file.name}, {format_bytes(fetched.size)}, the same as the first time")
    else:
        say(
            f"{entry.name}: {file.name}, {format_bytes(fetched.size)}; no checksum of it is published, so its SHA-256 "
            f"{fetched.sha256} was recorded in {into / download_record.RECORD_FILE}, and a later download is compared with that"
        )
    return target


def _fetch_photos(entry: RegistryEntry, folder: Path, progress: Progress, say: Callable[[str], None]) -> None:
    """Fetch OpenSurfaces' photos one by one into ``photos/``, except for those that are there."""
    target = folder / "photos"
    _require_inside(folder, target)
    photos = {
        f"{int(photo['pk'])}.jpg": str(photo.get("image_orig", "")) for photo in opensurfaces_shapes.load_photos(folder)
    }
    missing = {name: path for name, path in photos.items() if not is_regular(target / name)}
    if not missing:
        return
    say(f"{entry.name}: fetching {len(missing)} of {len(photos)} photos one by one to {target}")
    failures: list[str] = []

    def fetch_photo(name: str, path: str) -> None:
        file = RemoteFile(name, tuple(Mirror(f"{base}{path}") for base in entry.photos))
        try:
            fetch_file(file, target, progress=NullProgress(), say=lambda _: None)
        except DownloadError as error:
            failures.append(str(error))

    progress.start("photos", len(photos))
    progress.advance(len(photos) - len(missing))
    # Without the lock, a photo would remove the folder of unfinished files whenever no other one is in it.
    with lock_work_folder(target, "photos", DownloadError), ThreadPoolExecutor(_PHOTO_THREADS) as pool:
        try:
            for future in [pool.submit(fetch_photo, name, path) for name, path in missing.items()]:
                future.result()
                progress.advance(1)
        except KeyboardInterrupt as interrupt:
            pool.shutdown(wait=True, cancel_futures=True)
            raise KeyboardInterrupt(
                "interrupted: run the same command again to fetch the photos that are missing"
            ) from interrupt
    if failures:
        raise DownloadError(
            f"{len(failures)} of {len(photos)} photos could not be fetched, the first: {failures[0]}. Run again, or build "
            f"without them: netdissect data build --skip-missing"
        )
