"""Attempts carried out, two at a time, in children of one process that has imported everything; and judged."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.hostile import (  # noqa: F401 - they fill the table
    of_archives,
    of_checkpoints,
    of_folders,
    of_importers,
    of_names,
    of_networks,
    of_places,
    of_probe_sets,
    of_python,
    of_runs,
    of_settings,
)
from benchmarks.hostile.attempts import ATTEMPTS, Attempt, Cold, Place, Skipped, Tried, command

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes by which a child may grow, seconds it may take, seconds of processor time.
GROWTH, PATIENCE, WORK = 3 << 30, 180, 120
#: Bytes of the largest file it may write: what fills the disk is stopped.
LARGEST = 2 << 30


@dataclass
class Running:
    """An attempt under way."""

    attempt: Attempt
    place: Place
    before: dict[str, str]
    pid: int
    until: float


def main(words: list[str]) -> None:
    """Try them all, print tried and survived by kind; leave with 1 if one did not survive."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hostile --")
    parser.add_argument("--only", default="", help="a pattern that is found in kind: name")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=PATIENCE)
    options = parser.parse_args(words)
    chosen = [one for one in ATTEMPTS if re.search(options.only, f"{one.kind}: {one.name}")]
    machine.title(f"Hostile: {len(chosen)} attempts, each in a process that may not grow or take long")
    start = time.monotonic()
    failed, skipped = survive(chosen, at_once=options.at_once, seconds=options.seconds)
    tried = Counter(one.kind for one in chosen)
    lost = Counter(one.kind for one in failed)
    left = Counter(one.kind for one in skipped)
    machine.table(
        ["kind", "tried", "survived", "cannot be tried here"],
        [[kind, n - left[kind], n - left[kind] - lost[kind], left[kind]] for kind, n in tried.items()],
    )
    for one, why in skipped.items():
        print(f"- cannot be tried here: {one.kind}: {one.name}: {why}")
    counted = len(chosen) - len(skipped)
    print(
        f"{counted} attempts, {counted - len(failed)} survived, {len(failed)} did not; {len(skipped)} cannot be tried "
        f"here; {time.monotonic() - start:.0f} seconds"
    )
    if failed:
        raise SystemExit(1)


def survive(
    chosen: Sequence[Attempt], *, at_once: int = 2, seconds: float = PATIENCE
) -> tuple[dict[Attempt, str], dict[Attempt, str]]:
    """Try attempts; return those that did not survive and those that cannot be tried here, with the reasons."""
    failed: dict[Attempt, str] = {}
    skipped: dict[Attempt, str] = {}
    top = Path(tempfile.mkdtemp(prefix="hostile-"))  # no TemporaryDirectory: children would remove it as they leave
    try:
        top.chmod(0o755)  # other users are tried too
        _prepare(top / "base")
        waiting = list(enumerate(chosen))
        running: list[Running] = []
        while waiting or running:
            while waiting and len(running) < at_once:
                number, one = waiting.pop(0)
                try:
                    running.append(_start(one, Place(top / f"{number}", top / "base"), seconds))
                except Skipped as reason:
                    skipped[one] = str(reason)
            for run in list(running):
                ended = _ended(run)
                if ended is not None:
                    running.remove(run)
                    why = judge(run, ended)
                    if why:
                        failed[run.attempt] = why
                        print(f"- NOT SURVIVED: {run.attempt.kind}: {run.attempt.name}: {why}", flush=True)
                    _remove(run.place.folder)
            time.sleep(0.005)
    finally:
        _remove(top)
    return failed, skipped


def _prepare(base: Path) -> None:
    """Make what attempts copy: a set, a network, a finished run. Everything is imported on the way, in a child."""
    import torch
    from tests import folders

    from netdissect.networks.sources.caffe.caffe_writer import write_caffe
    from netdissect.networks.sources.caffe.prototxt import parse_prototxt
    from netdissect.networks.sources.caffe.random_weights import make_random_weights

    torch.set_num_threads(1)  # threads of this process would be missing from its children, and waited for
    folders.write(base / "set", images=6)
    net = parse_prototxt(NETWORK)
    (base / "net").mkdir()
    write_caffe(base / "net/small", net, make_random_weights(net, seed=0))
    words = ["run", base / "net/small", "--layers", "conv1", "conv2", "--data", base / "set", "--out", base / "run"]
    orphan = ["run", base / "net/small", "--layers", "conv1", "--data", base / "gone", "--out", base / "orphan"]
    folders.write(base / "gone", images=6)
    _import()
    for given in (words, orphan):
        pid = os.fork()
        if not pid:
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                _leave([*given, "--images-per-unit", "2", "--quiet"])
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("the run that attempts are made from did not succeed")
    shutil.rmtree(base / "gone")
    warm = [
        sys.executable,
        "-m",
        "netdissect",
        *map(str, words[:-1]),
        base / "warm",
        "--images-per-unit",
        "2",
        "--quiet",
    ]
    (base / "cache").mkdir()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(base / "cache")}
    subprocess.run(warm, check=True, stdout=subprocess.DEVNULL, env=environment)
    for path in (base / "cache", *(base / "cache").rglob("*")):
        path.chmod(0o777)  # whoever is tried may use it


#: Two convolutions, the second of which sees what the first gives.
NETWORK = """
name: "small" input: "data" input_shape { dim: 1 dim: 3 dim: 32 dim: 32 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 5 kernel_size: 5 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
        convolution_param { num_output: 4 kernel_size: 3 } }
"""


def _import() -> None:
    """Import what the commands import; no thread may be started, for children are forked."""
    import importlib
    import pkgutil

    import netdissect

    for module in pkgutil.walk_packages(netdissect.__path__, "netdissect."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(Exception):  # a library that is not here
                importlib.import_module(module.name)
    machine.shim_torchvision()


def _start(one: Attempt, place: Place, seconds: float) -> Running:
    tried = one.make(place)
    before = place.digest()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            _become(place, tried)
        except BaseException:  # noqa: BLE001 - it must not come back as a second judge
            traceback.print_exc()
        os._exit(99)
    return Running(one, place, before, pid, time.monotonic() + seconds)


def _become(place: Place, tried: Tried) -> None:
    """Go on as the attempt: never returns."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for stream, name in ((1, "printed"), (2, "said")):
        descriptor = os.open(place.folder.parent / f"{place.folder.name}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(place.folder / "here")
    os.environ.update(TMPDIR=str(place.folder / "tmp"), HOME=str(place.folder / "home"), COLUMNS="80")
    tempfile.tempdir = None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (WORK, WORK + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    if isinstance(tried, Cold):
        resource.setrlimit(resource.RLIMIT_DATA, (GROWTH + (1 << 30), resource.RLIM_INFINITY))
        for name, value in tried.env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        os.chdir(tried.folder or place.folder / "here")
        words = command(tried)
        os.execvp(words[0], words)  # noqa: S606 - no shell is meant
    data = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if "VmData" in line)
    held = int(data.split()[1]) << 10
    resource.setrlimit(resource.RLIMIT_DATA, (held + GROWTH, resource.RLIM_INFINITY))
    if callable(tried):
        _leave_called(tried)
    else:
        _leave(tried)


def _leave(words: Sequence[object]) -> None:
    """Do what the shell's command does, and leave as it does."""
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


def _leave_called(call: object) -> None:
    """Call something in Python; errors of the project's own kind leave as the command line's do."""
    from netdissect.errors import NetdissectError

    code = 0
    try:
        wrong = call()  # type: ignore[operator]
        if wrong is not None:
            print(f"WRONG: {wrong}", flush=True)
    except (NetdissectError, OSError) as error:
        named = isinstance(error, NetdissectError) or error.filename is not None
        print(f"{'netdissect' if named else 'an error without a name'}: {error}", file=sys.stderr)
        code = 2
    except BaseException:  # noqa: BLE001 - printed as the interpreter would
        traceback.print_exc()
        code = 1
    _flush_and_exit(code)


def _flush_and_exit(code: int) -> None:
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - a forked child leaves without them
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _ended(run: Running) -> int | str | None:
    """Return the exit code, or what ended it; None while it is under way."""
    pid, status = os.waitpid(run.pid, os.WNOHANG)
    if not pid:
        if time.monotonic() < run.until:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        os.waitpid(run.pid, 0)
        return "it did not come to an end"
    with contextlib.suppress(ProcessLookupError):  # whatever it started and left
        os.killpg(run.pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else f"it was ended by {signal.Signals(-code).name}"


def judge(run: Running, ended: int | str) -> str | None:
    """Return why an attempt did not survive; None if it did."""
    place, expected = run.place, run.attempt.expected
    printed, said = (
        (place.folder.parent / f"{place.folder.name}.{name}").read_text(encoding="utf-8", errors="replace")
        for name in ("printed", "said")
    )
    if isinstance(ended, str):
        return f"{ended}: {_last(said)}"
    if "Traceback (most recent call last)" in said + printed:
        return f"a traceback, {_last(said)}"
    after = place.digest()
    changed = sorted(name for name in run.before.keys() | after.keys() if run.before.get(name) != after.get(name))
    if changed:
        return f"changed around it: {', '.join(changed[:4])} (code {ended}, {_last(said)})"
    if ended == 0 and expected.check is not None:
        if "WRONG: " in printed:
            return printed[printed.index("WRONG: ") :].strip()
        try:
            return expected.check(place, printed + said)
        except Exception as error:  # noqa: BLE001 - a result that cannot be looked at is none
            return f"its result cannot be looked at: {type(error).__name__}: {error}"
    if ended != 2 or expected.sentence is None:
        return f"left with {ended}: {_last(said) or _last(printed)}"
    sentences = [line for line in said.splitlines() if line.startswith("netdissect: ")]
    if not sentences or said.strip().splitlines()[-1] != sentences[-1]:
        return f"no single sentence: {_last(said)}"
    if not re.search(expected.sentence, sentences[-1]):
        return f"another sentence than /{expected.sentence}/: {sentences[-1]}"
    return None


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else ""


def _remove(folder: Path) -> None:
    for top, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(OSError):
                Path(top, name).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("printed", "said"):
        folder.with_name(f"{folder.name}.{name}").unlink(missing_ok=True)
