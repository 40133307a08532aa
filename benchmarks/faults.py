"""Kill runs at random moments and resume them: their tables must equal those of an uninterrupted run."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine, probe_sets
from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import parse_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights

#: A layer with so many cells that the calibration sample is small and there are many shards.
NETWORK = """
name: "wide" input: "data" input_shape { dim: 1 dim: 3 dim: 64 dim: 64 }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 256 kernel_size: 3 pad: 1 } }
"""
#: What is killed: the command, the command with all its processes, or one of its workers.
VICTIMS = ("command", "everything", "worker")


@dataclass
class Tally:
    """Counts of kills, finished runs and differences.

    Attributes:
        kills: by victim and phase of the run.
        finished: runs that finished.
        different: descriptions of files that differ.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    finished: int = 0
    different: list[str] = field(default_factory=list)


def main(words: list[str]) -> None:
    """Print a table of the kills; exit with 1 if a byte differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks faults --")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    machine.print_title(f"Faults: kill -9 at {options.kills} random moments")
    tally = kill_runs(options.kills, options.images, options.workers, options.seed)
    phases = list(dict.fromkeys(phase for _, phase in sorted(tally.kills, key=lambda key: _ORDER.index(key[1]))))
    machine.print_table(
        ["killed", *phases],
        [[victim, *(tally.kills[victim, phase] for phase in phases)] for victim in VICTIMS],
    )
    print(f"{sum(tally.kills.values())} kills, {tally.finished} runs finished, {len(tally.different)} differences")
    if tally.different:
        raise SystemExit("\n".join(tally.different))


def kill_runs(kills: int, images: int, workers: list[int], seed: int = 0) -> Tally:
    """Kill and resume runs until `kills` is reached; compare the tables after every kill and at the end."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        folder = Path(place)
        net = parse_prototxt(NETWORK)
        write_caffe(folder / "wide", net, make_random_weights(net, seed=0))
        data = probe_sets.make_noise(images, concepts=60, size=64, distinct=60).path
        command = [sys.executable, "-m", "netdissect", "run", str(folder / "wide"), "--layers", "conv1"]
        command += ["--data", data, "--batch-size", "4", "--shard-size", "8", "--images-per-unit", "2", "--quiet"]
        start = time.monotonic()
        subprocess.run([*command, "--out", str(folder / "alone")], check=True, capture_output=True)
        length = time.monotonic() - start
        expected = _read_tables(folder / "alone")
        while sum(tally.kills.values()) < kills:
            out = folder / "out"
            words = [*command, "--out", str(out), "--workers", str(chance.choice(workers))]
            while not _run_and_kill(words, out, chance, length, tally, may_kill=sum(tally.kills.values()) < kills):
                _compare_tables(tally, expected, out, finished=False)
            _compare_tables(tally, expected, out, finished=True)
            tally.finished += 1
            shutil.rmtree(out)
    return tally


def _run_and_kill(
    command: list[str], out: Path, chance: random.Random, length: float, tally: Tally, *, may_kill: bool
) -> bool:
    """Run a command, perhaps kill it or a worker at a random moment; return whether it finished."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True) as run:
        moment = time.monotonic() + chance.uniform(0, length)
        victim = chance.choice(VICTIMS)
        while may_kill and run.poll() is None and time.monotonic() < moment:
            time.sleep(0.01)
        if may_kill and run.poll() is None:
            workers = _find_workers(run.pid) if victim == "worker" else []
            if workers or victim != "worker":
                phase = _find_phase(out)
                with contextlib.suppress(ProcessLookupError):
                    if victim == "everything":
                        os.killpg(run.pid, signal.SIGKILL)
                    else:
                        os.kill(chance.choice(workers) if workers else run.pid, signal.SIGKILL)
                    tally.kills[victim, phase] += 1
        stderr = run.communicate()[1].decode()
        if run.returncode not in (0, -signal.SIGKILL):
            tally.different.append(f"exit code {run.returncode}: {stderr}")
        return run.returncode == 0


_ORDER = ["starting", "first shard", "scanning", "writing tables", "drawing the report"]


def _find_phase(out: Path) -> str:
    if (out / "html").exists():
        return "drawing the report"
    if any(out.glob("*-result.csv")):
        return "writing tables"
    if not any(out.glob(".work/*/*.arrays")):
        return "starting"
    finished = [path for path in out.glob(".work/*/scan-*.arrays") if path.name.count("-") == 1]
    return "scanning" if finished else "first shard"


def _find_workers(pid: int) -> list[int]:
    """Return the worker processes of a command: the children that its fork server started."""
    parents = machine.find_parents()
    below = [child for child, parent in parents.items() if parent == pid]
    return [child for child, parent in parents.items() if parent in below]


def _compare_tables(tally: Tally, expected: dict[str, bytes], out: Path, *, finished: bool) -> None:
    """Record differences: a table is complete or absent, and a finished run has all of them and no other file."""
    found = _read_tables(out)
    for name, data in expected.items():
        if name in found and found[name] != data:
            tally.different.append(f"{name} differs {'at the end' if finished else 'after a kill'}")
        if name not in found and (finished or (out / "run.json").exists()):
            tally.different.append(f"{name} is missing from a finished run")
    if finished:
        tally.different += [
            f"{path.name} was left" for path in (*out.rglob("*.part"), *out.glob(".work"), *out.glob(".lock"))
        ]


def _read_tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted([*folder.glob("*.csv"), *folder.glob("*.parquet")])}
