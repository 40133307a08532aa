"""Check the members of an archive: names inside the folder, and a total size in proportion to the archive's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from netdissect.errors import DownloadError
from netdissect.io.names import is_below
from netdissect.probe_sets.download.transfer import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: An archive may unpack to this many times its size, plus this many bytes; archives of images hardly grow at all.
MAX_GROWTH, SPARE_BYTES = 100, 64 << 20
#: Most files of an archive; Broden has half a million.
MAX_MEMBERS = 1_000_000
#: Most characters of a name, and most nested folders.
_MAX_NAME, _MAX_DEPTH = 1000, 50
#: Bytes of a disk block: the least that a file takes on disk.
_DISK_BLOCK = 4096


@dataclass(frozen=True)
class ArchiveMember:
    """A file in an archive.

    Attributes:
        path: its path, relative to the folder.
        size: its size in bytes, as the archive states.
        open: opens it for reading.
    """

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


class ArchiveBudget:
    """Sums the sizes of an archive's members before anything is written.

    Attributes:
        allowed: most bytes that may be unpacked, in whole disk blocks per file.
        blocks: bytes of all members so far, in whole disk blocks per file.
        count: number of members so far.
    """

    def __init__(self, archive: Path, size: int) -> None:
        self.allowed = MAX_GROWTH * size + SPARE_BYTES
        self.blocks = 0
        self.count = 0
        self._archive, self._size = archive, size
        self._files: set[int] = set()
        self._folders: set[int] = set()

    def add(self, member: ArchiveMember) -> None:
        """Add a member.

        Raises:
            DownloadError: if the archive becomes too large, or another member has the same name for some file system.
        """
        self.count += 1
        self.blocks += -(-max(member.size, 1) // _DISK_BLOCK) * _DISK_BLOCK
        if self.count > MAX_MEMBERS or self.blocks > self.allowed:
            raise self.make_too_large_error(self.blocks)
        key = self._key(member.path)
        folders = {self._key(parent) for parent in member.path.parents}
        if key in self._files or key in self._folders or not folders.isdisjoint(self._files):
            raise DownloadError(
                f"{self._archive} holds {str(member.path)!r} and another member of that name, or of one that differs only in case: "
                f"it is not unpacked"
            )
        self._files.add(key)
        self._folders |= folders

    def make_too_large_error(self, least: int) -> DownloadError:
        """Return the error for an archive that unpacks to too many bytes."""
        return DownloadError(
            f"{self._archive} would unpack to at least {format_bytes(least)} in {self.count:,} files, too much for an archive of "
            f"{format_bytes(self._size)}: it is not unpacked"
        )

    @staticmethod
    def _key(path: PurePosixPath) -> int:
        """Return a hash of a name, equal for names that some file systems do not distinguish. A hash takes less memory than the name."""
        return hash(unicodedata.normalize("NFC", str(path)).casefold())


def resolve_member_path(archive: Path, name: str) -> PurePosixPath:
    """Return the relative path of a member.

    Raises:
        DownloadError: if it leads outside the folder, or some system would change the name or show it wrongly.
    """
    if not is_below(name):
        raise DownloadError(f"{archive} holds {name[:200]!r}, which would be outside its folder: it is not unpacked")
    path = PurePosixPath(name)
    if len(name) > _MAX_NAME or len(path.parts) > _MAX_DEPTH:
        raise DownloadError(f"{archive} holds a name of {len(name):,} characters, {name[:40]!a}…: it is not unpacked")
    for part in path.parts:
        if re.search(r"[\x00-\x1f\x7f-\x9f]", part) or part.endswith((".", " ")):
            raise DownloadError(
                f"{archive} holds {name[:200]!a}, a name with control characters, or a dot or space at its end: it is not "
                f"unpacked"
            )
    return path


def make_not_a_file_error(archive: Path, name: str) -> DownloadError:
    """Return the error for a member that is neither a file nor a folder."""
    return DownloadError(f"{archive} holds {name!r}, a link or device: it is not unpacked")
