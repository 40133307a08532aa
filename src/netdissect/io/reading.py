"""Files that others made: opened only if they are regular files, read only up to a stated size.

A FIFO would wait for ever, `/dev/zero` never ends, and a device may act on being opened: what a file or a run names is
looked at with ``stat`` first.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netdissect.errors import NetdissectError

#: Bytes of the largest file that is read into memory whole, where its kind has no smaller limit.
MAX_FILE_BYTES = 2**33
#: Bytes of the largest table or document in text.
MAX_TEXT_BYTES = 2**31

#: Bytes asked for beyond what a file says it has.
_EXTRA_BYTES = 2**16

_FILE_TYPES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class ReadableFile(Protocol):
    """A path on this machine (`pathlib.Path`) or behind a URL (universal-pathlib)."""

    def read_bytes(self) -> bytes:
        """Return the file's bytes."""
        ...


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file for reading; links are followed.

    Raises:
        OSError: if it cannot be opened, or is something else; ``strerror`` says what it is, ``filename`` is the path.
    """
    _require_regular(os.stat(path).st_mode, path)  # noqa: PTH116 - paths of both kinds
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)  # another may lie there by now
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def is_regular(path: Path) -> bool:
    """Say whether a path is a regular file that can be looked at; a link counts as what it leads to."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def read_bytes(path: ReadableFile, *, most: int = MAX_FILE_BYTES) -> bytes:
    """Return a file's bytes.

    Args:
        path: the file; one behind a URL is read as its file system reads it.
        most: bytes it may have.

    Raises:
        OSError: if it cannot be read, is no regular file, or is larger; ``strerror`` says which.
    """
    if not isinstance(path, Path):
        return path.read_bytes()
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        parts: list[bytes] = []
        got = 0
        while size <= most and (part := file.read(max(size - got, 0) + _EXTRA_BYTES)):
            parts.append(part)  # a file may hold more than it said, in /proc or while it grows
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
    """Return the text of a table or list, its line ends as they are.

    Args:
        path: the file.
        what: what it is, for messages: ``"the class list"``.
        missing: raised if it is not there.
        wrong: raised if it cannot be read or is no text.
        encodings: tried in this order.
        most: bytes it may have.
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
        raise OSError(code, f"expected a regular file, and it is {kind}", os.fspath(path))
