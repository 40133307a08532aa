"""The run folders of a training, one for each dissection: their names, and those that an earlier training left."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Literal

from netdissect.errors import FolderTakenError
from netdissect.io import atomic
from netdissect.results import run_folder
from netdissect.results.files import list_table_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: What is counted between two dissections.
Unit = Literal["step", "epoch"]


def name_run(unit: Unit, position: int) -> str:
    """Return the name of a dissection's run folder.

    >>> name_run("step", 500)
    'step-500'
    """
    return f"{unit}-{position}"


def find_earlier_runs(folder: Path, unit: Unit) -> dict[int, Path]:
    """Return the finished runs in a training's folder by their step or epoch, in its order."""
    return {number: path for number, path in find_started_runs(folder, unit).items() if (path / "run.json").is_file()}


def find_started_runs(folder: Path, unit: Unit) -> dict[int, Path]:
    """Return the runs in a training's folder by their step or epoch, in its order, interrupted ones too."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        number = path.name.removeprefix(f"{unit}-")
        is_named = re.fullmatch(r"0|[1-9][0-9]*", number) and path.name == f"{unit}-{number}"
        if is_named and run_folder.is_run_started(path):
            found[int(number)] = path
    return dict(sorted(found.items()))


def remove_runs(folders: Iterable[Path]) -> None:
    """Remove runs with their folders; files that netdissect did not write there stay, and so do links.

    Raises:
        RunBusyError: if another process is writing one of them.
    """
    for folder in filter(atomic.is_real_folder, folders):
        with run_folder.lock_run_folder(folder) as files:
            files.remove(list_table_files(folder))
            run_folder.remove_work(folder)
            atomic.remove_files_below(folder, [run_folder.FILE_LIST])
        with contextlib.suppress(OSError):  # the user's own files are in it
            folder.rmdir()


def require_unused(folder: Path, runs: dict[int, Path], unit: Unit) -> None:
    """Raise FolderTakenError if a new training would mix its runs with those of an earlier one."""
    if runs:
        first, last = min(runs), max(runs)
        raise FolderTakenError(
            f"{folder} has dissections of an earlier training ({unit} {first}{f' to {last}' if last != first else ''}), and this "
            "one is new: choose another folder with out=, replace them with fresh=True, or say where the training is resumed with "
            "start(model, at=...)"
        )
