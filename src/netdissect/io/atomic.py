"""Files that are either whole or not there: written beside their place, or in one folder of ours, and renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from netdissect.io.text import ESCAPE_UNENCODABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


#: What a disk says no with; such an error does not name the file by itself.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_PARTIAL_SUFFIX = ".part"


@dataclass(frozen=True)
class _Staging:
    """How files below a folder are written: by way of `parts`, following no link, and `told` of each before."""

    root: Path
    parts: Path
    told: Callable[[str], None]


#: The folders that `stage_writes` holds for now, the threads of this process sharing them.
_STAGINGS: dict[Path, _Staging] = {}


@contextlib.contextmanager
def stage_writes(root: Path, parts: Path, told: Callable[[str], None]) -> Iterator[None]:
    """For the length of a block, write every file below a folder by way of one folder within, and follow no link there.

    The folder itself may be a link: somebody typed it.

    Args:
        root: the folder.
        parts: below it; half-written files lie there and nowhere else.
        told: called with every file's path below `root`, with ``/``, before the file takes its place.
    """
    root = _make_absolute(root)
    _STAGINGS[root] = _Staging(root, _make_absolute(parts), told)
    try:
        yield
    finally:
        del _STAGINGS[root]


@contextlib.contextmanager
def open_replacement(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when the block ends without an error.

    The bytes are written to a hidden file beside it, or where `stage_writes` says, and synced to disk before the rename:
    a reader, or the same machine after a power cut, sees the old file or the new one, never a part. After an error
    nothing is left. A link in the file's place is replaced, never followed.

    Raises:
        OSError: as any write does; it names the file.
    """
    way = _find_staging(path)
    make_folder(path.parent)
    if way is not None:
        make_folder(way.parts)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{_truncate_name(path.name)}.",
            suffix=_PARTIAL_SUFFIX,
            dir=path.parent if way is None else way.parts,
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_read_umask())
        if way is not None:
            way.told(_make_absolute(path).relative_to(way.root).as_posix())
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS and error.filename in (None, name):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, or nothing."""
    with open_replacement(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file in UTF-8, or nothing; what UTF-8 lacks is written in a visible form."""
    write_bytes(path, text.encode(errors=ESCAPE_UNENCODABLE))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; below a folder that `stage_writes` holds no link is followed.

    Raises:
        OSError: if it cannot be made, or a link stands in its way.
    """
    way = _find_staging(folder)
    if way is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    way.root.mkdir(parents=True, exist_ok=True)
    at = way.root
    for name in _make_absolute(folder).relative_to(way.root).parts:
        at = at / name
        with contextlib.suppress(FileExistsError):
            at.mkdir()
        if not stat.S_ISDIR(at.lstat().st_mode):
            linked = at.is_symlink()
            raise OSError(
                errno.ELOOP if linked else errno.ENOTDIR,
                "it is a link, and inside this folder none is followed: delete it" if linked else "it is no folder",
                str(at),
            )


def remove_files_below(root: Path, names: list[str]) -> None:
    """Remove files below a folder, by their paths with ``/``, and the folders that are empty then.

    No link is followed and no folder removed that holds anything else.
    """
    folders: set[Path] = set()
    for name in names:
        parts = name.split("/")
        above = [root.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
        if all(is_real_folder(folder) for folder in above):
            with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                root.joinpath(*parts).unlink()
            folders.update(above)
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def remove_partial_files(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder of ours that nobody else is writing into."""
    if is_real_folder(folder):
        for path in folder.rglob(f".*{_PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)


def is_real_folder(path: Path) -> bool:
    """Say whether a path is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_regular_below(root: Path, name: str) -> bool:
    """Say whether a path below a folder, with ``/``, is a regular file that is reached through no link."""
    *above, _ = parts = name.split("/")
    try:
        regular = stat.S_ISREG(root.joinpath(*parts).lstat().st_mode)
    except (OSError, ValueError):
        return False
    return regular and all(is_real_folder(root.joinpath(*parts[:depth])) for depth in range(1, len(above) + 1))


def is_partial_file(name: str) -> bool:
    """Say whether a file of that name is one that a killed process left half-written."""
    return name.startswith(".") and name.endswith(_PARTIAL_SUFFIX)


def sync_folder(folder: Path) -> None:
    """Sync a folder's list of names to disk, where the system allows it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _find_staging(path: Path) -> _Staging | None:
    """Return how files below the nearest held folder above a path are written; None where none is held."""
    if not _STAGINGS:
        return None
    plain = _make_absolute(path)
    return next((_STAGINGS[above] for above in (plain, *plain.parents) if above in _STAGINGS), None)


def _make_absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links above the folder are the user's own


def _truncate_name(name: str) -> str:
    """Return the beginning of a file's name, of which no letter is cut in the middle."""
    return os.fsencode(name)[:60].decode(errors="ignore")


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
