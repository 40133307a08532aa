"""The run folders of a training, one for each dissection: their names, and those that an earlier training left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from netdissect.errors import FolderTakenError

if TYPE_CHECKING:
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
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = re.fullmatch(rf"{unit}-(\d+)", path.name)
        if match and (path / "run.json").is_file():
            found[int(match.group(1))] = path
    return dict(sorted(found.items()))


def require_unused(folder: Path, runs: dict[int, Path], unit: Unit) -> None:
    """Raise FolderTakenError if a training that starts anew would mix its runs with those of an earlier one."""
    if runs:
        first, last = min(runs), max(runs)
        raise FolderTakenError(
            f"{folder} has dissections of an earlier training ({unit} {first}{f' to {last}' if last != first else ''}), and this "
            f"one starts at {unit} 0: choose another folder with out=, resume the training, or replace them with fresh=True"
        )
