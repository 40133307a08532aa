"""Ablation of the bundled network: what it takes, what it finds, and whether p is right for random units.

    python -m benchmarks ablation
    python -m benchmarks ablation -- --sets 1000 --run dissection/demo

Random units stand in for labeled ones: as many units as a concept has, on images of a random class. p ≤ 0.05 must then occur in
about 5 of 100 cases. After conv5 the network is a maximum over cells and a linear layer, so its outputs without units follow from
the maxima; a few sets are compared with the network itself.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import machine, probe_sets
from netdissect.analyses.ablation_targets import group_units
from netdissect.analyses.image_classes import open_labeled_images
from netdissect.demo import network
from netdissect.results.ablation_findings import describe_ablation
from netdissect.stats.removals import compute_margins, draw_matched_sets, measure_loss

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LAYER, LEVELS = "conv5", (0.005, 0.01, 0.05, 0.1)


@dataclass
class Head:
    """Outputs of the bundled network without units of its last convolution.

    Attributes:
        maxima: the largest activation of every image and unit, shape (N, U).
        mean: mean activation of every unit, shape (U,).
        weight: of the linear layer, shape (U, Y).
        outputs: class outputs, shape (N, Y).
        labels: class of every image, shape (N,).
    """

    maxima: NDArray[np.float64]
    mean: NDArray[np.float64]
    weight: NDArray[np.float64]
    outputs: NDArray[np.float64]
    labels: NDArray[np.int64]

    def remove(self, of_class: int, sets: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the mean change of the margin of a class's images without each set, shape (K,)."""
        own = self.labels == of_class
        lost = np.einsum("ku,nu,uy->kny", sets.astype(np.float64), self.maxima[own], self.weight, optimize=True)
        label = np.full(own.sum(), of_class)
        change = compute_margins(self.outputs[own] - lost, label) - compute_margins(self.outputs[own], label)
        return change.mean(axis=1)


def main(words: list[str]) -> None:
    """Print what ablation takes and finds, and how often random units have a small p."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ablation --")
    parser.add_argument("--sets", type=int, default=2000, help="random sets of units")
    parser.add_argument("--run", help="a finished run of the demo; without it the demo's network is dissected")
    options = parser.parse_args(words)
    machine.print_title("Ablation: the bundled network, conv5")
    trained, data = network.load_trained_network(), probe_sets.make_demo()
    run = nd.load(options.run) if options.run else nd.dissect(trained, LAYER, data, pictures=False)
    started, processor = time.perf_counter(), time.process_time()
    result = run.ablate(trained, data, layers=LAYER)
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time() - processor:.0f} s of processor time")
    found = result[LAYER].ablation
    for line in describe_ablation(result[LAYER]):
        print(line)
    for name in ("margin", "matched", "accuracy", "matched_accuracy"):
        print(
            f"mean {name} of {len(found.concepts)} concepts: {np.mean([getattr(row, name) for row in found.concepts]):.3f}"
        )
    head = read_head(trained, data)
    check_head(head, trained, data)
    sizes = [len(units) for units in group_units(run[LAYER], run.settings.threshold)[0].values()]
    compare_recipes(head, sizes, options.sets)


def compare_recipes(head: Head, sizes: list[int], sets: int) -> None:
    """Print how often random units have a small p, by the recipe in use and with few neighbors drawn again and again."""
    print(f"\n{sets:,} random sets of units, as large as those of concepts ({min(sizes)} to {max(sizes)} units)\n")
    print(f"| recipe | units | {' | '.join(f'p ≤ {level:g}' for level in LEVELS)} |\n|---|---|{'---|' * len(LEVELS)}")
    recipes: dict[str, Callable[..., NDArray[np.bool_]]] = {
        "200 different sets, 100 neighbors": draw_matched_sets,
        "200 draws, 20 neighbors": draw_near,
    }
    for name, draw in recipes.items():
        random, found = np.random.default_rng(0), []
        for seed in range(sets):
            removed = random.choice(len(head.mean), random.choice(sizes), replace=False)
            of_class = int(random.choice(head.labels))
            own = np.isin(np.arange(len(head.mean)), removed)[np.newaxis]
            change = head.remove(of_class, np.concatenate([own, draw(head.mean, removed, 200, seed)]))
            found.append((len(removed), measure_loss(change[0], change[1:])))
        size, p = np.array(found).T
        for what, which in (("all", size > 0), ("1", size == 1), ("2 and more", size > 1)):
            print(f"| {name} | {what} | {' | '.join(f'{np.mean(p[which] <= level):.3f}' for level in LEVELS)} |")


def draw_near(mean: NDArray[np.float64], removed: NDArray[np.int64], sets: int, seed: int) -> NDArray[np.bool_]:
    """Swap every unit for one of its 20 nearest, as often as asked for, also where few sets are different."""
    random, found = np.random.default_rng(seed), np.zeros((sets, len(mean)), np.bool_)
    others = np.setdiff1d(np.arange(len(mean)), removed)
    near = [others[np.argsort(np.abs(mean[others] - mean[unit]), kind="stable")[:20]] for unit in removed]
    for row in found:
        row[[random.choice(choices) for choices in near]] = True
    return found


def read_head(trained: Any, data: Any) -> Head:
    """Run the network over the demo's images, and find its linear layer."""
    images = open_labeled_images(data, trained.classes)
    maxima, mean, outputs = [], [], []
    with trained.probe([LAYER, "fc6"], trained.input_size, geometry="grid", device=torch.device("cpu")) as source:
        for start in range(0, len(images), 64):
            places = range(start, min(start + 64, len(images)))
            found = source.activations(np.stack([source.model_input(images.source, at) for at in places]))
            maxima.append(found[LAYER].amax((1, 2)).double().numpy())
            mean.append(found[LAYER].mean((1, 2)).double().numpy())
            outputs.append(found["fc6"].flatten(1).double().numpy())
    x, y = np.concatenate(maxima), np.concatenate(outputs)
    weight, *_ = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)
    return Head(x, np.concatenate(mean).mean(axis=0), weight[:-1], y, images.labels)


def check_head(head: Head, trained: Any, data: Any) -> None:
    """Compare the changes of a few random sets with those of the network itself."""
    images, random = open_labeled_images(data, trained.classes), np.random.default_rng(1)
    sets = random.random((4, len(head.mean))) < 0.1
    own = np.flatnonzero(head.labels == 0)
    with trained.open_ablation(LAYER, trained.input_size, device=torch.device("cpu")) as source:
        inputs = np.stack([source.model_input(images.source, int(at)) for at in own])
        outputs = source.remove(inputs, sets, np.zeros(len(head.mean), np.float32))
    label = np.zeros(len(own), np.int64)
    change = (compute_margins(outputs, label) - compute_margins(head.outputs[own], label)).mean(axis=1)
    difference = float(np.abs(change - head.remove(0, sets)).max())
    print(f"largest difference from the network itself: {difference:.1e}")
    assert difference < 1e-3
