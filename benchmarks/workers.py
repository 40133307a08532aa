"""The speed-up of two worker processes over one, each with one thread."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import torch
from torch import nn

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.engine.dissect import CALIBRATION_IMAGES
from netdissect.networks.load import wrap_module

SHARD = 64
machine.shim_torchvision()  # here, because worker processes import this module for its network


class ResNet18(nn.Module):
    """torchvision's ResNet-18 with random weights."""

    def __init__(self) -> None:
        super().__init__()
        import torchvision.models as zoo

        torch.manual_seed(0)
        self.model = zoo.resnet18(weights=None).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.model(x)


def main(words: list[str]) -> None:
    """Print the speed-up of whole runs, and of the part that workers share: all except start and calibration."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks workers --")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args(words)
    machine.print_title("Workers: ResNet-18 layer4, one thread each")
    network = wrap_module(ResNet18().eval())
    few = CALIBRATION_IMAGES + 2 * SHARD  # the calibration sample, and a shard for each of two workers
    runs = {
        (workers, images): partial(dissect_with_workers, network, images, workers)
        for images in (few, options.images)
        for workers in (1, 2)
    }
    seconds = machine.time_interleaved(runs, options.times)  # type: ignore[arg-type]
    rows = []
    for workers in (1, 2):
        first, whole = seconds[workers, few], seconds[workers, options.images]  # type: ignore[index]
        rows.append([workers, whole, first, whole - first])
    machine.print_table(["workers", f"{options.images} images, s", f"of them for the first {few}", "the rest"], rows)
    shared = rows[0][3] / rows[1][3]
    machine.record_figure(
        "two workers ÷ one, the shared part", f"{shared:.2f} (whole run {rows[0][1] / rows[1][1]:.2f})", "≥ 1.8"
    )
    print(f"whole runs: two workers are {rows[0][1] / rows[1][1]:.2f} times as fast as one")
    print(f"the shared part: {rows[0][3] / rows[1][3]:.2f} times\n")


def dissect_with_workers(network: Any, images: int, workers: int) -> None:
    """Dissect with some workers, one thread each."""
    nd.dissect(
        network, "model.layer4", probe_sets.make_noise(images), pictures=False, workers=workers, threads=1, shard_size=SHARD
    )  # fmt: skip
