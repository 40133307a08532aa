"""One process at a time in a run's folder."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netdissect.errors import RunBusyError, RunError
from netdissect.io import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for the length of a block.

    Raises:
        RunBusyError: if another process holds it, naming its pid and host.
        RunError: if it cannot be locked.
    """

    def refuse(who: str) -> RunBusyError:
        return RunBusyError(f"{folder} is being written by another run ({who}): wait for it, or choose another --out")

    def unlocked(error: OSError) -> RunError:
        return RunError(
            f"the file system of {folder} does not let it be locked ({error.strerror}): choose an --out on another, and "
            f"name a shared folder with --artefacts if workers need one"
        )

    folder.mkdir(parents=True, exist_ok=True)
    with locks.held(folder / NAME, refuse, unlocked=unlocked):
        yield
