"""Where the set is drawn: an empty folder, or one in which a drawing was interrupted."""

from __future__ import annotations

import contextlib
import re
import shutil
from typing import TYPE_CHECKING

from netdissect.errors import DataError
from netdissect.io import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = ".lock"
_PICTURE = re.compile(r"\d{6,}(_[a-z]+)?\.(jpg|png)")


@contextlib.contextmanager
def cleared(folder: Path) -> Iterator[None]:
    """Hold a folder for the length of a block, without what an interrupted drawing left in it.

    A drawing that is interrupted has written pictures and no table; those of another count or size would stay among the
    new ones.

    Raises:
        DataError: if it holds anything else, or another process is drawing there.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: choose a folder with --out")
    if (folder / "index.csv").is_file():
        raise DataError(f"{folder} holds a probe set already: choose another folder with --out, or delete it")
    found = [path for path in folder.iterdir() if path.name != _LOCK] if folder.is_dir() else []
    if any(path.name != "images" for path in found) or any(
        not _PICTURE.fullmatch(picture.name) for path in found for picture in path.iterdir()
    ):
        raise DataError(f"{folder} holds something else already: choose an empty or a new folder with --out")
    folder.mkdir(parents=True, exist_ok=True)

    def refuse(who: str) -> DataError:
        return DataError(f"{folder} is being drawn by another process ({who}): wait for it, or choose another --out")

    try:
        with locks.held(folder / _LOCK, refuse):
            shutil.rmtree(folder / "images", ignore_errors=True)
            yield
    finally:
        with contextlib.suppress(OSError):  # an empty one is not left behind
            folder.rmdir()
