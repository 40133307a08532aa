"""Prepare the folder that the probe set is drawn in."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from netdissect.errors import DataError
from netdissect.io import atomic, folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: File that is in the folder while a probe set is being drawn, and its content.
_MARK = ".drawing"
_MARK_CONTENT = b"netdissect is drawing a probe set here\n"
_IMAGE = re.compile(r"\d{6,}(_[a-z]+)?\.(jpg|png)")
_TABLE = re.compile(r"(index|label|category|c_[a-z]+)\.csv|README\.txt")
_DRAWING = folders.FolderKind(
    "probe set that is being drawn",
    {_MARK: _MARK_CONTENT.__eq__},
    ".work",
    DataError,
    DataError,
    "drawn by another process",
)


@contextlib.contextmanager
def empty_folder(folder: Path) -> Iterator[None]:
    """Return a context manager that locks a folder and removes what an interrupted drawing left in it.

    An interrupted drawing has written images but no table; images of another number or size would otherwise stay among
    the new ones.

    Raises:
        DataError: if the folder holds anything else, or another process is drawing in it.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: choose a folder with --out")
    if (folder / "index.csv").is_file() and folders.find_owner(folder, _DRAWING) != "ours":
        raise DataError(f"{folder} holds a probe set already: choose another folder with --out, or delete it")
    try:
        with folders.lock_folder(folder, _DRAWING):
            remove_world(folder)
            atomic.write_bytes(folder / _MARK, _MARK_CONTENT)
            try:
                yield
            except BaseException:
                if not (folder / "images").exists():
                    (folder / _MARK).unlink()  # no image was drawn
                raise
            (folder / _MARK).unlink()
    finally:
        with contextlib.suppress(OSError):  # remove the folder if it is empty
            folder.rmdir()


def remove_world(folder: Path) -> None:
    """Remove a drawn probe set, complete or not: only files with the names that drawing writes; no link is followed.

    Raises:
        DataError: if ``images`` is a link.
    """
    images = folder / "images"
    if images.is_symlink():
        raise DataError(f"{images} is a link, and links are not followed there: delete it, or choose another --out")
    names = [path.name for path in folder.iterdir() if _TABLE.fullmatch(path.name) or path.name == _MARK]
    if images.is_dir():
        names += [f"images/{path.name}" for path in images.iterdir() if _IMAGE.fullmatch(path.name)]
    atomic.remove_files_below(folder, names)
