"""Read the members of a .zip file, after checking the size of its directory."""

from __future__ import annotations

import stat
import struct
import zipfile
from typing import IO, TYPE_CHECKING

from netdissect.errors import DownloadError
from netdissect.probe_sets.download.members import (
    MAX_MEMBERS,
    ArchiveMember,
    make_not_a_file_error,
    resolve_member_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY = b"PK\x01\x02"
#: Most bytes of a directory: a million names.
_MAX_DIRECTORY = 128 << 20
#: Compression methods that need little memory; LZMA may take gigabytes.
_SUPPORTED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)


def iterate_zip_members(archive: Path, file: IO[bytes]) -> Iterator[ArchiveMember]:
    """Yield the files of an archive, in the order of its directory.

    Raises:
        DownloadError: for a member that is not allowed.
        zipfile.BadZipFile: and other errors of the library, if the archive is damaged.
    """
    size, end = _measure_directory(file)
    file.seek(max(0, end - size))
    if size > _MAX_DIRECTORY or (count := file.read(size).count(_ENTRY)) > MAX_MEMBERS:
        size_words = f"of {size:,} bytes" if size > _MAX_DIRECTORY else f"of {count:,} files"
        raise DownloadError(f"{archive} has a directory {size_words}, too large: it is not unpacked")
    file.seek(0)
    with zipfile.ZipFile(file) as opened:
        infos = opened.infolist()
        _require_disjoint(archive, infos)
        for info in infos:
            path = resolve_member_path(archive, info.orig_filename)
            if info.is_dir():
                continue
            mode = info.external_attr >> 16
            if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                raise make_not_a_file_error(archive, info.filename)
            if info.flag_bits & 1:
                raise DownloadError(f"{archive} is encrypted, so it is not the right archive")
            if info.compress_type not in _SUPPORTED_METHODS:
                raise DownloadError(
                    f"{archive}: {info.filename!r} uses compression method {info.compress_type}, which is not supported: compress the "
                    f"archive with deflate"
                )

            def opener(info: zipfile.ZipInfo = info) -> IO[bytes]:
                return opened.open(info)

            yield ArchiveMember(path, info.file_size, opener)


def _measure_directory(file: IO[bytes]) -> tuple[int, int]:
    """Return the size of an archive's directory, as it states, and approximately where the directory ends.

    Raises:
        zipfile.BadZipFile: if it has no end record.
    """
    whole = file.seek(0, 2)
    start = max(0, whole - (1 << 16) - 22)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + 22:
        raise zipfile.BadZipFile("its end is missing")
    size = int(struct.unpack_from("<L", tail, place + 12)[0])
    locator = tail[place - 20 : place] if place >= 20 else b""
    if locator.startswith(_LOCATOR_64):
        file.seek(min(whole, struct.unpack_from("<Q", locator, 8)[0]))
        end = file.read(56)
        # zipfile reads the record right before the locator; if the two differ, the larger size counts.
        near = tail[place - 76 : place - 20] if place >= 76 else b""
        for found in (end, near):
            if found.startswith(_END_64) and len(found) == 56:
                size = max(size if size != 0xFFFFFFFF else 0, struct.unpack_from("<Q", found, 40)[0])
    return size, start + place


def _require_disjoint(archive: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, because such an archive can unpack to any size."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise DownloadError(
                f"{archive}: the bytes of {info.filename!r} belong to another file too: it is not unpacked"
            )
        end = info.header_offset + 30 + info.compress_size
