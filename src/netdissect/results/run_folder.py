"""Lock a run's folder, and list every file that is written there in ``files.txt``.

A file is listed before it is renamed into the folder. ``--fresh`` removes the listed files and no others. Partial files
and finished shards are kept in ``.work/``, which is removed when the run succeeds.
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
    from collections.abc import Iterator, Mapping, Sequence
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
    """The list of a run folder's files, ``files.txt``.

    Attributes:
        run: hash of the run's facts (`hash_facts`); empty if there is no list.
        choices: settings that were left to the run, as it chose them, in words; none for runs of earlier versions.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.run, self.choices, self._names = self._read()

    def start(self, run: str, choices: Mapping[str, str]) -> None:
        """Write the hash of a run and its choices into the list, and keep the listed files."""
        self.run, self.choices = run, choices
        self._write()

    def add(self, name: str) -> None:
        """List a file by its path relative to the folder, with ``/``."""
        if name.startswith(f"{WORK}/") or name == FILE_LIST:
            return
        with self._lock:
            if name in self._names:
                return
            if not atomic.is_regular_below(self._folder, FILE_LIST):
                self._write()
            with (self._folder / FILE_LIST).open("ab") as file:
                file.write(_encode_line(name))
            self._names[name] = None

    def remove(self, names: Mapping[str, None] | None = None) -> None:
        """Remove the listed files and `names`; ``run.json`` first, so that the others are not taken for a finished run."""
        names = {**self._names, **(names or {})}
        atomic.remove_files_below(self._folder, ["run.json"])
        atomic.remove_files_below(self._folder, [name for name in names if is_below(name) and name != "run.json"])
        self._names = {}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    @property
    def names(self) -> Sequence[str]:
        """Paths of the listed files relative to the folder, with ``/``."""
        return list(self._names)

    def _write(self) -> None:
        choices = [f"{name}={value}" for name, value in self.choices.items()]
        lines = [_FIRST_LINE, " ".join([f"{_RUN_PREFIX}{self.run}", *choices]), *self._names]
        atomic.write_bytes(self._folder / FILE_LIST, b"".join(_encode_line(line) for line in lines))

    def _read(self) -> tuple[str, Mapping[str, str], dict[str, None]]:
        try:
            if not atomic.is_regular_below(self._folder, FILE_LIST):
                return "", {}, {}
            data = read_bytes(self._folder / FILE_LIST, most=2**28)
        except OSError:
            return "", {}, {}
        if not _is_file_list(data):
            return "", {}, {}
        lines = data.decode(errors="surrogateescape").split("\n")
        run, *words = lines[1].removeprefix(_RUN_PREFIX).split(" ") if len(lines) > 1 else [""]
        choices = {name: value for name, _, value in (word.partition("=") for word in words)}
        return (
            run,
            choices,
            dict.fromkeys(line for line in lines[2:-1] if line),
        )  # a last line without a line ending was cut off


@contextlib.contextmanager
def lock_run_folder(folder: Path) -> Iterator[RunFiles]:
    """Return a context manager that locks a run's folder and gives its list of files.

    Inside it, every file below the folder is written through ``.work/`` and listed, and no link is followed.

    Raises:
        FolderTakenError: if it holds something that is not a run.
        RunBusyError: if another process has locked it; the message has its pid and host.
        RunError: if its file system has no locks.
    """

    def unlocked(error: OSError) -> RunError | OSError:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM):
            return error
        return RunError(
            f"{folder} cannot be locked on its file system ({error.strerror}): choose an --out on another file system, "
            f"and name a shared folder with --artifacts if workers need one"
        )

    with folders.lock_folder(folder, RUN_FOLDER, unlocked=unlocked):
        work = folder / WORK
        if work.is_symlink() or (work.exists() and not atomic.is_real_folder(work)):
            raise FolderTakenError(f"{work} is in the way of the run's work folder: move it, or choose another --out")
        atomic.remove_partial_files(work)
        files = RunFiles(folder)
        try:
            with atomic.stage_writes(folder, work / _PARTS, files.add):
                yield files
        finally:
            atomic.remove_partial_files(work)  # those of workers that were stopped
            for path in (work / _PARTS, work):
                with contextlib.suppress(OSError):
                    path.rmdir()


def remove_work(folder: Path) -> None:
    """Remove the intermediate results from a run's folder."""
    if atomic.is_real_folder(folder / WORK):
        shutil.rmtree(folder / WORK, ignore_errors=True)


def has_finished_shards(folder: Path) -> bool:
    """Return whether a folder holds finished shards of an interrupted run."""
    return atomic.is_real_folder(folder / WORK) and any(
        path.name.startswith("scan-") for path in (folder / WORK).glob("*/*.arrays")
    )


def is_run_started(folder: Path) -> bool:
    """Return whether a run was started in a folder; it may be finished."""
    files = RunFiles(folder)
    return bool(files.run or files.names)


def hash_facts(facts: Mapping[str, Any]) -> str:
    """Return a hash of everything that decides a run's result (`run_match.collect_facts`)."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _encode_line(text: str) -> bytes:
    return f"{text}\n".encode(errors="surrogateescape")
