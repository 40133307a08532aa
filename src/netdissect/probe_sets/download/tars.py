"""The members of a .tar file, compressed or not, read from its first byte to its last with little memory."""

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

#: Bytes of all that stands before one file: its name, and what else is said of it.
_LARGEST_HEADER = 1 << 16
#: Bytes of what is said of all files at once; every header copies it.
_LARGEST_COMMON = 1 << 14
#: Bytes of memory that unpacking .xz may take; the program's highest level takes half of it.
_XZ_MEMORY = 128 << 20
_BLOCK = 1 << 16


def iterate_tar_members(archive: Path, file: IO[bytes], budget: ArchiveBudget) -> Iterator[ArchiveMember]:
    """Yield the files in an archive, in their order; each must be read before the next is asked for.

    Raises:
        DownloadError: for what may not be in one.
        tarfile.TarError, EOFError: and other errors of the libraries, if it is damaged or ends too early.
    """
    stream = _Forward(archive, _unpacked(archive, file), budget)
    stream.header = 0
    opened = tarfile.TarFile(fileobj=cast("IO[bytes]", stream), mode="r")
    while True:
        stream.header = 0
        info = opened.next()
        stream.header = None
        if info is None:
            break
        opened.members.clear()  # type: ignore[attr-defined]  # it keeps them all otherwise
        if sum(len(key) + len(value) for key, value in opened.pax_headers.items()) > _LARGEST_COMMON:
            raise DownloadError(
                f"{archive} has a header of more than {_LARGEST_COMMON:,} bytes for all its files: it is not unpacked"
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
        raise EOFError("it ends before its end")
    while stream.read(_BLOCK):  # the checksum of what is compressed stands at its end
        pass


class _Forward:
    """A stream as Python's reader wants a file, that goes forward only and counts what is read.

    Attributes:
        header: bytes of the header that have been read; None while a member is.
        last: the last bytes of a header that were read: all zeros at the archive's own end.
    """

    def __init__(self, archive: Path, stream: IO[bytes], budget: ArchiveBudget) -> None:
        self.header: int | None = None
        self.last = b""
        self._archive, self._stream, self._budget, self._place = archive, stream, budget, 0

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        if self.header is not None:
            self.header += count
            if self.header > _LARGEST_HEADER:
                raise DownloadError(
                    f"{self._archive} has a header of {self.header:,} bytes before a single file (its name or the like), and "
                    f"at most {_LARGEST_HEADER:,} are read: it is not unpacked"
                )
        data = self._stream.read(count)
        self._place += len(data)
        if self._place > self._budget.allowed:
            raise self._budget.make_too_large_error(self._place)
        if self.header is not None:
            self.last = data
        return data

    def seek(self, place: int) -> int:
        """Go forward to a place."""
        if place < self._place:
            raise tarfile.ReadError("its members do not follow one another")
        if place > self._budget.allowed:
            raise self._budget.make_too_large_error(place)
        header, self.header = self.header, None
        while self._place < place and self.read(min(_BLOCK, place - self._place)):
            pass
        self.header = header
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seekable(self) -> bool:
        """Say that it can be moved, as a file can."""
        return True


def _unpacked(archive: Path, file: IO[bytes]) -> IO[bytes]:
    """Return the archive's own bytes, whatever they are compressed with."""
    first = file.read(6)
    file.seek(0)
    if first.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))
    if first.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if first.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", _Xz(archive, file))
    return file


class _Xz:
    """An .xz file that may not ask for all memory there is, as Python's own reader of such files lets it."""

    def __init__(self, archive: Path, file: IO[bytes]) -> None:
        self._archive, self._file, self._rest = archive, file, b""
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
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
            found += self._more(count - len(found))
        return bytes(found)

    def _more(self, most: int) -> bytes:
        data, self._rest = self._rest, b""
        try:
            return self._decompressor.decompress(data, most)
        except lzma.LZMAError as error:
            if "emory" in str(error):
                raise DownloadError(
                    f"{self._archive} needs more than {_XZ_MEMORY >> 20} MB of memory to be unpacked: pack it anew with xz -9 or "
                    f"less"
                ) from error
            raise
