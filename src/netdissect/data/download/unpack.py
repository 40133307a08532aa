"""Unpacking archives that nobody vouches for: nothing outside the folder, no links, no bombs, whole or not at all."""

from __future__ import annotations

import errno
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from netdissect.data.download.transfer import amount
from netdissect.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdissect.protocols import Progress

#: An archive may unpack to this many times its own size, and this much besides; sets of pictures hardly grow at all.
_MOST_TIMES, _MOST_BESIDES = 100, 64 << 20
_MOST_MEMBERS = 2_000_000
_BLOCK = 1 << 18

#: What the readers of archives raise over damaged ones, and what a system says to names that it cannot write.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError, IndexError, OverflowError,
)  # fmt: skip
_OF_NAMES = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


@dataclass(frozen=True)
class _Member:
    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Say whether a file's name is that of an archive that can be unpacked."""
    return name.endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def unpack(archive: Path, target: Path, *, marker: str, progress: Progress) -> None:
    """Unpack an archive; the folder in it that holds `marker` becomes `target`.

    Everything is first written into a hidden neighbour of `target`, which takes its place in the end.

    Args:
        archive: a .zip or .tar file, compressed or not.
        target: the folder to make; it must not exist, or be empty.
        marker: relative path of a file or folder that the right archive holds.
        progress: shown how far it is, in files.

    Raises:
        DownloadError: if a member would lie outside, is a link or a device, if the archive would grow beyond all
            measure or beyond the disk, is damaged, or lacks the marker.
    """
    beside = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
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
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        if target.exists():
            raise DownloadError(f"{target} is in the way: move it, or choose another place with --into")
        found.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _of_the_archive(error: OSError) -> bool:
    """Tell whether the archive is to blame, and not the disk."""
    return error.errno in (None, *_OF_NAMES) or isinstance(error, (FileExistsError, NotADirectoryError))


def _write_all(archive: Path, folder: Path, progress: Progress) -> None:
    allowed = _MOST_TIMES * archive.stat().st_size + _MOST_BESIDES
    opened = _open(archive)
    with opened:
        members, total = [], 0
        for member in (
            _zip_members(archive, opened) if isinstance(opened, zipfile.ZipFile) else _tar_members(archive, opened)
        ):
            members.append(member)
            total += member.size
            if len(members) > _MOST_MEMBERS or total > allowed:  # before what follows it is looked for
                raise DownloadError(
                    f"{archive} would unpack to at least {amount(total)} in {len(members):,} files, beyond all measure for "
                    f"its own {amount(archive.stat().st_size)}: it is not unpacked"
                )
        free = shutil.disk_usage(folder).free
        if total + _MOST_BESIDES > free:
            raise DownloadError(
                f"{folder.parent} has {amount(free)} free, and {archive.name} unpacks to {amount(total)}: make room and run "
                f"again"
            )
        progress.start("unpack", len(members))
        for member in members:
            _write(archive, folder, member)
            progress.advance(1)


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    if archive.name.endswith(".zip"):
        return zipfile.ZipFile(archive)
    try:
        return tarfile.open(archive)
    except tarfile.ReadError as error:  # its own words fill a line for every compression it has tried
        raise tarfile.ReadError("it is no tar archive") from error


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        if info.is_dir():
            _inside(archive, info.filename)
            continue
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            raise DownloadError(f"{archive} holds {info.filename!r}, a link or device: it is not unpacked")
        if info.flag_bits & 1:
            raise DownloadError(f"{archive} is encrypted: it is not the archive that was meant")

        def opener(info: zipfile.ZipInfo = info) -> IO[bytes]:
            return opened.open(info)

        yield _Member(_inside(archive, info.filename), info.file_size, opener)


def _tar_members(archive: Path, opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        path = _inside(archive, info.name)
        if info.isdir():
            continue
        if not info.isreg():
            raise DownloadError(f"{archive} holds {info.name!r}, a link or device: it is not unpacked")

        def opener(info: tarfile.TarInfo = info) -> IO[bytes]:
            stream = opened.extractfile(info)
            if stream is None:
                raise DownloadError(f"{archive}: {info.name!r} cannot be read")
            return stream

        yield _Member(path, info.size, opener)


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or any(char in name for char in "\\\0") or name[1:2] == ":":
        raise DownloadError(f"{archive} holds {name!r}, which would lie outside its folder: it is not unpacked")
    return path


def _write(archive: Path, folder: Path, member: _Member) -> None:
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
