"""Time, memory and spilled bytes by number of images, extrapolated to Broden's 63,305 images."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks import machine, probe_sets
from benchmarks.memory import read_peak_memory

BRODEN = 63_305
CONCEPTS = 1200


def main(words: list[str]) -> None:
    """Print a row per number of images; every run is a separate process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rehearsal --")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, nargs="+", default=[2500, 5000, 10_000])
    options = parser.parse_args(words)
    if options.one:
        return _measure_once(options.one)
    machine.print_title(f"Rehearsal: AlexNet conv5, {CONCEPTS:,} concepts, no memory for candidates")
    rows = []
    for images in options.images:
        probe_sets.make_noise(images, concepts=CONCEPTS)
        printed = subprocess.run(
            [sys.executable, "-m", "benchmarks", "rehearsal", "--", "--one", str(images)],
            check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        seconds, above, spilled = map(float, printed[-3:])
        rows.append([images, seconds, 1000 * seconds / images, above, spilled, 1000 * spilled / images])
    machine.print_table(
        ["images", "s", "ms per image", "peak above the network, MB", "spilled, MB", "spilled kB per image"], rows
    )
    first, last = rows[0], rows[-1]
    # Memory grows with the probe set's index.
    above = last[3] + (last[3] - first[3]) / (last[0] - first[0]) * (BRODEN - last[0])
    whole = f"{BRODEN * last[2] / 60_000:.0f} min, {BRODEN * last[5] / 1e6:.1f} GB on disk, {above:.0f} MB"
    print(f"extrapolated to {BRODEN:,} images: {whole} above the network\n")
    machine.record_figure(f"rehearsal of {last[0]:,} images, extrapolated to {BRODEN:,}", whole, "stated")
    machine.record_figure(
        f"ms per image, {first[0]:,} → {last[0]:,} images", f"{first[2]:.1f} → {last[2]:.1f}", "flat"
    )  # fmt: skip
    machine.record_figure(
        f"spill per image, {first[0]:,} → {last[0]:,} images", f"{first[5]:.1f} → {last[5]:.1f} kB", "flat"
    )  # fmt: skip
    return None


def _measure_once(images: int) -> None:
    import time

    import netdissect as nd
    from benchmarks.overhead import make_network

    machine.shim_torchvision()
    network = make_network("alexnet")
    nd.dissect(network, "features.11", nd.Broden(probe_sets.make_noise(64, distinct=64).path), pictures=False)
    before, start = read_peak_memory(), time.perf_counter()
    result = nd.dissect(
        network, "features.11", probe_sets.make_noise(images, concepts=CONCEPTS), pictures=False, memory=0
    )
    seconds = time.perf_counter() - start
    print(f"{seconds} {read_peak_memory() - before} {result.journal['spilled_bytes'] / 1e6}")
