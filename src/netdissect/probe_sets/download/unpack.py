"""Unpack untrusted archives: nothing outside the folder, no links, no archive bombs, completely or not at all."""

from __future__ import annotations

import errno
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

from netdissect.errors import DownloadError
from netdissect.io.reading import open_regular
from netdissect.probe_sets.download import members, tars, zips
from netdissect.probe_sets.download.members import ArchiveBudget
from netdissect.probe_sets.download.partial import describe_irregular, make_work_folder, remove_if_empty
from netdissect.probe_sets.download.transfer import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.probe_sets.download.members import ArchiveMember
    from netdissect.protocols import Progress

_BLOCK = 1 << 18
_TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

#: What the archive libraries raise for damaged archives, and error numbers for names that a file system rejects.
_DAMAGE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, IndexError, OverflowError,
)  # fmt: skip
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


def is_archive(name: str) -> bool:
    """Return whether a file name is that of an archive that can be unpacked."""
    return name.endswith((".zip", *_TAR_ENDINGS))


def unpack_archive(archive: Path, target: Path, *, marker: str, progress: Progress) -> None:
    """Unpack an archive; the folder in it that holds `marker` becomes `target`.

    Everything is first written to the work folder next to the archive, and moved to `target` in the end.

    Args:
        archive: a .zip or .tar file, compressed or not.
        target: the folder to create; it must not exist, or be empty.
        marker: relative path of a file or folder that the right archive holds.
        progress: reports the progress, in files.

    Raises:
        DownloadError: if a member leads outside the folder, or is a link or a device; if the archive unpacks to too many
            bytes for its size or the disk, needs too much memory, is damaged, or lacks the marker.
    """
    work = make_work_folder(archive.parent)
    unpacked = work / f"{target.name}.unpacking"
    if describe_irregular(unpacked) == "a folder":
        shutil.rmtree(unpacked)
    else:
        unpacked.unlink(missing_ok=True)
    unpacked.mkdir()
    try:
        _unpack_members(archive, unpacked, progress)
        found = _find_marker(unpacked, marker)
        if found is None:
            raise DownloadError(f"{archive} was unpacked, and holds no {marker}: it is not the right archive")
        if describe_irregular(target) == "a folder" and not any(target.iterdir()):
            target.rmdir()
        if target.exists() or target.is_symlink():
            raise DownloadError(f"{target} is in the way: move it, or choose another place with --into")
        target.parent.mkdir(parents=True, exist_ok=True)
        found.replace(target)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
        remove_if_empty(work)


def _unpack_members(archive: Path, folder: Path, progress: Progress) -> None:
    """Write all members, after checking them; a damaged archive is a DownloadError."""
    try:
        _write_members(archive, folder, progress)
    except DownloadError:
        raise
    except _DAMAGE_ERRORS as error:
        if isinstance(error, OSError) and not _is_archive_error(error):
            raise
        raise DownloadError(
            f"{archive} is damaged and cannot be unpacked ({_first_line(error)}): delete it and run again"
        ) from error


def _is_archive_error(error: OSError) -> bool:
    """Return whether an error is due to the archive, and not to the disk."""
    return error.errno in (None, *_NAME_ERRORS) or isinstance(error, (FileExistsError, NotADirectoryError))


def _write_members(archive: Path, folder: Path, progress: Progress) -> None:
    """Check all members, then write them."""
    size = _measure(archive)
    budget = ArchiveBudget(archive, size)
    for member in _iterate_members(archive, budget):
        budget.add(member)
    free = shutil.disk_usage(folder).free
    if budget.blocks + members.SPARE_BYTES > free:
        raise DownloadError(
            f"{folder.parent.parent} has {format_bytes(free)} free, and {archive.name} unpacks to {format_bytes(budget.blocks)}: make "
            f"room and run again"
        )
    progress.start("unpack", budget.count)
    for member in _iterate_members(archive, ArchiveBudget(archive, size)):
        _write_member(archive, folder, member)
        progress.advance(1)


def _measure(archive: Path) -> int:
    try:
        with open_regular(archive) as file:
            return file.seek(0, 2)
    except OSError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error.strerror}") from error


def _iterate_members(archive: Path, budget: ArchiveBudget) -> Iterator[ArchiveMember]:
    with open_regular(archive) as file:
        if archive.name.endswith(".zip"):
            yield from zips.iterate_zip_members(archive, file)
        else:
            yield from tars.iterate_tar_members(archive, file, budget)


def _write_member(archive: Path, folder: Path, member: ArchiveMember) -> None:
    target = folder / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, target.open("xb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > member.size:  # an archive bomb that states a wrong size
                raise DownloadError(f"{archive}: {member.path} is larger than it says: it is not unpacked")
            file.write(block)
    if written < member.size:
        raise EOFError(f"{member.path} ends after {written} of {member.size} bytes")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(":")


def _find_marker(folder: Path, marker: str) -> Path | None:
    """Return the folder that holds the marker: the topmost, of several the first by name."""
    level = [folder]
    while level:
        for candidate in level:
            if (candidate / marker).exists():
                return candidate
        level = sorted(path for candidate in level for path in candidate.iterdir() if path.is_dir())[:10_000]
    return None
