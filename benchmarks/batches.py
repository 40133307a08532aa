"""The time of a network for several batch sizes, channels last: why a batch is chosen by memory (decision 97)."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch

import netdissect as nd
from benchmarks import machine, overhead

SIZES = (2, 4, 8, 16, 32)
IMAGES = max(SIZES)


def main(words: list[str]) -> None:
    """Print a row per network: milliseconds per image."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks batches --")
    parser.add_argument("--times", type=int, default=4)
    parser.add_argument(
        "--plain-allocator", action="store_true", help="leave freed memory to glibc, as nd.dissect does"
    )
    overhead.add_options(parser)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    if not options.plain_allocator:
        nd.keep_freed_memory()
    machine.print_title("Batches: the whole network, milliseconds per image")
    rows = []
    for architecture in dict.fromkeys(
        case.architecture for case in overhead.select_cases(options).values() if case.workers == 1
    ):
        network = overhead.make_network(architecture)
        module = network.module.to(memory_format=torch.channels_last)
        height, width = network.input_size or (224, 224)
        images = torch.randint(0, 256, (IMAGES, height, width, 3), dtype=torch.uint8)
        runs = {str(size): partial(run_forward, network, module, images, size) for size in SIZES}
        seconds = machine.time_interleaved(runs, options.times)  # type: ignore[arg-type]
        rows.append([Path(architecture).name, *(1000 * value / IMAGES for value in seconds.values())])
    machine.print_table(["network", *map(str, SIZES)], rows)


def run_forward(network: Any, module: Any, images: torch.Tensor, size: int) -> None:
    """Run a network over images in batches of a size."""
    with torch.inference_mode():
        for part in images.split(size):
            module(network.preprocess(part))
