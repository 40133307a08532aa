"""One process at a time: a lock file whose lock is the system's, so it goes with the process, however that ends."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netdissect.errors import NetdissectError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks; there nothing is guarded
    fcntl = None  # type: ignore[assignment]

#: Where no file can be made, nobody else can write either.
_NOT_TO_BE_WRITTEN = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def held(
    path: Path,
    refuse: Callable[[str], NetdissectError],
    *,
    unlocked: Callable[[OSError], NetdissectError] | None = None,
) -> Iterator[None]:
    """Hold a lock file for the length of a block; it is removed in the end.

    Args:
        path: the lock file; its folder must be there.
        refuse: makes the error, given who holds it: ``process 12 on host``.
        unlocked: makes the error where nothing can be locked or written; None runs the block without a lock there.

    Raises:
        NetdissectError: the one that `refuse` makes, if another process holds it, or the one that `unlocked` makes.
    """
    try:
        file = _locked(path, needed=unlocked is not None)
    except BlockingIOError as error:
        raise refuse(_holder(path)) from error
    except OSError as error:
        if unlocked is not None:
            raise unlocked(error) from error
        if error.errno not in _NOT_TO_BE_WRITTEN:
            raise
        yield
        return
    with file:
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path, *, needed: bool) -> IO[str]:
    """Return the lock file, open and locked, and still the one that lies there: its last holder may have removed it."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            if fcntl is None or not _taken(file, needed=needed) or _same(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _taken(file: IO[str], *, needed: bool) -> bool:
    """Take the lock; say whether there is such a thing on this file system.

    Raises:
        BlockingIOError: if another process has it.
        OSError: if the file system has no locks, and one is needed.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        if needed:
            raise
        return False
    return True


def _same(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return f"process {record['pid']} on {record['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which one, it does not say"
