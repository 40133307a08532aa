"""A long run: memory stays constant, and every file handle and process is released."""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import netdissect as nd
from benchmarks import machine, probe_sets
from benchmarks.scaling import RandomMaps
from netdissect.networks.load import wrap_module

MB = 1e6


@dataclass(frozen=True)
class Usage:
    """What this process and its descendants use at a moment.

    Attributes:
        when: stage and images done.
        own: resident memory of this process, in bytes.
        workers: private memory of all its descendants, in bytes.
        files: open files of this process.
        worker_files: open files of all its descendants.
        processes: number of its descendants.
    """

    when: str
    own: int
    workers: int
    files: int
    worker_files: int
    processes: int


def main(words: list[str]) -> None:
    """Print the usage at every tenth of a long run, before it and after it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak --")
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(words)
    machine.print_title(f"Soak: {options.images:,} images, {options.workers} workers of one thread")
    probe_set = probe_sets.make_noise(options.images, concepts=300, size=112, distinct=500)
    network = wrap_module(RandomMaps(128, 13, 1).eval())
    short = {"layers": "mix.0", "pictures": False, "workers": options.workers, "threads": 1}
    nd.dissect(network, data=probe_sets.make_noise(600, concepts=300, size=112), **short)  # load and compile once
    before = measure_usage("before")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        watch = UsageProgress(options.images)
        nd.dissect(network, data=probe_set, out=Path(folder) / "r", progress=watch, **short)
        left = sorted(path.name for path in (Path(folder) / "r").iterdir())
    seconds = time.monotonic() - began
    gc.collect()
    after = measure_usage("after")
    machine.print_table(
        ["images", "this process, MB", "workers, MB", "open files", "workers' open files", "worker processes"],
        [
            [one.when, one.own / MB, one.workers / MB, one.files, one.worker_files, one.processes]
            for one in (before, *watch.usages, after)
        ],
    )
    print(f"{options.images / seconds:.0f} images per second; left in the run's folder: {', '.join(left)}")
    for what, scan in (("this process", "own"), ("its workers", "workers")):
        held = [getattr(one, scan) for one in watch.usages if one.when.startswith("scan")][1:]
        print(f"memory of {what} over the scan: largest ÷ smallest = {max(held) / max(min(held), 1):.2f}")
    if (before.files, before.processes) != (after.files, after.processes):
        raise SystemExit(f"not everything was released: {before} became {after}")


class UsageProgress:
    """A Progress that measures the usage at every tenth of a stage."""

    def __init__(self, images: int) -> None:
        self.usages: list[Usage] = []
        self._step = images / 10
        self._task = ""
        self._done = 0

    def start(self, task: str, total: int) -> None:  # noqa: ARG002
        """Begin a stage."""
        self._task, self._done = task, 0

    def advance(self, steps: int) -> None:
        """Measure the usage if another tenth is done."""
        tenth = self._done // self._step
        self._done += steps
        if self._done // self._step > tenth:
            self.usages.append(measure_usage(f"{self._task} {self._done:,}"))


def measure_usage(when: str) -> Usage:
    """Return what is used now."""
    descendants = machine.find_descendants(os.getpid())
    return Usage(
        when,
        _read_resident_memory(os.getpid()),
        sum(_read_private_memory(pid) for pid in descendants),
        _count_open_files(os.getpid()),
        sum(_count_open_files(pid) for pid in descendants),
        len(descendants),
    )


def _read_resident_memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _read_private_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def _count_open_files(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0
