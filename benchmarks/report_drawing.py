"""Time of drawing the report, compared with the scan."""

from __future__ import annotations

import tempfile
import time

import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.networks.load import wrap_module


def main(words: list[str]) -> None:
    """Print one row: 256 units with 20 exemplars each."""
    del words
    machine.shim_torchvision()
    import torchvision.models as zoo

    machine.print_title("Report: AlexNet conv5, 256 units x 20 exemplars")
    probe_set = probe_sets.make_noise(2000)
    torch.manual_seed(0)
    network = wrap_module(zoo.alexnet(weights=None).eval())
    start = time.perf_counter()
    result = nd.dissect(network, "features.11", probe_set, pictures=False)
    scan = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        result.save(folder)
        start = time.perf_counter()
        result.write_report(folder)
        drawn = time.perf_counter() - start
    whole = scan * 60_000 / len(probe_set)
    machine.record_figure("images and report ÷ scan of 60,000 images", f"{100 * drawn / whole:.1f} %", "< 20 %")
    machine.print_table(
        ["report, s", "scan of 2,000 images, s", "scan of 60,000 images (extrapolated), s", "share"],
        [[drawn, scan, whole, f"{100 * drawn / whole:.1f} %"]],
    )
