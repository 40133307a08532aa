"""Atomic writes: a file is written under a temporary name and renamed, so that readers see it whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from netdissect.io.text import ESCAPE_UNENCODABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Errors of a full or failing disk; they do not name the file by themselves.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_PARTIAL_SUFFIX = ".part"
#: Files that are synced at once: they share the commits of the file system's journal.
_SYNC_THREADS = 16


@dataclass(frozen=True)
class _Staging:
    """How files below `root` are written: first into `parts`; `record` is called before a file is renamed."""

    root: Path
    parts: Path
    record: Callable[[str], None]


#: The folders inside a `stage_writes` block, for all threads of this process.
_STAGINGS: dict[Path, _Staging] = {}


@contextlib.contextmanager
def stage_writes(root: Path, parts: Path, record: Callable[[str], None]) -> Iterator[None]:
    """Return a context manager; inside it, files below a folder are written into one subfolder first.

    No link below the folder is followed. The folder itself may be a link, because the user named it.

    Args:
        root: the folder.
        parts: the subfolder, which holds all partial files.
        record: called with every file's path relative to `root`, with ``/``, before the file is renamed.
    """
    root = _make_absolute(root)
    _STAGINGS[root] = _Staging(root, _make_absolute(parts), record)
    try:
        yield
    finally:
        del _STAGINGS[root]


@contextlib.contextmanager
def open_replacement(path: Path) -> Iterator[IO[bytes]]:
    """Return a context manager that opens a file, which replaces `path` if the block ends without an error.

    The bytes go to a hidden file in the same folder, or in the subfolder of `stage_writes`, and are synced to disk before
    the rename: a reader, or the machine after a power cut, finds the old file or the new one. After an error no file is
    left. A link at `path` is replaced, not followed.

    Raises:
        OSError: if the file cannot be written; it names the file.
    """
    handle, partial = _make_partial_file(path)
    with _remove_after_error({partial: path}):
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(partial, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def write_together() -> Iterator[Callable[[Path, bytes], None]]:
    """Return a context manager that gives a function like `write_bytes`, whose files are renamed at the end of the block.

    They are synced all at once, which takes a tenth of the time of syncing them one by one. Before the end of the block,
    and after an error, none of them is there. Several threads may call the function.

    Raises:
        OSError: if a file cannot be written; it names the file.
    """
    written: dict[Path, Path] = {}

    def write(path: Path, data: bytes) -> None:
        handle, partial = _make_partial_file(path)
        written[partial] = path
        with _remove_after_error({partial: path}), os.fdopen(handle, "wb") as file:
            file.write(data)

    with _remove_after_error(written):
        yield write
        with ThreadPoolExecutor(_SYNC_THREADS, thread_name_prefix="sync") as threads:
            for _ in threads.map(_sync_file, written):
                pass
        for partial, path in written.items():
            _put_in_place(partial, path)
    for folder in {path.parent for path in written.values()}:
        sync_folder(folder)


def _make_partial_file(path: Path) -> tuple[int, Path]:
    """Make the hidden file whose bytes will replace a file; return its open descriptor and its path."""
    staging = _find_staging(path)
    make_folder(path.parent)
    if staging is not None:
        make_folder(staging.parts)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{_truncate_name(path.name)}.",
            suffix=_PARTIAL_SUFFIX,
            dir=path.parent if staging is None else staging.parts,
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return handle, Path(name)


def _put_in_place(partial: Path, path: Path) -> None:
    """Rename a synced partial file to the file that it replaces."""
    staging = _find_staging(path)
    partial.chmod(0o666 & ~_read_umask())
    if staging is not None:
        staging.record(_make_absolute(path).relative_to(staging.root).as_posix())
    partial.replace(path)


@contextlib.contextmanager
def _remove_after_error(files: Mapping[Path, Path]) -> Iterator[None]:
    """Return a context manager that removes partial files after an error; an error of the disk names the file.

    Args:
        files: the file that each partial file replaces.
    """
    try:
        yield
    except BaseException as error:
        for partial in files:
            partial.unlink(missing_ok=True)
        names = {str(partial): str(path) for partial, path in files.items()}
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS and error.filename in (None, *names):
            name = names.get(error.filename or "", str(next(iter(files.values()), "")))
            raise OSError(error.errno, error.strerror, name) from error
        raise


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)  # Windows syncs no file that is open for reading only
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with open_replacement(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically; characters that UTF-8 cannot encode are escaped."""
    write_bytes(path, text.encode(errors=ESCAPE_UNENCODABLE))


def make_folder(folder: Path) -> None:
    """Make a folder and its parents; inside a `stage_writes` block no link is followed.

    Raises:
        OSError: if it cannot be made, or a link is in the way.
    """
    staging = _find_staging(folder)
    if staging is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    staging.root.mkdir(parents=True, exist_ok=True)
    at = staging.root
    for name in _make_absolute(folder).relative_to(staging.root).parts:
        at = at / name
        with contextlib.suppress(FileExistsError):
            at.mkdir()
        if not stat.S_ISDIR(at.lstat().st_mode):
            linked = at.is_symlink()
            raise OSError(
                errno.ELOOP if linked else errno.ENOTDIR,
                "it is a link, and links inside this folder are not followed: delete it"
                if linked
                else "it is not a folder",
                str(at),
            )


def remove_files_below(root: Path, names: list[str]) -> None:
    """Remove files below a folder, and the subfolders that are empty afterwards; no link is followed.

    Args:
        root: the folder.
        names: paths relative to the folder, separated by ``/``.
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
    """Remove the partial files that killed processes left below a locked folder."""
    if is_real_folder(folder):
        for path in folder.rglob(f".*{_PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)


def is_real_folder(path: Path) -> bool:
    """Return whether a path is a folder and not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_regular_below(root: Path, name: str) -> bool:
    """Return whether `name`, a path relative to `root` with ``/``, is a regular file without any link in its path."""
    *above, _ = parts = name.split("/")
    try:
        regular = stat.S_ISREG(root.joinpath(*parts).lstat().st_mode)
    except (OSError, ValueError):
        return False
    return regular and all(is_real_folder(root.joinpath(*parts[:depth])) for depth in range(1, len(above) + 1))


def is_partial_file(name: str) -> bool:
    """Return whether a file name is one that `open_replacement` gives to partial files."""
    return name.startswith(".") and name.endswith(_PARTIAL_SUFFIX)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk, where the system allows it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _find_staging(path: Path) -> _Staging | None:
    """Return the staging of the nearest folder above a path; None if there is none."""
    if not _STAGINGS:
        return None
    plain = _make_absolute(path)
    return next((_STAGINGS[above] for above in (plain, *plain.parents) if above in _STAGINGS), None)


def _make_absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _truncate_name(name: str) -> str:
    """Return the first 60 bytes of a file's name, without cutting a character in two."""
    return os.fsencode(name)[:60].decode(errors="ignore")


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
