"""Read untrusted files: only regular files are opened, and only up to a given size is read.

Reading a FIFO blocks, `/dev/zero` never ends, and opening a device may have effects; so paths that come from files are
checked with ``stat`` first.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netdissect.errors import NetdissectError

#: The largest file in bytes that is read into memory, unless its kind has a smaller limit.
MAX_FILE_BYTES = 2**33
#: The largest text file in bytes.
MAX_TEXT_BYTES = 2**31

#: Bytes requested beyond the size that a file reports.
_EXTRA_BYTES = 2**16

_FILE_TYPES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class ReadableFile(Protocol):
    """A path on this machine (`pathlib.Path`) or at a URL (universal-pathlib)."""

    def read_bytes(self) -> bytes:
        """Return the file's bytes."""
        ...


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file for reading; links are followed.

    Raises:
        OSError: if it cannot be opened or is not a regular file; ``strerror`` says which, ``filename`` is the path.
    """
    _require_regular(os.stat(path).st_mode, path)  # noqa: PTH116 - paths of both kinds
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)  # it may have been replaced since
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def is_regular(path: Path) -> bool:
    """Return whether a path is a regular file or a link to one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_bytes(path: ReadableFile, *, most: int = MAX_FILE_BYTES) -> bytes:
    """Return a file's bytes.

    Args:
        path: the file; a path at a URL is read by its file system.
        most: the largest size in bytes.

    Raises:
        OSError: if it cannot be read, is not a regular file, or is larger; ``strerror`` says which.
    """
    if not isinstance(path, Path):
        return path.read_bytes()
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        parts: list[bytes] = []
        got = 0
        while size <= most and (part := file.read(max(size - got, 0) + _EXTRA_BYTES)):
            parts.append(part)  # a file in /proc, or one that grows, has more bytes than it reports
            got += len(part)
            size = max(size, got)
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size:,} bytes, and at most {most:,} are read", str(path))
    return b"".join(parts)


def read_text(
    path: Path,
    what: str,
    *,
    missing: type[NetdissectError],
    wrong: type[NetdissectError],
    encodings: tuple[str, ...] = ("utf-8-sig",),
    most: int = MAX_TEXT_BYTES,
) -> str:
    """Return the text of a file, with its line endings unchanged.

    Args:
        path: the file.
        what: what it is, for messages: ``"the class list"``.
        missing: raised if it does not exist.
        wrong: raised if it cannot be read or decoded.
        encodings: tried in this order.
        most: the largest size in bytes.
    """
    try:
        data = read_bytes(path, most=most)
    except FileNotFoundError as error:
        raise missing(f"{what} is missing: expected {path}") from error
    except OSError as error:
        raise wrong(f"{path} cannot be read as {what}: {error.strerror or error}") from error
    failed: UnicodeDecodeError | None = None
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            failed = failed or error
    assert failed is not None
    raise wrong(
        f"{path}: expected {what} as text in UTF-8, got the byte {data[failed.start]:#04x} at position "
        f"{failed.start:,}: save it as UTF-8"
    ) from failed


def _require_regular(mode: int, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(mode):
        kind = next((words for test, words in _FILE_TYPES if test(mode)), "something else")
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(code, f"expected a regular file, got {kind}", os.fspath(path))
