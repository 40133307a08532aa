"""The cost of a run in disk, traffic, memory and time, compared with the model in docs/scale.md."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netdissect as nd
from benchmarks import machine, probe_sets
from benchmarks.scaling import RandomMaps
from netdissect.engine.dissect import CALIBRATION_BYTES, CALIBRATION_IMAGES
from netdissect.networks.load import wrap_module
from netdissect.run.batch_choice import DEFAULT_SIZES
from netdissect.runtime import array_store

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARD, EXEMPLARS, BATCH = 128, 20, DEFAULT_SIZES["cpu"]
#: How often the coordinator reads the arrays of a shard: twice for the thresholds, once for exemplars and maxima.
READS = 3
MB = 1e6
#: For the forecast: images per second of one GPU, and bytes per second of the shared storage.
GPU_RATE, STORAGE = 1000, 1e9


@dataclass(frozen=True)
class Case:
    """A layer and a number of images."""

    units: int
    grid: int
    images: int

    @property
    def cells(self) -> int:
        """Cells of all units per image."""
        return self.units * self.grid * self.grid

    @property
    def sample(self) -> int:
        """Number of images in the calibration sample."""
        return min(CALIBRATION_IMAGES, self.images, CALIBRATION_BYTES // (4 * self.cells))

    @property
    def exemplars(self) -> float:
        """Exemplars per unit that all shards store: the sample all of its own, others those that exceed the sample's."""
        shards = -(-(self.images - self.sample) // SHARD)
        return EXEMPLARS + shards * min(EXEMPLARS, SHARD * EXEMPLARS / self.sample)


@dataclass(frozen=True)
class Cost:
    """Measured bytes and seconds of a run.

    Attributes:
        disk: bytes of all stored arrays.
        share: share of the calibration sample's cells that were candidates.
        pairs: share of the sample's (image, unit) pairs that had a candidate.
        read: bytes that the coordinator read.
        peak: peak resident memory of the largest worker in bytes; 0 without workers.
        start: seconds before the first image.
        scan: seconds of the scan.
        between: seconds of the coordinator alone.
        tally: seconds of the tally.
    """

    disk: int
    share: float
    pairs: float
    read: int
    peak: int
    start: float
    scan: float
    between: float
    tally: float


def main(words: list[str]) -> None:
    """Print model and measurement, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale --")
    parser.add_argument("--images", type=int, default=1024)
    images = parser.parse_args(words).images
    machine.print_title(f"Scale: model and measurement, {images} images, two workers of one thread")
    cases = [Case(256, 13, images), Case(1024, 7, images), Case(64, 28, images)]
    base = measure_run(Case(1, 1, images // 4), workers=2).peak
    rows: list[list[object]] = []
    for case in cases:
        cost = measure_run(case, workers=2)
        modeled = model_disk(case, cost.share, cost.pairs)
        name = f"{case.units} units, {case.grid} x {case.grid}"
        rows.append([name, "stored arrays, MB", modeled / MB, cost.disk / MB, cost.disk / modeled])
        rows.append(
            [name, "read by the coordinator, MB", READS * modeled / MB, cost.read / MB, cost.read / (READS * modeled)]
        )
        modeled = base + model_memory(case, cost.share, cost.pairs)
        rows.append([name, "peak of a worker, MB", modeled / MB, cost.peak / MB, cost.peak / modeled])
        rows.append([name, "candidates, % of the cells", "", 100 * cost.share, ""])
    machine.print_table(["layer", "what", "model", "measured", "measured ÷ model"], rows)
    print_times(cases[0])


def model_disk(case: Case, share: float, pairs: float) -> float:
    """Return the bytes of all stored arrays of a layer."""
    candidates = case.images * case.cells * share * (4 + 2)  # a value and its position
    pair_bytes = case.images * case.units * pairs * (4 + 4 + 8)  # unit, image, first cell
    exemplars = case.units * case.exemplars * (4 * case.grid**2 + 12)
    return candidates + pair_bytes + exemplars


def model_memory(case: Case, share: float, pairs: float) -> float:
    """Return the bytes a worker needs for a layer: three calibration samples, or a shard and batches, and exemplars."""
    sample = 4 * case.cells * case.sample
    shard = 2 * SHARD * (case.cells * share * 6 + case.units * pairs * 16)
    exemplars = 4 * case.units * EXEMPLARS * 4 * case.grid**2
    batch = 3 * BATCH * 4 * case.cells
    return max(3 * sample, shard + batch) + exemplars


def print_times(case: Case) -> None:
    """Print the seconds of every stage with one worker and with two, and the model's prediction for two."""
    one, two = measure_run(case, workers=1), measure_run(case, workers=2)
    sample = case.sample
    scan = one.scan * (sample + (case.images - sample) / 2) / case.images
    machine.print_table(
        ["stage", "one worker, s", "two workers, model", "two workers, measured", "measured ÷ model"],
        [
            ["scan", one.scan, scan, two.scan, two.scan / scan],
            ["thresholds (the coordinator alone)", one.between, one.between, two.between, two.between / one.between],
            ["tally", one.tally, one.tally / 2, two.tally, 2 * two.tally / one.tally],
        ],
    )
    print_forecast(one.between / one.disk)


def print_forecast(per_byte: float) -> None:
    """Print the model's prediction for a large run: ResNet-152's last block over all of Broden."""
    case = Case(2048, 7, 63_305)
    size = model_disk(case, 0.063, 0.25)
    rows = []
    for gpus in (1, 8, 100):
        scan = (256 + (case.images - 256) / gpus) / GPU_RATE
        coordinator = READS * size / STORAGE + per_byte * size
        rows.append([gpus, scan, coordinator, size / MB, READS * size / MB])
    print(
        f"Forecast: ResNet-152 layer4 (2,048 units, 7 x 7) over 63,305 images, with {GPU_RATE:,} images per second and GPU\n"
        f"and {STORAGE / 1e9:g} GB/s of shared storage\n"
    )
    machine.print_table(["GPUs", "scan, s", "coordinator, s", "stored arrays, MB", "read by the coordinator, MB"], rows)


class StageClock:
    """A Progress that records when stages begin, and when the scan ends."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.last = time.perf_counter()

    def start(self, task: str, total: int) -> None:  # noqa: ARG002
        """Record the beginning of a stage."""
        self.begun[task] = time.perf_counter()

    def advance(self, steps: int) -> None:  # noqa: ARG002
        """Record the time, up to the end of the scan."""
        if "tally" not in self.begun:
            self.last = time.perf_counter()


def measure_run(case: Case, workers: int) -> Cost:
    """Dissect with some workers, and return the cost."""
    network = wrap_module(RandomMaps(case.units, case.grid, 1).eval())
    probe_set = probe_sets.make_noise(case.images)
    read = 0
    real = array_store._LocalStorage.read  # noqa: SLF001 - measured here

    def counted(self: Any, name: str) -> bytes | None:
        nonlocal read
        data = real(self, name)
        read += len(data or b"")
        return data

    with tempfile.TemporaryDirectory() as folder, watch_peak_memory() as peak:
        array_store._LocalStorage.read = counted  # type: ignore[method-assign]  # noqa: SLF001
        try:
            began, clock = time.perf_counter(), StageClock()
            nd.dissect(
                network, "mix.0", probe_set, out=folder, keep=True, pictures=False, workers=workers, threads=1,
                shard_size=SHARD, images_per_unit=EXEMPLARS, memory=0 if workers == 1 else None, progress=clock,
            )  # fmt: skip
            ended = time.perf_counter()
        finally:
            array_store._LocalStorage.read = real  # type: ignore[method-assign]  # noqa: SLF001
        work = next((Path(folder) / ".work").iterdir())
        size = sum(path.stat().st_size for path in work.glob("scan-*"))
        with array_store.Store(work) as store:
            first = store.get("scan-00000-mix.0")
        images = first["images"].size
    return Cost(
        size,
        first["candidates.values"].size / (images * case.cells),
        first["candidates.pair_unit"].size / (images * case.units),
        read,
        max(peak, default=0),
        clock.begun["scan"] - began,
        clock.last - clock.begun["scan"],
        clock.begun["tally"] - clock.last,
        ended - clock.begun["tally"],
    )


@contextlib.contextmanager
def watch_peak_memory() -> Iterator[list[int]]:
    """Yield a list that receives the peak resident memory of every process started in the block, at its end."""
    peaks: dict[int, int] = {}
    found: list[int] = []
    done = threading.Event()

    def watch() -> None:
        import os

        while not done.wait(0.1):
            for pid in machine.find_descendants(os.getpid()):
                with contextlib.suppress(OSError, StopIteration):
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                    peaks[pid] = 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
        found += peaks.values()
