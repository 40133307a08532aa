"""The time of a series of checkpoints ÷ that of separate runs: AlexNet conv5, random weights, images and labels decoded once.

Separate runs are ``nd.dissect`` in one process, and, with ``--shell``, a process of ``netdissect run`` each against one of
``netdissect series``, which also saves the imports.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import netdissect as nd
from benchmarks import machine, probe_sets

if TYPE_CHECKING:
    from collections.abc import Callable

LAYER = "features.11"
MODEL = "python:benchmarks.series:build_alexnet"
machine.shim_torchvision()  # here, because commands import this module for its network


def build_alexnet() -> torch.nn.Module:
    """Return torchvision's AlexNet with random weights."""
    import torchvision.models as zoo

    return zoo.alexnet(weights=None).eval()


def main(words: list[str]) -> None:
    """Print and record the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks series --")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--checkpoints", type=int, default=5)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--memory", type=int, help="bytes of decoded images in memory; the rest goes to a file")
    parser.add_argument("--shell", action="store_true", help="measure commands too")
    options = parser.parse_args(words)
    machine.print_title(f"Series: {options.checkpoints} checkpoints of AlexNet conv5, {options.images} images")
    with tempfile.TemporaryDirectory(prefix="netdissect-") as folder:
        paths = write_checkpoints(Path(folder), options.checkpoints)
        more = {} if options.memory is None else {"memory": options.memory}
        measure_calls(paths, options.images, options.times, more)
        if options.shell:
            measure_commands(paths, options.images, options.times)


def write_checkpoints(folder: Path, count: int) -> list[Path]:
    """Write state dicts of AlexNet with random weights."""
    paths = []
    for number in range(count):
        torch.manual_seed(number)
        paths.append(folder / f"epoch_{number}.pt")
        torch.save(build_alexnet().state_dict(), paths[-1])
    return paths


def measure_calls(paths: list[Path], images: int, times: int, more: dict[str, int]) -> None:
    """Measure ``nd.dissect`` for every checkpoint against ``nd.dissect_series``, in wall time and processor time."""
    concepts = probe_sets.make_noise(images)

    def separate() -> None:
        for path in paths:
            nd.dissect(nd.load_network(MODEL, weights=path), LAYER, concepts, pictures=False, **more)  # type: ignore[arg-type]

    def series() -> None:
        nd.dissect_series(MODEL, paths, LAYER, concepts, pictures=False, **more)  # type: ignore[arg-type]

    def load() -> None:
        for path in paths:
            nd.load_network(MODEL, weights=path).fingerprint()

    def decode() -> None:
        for index in range(len(concepts)):
            concepts.read_image(index, concepts.image_size)
            concepts.read_labels(index)

    seconds, processor = measure_both(
        {"separate": separate, "series": series, "loading and hashing": load, "decoding once": decode}, times
    )
    machine.print_table(["", "seconds", "processor, s"], [[name, seconds[name], processor[name]] for name in seconds])
    ratio = seconds["series"] / seconds["separate"]
    machine.record_figure(
        f"series ÷ separate runs in one process, {len(paths)} checkpoints of AlexNet conv5, {images:,} images",
        f"{ratio:.2f} (processor time {processor['series'] / processor['separate']:.2f})", "≤ 0.8",
    )  # fmt: skip
    print(f"series ÷ separate runs: {ratio:.2f}\n", flush=True)


def measure_commands(paths: list[Path], images: int, times: int) -> None:
    """Measure a process of ``netdissect run`` for every checkpoint against one of ``netdissect series``."""
    data = probe_sets.make_noise(images).path
    common = ["--layers", LAYER, "--data", data, "--no-pictures", "--quiet", "--fresh"]

    def call(*words: object) -> None:
        program = [sys.executable, "-m", "netdissect", *map(str, words), *common]
        subprocess.run(
            program, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        )

    with tempfile.TemporaryDirectory(prefix="netdissect-") as out:

        def separate() -> None:
            for path in paths:
                call("run", MODEL, "--weights", path, "--out", Path(out) / "runs" / path.stem)

        def series() -> None:
            call("series", MODEL, "--weights", *paths, "--out", Path(out) / "series")

        seconds = machine.time_interleaved({"separate": separate, "series": series}, times)
    ratio = seconds["series"] / seconds["separate"]
    machine.print_table(["commands", "seconds"], list(seconds.items()))
    machine.record_figure(
        f"netdissect series ÷ netdissect run for each, {len(paths)} checkpoints of AlexNet conv5, {images:,} images",
        f"{ratio:.2f}", "≤ 0.8",
    )  # fmt: skip
    print(f"netdissect series ÷ netdissect run: {ratio:.2f}\n", flush=True)


def measure_both(runs: dict[str, Callable[[], None]], times: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return the least wall time and processor time of each of several functions, in seconds, called in turn."""
    wall: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times + 1):
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            if turn:  # the first turn warms up
                wall[name].append(time.perf_counter() - start)
                processor[name].append(time.process_time() - used)
    least = {name: min(values) for name, values in wall.items()}
    return least, {name: min(values) for name, values in processor.items()}
