"""Lock files; the operating system holds the lock and releases it when the process ends, even if it is killed."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import socket
import stat
from typing import IO, TYPE_CHECKING, Any

from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from netdissect.errors import NetdissectError


def _import_or_none(name: str) -> Any:
    """Return a module of the standard library; None if this system has no such module."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


#: How Linux and macOS lock files, and how Windows does.
fcntl, msvcrt = _import_or_none("fcntl"), _import_or_none("msvcrt")
#: The byte that is locked on Windows. It is far beyond the end of the file, because locked bytes cannot be read there.
_LOCKED_BYTE = 2**30
#: The largest lock file in bytes.
_MAX_BYTES = 4096
#: Errors in a folder where no lock file can be made; no other process can write there either.
_READ_ONLY_ERRORS = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def lock_file(
    path: Path,
    refuse: Callable[[str], NetdissectError],
    *,
    unlocked: Callable[[OSError], Exception] | None = None,
) -> Iterator[None]:
    """Return a context manager that holds a lock file, which is removed afterwards.

    Args:
        path: the lock file; its folder must exist.
        refuse: makes the error from a description of the holder: ``process 12 on host``.
        unlocked: makes the error if nothing can be locked or written; None continues without a lock.

    Raises:
        NetdissectError: from `refuse` if another process holds the lock, or from `unlocked`.
    """
    try:
        file = _open_locked(path, needed=unlocked is not None)
    except BlockingIOError as error:
        raise refuse(_describe_holder(path)) from error
    except OSError as error:
        if unlocked is not None:
            raise unlocked(error) from error
        if error.errno not in _READ_ONLY_ERRORS:
            raise
        yield
        return
    with file:
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        file.flush()
        try:
            yield
        finally:
            _remove_lock_file(file, path)


def is_lock_file(path: Path) -> bool:
    """Return whether a file is a lock file, in use or left by a killed process; a link is not."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        return _is_lock_record(read_bytes(path, most=_MAX_BYTES))
    except OSError:
        return False


def _open_locked(path: Path, *, needed: bool) -> IO[bytes]:
    """Open and lock the lock file; try again if its last holder removed it in between."""
    while True:
        file = _open_lock_file(path)
        try:
            if not _take_lock(file, needed=needed) or _is_same_file(file, path):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _open_lock_file(path: Path) -> IO[bytes]:
    """Open a lock file, which is made if it does not exist.

    Raises:
        OSError: if its path is a link, is not a regular file, or is a file that another program wrote.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, and links are not followed here: delete it", str(path)) from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or not _is_lock_record(file.read(_MAX_BYTES + 1)):
            raise OSError(errno.EINVAL, "expected a lock file of netdissect, got another file: move it", str(path))
    except BaseException:
        file.close()
        raise
    return file


def _is_lock_record(data: bytes) -> bool:
    """Return whether bytes are what `lock_file` writes, or empty: a process may be killed before it writes."""
    try:
        record = json.loads(data) if data else {"pid": 0, "host": ""}
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and set(record) == {"pid", "host"}


def _take_lock(file: IO[bytes], *, needed: bool) -> bool:
    """Take the lock; return whether the file system has locks.

    Raises:
        BlockingIOError: if another process has the lock.
        OSError: if the file system has no locks and one is needed.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            _lock_byte(file)
        else:
            return False
    except BlockingIOError:
        raise
    except OSError:
        if needed:
            raise
        return False
    return True


def _remove_lock_file(file: IO[bytes], path: Path) -> None:
    """Remove a lock file while it is locked; Windows can only remove it after it is closed, and if no other process opened it."""
    if fcntl is not None:
        path.unlink(missing_ok=True)
        return
    file.close()
    with contextlib.suppress(PermissionError):
        path.unlink(missing_ok=True)


def _lock_byte(file: IO[bytes]) -> None:
    """Lock a byte of a file, as Windows does; it is released when the file is closed or the process ends.

    Raises:
        BlockingIOError: if another process has it.
    """
    file.seek(_LOCKED_BYTE)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except PermissionError as error:
        raise BlockingIOError(error.errno, error.strerror) from error
    finally:
        file.seek(0)


def _is_same_file(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _describe_holder(path: Path) -> str:
    try:
        record = json.loads(read_bytes(path, most=_MAX_BYTES))
        return f"process {record['pid']} on {record['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown process"
