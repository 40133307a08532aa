"""Two worker processes against one, each with a network on one thread."""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.models.load import wrap


def main(words: list[str]) -> None:
    """Print the speed-up; the start of the workers is measured apart, on a handful of images."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks workers --")
    parser.add_argument("--images", type=int, default=2000)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    import torchvision.models as zoo

    machine.title("Workers: ResNet-18 layer4, one thread each")
    torch.manual_seed(0)
    network = wrap(zoo.resnet18(weights=None).eval())
    rows = []
    for workers in (1, 2):
        start_up = run(network, 64, workers)
        whole = run(network, options.images, workers)
        rows.append([workers, whole, start_up, whole - start_up])
    machine.table(["workers", "seconds", "of them for 64 images", "the rest"], rows)
    print(f"two workers do {rows[0][3] / rows[1][3]:.2f} times as much as one\n")


def run(network: Any, images: int, workers: int) -> float:
    """Return the seconds of a run, one thread each."""
    start = time.perf_counter()
    nd.dissect(
        network, "layer4", probe_sets.noise(images), pictures=False, workers=workers, threads=1, shard_size=64
    )  # fmt: skip
    return time.perf_counter() - start
