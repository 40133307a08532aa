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

#: Lies in the folder from before the first image until the set is whole.
_MARK = ".drawing"
_SAYS = b"netdissect is drawing a probe set here\n"
_IMAGE = re.compile(r"\d{6,}(_[a-z]+)?\.(jpg|png)")
_TABLE = re.compile(r"(index|label|category|c_[a-z]+)\.csv|README\.txt")
_DRAWING = folders.FolderKind(
    "probe set that is being drawn", {_MARK: _SAYS.__eq__}, ".work", DataError, DataError, "drawn by another process"
)


@contextlib.contextmanager
def empty_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for the length of a block, without what an interrupted drawing left in it.

    A drawing that is interrupted has written images and no table; those of another count or size would stay among the
    new ones.

    Raises:
        DataError: if it holds anything else, or another process is drawing there.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: choose a folder with --out")
    if (folder / "index.csv").is_file() and folders.find_owner(folder, _DRAWING) != "ours":
        raise DataError(f"{folder} holds a probe set already: choose another folder with --out, or delete it")
    try:
        with folders.lock_folder(folder, _DRAWING):
            remove_world(folder)
            atomic.write_bytes(folder / _MARK, _SAYS)
            try:
                yield
            except BaseException:
                if not (folder / "images").exists():
                    (folder / _MARK).unlink()  # nothing was begun
                raise
            (folder / _MARK).unlink()
    finally:
        with contextlib.suppress(OSError):  # an empty one is not left behind
            folder.rmdir()


def remove_world(folder: Path) -> None:
    """Remove a set that was drawn here, whole or not: files of our own names, through no link, and nothing else.

    Raises:
        DataError: if a link lies in the place of the images.
    """
    images = folder / "images"
    if images.is_symlink():
        raise DataError(f"{images} is a link, and none is followed there: delete it, or choose another --out")
    names = [path.name for path in folder.iterdir() if _TABLE.fullmatch(path.name) or path.name == _MARK]
    if images.is_dir():
        names += [f"images/{path.name}" for path in images.iterdir() if _IMAGE.fullmatch(path.name)]
    atomic.remove_files_below(folder, names)
