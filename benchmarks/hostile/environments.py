"""Environments without write access or a home folder, with small limits, with closed streams; signals.

Each attempt is a newly started process, because its environment is decided before Python runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import (
    FreshProcess,
    SkipAttempt,
    add_attempt,
    check_printed,
    expect_either,
    expect_error,
    expect_success,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hostile.attempts import AttemptFolder, Check

KIND = "hardened environments"
LIMITS = "small limits"
STREAMS = "streams and signals"
#: Runs a command as a user without an account, who may read everything and write nothing.
NOBODY = (
    "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip
_NO_HOME = {"HOME": None, "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None}  # fmt: skip
#: The same with compiled kernels, so that an attempt takes seconds.
_NO_HOME_COMPILED = {**_NO_HOME, "NUMBA_CACHE_DIR": "../../base/cache"}
_DONE = check_printed("conv1: \\d of 5 units")


def require_command(around: Sequence[str]) -> None:
    """Skip the attempt if this command does not work here: not root, tool or kernel feature missing."""
    try:
        found = subprocess.run([*around, sys.executable, "-c", "pass"], capture_output=True, timeout=60, check=False)
    except OSError as error:
        raise SkipAttempt(str(error)) from error
    if found.returncode:
        raise SkipAttempt(f"{around[0]}: {found.stderr.decode(errors='replace').strip()[-200:]}")


def make_read_only(*but: Path) -> tuple[str, ...]:
    """Return a command prefix that mounts everything read-only except these folders."""
    binds = " && ".join(
        [*(f"mount --bind '{path}' '{path}'" for path in but), "mount -o remount,bind,ro /",
         "for m in /tmp /var/tmp /dev/shm /root; do mountpoint -q $m && mount -o remount,bind,ro $m || :; done"]
    )  # fmt: skip
    return ("unshare", "-m", "sh", "-c", f'mount --make-rprivate / && {binds} && exec "$@"', "sh")


def _run_writable(folder: AttemptFolder, *more: object) -> list[object]:
    words = folder.make_run_command(*more)
    folder.out.mkdir()
    for path in (folder.out, folder.path / "tmp", folder.path / "here"):
        path.chmod(0o777)
    return words


@add_attempt(KIND, "another user without a home and compiled kernels", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    return FreshProcess(_run_writable(folder), NOBODY, env=_NO_HOME)


@add_attempt(KIND, "another user, whose home belongs to root", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    return FreshProcess(_run_writable(folder), NOBODY, env={**_NO_HOME_COMPILED, "HOME": "/root"})


@add_attempt(KIND, "another user, with a report", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    words = [word for word in _run_writable(folder) if word != "--no-pictures"]
    return FreshProcess(words, NOBODY, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "another user, who may not write --out", expect_error("permission"))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    words = _run_writable(folder)
    folder.out.chmod(0o755)
    return FreshProcess(words, NOBODY, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "another user, who may not read the probe set", expect_error("permission|denied|cannot be read"))
def _(folder: AttemptFolder) -> object:
    words = _run_writable(folder)
    around = tuple(word.replace("+dac_read_search", "-all") for word in NOBODY[:4])
    require_command(around)
    (folder.probe_set / "index.csv").chmod(0)
    return FreshProcess(words, around, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "everything is read-only but --out and a temporary folder", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    words = _run_writable(folder)
    around = make_read_only(folder.out, folder.path / "tmp", folder.base / "cache")
    require_command(around)
    return FreshProcess(words, around, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "everything is read-only but --out", expect_error("temporary"))
def _(folder: AttemptFolder) -> object:
    words = _run_writable(folder)
    around = make_read_only(folder.out)
    require_command(around)
    return FreshProcess(words, around, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "everything is read-only", expect_error("read-only"))
def _(folder: AttemptFolder) -> object:
    words = folder.make_run_command()
    around = make_read_only(folder.path / "tmp")
    require_command(around)
    return FreshProcess(words, around, env=_NO_HOME_COMPILED)


@add_attempt(KIND, "no /dev/shm", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    around = (
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --make-rprivate / && mount -t tmpfs -o ro,size=4k t /dev/shm && exec "$@"',
        "sh",
    )
    require_command(around)
    return FreshProcess(folder.make_run_command("--workers", "2"), around)


@add_attempt(KIND, "no network", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    around = ("unshare", "-n")
    require_command(around)
    return FreshProcess(folder.make_run_command(), around)


for _name, _env in (
    ("HOME is empty", {"HOME": ""}),
    ("HOME is relative", {"HOME": "."}),
    ("HOME is not there", {"HOME": "/nowhere/at/all"}),
    ("HOME is a file", {"HOME": "/etc/passwd"}),
    ("the cache folder is a file", {"XDG_CACHE_HOME": "/etc/passwd"}),
    ("numba's folder cannot be created", {"NUMBA_CACHE_DIR": "/proc/nowhere"}),
    ("matplotlib's folder cannot be created", {"MPLCONFIGDIR": "/proc/nowhere"}),
    ("TMPDIR is not there", {"TMPDIR": "/nowhere/at/all"}),
    ("TMPDIR is a file", {"TMPDIR": "/etc/passwd"}),
    ("torch's and transformers' folders cannot be created", {"TORCH_HOME": "/proc/x", "HF_HOME": "/proc/x"}),
    ("the terminal is 1 column wide", {"COLUMNS": "1", "LINES": "1"}),
    ("an unknown terminal", {"TERM": "nonsense"}),
    ("an unknown time zone", {"TZ": "Mars/Olympus"}),
    ("MPLBACKEND needs a screen", {"MPLBACKEND": "TkAgg"}),
    ("OMP_NUM_THREADS is a word", {"OMP_NUM_THREADS": "many"}),
):

    @add_attempt(KIND, _name, expect_success(_DONE))
    def _(folder: AttemptFolder, env: dict[str, str] = _env) -> object:
        return FreshProcess(folder.make_run_command(), env=env)


@add_attempt(KIND, "the current folder was removed", expect_error("no longer exists"))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(
        folder.make_run_command(), ("sh", "-c", 'mkdir ../gone && cd ../gone && rmdir ../gone && exec "$@"', "sh")
    )


@add_attempt(
    KIND, "the current folder was removed, and --out is relative", expect_error("folder|no longer|not there|exist")
)
def _(folder: AttemptFolder) -> object:
    words = ["run", folder.network, "--layers", "conv1", "--data", folder.probe_set]
    return FreshProcess(words, ("sh", "-c", 'mkdir ../gone && cd ../gone && rmdir ../gone && exec "$@"', "sh"))


@add_attempt(KIND, "no assertions (python -O)", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(folder.make_run_command(), python=("-O", "-B"))


@add_attempt(KIND, "no docstrings (python -OO)", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(folder.make_run_command(), python=("-OO", "-B"))


@add_attempt(KIND, "warnings are errors", expect_either("warning|Warning", _DONE))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(folder.make_run_command(), python=("-W", "error::UserWarning"))


@add_attempt(KIND, "umask 077: others cannot open the files", expect_success(lambda folder, _: _check_private(folder)))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(folder.make_run_command(), ("sh", "-c", 'umask 077; exec "$@"', "sh"))


@add_attempt(KIND, "umask 777: new files cannot be opened", expect_either("permission", check_printed(".")))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    return FreshProcess(
        _run_writable(folder), ("sh", "-c", 'umask 777; exec "$@"', "sh", *NOBODY), env=_NO_HOME_COMPILED
    )


def _check_private(folder: AttemptFolder) -> str | None:
    open_ = [path.name for path in folder.out.rglob("*") if path.stat().st_mode & 0o077]
    return f"others can open {', '.join(open_[:3])}" if open_ else None


@add_attempt(KIND, "a clock set to 1970", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    tool = shutil.which("faketime")
    if tool is None:
        raise SkipAttempt("faketime is not installed")
    return FreshProcess(folder.make_run_command(), (tool, "1970-01-02"))


@add_attempt(KIND, "matplotlib's settings in the current folder", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    folder.write("received/matplotlibrc", "text.usetex: True\nbackend: module://evil\nfont.size: 300\n")
    words = [word for word in folder.make_run_command() if word != "--no-pictures"]
    return FreshProcess(words, working_folder=folder.path / "received", python=("-P",))


@add_attempt(KIND, "modules in the current folder", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    for name in ("numba", "torch", "json", "yaml"):
        folder.write(f"received/{name}.py", f"open({str(folder.path / 'it ran')!r}, 'w')")
    script = Path(sys.executable).with_name("netdissect")
    if not script.exists():
        raise SkipAttempt("the command is not installed")
    return FreshProcess(folder.make_run_command(), python=("-P",), working_folder=folder.path / "received")


def _add_ulimit(name: str, limit: str, check: Check, sentence: str, *more: object) -> None:
    @add_attempt(LIMITS, name, expect_either(sentence, check))
    def _(folder: AttemptFolder) -> object:
        return FreshProcess(folder.make_run_command(*more), ("bash", "-c", f'ulimit {limit}; exec "$@"', "bash"))


_add_ulimit("64 open files", "-n 64", _DONE, "files|ulimit")
_add_ulimit("24 open files", "-n 24", _DONE, "files|ulimit")
_add_ulimit("64 open files and two workers", "-n 64", _DONE, "files|ulimit|worker", "--workers", "2")
_add_ulimit("files of 1 KB", "-f 1", _DONE, "larger than|limit")
_add_ulimit("3 GB of address space", "-v 3000000", _DONE, "memory|library|import")
_add_ulimit("1 GB of address space", "-v 1000000", _DONE, "memory|library|import")
_add_ulimit("400 MB of data", "-d 400000", _DONE, "memory|library|import")
_add_ulimit("no core, no locked memory", "-c 0; ulimit -l 0", _DONE, "memory")
_add_ulimit("a stack of 256 KB", "-s 256", _DONE, "stack|deep|memory")


@add_attempt(LIMITS, "few processes", expect_either("process|thread|worker|memory", _DONE))
def _(folder: AttemptFolder) -> object:
    require_command(NOBODY)
    around = ("bash", "-c", 'ulimit -u 12; exec "$@"', "bash", *NOBODY)
    return FreshProcess(_run_writable(folder, "--workers", "2"), around, env=_NO_HOME_COMPILED)


@add_attempt(LIMITS, "a full disk", expect_error("disk is full"))
def _(folder: AttemptFolder) -> object:
    out = folder.path / "full"
    out.mkdir()
    script = f"mount --make-rprivate / && mount -t tmpfs -o size=8k t '{out}' && exec \"$@\""
    around = ("unshare", "-m", "sh", "-c", script, "sh")
    require_command(around)
    return FreshProcess(
        ["run", folder.network, "--layers", "conv1", "--data", folder.probe_set, "--out", out / "run", "--no-pictures"],
        around,
    )


@add_attempt(LIMITS, "a full temporary folder", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    script = f"mount --make-rprivate / && mount -t tmpfs -o size=4k t '{folder.path / 'tmp'}' && exec \"$@\""
    around = ("unshare", "-m", "sh", "-c", script, "sh")
    require_command(around)
    return FreshProcess(folder.make_run_command(), around, env={"HOME": "/nowhere"})


for _name, _redirect, _code in (
    ("stdin closed", "<&-", None), ("stdout closed", ">&-", None), ("stderr closed", "2>&-", None),
    ("all three closed", "<&- >&- 2>&-", None), ("stdout full", "> /dev/full", None), ("stderr full", "2> /dev/full", None),
):  # fmt: skip

    @add_attempt(STREAMS, _name, expect_either(".", lambda folder, _: _check_written(folder)))
    def _(folder: AttemptFolder, redirect: str = _redirect) -> object:
        return FreshProcess(folder.make_run_command(), ("sh", "-c", f'exec "$@" {redirect}', "sh"))


def _check_written(folder: AttemptFolder) -> str | None:
    return None if (folder.out / "run.json").exists() else "no run.json was written"


@add_attempt(STREAMS, "a reader of stdout that exits", expect_success(lambda *_: None))
def _(_folder: AttemptFolder) -> object:
    return FreshProcess(["run", "--help"], ("bash", "-c", '"$@" | head -c 1; exit 0', "bash"))


@add_attempt(STREAMS, "SIGTERM during the run", expect_success(lambda *_: None))
def _(folder: AttemptFolder) -> object:
    script = (
        '"$@" & pid=$!; sleep 1.5; kill -TERM $pid 2>/dev/null; wait $pid; code=$?; [ $code = 143 ] || [ $code = 0 ]'
    )
    return FreshProcess(folder.make_run_command(), ("bash", "-c", script, "bash"))


@add_attempt(STREAMS, "SIGPIPE ignored, SIGINT ignored", expect_success(_DONE))
def _(folder: AttemptFolder) -> object:
    return FreshProcess(folder.make_run_command(), ("bash", "-c", 'trap "" INT PIPE HUP; exec "$@"', "bash"))


if os.name == "nt":  # pragma: no cover
    raise ImportError("hardened environments need Linux")
