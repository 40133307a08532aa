"""What there is of a file so far: its first bytes and a note of whose they are, in a folder of our own beside its place."""

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

#: The folder, beside what is downloaded, that holds everything unfinished; nothing else there is ever removed.
WORK_FOLDER = ".downloads"
_LARGEST_NOTE = 1 << 16
_ATTEMPTS = 20


@dataclass
class PartialFile:
    """A file that is not all there yet.

    Attributes:
        target: where it will lie.
        path: the bytes so far, ``.downloads/NAME.part``.
        note: ``.downloads/NAME.part.json``.
        told: address, validator and total size of the file the bytes belong to.
    """

    target: Path
    path: Path
    note: Path
    told: dict[str, Any]

    @classmethod
    def of(cls, target: Path) -> Self:
        """Return what there is of a file.

        Raises:
            DownloadError: if something else lies where its bytes would.
        """
        own = make_work_folder(target.parent)
        path, note = own / f"{target.name}.part", own / f"{target.name}.part.json"
        for place in (path, note):
            if (kind := describe_irregular(place)) is not None:
                raise DownloadError(f"{place} is in the way of what is downloaded: it is {kind}; remove it")
        try:
            told = parse_json(read_bytes(note, most=_LARGEST_NOTE))
        except (OSError, InvalidJSONError):
            told = {}
        return cls(target, path, note, told if isinstance(told, dict) else {})

    @property
    def size(self) -> int:
        """How many bytes there are."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def name(self) -> str:
        """What the whole file will be called."""
        return self.target.name

    def open(self) -> IO[bytes]:
        """Open the bytes for reading and writing; a link in their place is not followed."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self.path, flags, 0o666), "r+b")

    def tell(self, **told: Any) -> None:
        """Note what the bytes belong to."""
        self.told = told
        atomic.write_text(self.note, json.dumps(told))

    def drop(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.told = {}

    def finish(self) -> None:
        """Put the whole file into its place."""
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)
        remove_if_empty(self.path.parent)


def make_work_folder(beside: Path) -> Path:
    """Return the folder of our own beside what is downloaded, made if it is not there.

    Raises:
        DownloadError: if something else has its name.
    """
    own = beside / WORK_FOLDER
    beside.mkdir(parents=True, exist_ok=True)
    if own.is_symlink() or (own.exists() and not own.is_dir()):
        raise DownloadError(
            f"{own} is no folder, and what is not finished goes there: remove it, or choose another place with --into"
        )
    own.mkdir(exist_ok=True)
    return own


@contextlib.contextmanager
def lock_work_folder(beside: Path, name: str, refuse: Callable[[str], NetdissectError]) -> Iterator[None]:
    """Hold a lock in the folder of our own for the length of a block; the folder is there as long.

    Raises:
        NetdissectError: the one that `refuse` makes, if another process holds it.
        DownloadError: if something else has the folder's name.
    """
    with contextlib.ExitStack() as stack:
        for attempt in range(_ATTEMPTS):
            own = make_work_folder(beside)
            try:
                stack.enter_context(locks.lock_file(own / f"{name}.lock", refuse))
                break
            except FileNotFoundError:  # another process has just removed the empty folder
                if attempt == _ATTEMPTS - 1:
                    raise
        try:
            yield
        finally:
            stack.close()
            remove_if_empty(own)


def remove_if_empty(own: Path) -> None:
    """Remove the folder of our own if it is empty."""
    with contextlib.suppress(OSError):
        own.rmdir()


def describe_irregular(path: Path) -> str | None:
    """Return what lies at a path if that is no regular file: ``a link``; None for a regular file and for nothing."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    return "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
