"""Processes that carry out one attempt each, with limits on memory, CPU time and file size."""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.forked_processes import poll_process
from benchmarks.hostile.attempts import Action, Attempt, AttemptFolder, FreshProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes that a child may allocate, seconds of CPU time, bytes of the largest file it may write.
GROWTH, CPU_SECONDS, LARGEST_FILE = 3 << 30, 120, 2 << 30


@dataclass
class RunningAttempt:
    """An attempt in progress.

    Attributes:
        attempt: the attempt.
        folder: its folder.
        before: hashes of its files at the start.
        pid: its process.
        until: when it is ended (`time.monotonic`).
    """

    attempt: Attempt
    folder: AttemptFolder
    before: dict[str, str]
    pid: int
    until: float

    def poll(self) -> int | str | None:
        """Return the exit code, or what ended the process; None while it runs."""
        return poll_process(self.pid, self.until)

    def read_output(self) -> tuple[str, str]:
        """Return what was written to stdout and to stderr."""
        printed, complained = (
            path.read_text(encoding="utf-8", errors="replace") for path in output_files(self.folder.path)
        )
        return printed, complained


def output_files(folder: Path) -> tuple[Path, Path]:
    """Return the files next to an attempt's folder that hold its stdout and stderr."""
    return folder.with_name(f"{folder.name}.stdout"), folder.with_name(f"{folder.name}.stderr")


def start_attempt(attempt: Attempt, folder: AttemptFolder, seconds: float) -> RunningAttempt:
    """Prepare an attempt and fork a child that carries it out."""
    action = attempt.make(folder)
    before = folder.hash_files()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            _carry_out(folder, action)
        except BaseException:  # noqa: BLE001 - the child must not return into the caller's loop
            traceback.print_exc()
        os._exit(99)
    return RunningAttempt(attempt, folder, before, pid, time.monotonic() + seconds)


def _carry_out(folder: AttemptFolder, action: Action) -> None:
    """Limit this process and carry out an action; never return."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for stream, path in enumerate(output_files(folder.path), start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder.path / "here")
    os.environ.update(TMPDIR=str(folder.path / "tmp"), HOME=str(folder.path / "home"), COLUMNS="80")
    tempfile.tempdir = None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    if isinstance(action, FreshProcess):
        _replace_process(folder, action)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    data = next(line for line in status.splitlines() if "VmData" in line)
    allocated = int(data.split()[1]) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (allocated + GROWTH, resource.RLIM_INFINITY))
    if callable(action):
        _call_and_exit(action)
    else:
        run_command_and_exit(action)


def _replace_process(folder: AttemptFolder, fresh: FreshProcess) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (GROWTH + (1 << 30), resource.RLIM_INFINITY))
    for name, value in fresh.env.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.chdir(fresh.working_folder or folder.path / "here")
    words = fresh.make_command()
    os.execvp(words[0], words)  # noqa: S606 - no shell is meant


def run_command_and_exit(words: Sequence[object]) -> None:
    """Run the command line in this process and exit as it does."""
    from netdissect.cli import main as netdissect

    code = 99
    try:
        netdissect([os.fspath(word) if isinstance(word, Path) else str(word) for word in words])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001 - printed as the interpreter would
        traceback.print_exc()
        code = 1
    _flush_and_exit(code)


def _call_and_exit(call: object) -> None:
    """Call a function and exit; the project's errors end with code 2, as on the command line."""
    from netdissect.errors import NetdissectError

    code = 0
    try:
        wrong = call()  # type: ignore[operator]
        if wrong is not None:
            print(f"WRONG: {wrong}", flush=True)
    except (NetdissectError, OSError) as error:
        named = isinstance(error, NetdissectError) or error.filename is not None
        print(f"{'netdissect' if named else 'an error without a file name'}: {error}", file=sys.stderr)
        code = 2
    except BaseException:  # noqa: BLE001 - printed as the interpreter would
        traceback.print_exc()
        code = 1
    _flush_and_exit(code)


def _flush_and_exit(code: int) -> None:
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit does not run them
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
