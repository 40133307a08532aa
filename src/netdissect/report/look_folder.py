"""The folder of a look: it lists its files in ``look.txt``, and the next look removes these and no others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netdissect.errors import FolderTakenError, RunBusyError
from netdissect.io import atomic, folders
from netdissect.io.names import is_below
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FILE_LIST = "look.txt"
_WORK = ".work"
_FIRST_LINE = "# Files that netdissect look wrote here, one a line; the next look removes these and no others."
_MAX_BYTES = 2**28


def _is_file_list(data: bytes) -> bool:
    return data.startswith(_FIRST_LINE.encode())


LOOK_FOLDER = folders.FolderKind(
    "look",
    {FILE_LIST: _is_file_list},
    _WORK,
    FolderTakenError,
    RunBusyError,
    "written by another look",
)


@contextlib.contextmanager
def replace_look(folder: Path, names: Sequence[str]) -> Iterator[Callable[[str, bytes], None]]:
    """Return a context manager that replaces the files of a folder's earlier look.

    It gives a function that writes a file by its path relative to the folder; all files appear at the end of the block, or
    none after an error.

    Args:
        folder: the folder, which is made if it does not exist.
        names: the paths of all files that will be written, relative to the folder, with ``/``.

    Raises:
        FolderTakenError: if the folder holds anything but a look.
        RunBusyError: if another process writes there.
    """
    with folders.lock_folder(folder, LOOK_FOLDER):
        work = folder / _WORK
        old = [name for name in _read_names(folder) if is_below(name)]
        atomic.write_text(folder / FILE_LIST, "\n".join([_FIRST_LINE, *dict.fromkeys([*names, *old])]) + "\n")
        try:
            with atomic.stage_writes(folder, work, lambda _: None), atomic.write_together() as write:
                yield lambda name, data: write(folder / name, data)
            atomic.remove_files_below(folder, [name for name in old if name not in set(names)])
            atomic.write_text(folder / FILE_LIST, "\n".join([_FIRST_LINE, *names]) + "\n")
        finally:
            atomic.remove_partial_files(work)
            with contextlib.suppress(OSError):
                work.rmdir()


def _read_names(folder: Path) -> list[str]:
    """Return the listed files of an earlier look."""
    if not atomic.is_regular_below(folder, FILE_LIST):
        return []
    data = read_bytes(folder / FILE_LIST, most=_MAX_BYTES)
    return data.decode(errors="surrogateescape").split("\n")[1:] if _is_file_list(data) else []
