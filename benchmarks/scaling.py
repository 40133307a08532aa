"""How time grows with images, units, concepts and layers: milliseconds per image without the network's own."""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch import nn

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.networks.load import wrap_module


def main(words: list[str]) -> None:
    """Print a table per axis."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling --")
    parser.add_argument("--images", type=int, default=2000)
    images = parser.parse_args(words).images
    machine.print_title("Scaling: milliseconds per image with a network of almost no cost")
    base = probe_sets.make_noise(images)
    few, many = images // 4, images * 4
    measure_along("images", {f"{n:,}": (256, 13, probe_sets.make_noise(n), 1) for n in (few, images, many)})
    measure_along("units of 13 x 13", {f"{u:,}": (u, 13, base, 1) for u in (64, 256, 1024, 2048)})
    measure_along("cells of 256 units", {f"{g} x {g}": (256, g, base, 1) for g in (7, 14, 28, 56)})
    measure_along(
        "concepts", {f"{c:,}": (256, 13, probe_sets.make_noise(images, concepts=c), 1) for c in (60, 300, 1200, 6000)}
    )
    measure_along("layers of 256 units", {f"{n}": (256, 13, base, n) for n in (1, 2, 5)})


def measure_along(what: str, cases: dict[str, tuple[int, int, Any, int]]) -> None:
    """Print a table along an axis, and record it."""
    found = {name: measure_cost(*case) for name, case in cases.items()}
    machine.print_table([what, "ms per image"], list(found.items()))
    machine.record_figure(
        f"ms per image without the network, by number of {what}",
        ", ".join(f"{name}: {ms:.2g}" for name, ms in found.items()), "stated",
    )  # fmt: skip


class RandomMaps(nn.Module):
    """Layers of smooth random activation maps of the image, at almost no cost."""

    def __init__(self, units: int, grid: int, layers: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.grid = grid
        self.mix = nn.ModuleList(nn.Conv2d(3, units, 1) for _ in range(layers))
        for part in self.mix:
            nn.init.normal_(part.weight, generator=generator)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's maps."""
        x = nn.functional.adaptive_avg_pool2d(x, self.grid)
        for part in self.mix:
            y = torch.relu(part(x))
        return y


def measure_cost(units: int, grid: int, probe_set: Any, layers: int) -> float:
    """Return milliseconds per image of a dissection."""
    network = wrap_module(RandomMaps(units, grid, layers).eval())
    names = [f"mix.{n}" for n in range(layers)]
    nd.dissect(network, names, nd.Broden(probe_set.path, limit=64), pictures=False)
    start = time.perf_counter()
    nd.dissect(network, names, probe_set, pictures=False)
    return 1000 * (time.perf_counter() - start) / len(probe_set)
