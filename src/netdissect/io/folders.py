"""Whose a folder is: decided in one place, before anything is written into it or removed from it.

A folder is ours if it holds a *mark*, a file that only this project writes and that says what the folder is. One that
is empty is nobody's. Every other is somebody else's, and is left as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from netdissect.io import atomic, locks
from netdissect.io.reading import read_bytes
from netdissect.io.text import escape_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from netdissect.errors import NetdissectError

#: The lock file of a folder that is being written.
LOCK = ".lock"
#: Bytes of a mark that are read at most.
_MAX_MARK_BYTES = 2**28

#: What systems leave in folders of their own accord; it makes no folder anybody's.
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "lost+found")

FolderOwner = Literal["nobody's", "ours", "another's"]


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that this project makes.

    Attributes:
        what: what it is, for messages: ``"run"``.
        marks: by path within the folder, what tells from a file's bytes that it is a mark.
        work: name of the folder within that holds what is not finished; alone it is no mark.
        taken: error class for a folder that holds something else.
        busy: error class for one that another process is writing.
        being: what another process does to it, for messages: ``"written by another run"``.
        instead: how another folder is chosen, for messages.
    """

    what: str
    marks: Mapping[str, Callable[[bytes], bool]]
    work: str
    taken: type[NetdissectError]
    busy: type[NetdissectError]
    being: str
    instead: str = "--out"


def find_owner(folder: Path, kind: FolderKind) -> FolderOwner:
    """Say whose a folder is.

    Raises:
        OSError: if it cannot be looked at, or is no folder.
    """
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        if folder.is_symlink():
            raise FileExistsError(errno.EEXIST, "a link that leads nowhere lies there", str(folder)) from None
        return "nobody's"
    if not stat.S_ISDIR(mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    if any(_is_mark(folder, name, says_so) for name, says_so in kind.marks.items()):
        return "ours"
    return "nobody's" if _find_foreign_file(folder, kind) is None else "another's"


def require_free(folder: Path, kind: FolderKind) -> None:
    """Refuse a folder that is somebody else's.

    Raises:
        NetdissectError: the kind's `taken`, naming a file that lies there.
        OSError: as `find_owner` does.
    """
    if find_owner(folder, kind) == "another's":
        raise kind.taken(
            f"{folder} holds {escape_line(_find_foreign_file(folder, kind) or 'something else')} and is no folder of a {kind.what}: "
            f"choose an empty or a new folder with {kind.instead}"
        )


@contextlib.contextmanager
def lock_folder(
    folder: Path, kind: FolderKind, *, unlocked: Callable[[OSError], Exception] | None = None
) -> Iterator[None]:
    """Hold a folder that is nobody's or ours for the length of a block; it is made if it is not there.

    Args:
        folder: the folder.
        kind: what it becomes.
        unlocked: makes the error where nothing can be locked; None goes on without a lock there.

    Raises:
        NetdissectError: the kind's `taken` if it is somebody else's, its `busy` if another process holds it.
        OSError: if it cannot be made, or a link or a strange file lies in the place of its lock.
    """
    require_free(folder, kind)
    folder.mkdir(parents=True, exist_ok=True)

    def refuse(who: str) -> NetdissectError:
        return kind.busy(f"{folder} is being {kind.being} ({who}): wait for it, or choose another {kind.instead}")

    with locks.lock_file(folder / LOCK, refuse, unlocked=unlocked):
        require_free(folder, kind)  # another process may have written there meanwhile
        yield


def _is_mark(folder: Path, name: str, says_so: Callable[[bytes], bool]) -> bool:
    try:
        return atomic.is_regular_below(folder, name) and says_so(read_bytes(folder / name, most=_MAX_MARK_BYTES))
    except OSError:
        return False


def _find_foreign_file(folder: Path, kind: FolderKind) -> str | None:
    """Return the name of something that this project did not leave in a folder without a mark; None if there is none."""
    for path in sorted(folder.iterdir()):
        if path.name in _SYSTEM_FILES:
            continue
        if path.name == LOCK and locks.is_lock_file(path):
            continue
        if path.name == kind.work and _holds_only_partial_files(path):
            continue
        return path.name
    return None


def _holds_only_partial_files(work: Path) -> bool:
    """Say whether a folder for unfinished work holds nothing but files that were never finished."""
    return atomic.is_real_folder(work) and all(
        atomic.is_real_folder(path) or (atomic.is_partial_file(path.name) and not path.is_symlink())
        for path in work.rglob("*")
    )
