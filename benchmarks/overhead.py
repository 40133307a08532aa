"""What a dissection costs beside the network: whole dissection ÷ bare forward pass of the same full network.

The bare forward pass is eager, float32, in torch's default layout, over the same pictures already decoded in memory;
the dissection decodes pictures and labels, and does everything but draw. Both in turn, medians.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.models.load import load, wrap
from netdissect.models.network import TorchNetwork

BATCH = 32
CASES: dict[str, tuple[str, list[str]]] = {
    "AlexNet conv5": ("alexnet", ["features.11"]),
    "AlexNet conv1..5": ("alexnet", ["features.1", "features.4", "features.7", "features.9", "features.11"]),
    "ResNet-18 layer4": ("resnet18", ["layer4"]),
    "ResNet-50 layer4": ("resnet50", ["layer4"]),
}


def main(words: list[str]) -> None:
    """Print a row per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks overhead --")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--data", type=Path, help="a Broden folder instead of noise")
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")
    options = parser.parse_args(words)
    machine.shim_torchvision()
    concepts = nd.Broden(options.data, limit=options.images) if options.data else probe_sets.noise(options.images)
    machine.title(f"Overhead, {len(concepts)} images, {len(concepts.vocabulary)} concepts, batches of {BATCH}")
    rows = []
    cases = {name: case for name, case in CASES.items() if options.only in name}
    if options.squeezenet:
        cases["SqueezeNet fire9 (real weights, Caffe)"] = (str(options.squeezenet), ["fire9/concat"])
    for name, (architecture, layers) in cases.items():
        rows.append([name, *measure(architecture, layers, concepts, options.times)])
        target = "≤ 1.3" if len(layers) > 1 else "≤ 1.05"
        machine.keep(f"dissection ÷ bare forward, {name}, {len(concepts):,} images", f"{rows[-1][3]:.2f}", target)
        print(f"… {name}: {rows[-1][3]:.2f}", flush=True)
    machine.table(
        ["network", "bare forward, s", "dissection, s", "ratio", "ratio to decode + forward", "decode, s"], rows
    )


def measure(architecture: str, layers: list[str], concepts: Any, times: int) -> list[float]:
    """Return seconds and ratios of one network."""
    network = network_of(architecture)
    size = network.input_size or concepts.image_size
    pictures = np.stack([concepts.picture(index, size) for index in range(len(concepts))])
    threads = torch.get_num_threads()

    def bare() -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                network.module(network.preprocess(torch.from_numpy(pictures[start : start + BATCH])))

    def decode() -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda index: concepts.picture(index, size), range(len(concepts))):
                pass

    def dissection() -> None:
        nd.dissect(network, layers, concepts, pictures=False, batch_size=BATCH, resolution=size[0])

    seconds = machine.interleaved({"bare": bare, "dissection": dissection, "decode": decode}, times)
    return [
        seconds["bare"], seconds["dissection"], seconds["dissection"] / seconds["bare"],
        seconds["dissection"] / (seconds["bare"] + seconds["decode"]), seconds["decode"],
    ]  # fmt: skip


def network_of(architecture: str) -> Any:
    """Return torchvision's network of a name with random weights, or a network from its file."""
    if "/" in architecture:
        return load(architecture)
    import torchvision.models as zoo

    torch.manual_seed(0)
    network = wrap(zoo.get_model(architecture, weights=None).eval())
    assert isinstance(network, TorchNetwork)
    network.input_size = (224, 224)
    return network
