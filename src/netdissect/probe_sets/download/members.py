"""What an archive may hold: names that stay inside, and no more than an archive of its size has any use for."""

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

#: An archive may unpack to this many times its own size, and this much besides; sets of images hardly grow at all.
MAX_GROWTH, SPARE_BYTES = 100, 64 << 20
#: Files in an archive; Broden has half a million.
MAX_MEMBERS = 1_000_000
#: Characters and folders of a name.
_LONGEST, _DEEPEST = 1000, 50
#: A file takes at least that much of a disk, however little is in it.
_BLOCK = 4096


@dataclass(frozen=True)
class ArchiveMember:
    """A file in an archive.

    Attributes:
        path: where it goes, below the folder.
        size: its bytes, as the archive says.
        open: opens it for reading.
    """

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


class ArchiveBudget:
    """What an archive has used up of what it may, known before anything is written.

    Attributes:
        allowed: bytes that may be unpacked, files counted by the blocks they take of a disk.
        blocks: bytes of all members so far, counted in that way.
        count: how many they are.
    """

    def __init__(self, archive: Path, size: int) -> None:
        self.allowed = MAX_GROWTH * size + SPARE_BYTES
        self.blocks = 0
        self.count = 0
        self._archive, self._size = archive, size
        self._files: set[int] = set()
        self._folders: set[int] = set()

    def add(self, member: ArchiveMember) -> None:
        """Count a member.

        Raises:
            DownloadError: if that is too much, or if another member has its name, or one that a disk may take for it.
        """
        self.count += 1
        self.blocks += -(-max(member.size, 1) // _BLOCK) * _BLOCK
        if self.count > MAX_MEMBERS or self.blocks > self.allowed:
            raise self.make_too_large_error(self.blocks)
        key = self._key(member.path)
        folders = {self._key(parent) for parent in member.path.parents}
        if key in self._files or key in self._folders or not folders.isdisjoint(self._files):
            raise DownloadError(
                f"{self._archive} holds {str(member.path)!r} beside another of that name, or of one that differs only in case: "
                f"it is not unpacked"
            )
        self._files.add(key)
        self._folders |= folders

    def make_too_large_error(self, least: int) -> DownloadError:
        """Return the error for an archive that grows beyond all measure."""
        return DownloadError(
            f"{self._archive} would unpack to at least {format_bytes(least)} in {self.count:,} files, beyond all measure for its own "
            f"{format_bytes(self._size)}: it is not unpacked"
        )

    @staticmethod
    def _key(path: PurePosixPath) -> int:
        """Return a hash of a name, the same for all that some disk takes for one; names themselves may be long."""
        return hash(unicodedata.normalize("NFC", str(path)).casefold())


def resolve_member_path(archive: Path, name: str) -> PurePosixPath:
    """Return where a member of a name goes.

    Raises:
        DownloadError: if that is outside the folder, or a name that a system changes or shows as another.
    """
    if not is_below(name):
        raise DownloadError(f"{archive} holds {name[:200]!r}, which would lie outside its folder: it is not unpacked")
    path = PurePosixPath(name)
    if len(name) > _LONGEST or len(path.parts) > _DEEPEST:
        raise DownloadError(f"{archive} holds a name of {len(name):,} characters, {name[:40]!a}…: it is not unpacked")
    for part in path.parts:
        if re.search(r"[\x00-\x1f\x7f-\x9f]", part) or part.endswith((".", " ")):
            raise DownloadError(
                f"{archive} holds {name[:200]!a}, a name with control characters, or a dot or space at its end: it is not "
                f"unpacked"
            )
    return path


def make_not_a_file_error(archive: Path, name: str) -> DownloadError:
    """Return the error for a member that is neither file nor folder."""
    return DownloadError(f"{archive} holds {name!r}, a link or device: it is not unpacked")
