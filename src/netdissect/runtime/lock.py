"""One process at a time in a run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import IO, TYPE_CHECKING

from netdissect.errors import RunBusyError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks; there the folder is not guarded
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for the length of a block. The lock is the system's: it goes with the process, however that ends.

    Raises:
        RunBusyError: if another process holds it, naming its pid and host.
        RunError: if its file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    with _locked(folder, path) as file:
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(folder: Path, path: Path) -> IO[str]:
    """Return the open lock file, locked, and still the one that lies in the folder: its last holder may remove it."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if fcntl is None or _same_file(file, path):
                return file
        except BlockingIOError as error:
            file.close()
            raise RunBusyError(
                f"{folder} is being written by another run ({_holder(path)}): wait for it, or choose another --out"
            ) from error
        except OSError as error:
            file.close()
            raise RunError(
                f"the file system of {folder} does not let it be locked ({error.strerror}): choose an --out on another, and "
                f"name a shared folder with --artefacts if workers need one"
            ) from error
        except BaseException:
            file.close()
            raise
        file.close()


def _same_file(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it does not say which"
    return f"process {record.get('pid')} on {record.get('host')}"
