"""Decide whether a folder may be written, before anything is written into it or removed from it.

A folder is *ours* if it holds a *mark*: a file that only this project writes. An empty folder is *free*. Every other folder
is *foreign* and is left as it is.
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
#: The largest mark in bytes.
_MAX_MARK_BYTES = 2**28

#: Files that operating systems create in any folder.
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "lost+found")

FolderOwner = Literal["free", "ours", "foreign"]


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that this project writes.

    Attributes:
        what: the kind, for messages: ``"run"``.
        marks: paths below the folder, each with a function that says from the file's bytes whether it is a mark.
        work: name of the subfolder for unfinished work, which is no mark.
        taken: error class for a folder that holds something else.
        busy: error class for a folder that another process has locked.
        being: what is happening to a locked folder, for messages: ``"written by another run"``.
        instead: the option with which the user chooses another folder, for messages.
    """

    what: str
    marks: Mapping[str, Callable[[bytes], bool]]
    work: str
    taken: type[NetdissectError]
    busy: type[NetdissectError]
    being: str
    instead: str = "--out"


def find_owner(folder: Path, kind: FolderKind) -> FolderOwner:
    """Return whether a folder is free, ours or foreign.

    Raises:
        OSError: if it cannot be read or is not a folder.
    """
    try:
        mode = folder.stat().st_mode
    except FileNotFoundError:
        if folder.is_symlink():
            raise FileExistsError(errno.EEXIST, "it is a link to a path that does not exist", str(folder)) from None
        return "free"
    if not stat.S_ISDIR(mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    if any(_is_mark(folder, name, is_mark) for name, is_mark in kind.marks.items()):
        return "ours"
    return "free" if _find_foreign_file(folder, kind) is None else "foreign"


def require_free(folder: Path, kind: FolderKind) -> None:
    """Refuse a foreign folder.

    Raises:
        NetdissectError: the kind's `taken`, naming a file of the folder.
        OSError: as `find_owner`.
    """
    if find_owner(folder, kind) == "foreign":
        raise kind.taken(
            f"{folder} holds {escape_line(_find_foreign_file(folder, kind) or 'something else')} and is not the folder of a {kind.what}: "
            f"choose an empty or a new folder with {kind.instead}"
        )


@contextlib.contextmanager
def lock_folder(
    folder: Path, kind: FolderKind, *, unlocked: Callable[[OSError], Exception] | None = None
) -> Iterator[None]:
    """Return a context manager that locks a folder, which is made if it does not exist.

    Args:
        folder: the folder.
        kind: its kind.
        unlocked: makes the error for a file system without locks; None continues without a lock.

    Raises:
        NetdissectError: the kind's `taken` if the folder is foreign, its `busy` if another process has locked it.
        OSError: if the folder cannot be made, or its lock file is a link or a foreign file.
    """
    require_free(folder, kind)
    folder.mkdir(parents=True, exist_ok=True)

    def refuse(who: str) -> NetdissectError:
        return kind.busy(f"{folder} is being {kind.being} ({who}): wait for it, or choose another {kind.instead}")

    with locks.lock_file(folder / LOCK, refuse, unlocked=unlocked):
        require_free(folder, kind)  # another process may have written into it before the lock
        yield


def _is_mark(folder: Path, name: str, is_mark: Callable[[bytes], bool]) -> bool:
    try:
        return atomic.is_regular_below(folder, name) and is_mark(read_bytes(folder / name, most=_MAX_MARK_BYTES))
    except OSError:
        return False


def _find_foreign_file(folder: Path, kind: FolderKind) -> str | None:
    """Return the name of a file, in a folder without a mark, that this project did not write; None if there is none."""
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
    """Return whether a work folder holds partial files only."""
    return atomic.is_real_folder(work) and all(
        atomic.is_real_folder(path) or (atomic.is_partial_file(path.name) and not path.is_symlink())
        for path in work.rglob("*")
    )
