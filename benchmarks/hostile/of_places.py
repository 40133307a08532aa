"""Places where little is allowed: nothing can be written, nobody has a home, limits are small, streams are closed.

Each of these is a process of its own from the start, for what is tried is decided before Python's first line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import Cold, Skipped, attempt, either, gives, refused, says

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hostile.attempts import Check, Place

KIND = "hardened places"
LIMITS = "small limits"
STREAMS = "streams and signals"
#: Somebody who is in no list of users, may read everything, and write nowhere.
NOBODY = (
    "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
)  # fmt: skip
_LOST = {"HOME": None, "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None}  # fmt: skip
#: The same, with compiled code at hand, so that an attempt takes seconds.
_WARM = {**_LOST, "NUMBA_CACHE_DIR": "../../base/cache"}
_DONE = says("conv1: \\d of 5 units")


def needs(around: Sequence[str]) -> None:
    """Say that something cannot be tried where this does not work: not root, no such tool, no such kernel."""
    try:
        found = subprocess.run([*around, sys.executable, "-c", "pass"], capture_output=True, timeout=60, check=False)
    except OSError as error:
        raise Skipped(str(error)) from error
    if found.returncode:
        raise Skipped(f"{around[0]}: {found.stderr.decode(errors='replace').strip()[-200:]}")


def read_only(*but: Path) -> tuple[str, ...]:
    """Return what starts a process in which the whole tree is read-only, except these folders."""
    binds = " && ".join(
        [*(f"mount --bind '{path}' '{path}'" for path in but), "mount -o remount,bind,ro /",
         "for m in /tmp /var/tmp /dev/shm /root; do mountpoint -q $m && mount -o remount,bind,ro $m || :; done"]
    )  # fmt: skip
    return ("unshare", "-m", "sh", "-c", f'mount --make-rprivate / && {binds} && exec "$@"', "sh")


def _given(place: Place, *more: object) -> list[object]:
    words = place.run(*more)
    place.out.mkdir()
    for path in (place.out, place.folder / "tmp", place.folder / "here"):
        path.chmod(0o777)
    return words


@attempt(KIND, "another user, without a home: everything is compiled anew", gives(_DONE))
def _(place: Place) -> object:
    needs(NOBODY)
    return Cold(_given(place), NOBODY, env=_LOST)


@attempt(KIND, "another user, whose home is somebody else's", gives(_DONE))
def _(place: Place) -> object:
    needs(NOBODY)
    return Cold(_given(place), NOBODY, env={**_WARM, "HOME": "/root"})


@attempt(KIND, "another user, with a report", gives(_DONE))
def _(place: Place) -> object:
    needs(NOBODY)
    words = [word for word in _given(place) if word != "--no-pictures"]
    return Cold(words, NOBODY, env=_WARM)


@attempt(KIND, "another user, who may not write --out", refused("permission"))
def _(place: Place) -> object:
    needs(NOBODY)
    words = _given(place)
    place.out.chmod(0o755)
    return Cold(words, NOBODY, env=_WARM)


@attempt(KIND, "another user, who may not read the probe set", refused("permission|denied|cannot be read"))
def _(place: Place) -> object:
    words = _given(place)
    around = tuple(word.replace("+dac_read_search", "-all") for word in NOBODY[:4])
    needs(around)
    (place.set / "index.csv").chmod(0)
    return Cold(words, around, env=_WARM)


@attempt(KIND, "everything is read-only but --out and a temporary folder", gives(_DONE))
def _(place: Place) -> object:
    words = _given(place)
    around = read_only(place.out, place.folder / "tmp", place.base / "cache")
    needs(around)
    return Cold(words, around, env=_WARM)


@attempt(KIND, "everything is read-only but --out", refused("temporary"))
def _(place: Place) -> object:
    words = _given(place)
    around = read_only(place.out)
    needs(around)
    return Cold(words, around, env=_WARM)


@attempt(KIND, "everything is read-only", refused("read-only"))
def _(place: Place) -> object:
    words = place.run()
    around = read_only(place.folder / "tmp")
    needs(around)
    return Cold(words, around, env=_WARM)


@attempt(KIND, "no /dev/shm", gives(_DONE))
def _(place: Place) -> object:
    around = (
        "unshare",
        "-m",
        "sh",
        "-c",
        'mount --make-rprivate / && mount -t tmpfs -o ro,size=4k t /dev/shm && exec "$@"',
        "sh",
    )
    needs(around)
    return Cold(place.run("--workers", "2"), around)


@attempt(KIND, "no network", gives(_DONE))
def _(place: Place) -> object:
    around = ("unshare", "-n")
    needs(around)
    return Cold(place.run(), around)


for _name, _env in (
    ("HOME is empty", {"HOME": ""}),
    ("HOME is relative", {"HOME": "."}),
    ("HOME is not there", {"HOME": "/nowhere/at/all"}),
    ("HOME is a file", {"HOME": "/etc/passwd"}),
    ("the folder for caches is a file", {"XDG_CACHE_HOME": "/etc/passwd"}),
    ("numba's folder cannot be made", {"NUMBA_CACHE_DIR": "/proc/nowhere"}),
    ("matplotlib's folder cannot be made", {"MPLCONFIGDIR": "/proc/nowhere"}),
    ("TMPDIR is not there", {"TMPDIR": "/nowhere/at/all"}),
    ("TMPDIR is a file", {"TMPDIR": "/etc/passwd"}),
    ("torch's and transformers' folders cannot be made", {"TORCH_HOME": "/proc/x", "HF_HOME": "/proc/x"}),
    ("the terminal is 1 column wide", {"COLUMNS": "1", "LINES": "1"}),
    ("a terminal nobody knows", {"TERM": "nonsense"}),
    ("a time zone nobody knows", {"TZ": "Mars/Olympus"}),
    ("MPLBACKEND asks for a screen", {"MPLBACKEND": "TkAgg"}),
    ("OMP_NUM_THREADS is a word", {"OMP_NUM_THREADS": "many"}),
):

    @attempt(KIND, _name, gives(_DONE))
    def _(place: Place, env: dict[str, str] = _env) -> object:
        return Cold(place.run(), env=env)


@attempt(KIND, "the folder one stands in is gone", refused("no longer exists"))
def _(place: Place) -> object:
    return Cold(place.run(), ("sh", "-c", 'mkdir ../gone && cd ../gone && rmdir ../gone && exec "$@"', "sh"))


@attempt(KIND, "the folder one stands in is gone, and --out is relative", refused("folder|no longer|not there|exist"))
def _(place: Place) -> object:
    words = ["run", place.net, "--layers", "conv1", "--data", place.set]
    return Cold(words, ("sh", "-c", 'mkdir ../gone && cd ../gone && rmdir ../gone && exec "$@"', "sh"))


@attempt(KIND, "assertions are left out (python -O)", gives(_DONE))
def _(place: Place) -> object:
    return Cold(place.run(), python=("-O", "-B"))


@attempt(KIND, "docstrings are left out (python -OO)", gives(_DONE))
def _(place: Place) -> object:
    return Cold(place.run(), python=("-OO", "-B"))


@attempt(KIND, "warnings are errors", either("warning|Warning", _DONE))
def _(place: Place) -> object:
    return Cold(place.run(), python=("-W", "error::UserWarning"))


@attempt(KIND, "umask 077: the files are the user's alone", gives(lambda place, _: _alone(place)))
def _(place: Place) -> object:
    return Cold(place.run(), ("sh", "-c", 'umask 077; exec "$@"', "sh"))


@attempt(KIND, "umask 777: nothing that is made can be opened", either("permission", says(".")))
def _(place: Place) -> object:
    needs(NOBODY)
    return Cold(_given(place), ("sh", "-c", 'umask 777; exec "$@"', "sh", *NOBODY), env=_WARM)


def _alone(place: Place) -> str | None:
    open_ = [path.name for path in place.out.rglob("*") if path.stat().st_mode & 0o077]
    return f"others can open {', '.join(open_[:3])}" if open_ else None


@attempt(KIND, "a clock that stands in 1970", gives(_DONE))
def _(place: Place) -> object:
    tool = shutil.which("faketime")
    if tool is None:
        raise Skipped("faketime is not installed")
    return Cold(place.run(), (tool, "1970-01-02"))


@attempt(KIND, "matplotlib's settings in the folder one stands in", gives(_DONE))
def _(place: Place) -> object:
    place.write("received/matplotlibrc", "text.usetex: True\nbackend: module://evil\nfont.size: 300\n")
    words = [word for word in place.run() if word != "--no-pictures"]
    return Cold(words, folder=place.folder / "received", python=("-P",))


@attempt(KIND, "modules in the folder one stands in", gives(_DONE))
def _(place: Place) -> object:
    for name in ("numba", "torch", "json", "yaml"):
        place.write(f"received/{name}.py", f"open({str(place.folder / 'it ran')!r}, 'w')")
    script = Path(sys.executable).with_name("netdissect")
    if not script.exists():
        raise Skipped("the command is not installed")
    return Cold(place.run(), python=("-P",), folder=place.folder / "received")


def _ulimit(name: str, limit: str, check: Check, sentence: str, *more: object) -> None:
    @attempt(LIMITS, name, either(sentence, check))
    def _(place: Place) -> object:
        return Cold(place.run(*more), ("bash", "-c", f'ulimit {limit}; exec "$@"', "bash"))


_ulimit("64 open files", "-n 64", _DONE, "files|ulimit")
_ulimit("24 open files", "-n 24", _DONE, "files|ulimit")
_ulimit("64 open files and two workers", "-n 64", _DONE, "files|ulimit|worker", "--workers", "2")
_ulimit("files of 1 KB", "-f 1", _DONE, "larger than|limit")
_ulimit("3 GB of addresses", "-v 3000000", _DONE, "memory|library|import")
_ulimit("1 GB of addresses", "-v 1000000", _DONE, "memory|library|import")
_ulimit("400 MB of data", "-d 400000", _DONE, "memory|library|import")
_ulimit("no core, no locked memory", "-c 0; ulimit -l 0", _DONE, "memory")
_ulimit("a stack of 256 KB", "-s 256", _DONE, "stack|deep|memory")


@attempt(LIMITS, "few processes", either("process|thread|worker|memory", _DONE))
def _(place: Place) -> object:
    needs(NOBODY)
    around = ("bash", "-c", 'ulimit -u 12; exec "$@"', "bash", *NOBODY)
    return Cold(_given(place, "--workers", "2"), around, env=_WARM)


@attempt(LIMITS, "a disk that is full", refused("disk is full"))
def _(place: Place) -> object:
    out = place.folder / "full"
    out.mkdir()
    script = f"mount --make-rprivate / && mount -t tmpfs -o size=8k t '{out}' && exec \"$@\""
    around = ("unshare", "-m", "sh", "-c", script, "sh")
    needs(around)
    return Cold(
        ["run", place.net, "--layers", "conv1", "--data", place.set, "--out", out / "run", "--no-pictures"], around
    )


@attempt(LIMITS, "a full temporary folder", gives(_DONE))
def _(place: Place) -> object:
    script = f"mount --make-rprivate / && mount -t tmpfs -o size=4k t '{place.folder / 'tmp'}' && exec \"$@\""
    around = ("unshare", "-m", "sh", "-c", script, "sh")
    needs(around)
    return Cold(place.run(), around, env={"HOME": "/nowhere"})


for _name, _redirect, _code in (
    ("stdin closed", "<&-", None), ("stdout closed", ">&-", None), ("stderr closed", "2>&-", None),
    ("all three closed", "<&- >&- 2>&-", None), ("stdout full", "> /dev/full", None), ("stderr full", "2> /dev/full", None),
):  # fmt: skip

    @attempt(STREAMS, _name, either(".", lambda place, _: _written(place)))
    def _(place: Place, redirect: str = _redirect) -> object:
        return Cold(place.run(), ("sh", "-c", f'exec "$@" {redirect}', "sh"))


def _written(place: Place) -> str | None:
    return None if (place.out / "run.json").exists() else "no run.json was written"


@attempt(STREAMS, "a reader of stdout that goes away", gives(lambda *_: None))
def _(_place: Place) -> object:
    return Cold(["run", "--help"], ("bash", "-c", '"$@" | head -c 1; exit 0', "bash"))


@attempt(STREAMS, "SIGTERM while it works", gives(lambda *_: None))
def _(place: Place) -> object:
    script = (
        '"$@" & pid=$!; sleep 1.5; kill -TERM $pid 2>/dev/null; wait $pid; code=$?; [ $code = 143 ] || [ $code = 0 ]'
    )
    return Cold(place.run(), ("bash", "-c", script, "bash"))


@attempt(STREAMS, "SIGPIPE ignored, SIGINT ignored", gives(_DONE))
def _(place: Place) -> object:
    return Cold(place.run(), ("bash", "-c", 'trap "" INT PIPE HUP; exec "$@"', "bash"))


if os.name == "nt":  # pragma: no cover - none of these tools is there
    raise ImportError("hardened places are tried on Linux")
