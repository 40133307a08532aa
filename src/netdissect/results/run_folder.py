"""The folder of a run: which one it holds, and a record of every file that was written there.

``files.txt`` names them, one a line, each before it takes its place: what a run replaced by another leaves behind is
removed by this list, and nothing else ever is. Half-written files and finished shards lie in ``.work/`` and go in the end.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
import threading
from typing import TYPE_CHECKING, Any

from netdissect.errors import FolderTakenError, RunBusyError, RunError
from netdissect.io import atomic, folders
from netdissect.io.json_files import parse_json
from netdissect.io.names import is_below
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILE_LIST = "files.txt"
WORK = ".work"
_PARTS = "parts"
_FIRST_LINE = "# Files that netdissect wrote here, one a line; --fresh removes these and no others."
_RUN_PREFIX = "# Run: "


def _is_run_json(data: bytes) -> bool:
    try:
        record = parse_json(data)
    except ValueError:
        return False
    return isinstance(record, dict) and {"schema_version", "settings", "network", "probe_set", "layers"} <= set(record)


def _is_file_list(data: bytes) -> bool:
    return data.startswith(_FIRST_LINE.encode())


RUN_FOLDER = folders.FolderKind(
    "run",
    {FILE_LIST: _is_file_list, "run.json": _is_run_json},
    WORK,
    FolderTakenError,
    RunBusyError,
    "written by another run",
)


class RunFiles:
    """The record of a run's folder: ``files.txt``.

    Attributes:
        run: identity of the run that is or was made there; empty if nothing tells.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.run, self._names = self._read()

    @property
    def is_ours(self) -> bool:
        """Whether the file is a record at all."""
        return bool(self.run or self._names)

    def begin(self, run: str) -> None:
        """Say whose the folder is from now on; the files that are recorded stay so."""
        lines = [_FIRST_LINE, f"{_RUN_PREFIX}{run}", *self._names]
        atomic.write_bytes(self._folder / FILE_LIST, b"".join(_encode_line(line) for line in lines))
        self.run = run

    def add(self, name: str) -> None:
        """Record a file, by its path with ``/``, before it takes its place."""
        if name.startswith(f"{WORK}/") or name == FILE_LIST:
            return
        with self._lock:
            if name in self._names:
                return
            if not atomic.is_regular_below(self._folder, FILE_LIST):
                lines = [_FIRST_LINE, f"{_RUN_PREFIX}{self.run}", *self._names]
                atomic.write_bytes(self._folder / FILE_LIST, b"".join(_encode_line(line) for line in lines))
            with (self._folder / FILE_LIST).open("ab") as file:
                file.write(_encode_line(name))
            self._names[name] = None

    def remove(self, names: Mapping[str, None] | None = None) -> None:
        """Remove the files that were recorded, and these; ``run.json`` first: what is left is no finished run."""
        names = {**self._names, **(names or {})}
        atomic.remove_files_below(self._folder, ["run.json"])
        atomic.remove_files_below(self._folder, [name for name in names if is_below(name) and name != "run.json"])
        self._names = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def _read(self) -> tuple[str, dict[str, None]]:
        try:
            if not atomic.is_regular_below(self._folder, FILE_LIST):
                return "", {}
            data = read_bytes(self._folder / FILE_LIST, most=2**28)
        except OSError:
            return "", {}
        if not _is_file_list(data):
            return "", {}
        lines = data.decode(errors="surrogateescape").split("\n")
        run = lines[1].removeprefix(_RUN_PREFIX) if len(lines) > 1 else ""
        return run, dict.fromkeys(line for line in lines[2:-1] if line)  # a last line without its end was cut off


@contextlib.contextmanager
def lock_run_folder(folder: Path) -> Iterator[RunFiles]:
    """Hold a run's folder: every file below it is written by way of ``.work/`` and recorded; no link is followed.

    Raises:
        FolderTakenError: if it holds something that is no run.
        RunBusyError: if another process holds it, naming its pid and host.
        RunError: if it cannot be locked, or a link lies in it where none may.
    """

    def unlocked(error: OSError) -> RunError | OSError:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM):
            return error
        return RunError(
            f"the file system of {folder} does not let it be locked ({error.strerror}): choose an --out on another, and "
            f"name a shared folder with --artefacts if workers need one"
        )

    with folders.lock_folder(folder, RUN_FOLDER, unlocked=unlocked):
        work = folder / WORK
        if work.is_symlink() or (work.exists() and not atomic.is_real_folder(work)):
            raise FolderTakenError(f"{work} is in the way of what a run keeps there: move it, or choose another --out")
        atomic.remove_partial_files(work)
        written = RunFiles(folder)
        try:
            with atomic.stage_writes(folder, work / _PARTS, written.add):
                yield written
        finally:
            atomic.remove_partial_files(work)  # of what workers that were ended had begun
            for left in (work / _PARTS, work):
                with contextlib.suppress(OSError):
                    left.rmdir()


def remove_work(folder: Path) -> None:
    """Remove what finished shards left behind."""
    if atomic.is_real_folder(folder / WORK):
        shutil.rmtree(folder / WORK, ignore_errors=True)


def has_finished_shards(folder: Path) -> bool:
    """Say whether finished shards of an interrupted run lie in a folder."""
    return atomic.is_real_folder(folder / WORK) and any(
        path.name.startswith("scan-") for path in (folder / WORK).glob("*/*.arrays")
    )


def is_run_started(folder: Path) -> bool:
    """Say whether a run was begun in a folder; it may be finished."""
    return atomic.is_regular_below(folder, FILE_LIST) and RunFiles(folder).is_ours


def hash_facts(facts: Mapping[str, Any]) -> str:
    """Return a hash of plain values: of everything that makes a run this one."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _encode_line(text: str) -> bytes:
    return f"{text}\n".encode(errors="surrogateescape")
