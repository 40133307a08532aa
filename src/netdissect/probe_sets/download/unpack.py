"""Unpacking archives that nobody vouches for: nothing outside the folder, no links, no bombs, whole or not at all."""

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

#: What the readers of archives raise over damaged ones, and what a system says to names that it cannot write.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, IndexError, OverflowError,
)  # fmt: skip
_OF_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


def is_archive(name: str) -> bool:
    """Say whether a file's name is that of an archive that can be unpacked."""
    return name.endswith((".zip", *_TAR_ENDINGS))


def unpack_archive(archive: Path, target: Path, *, marker: str, progress: Progress) -> None:
    """Unpack an archive; the folder in it that holds `marker` becomes `target`.

    Everything is first written into a folder of our own beside the archive, whose part takes the place of `target` in
    the end.

    Args:
        archive: a .zip or .tar file, compressed or not.
        target: the folder to make; it must not exist, or be empty.
        marker: relative path of a file or folder that the right archive holds.
        progress: shown how far it is, in files.

    Raises:
        DownloadError: if a member would lie outside, is a link or a device, if the archive would grow beyond all
            measure or beyond the disk, needs more memory than an archive does, is damaged, or lacks the marker.
    """
    own = make_work_folder(archive.parent)
    beside = own / f"{target.name}.unpacking"
    if describe_irregular(beside) == "a folder":
        shutil.rmtree(beside)
    else:
        beside.unlink(missing_ok=True)
    beside.mkdir()
    try:
        try:
            _write_all(archive, beside, progress)
        except DownloadError:
            raise
        except _DAMAGE as error:
            if isinstance(error, OSError) and not _of_the_archive(error):
                raise
            raise DownloadError(
                f"{archive} is damaged and cannot be unpacked ({_first_line(error)}): delete it and run again"
            ) from error
        found = _find(beside, marker)
        if found is None:
            raise DownloadError(f"{archive} was unpacked, and holds no {marker}: it is not the archive that was meant")
        if describe_irregular(target) == "a folder" and not any(target.iterdir()):
            target.rmdir()
        if target.exists() or target.is_symlink():
            raise DownloadError(f"{target} is in the way: move it, or choose another place with --into")
        target.parent.mkdir(parents=True, exist_ok=True)
        found.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        remove_if_empty(own)


def _of_the_archive(error: OSError) -> bool:
    """Tell whether the archive is to blame, and not the disk."""
    return error.errno in (None, *_OF_NAMES) or isinstance(error, (FileExistsError, NotADirectoryError))


def _write_all(archive: Path, folder: Path, progress: Progress) -> None:
    """Look at everything first, then write it."""
    size = _size(archive)
    budget = ArchiveBudget(archive, size)
    for member in _members(archive, budget):
        budget.add(member)
    free = shutil.disk_usage(folder).free
    if budget.blocks + members.SPARE_BYTES > free:
        raise DownloadError(
            f"{folder.parent.parent} has {format_bytes(free)} free, and {archive.name} unpacks to {format_bytes(budget.blocks)}: make "
            f"room and run again"
        )
    progress.start("unpack", budget.count)
    for member in _members(archive, ArchiveBudget(archive, size)):
        _write(archive, folder, member)
        progress.advance(1)


def _size(archive: Path) -> int:
    try:
        with open_regular(archive) as file:
            return file.seek(0, 2)
    except OSError as error:
        raise DownloadError(f"{archive} cannot be unpacked: {error.strerror}") from error


def _members(archive: Path, budget: ArchiveBudget) -> Iterator[ArchiveMember]:
    with open_regular(archive) as file:
        if archive.name.endswith(".zip"):
            yield from zips.iterate_zip_members(archive, file)
        else:
            yield from tars.iterate_tar_members(archive, file, budget)


def _write(archive: Path, folder: Path, member: ArchiveMember) -> None:
    target = folder / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, target.open("xb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > member.size:  # a bomb that lies about its size
                raise DownloadError(f"{archive}: {member.path} is larger than it says: it is not unpacked")
            file.write(block)
    if written < member.size:
        raise EOFError(f"{member.path} ends after {written} of {member.size} bytes")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(":")


def _find(folder: Path, marker: str) -> Path | None:
    """Return the folder that holds the marker: the nearest to the top, of several the first by name."""
    level = [folder]
    while level:
        for candidate in level:
            if (candidate / marker).exists():
                return candidate
        level = sorted(path for candidate in level for path in candidate.iterdir() if path.is_dir())[:10_000]
    return None
