"""The folder of a comparison: ``comparison.txt`` lists its files, and the next comparison replaces these and no others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netdissect.errors import FolderTakenError, RunBusyError
from netdissect.io import atomic, folders
from netdissect.io.names import is_below
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_LIST = "comparison.txt"
_WORK = ".work"
_FIRST_LINE = (
    "# Files that netdissect compare wrote here, one a line; the next comparison replaces these and no others."
)
_MAX_BYTES = 2**28


def _is_file_list(data: bytes) -> bool:
    return data.startswith(_FIRST_LINE.encode())


COMPARED_FOLDER = folders.FolderKind(
    "comparison",
    {FILE_LIST: _is_file_list},
    _WORK,
    FolderTakenError,
    RunBusyError,
    "written by another comparison",
)


@contextlib.contextmanager
def replace_comparison(folder: Path) -> Iterator[set[str]]:
    """Return a context manager that locks the folder of a comparison, which is made if it does not exist.

    It gives a set, to which files that stay from an earlier comparison are added, relative to the folder and with ``/``;
    files that are written inside the block stay too. All others of the earlier comparison are removed at its end.

    Raises:
        FolderTakenError: if the folder holds anything but a comparison.
        RunBusyError: if another process writes there.
    """
    with folders.lock_folder(folder, COMPARED_FOLDER):
        work, kept = folder / _WORK, set[str]()
        old = _read_names(folder)
        _write_names(folder, old)  # from now on the folder is a comparison's
        try:
            with atomic.stage_writes(folder, work, kept.add):
                yield kept
            atomic.remove_files_below(folder, [name for name in old if name not in kept])
            _write_names(folder, kept)
        finally:
            atomic.remove_partial_files(work)
            with contextlib.suppress(OSError):
                work.rmdir()


def _write_names(folder: Path, names: set[str]) -> None:
    atomic.write_text(folder / FILE_LIST, "\n".join([_FIRST_LINE, *sorted(names)]) + "\n")


def _read_names(folder: Path) -> set[str]:
    """Return the files of an earlier comparison."""
    if not atomic.is_regular_below(folder, FILE_LIST):
        return set()
    data = read_bytes(folder / FILE_LIST, most=_MAX_BYTES)
    lines = data.decode(errors="surrogateescape").split("\n")[1:] if _is_file_list(data) else []
    return {name for name in lines if name and is_below(name)}
