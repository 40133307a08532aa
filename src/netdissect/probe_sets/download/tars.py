"""Read the members of a .tar file, compressed or not, in one pass with little memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from typing import IO, TYPE_CHECKING, cast

from netdissect.errors import DownloadError
from netdissect.probe_sets.download.members import (
    ArchiveBudget,
    ArchiveMember,
    make_not_a_file_error,
    resolve_member_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Most bytes of the headers of one file: its name and other properties.
_MAX_HEADER = 1 << 16
#: Most bytes of the header of all files; tarfile copies it for every file.
_MAX_COMMON_HEADER = 1 << 14
#: Bytes of memory for decompressing .xz; the highest level of xz takes half of it.
_XZ_MEMORY = 128 << 20
_BLOCK = 1 << 16


def iterate_tar_members(archive: Path, file: IO[bytes], budget: ArchiveBudget) -> Iterator[ArchiveMember]:
    """Yield the files of an archive, in order; each must be read before the next one.

    Raises:
        DownloadError: for a member that is not allowed.
        tarfile.TarError, EOFError: and other errors of the libraries, if the archive is damaged or ends too early.
    """
    stream = _ForwardStream(archive, _decompress(archive, file), budget)
    stream.header = 0
    opened = tarfile.TarFile(fileobj=cast("IO[bytes]", stream), mode="r")
    while True:
        stream.header = 0
        info = opened.next()
        stream.header = None
        if info is None:
            break
        opened.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all of them in memory
        if sum(len(key) + len(value) for key, value in opened.pax_headers.items()) > _MAX_COMMON_HEADER:
            raise DownloadError(
                f"{archive} has a header of more than {_MAX_COMMON_HEADER:,} bytes for all its files: it is not unpacked"
            )
        path = resolve_member_path(archive, info.name)
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise make_not_a_file_error(archive, info.name)

        def opener(info: tarfile.TarInfo = info) -> IO[bytes]:
            return cast("IO[bytes]", opened.extractfile(info))

        yield ArchiveMember(path, info.size, opener)
    if stream.last.count(0) != len(stream.last) or not stream.last:
        raise EOFError("its end is missing")
    while stream.read(_BLOCK):  # the checksum of the compressed data is at its end
        pass


class _ForwardStream:
    """A file object for tarfile that only reads forward, and counts the bytes that it reads.

    Attributes:
        header: number of bytes of the current header so far; None while a member is read.
        last: the bytes of a header that were read last; all zeros at the end of the archive.
    """

    def __init__(self, archive: Path, stream: IO[bytes], budget: ArchiveBudget) -> None:
        self.header: int | None = None
        self.last = b""
        self._archive, self._stream, self._budget, self._place = archive, stream, budget, 0

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        if self.header is not None:
            self.header += count
            if self.header > _MAX_HEADER:
                raise DownloadError(
                    f"{self._archive} has a header of {self.header:,} bytes before a single file (its name or the like), and "
                    f"at most {_MAX_HEADER:,} are read: it is not unpacked"
                )
        data = self._stream.read(count)
        self._place += len(data)
        if self._place > self._budget.allowed:
            raise self._budget.make_too_large_error(self._place)
        if self.header is not None:
            self.last = data
        return data

    def seek(self, place: int) -> int:
        """Go forward to a position."""
        if place < self._place:
            raise tarfile.ReadError("its members are not in order")
        if place > self._budget.allowed:
            raise self._budget.make_too_large_error(place)
        header, self.header = self.header, None
        while self._place < place and self.read(min(_BLOCK, place - self._place)):
            pass
        self.header = header
        return self._place

    def tell(self) -> int:
        """Return the position."""
        return self._place

    def seekable(self) -> bool:
        """Return True, which tarfile requires."""
        return True


def _decompress(archive: Path, file: IO[bytes]) -> IO[bytes]:
    """Return a stream of the decompressed archive."""
    first = file.read(6)
    file.seek(0)
    if first.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
    if first.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if first.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", _XZStream(archive, file))
    return file


class _XZStream:
    """An .xz file with a limit on memory, which lzma.LZMAFile does not have."""

    def __init__(self, archive: Path, file: IO[bytes]) -> None:
        self._archive, self._file, self._rest = archive, file, b""
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer only at the end."""
        found = bytearray()
        while len(found) < count:
            if self._decompressor.eof:
                self._rest = (self._decompressor.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
                if not self._rest:
                    break
                self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            elif self._decompressor.needs_input and not self._rest:
                self._rest = self._file.read(_BLOCK)
                if not self._rest:
                    raise EOFError("it is cut off")
            found += self._decompress_more(count - len(found))
        return bytes(found)

    def _decompress_more(self, most: int) -> bytes:
        data, self._rest = self._rest, b""
        try:
            return self._decompressor.decompress(data, most)
        except lzma.LZMAError as error:
            if "emory" in str(error):
                raise DownloadError(
                    f"{self._archive} needs more than {_XZ_MEMORY >> 20} MB of memory to be unpacked: compress it again with xz -9 or "
                    f"less"
                ) from error
            raise
