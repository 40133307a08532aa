"""The overhead of a dissection: time of a whole dissection ÷ time of a bare forward pass of the same full network.

The bare forward pass is eager, float32, with batches of 32, over the same images decoded in memory, in torch's default
layout and once more channels last. The dissection decodes images and labels, and does everything except drawing. Runs
alternate; times are medians.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.networks.load import open_network, wrap_module
from netdissect.networks.torch_network import TorchNetwork

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
    parser.add_argument("--times", type=int, default=3)
    add_options(parser)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    concepts = open_probe_set(options)
    machine.print_title(f"Overhead, {len(concepts)} images, {len(concepts.vocabulary)} concepts")
    rows = []
    for name, (architecture, layers) in select_cases(options).items():
        rows.append([name, *measure(architecture, layers, concepts, options.times)])
        target = "≤ 1.3" if len(layers) > 1 else "≤ 1.05"
        ratio, last, decoded = rows[-1][-3:]
        machine.record_figure(
            f"dissection ÷ bare forward, {name}, {len(concepts):,} images",
            f"{ratio:.2f} (channels last {last:.2f})", target,
        )  # fmt: skip
        print(f"… {name}: {ratio:.2f}, {last:.2f}, {decoded:.2f}", flush=True)
    machine.print_table(
        ["network", "dissection, s", "bare forward, s", "bare, channels last, s", "decoding, s", "÷ bare",
         "÷ bare, channels last", "÷ bare with decoding"], rows,
    )  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options for the probe set and the networks."""
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--data", type=Path, help="a Broden folder instead of noise")
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")


def open_probe_set(options: argparse.Namespace) -> nd.Broden:
    """Return the probe set that the options name."""
    return nd.Broden(options.data, limit=options.images) if options.data else probe_sets.make_noise(options.images)


def select_cases(options: argparse.Namespace) -> dict[str, tuple[str, list[str]]]:
    """Return the networks and layers that the options select."""
    found = {name: case for name, case in CASES.items() if options.only in name}
    if options.squeezenet:
        found["SqueezeNet fire9 (real weights, Caffe)"] = (str(options.squeezenet), ["fire9/concat"])
    return found


def measure(architecture: str, layers: list[str], concepts: Any, times: int) -> list[float]:
    """Return the seconds of every alternative and the ratios."""
    network = make_network(architecture)
    size = network.input_size or concepts.image_size
    images = np.stack([concepts.read_image(index, size) for index in range(len(concepts))])
    threads = torch.get_num_threads()

    def bare(module: Any, layout: torch.memory_format) -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                x = network.preprocess(torch.from_numpy(images[start : start + BATCH]))
                module(x.contiguous(memory_format=layout))

    def decode() -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda index: concepts.read_image(index, size), range(len(concepts))):
                pass

    def dissection() -> None:
        nd.dissect(network, layers, concepts, pictures=False, resolution=size[0])

    channels_last = copy.deepcopy(network.module).to(memory_format=torch.channels_last)
    seconds = machine.time_interleaved(
        {
            "dissection": dissection,
            "bare": partial(bare, network.module, torch.contiguous_format),
            "channels last": partial(bare, channels_last, torch.channels_last),
            "decode": decode,
        },
        times,
    )
    whole = seconds["dissection"]
    return [
        *seconds.values(), whole / seconds["bare"], whole / seconds["channels last"],
        whole / (seconds["bare"] + seconds["decode"]),
    ]  # fmt: skip


def make_network(architecture: str) -> Any:
    """Return a torchvision network with random weights, or open a network file."""
    if "/" in architecture:
        return open_network(architecture)
    import torchvision.models as zoo

    torch.manual_seed(0)
    network = wrap_module(zoo.get_model(architecture, weights=None).eval())
    assert isinstance(network, TorchNetwork)
    return replace(network, input_size=(224, 224))
