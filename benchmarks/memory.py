"""Peak memory beyond the loaded network, and bytes on disk, for a growing number of images."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, probe_sets

#: Budgets for candidates in bytes, and their names.
BUDGETS = {"0": "0", "40000000": "40MB", "default": "an eighth of the machine's memory (default)"}


def main(words: list[str]) -> None:
    """Print a row per number of images and budget; every run has its own process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks memory --")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 4000, 8000])
    options = parser.parse_args(words)
    if options.one:
        return _measure_once(int(options.one[0]), options.one[1], options.one[2])
    machine.print_title("Memory: AlexNet conv5, 1,200 concepts")
    rows = []
    for budget, name in BUDGETS.items():
        for images in options.images:
            probe_sets.make_noise(images)
            printed = subprocess.run(
                [sys.executable, "-m", "benchmarks", "memory", "--", "--one", str(images), budget, "features.11"],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            rows.append([images, name, *printed.split()])
        first, last = rows[-len(options.images)], rows[-1]
        machine.record_figure(
            f"peak above the network, {first[0]:,} → {last[0]:,} images, --memory {name}",
            f"{first[2]} → {last[2]} MB ({float(last[2]) / float(first[2]):.2f}); on disk {first[3]} → {last[3]} MB",
            "flat within 10 %, or a budget",
        )  # fmt: skip
    machine.record_figure("left on disk, 256 units x 1,200 concepts", f"{rows[-1][4]} MB", "< 5 MB")
    machine.print_table(
        ["images", "budget for candidates", "peak above the loaded network, MB", "spilled, MB", "on disk, MB"],
        rows,
    )
    return None


def _measure_once(images: int, budget: str, layer: str) -> None:
    import torch

    machine.shim_torchvision()
    import torchvision.models as zoo

    import netdissect as nd
    from netdissect.networks.load import wrap_module

    torch.manual_seed(0)
    network = wrap_module(zoo.alexnet(weights=None).eval())
    settings = {} if budget == "default" else {"memory": int(budget)}
    nd.dissect(
        network, layer, nd.Broden(probe_sets.make_noise(64, distinct=64).path), pictures=False
    )  # compile and load
    before = read_peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        result = nd.dissect(network, layer, probe_sets.make_noise(images), pictures=False, **settings)  # type: ignore[arg-type]
        result.save(folder)
        left = sum(path.stat().st_size for path in Path(folder).iterdir())
    print(f"{read_peak_memory() - before:.0f} {result.journal['spilled_bytes'] / 1e6:.0f} {left / 1e6:.1f}")


def read_peak_memory() -> float:
    """Return the peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
