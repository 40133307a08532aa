"""Partially downloaded files: the first bytes, and a note of their origin, in the work folder ``.downloads/``."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Self

from netdissect.errors import DownloadError
from netdissect.io import atomic, locks
from netdissect.io.json_files import InvalidJSONError, parse_json
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netdissect.errors import NetdissectError

#: Work folder next to the downloaded files; it holds everything unfinished, and nothing outside it is ever removed.
WORK_FOLDER = ".downloads"
_MAX_NOTE = 1 << 16
_ATTEMPTS = 20


@dataclass
class PartialFile:
    """A file that is not complete yet.

    Attributes:
        target: path of the complete file.
        path: the bytes so far, ``.downloads/NAME.part``.
        note: their origin, ``.downloads/NAME.part.json``.
        origin: the note's content: url, validator and total size of the file that the bytes belong to.
    """

    target: Path
    path: Path
    note: Path
    origin: dict[str, Any]

    @classmethod
    def load(cls, target: Path) -> Self:
        """Return the partial file of a target, which may be empty.

        Raises:
            DownloadError: if something else has its name.
        """
        work = make_work_folder(target.parent)
        path, note = work / f"{target.name}.part", work / f"{target.name}.part.json"
        for place in (path, note):
            if (kind := describe_irregular(place)) is not None:
                raise DownloadError(f"{place} is in the way of what is downloaded: it is {kind}; remove it")
        try:
            origin = parse_json(read_bytes(note, most=_MAX_NOTE))
        except (OSError, InvalidJSONError):
            origin = {}
        return cls(target, path, note, origin if isinstance(origin, dict) else {})

    @property
    def size(self) -> int:
        """Number of bytes so far."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def name(self) -> str:
        """Name of the complete file."""
        return self.target.name

    def open(self) -> IO[bytes]:
        """Open it for reading and writing, without following a symbolic link."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.path, flags, 0o666), "r+b")

    def write_note(self, **origin: Any) -> None:
        """Write the note on the origin of the bytes."""
        self.origin = origin
        atomic.write_text(self.note, json.dumps(origin))

    def drop(self) -> None:
        """Remove the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.origin = {}

    def finish(self) -> None:
        """Move the complete file to its target."""
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)
        remove_if_empty(self.path.parent)


def make_work_folder(parent: Path) -> Path:
    """Return the work folder in a folder, after creating it if it is missing.

    Raises:
        DownloadError: if something else has its name.
    """
    work = parent / WORK_FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    if work.is_symlink() or (work.exists() and not work.is_dir()):
        raise DownloadError(
            f"{work} is not a folder, but unfinished downloads are written there: remove it, or choose another place with --into"
        )
    work.mkdir(exist_ok=True)
    return work


@contextlib.contextmanager
def lock_work_folder(parent: Path, name: str, refuse: Callable[[str], NetdissectError]) -> Iterator[None]:
    """Hold a lock in the work folder within the block; the folder is not removed before.

    Args:
        parent: the folder that holds the work folder.
        name: name of the lock.
        refuse: makes the error, given the process that holds the lock.

    Raises:
        NetdissectError: from `refuse`, if another process holds the lock.
        DownloadError: if something else has the work folder's name.
    """
    with contextlib.ExitStack() as stack:
        for attempt in range(_ATTEMPTS):
            work = make_work_folder(parent)
            try:
                stack.enter_context(locks.lock_file(work / f"{name}.lock", refuse))
                break
            except FileNotFoundError:  # another process has removed the empty folder
                if attempt == _ATTEMPTS - 1:
                    raise
        try:
            yield
        finally:
            stack.close()
            remove_if_empty(work)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def describe_irregular(path: Path) -> str | None:
    """Return what a path is if it is no regular file, such as ``a link``; None if it is one or does not exist."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    return "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
