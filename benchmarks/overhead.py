"""The overhead of a dissection: time of a whole dissection ÷ time of a forward pass over the same images.

The forward pass to compare with is the best one of torch (`baseline`): of both memory layouts, all batch sizes, and
weights packed for oneDNN or not, the quickest is found on 64 images. It ends after the last probed layer, and threads
decode images while it runs. Beside it stand the same pass over decoded images, the best pass of the full network, and
the plain one: eager, batches of 32, torch's default layout and channels last. The dissection decodes images and labels,
and does everything except drawing. Runs alternate in one process, which keeps freed memory as the command line does
(`--plain-allocator` leaves it to glibc, as a caller's process does); ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import baseline, machine, probe_sets
from benchmarks.baseline import BATCHES, LAYOUTS, Combination, TorchPass
from netdissect.networks.load import open_network, wrap_module
from netdissect.networks.torch_network import TorchNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

#: Batch size of the plain forward pass.
BATCH = 32
#: Images on which the best combination is searched.
SEARCHED = 64
#: Images over which the passes run that are only beside the two compared.
BESIDE = 512
#: Milliseconds per image beyond which rounds are two instead of three.
SLOW = 15.0


@dataclass(frozen=True, slots=True)
class Case:
    """A network and the layers to dissect.

    Attributes:
        architecture: a name of torchvision, ``timm:`` and one of timm, or the stem of a network's files.
        layers: names of the layers.
        target: most times the best pass up to the last layer, with decoding, that a dissection may take; 0 for none.
        workers: worker processes of the dissection.
        twin: architecture and layers of the same network for the best pass, if it is no torch network itself.
    """

    architecture: str
    layers: tuple[str, ...]
    target: float = 0
    workers: int = 1
    twin: tuple[str, tuple[str, ...]] | None = None


CASES: dict[str, Case] = {
    "AlexNet conv5": Case("alexnet", ("features.11",), 1.3),
    "AlexNet conv1..5": Case("alexnet", ("features.1", "features.4", "features.7", "features.9", "features.11"), 2.0),
    "ResNet-18 layer4": Case("resnet18", ("layer4",), 1.1),
    "ResNet-18 layer1..4": Case("resnet18", ("layer1", "layer2", "layer3", "layer4")),
    "ResNet-18 layer4, two workers": Case("workers", ("model.layer4",), workers=2),
    "ResNet-50 layer4": Case("resnet50", ("layer4",), 1.1),
    "SqueezeNet fire9": Case("squeezenet1_0", ("features.12",), 1.15),
    "ViT-S/16 last block": Case("timm:vit_small_patch16_224", ("blocks.11",), 1.15),
    "Swin-T last stage": Case("timm:swin_tiny_patch4_window7_224", ("layers.3",), 1.15),
}


def main(words: list[str]) -> None:
    """Print a row per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks overhead --", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="rounds; networks slower than 15 ms an image get one less")
    parser.add_argument("--estimate", action="store_true", help="print how long it would take, and end")
    parser.add_argument(
        "--plain-allocator", action="store_true", help="leave freed memory to glibc, as nd.dissect does"
    )
    add_options(parser)
    options = parser.parse_args(words)
    machine.shim_torchvision()
    if not options.plain_allocator:  # as the command line does; torch's own pass gains as well
        nd.keep_freed_memory()
    cases = select_cases(options)
    concepts = open_probe_set(options)
    machine.print_title(f"Overhead, {len(concepts)} images, {len(concepts.vocabulary)} concepts")
    minutes = {name: estimate_minutes(case, concepts, options.times) for name, case in cases.items()}
    for name, value in minutes.items():
        print(f"about {value:.0f} min: {name}")
    print(f"about {sum(minutes.values()):.0f} min together, on a machine as busy as now\n", flush=True)
    if options.estimate:
        return
    rows = [Measurement(case, concepts).measure(name, options.times) for name, case in cases.items()]
    header = [
        "network", "dissection, ms an image", "best pass to the layer, decoding", "÷", "the same, decoded", "÷",
        "best full pass, decoding", "best full, decoded", "plain", "plain, channels last", "decoding", "best combination",
    ]  # fmt: skip
    machine.print_table(header, rows)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options for the probe set and the networks."""
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--only", default="", help="only networks with this in their name, as in the table")
    parser.add_argument("--data", type=Path, help="a Broden folder instead of noise")
    parser.add_argument("--squeezenet", type=Path, help="stem of a SqueezeNet Caffe pair with real weights")


def open_probe_set(options: argparse.Namespace) -> nd.Broden:
    """Return the probe set that the options name."""
    return nd.Broden(options.data, limit=options.images) if options.data else probe_sets.make_noise(options.images)


def select_cases(options: argparse.Namespace) -> dict[str, Case]:
    """Return the networks and layers that the options select."""
    cases = dict(CASES)
    if options.squeezenet:
        stand_in = cases.pop("SqueezeNet fire9")
        real = replace(
            stand_in, architecture=str(options.squeezenet), layers=("fire9/concat",), twin=("squeezenet1_0", stand_in.layers)
        )  # fmt: skip
        cases["SqueezeNet fire9 (real weights, Caffe)"] = real
    return {name: case for name, case in cases.items() if options.only in name}


def estimate_minutes(case: Case, concepts: Any, times: int) -> float:
    """Return how many minutes a measurement takes, from a short forward pass."""
    network = make_network((case.twin or (case.architecture,))[0])
    images = np.stack([concepts.read_image(index, _find_size(network, concepts)) for index in range(8)])
    full = TorchPass(
        network.module, (), Combination("channels last", packed=False, batch=8), network.preprocess, images.shape[1:3]
    )
    baseline.run_decoded(full, images)
    start = time.perf_counter()
    baseline.run_decoded(full, images)
    each = (time.perf_counter() - start) / len(images)
    searches = each * (_count_images(len(LAYOUTS) * 2) + _count_images(1))
    rounds = _count_rounds(1000 * each, times)
    run = len(concepts) * (2 * each + 0.004) + min(BESIDE, len(concepts)) * 5 * each
    return (1.3 * searches + rounds * run) / 60


def _count_images(kinds: int) -> int:
    """Return how many images a search runs through, for some combinations of each batch size."""
    tried = sum(SEARCHED + batch for batch in BATCHES)
    return kinds * tried + 3 * baseline.FINALISTS * SEARCHED


def _count_rounds(each: float, times: int) -> int:
    return max(2, times - 1) if each > SLOW and times > 2 else times


class Measurement:
    """One network over one probe set."""

    def __init__(self, case: Case, concepts: Any) -> None:
        self.case, self.concepts = case, concepts
        self.network = make_network(case.architecture)
        self.size = _find_size(self.network, concepts)
        twin, layers = case.twin or (case.architecture, case.layers)
        self.bare_network, self.bare_layers = (make_network(twin), layers) if case.twin else (self.network, layers)
        self.beside = min(BESIDE, len(concepts))
        self.images = np.stack([self.read(index) for index in range(self.beside)])
        self.threads = torch.get_num_threads()

    def read(self, index: int) -> np.ndarray:
        """Decode an image."""
        image: np.ndarray = self.concepts.read_image(index, self.size)
        return image

    def measure(self, name: str, times: int) -> list[object]:
        """Return the row of the table, and record its figures."""
        runs, best = self._make_runs()
        nd.dissect(self.network, list(self.case.layers), nd.Broden(self.concepts.path, limit=64), **self._settings)
        taken: dict[str, list[float]] = {each: [] for each in runs}
        for _ in range(_count_rounds(1000 * self._time(runs["best, decoded"]) / self.beside, times)):
            for each, run in runs.items():
                taken[each].append(self._time(run))
        number = dict.fromkeys(runs, self.beside) | dict.fromkeys(("dissection", "best"), len(self.concepts))
        each = {run: 1000 * statistics.median(seconds) / number[run] for run, seconds in taken.items()}
        turns = [whole / bare for whole, bare in zip(taken["dissection"], taken["best"], strict=True)]
        ratio = statistics.median(turns)
        decoded = each["dissection"] / each["best, decoded"]
        self._record(name, ratio, decoded, each["dissection"] / each["plain"], each["dissection"] / each["plain last"])
        print(f"… {name}: {ratio:.2f} ({min(turns):.2f} to {max(turns):.2f}), {best}", flush=True)
        return [
            name, each["dissection"], each["best"], ratio, each["best, decoded"], decoded, each["full"],
            each["full, decoded"], each["plain"], each["plain last"], each["decoding"], str(best),
        ]  # fmt: skip

    @property
    def _settings(self) -> dict[str, Any]:
        shared = {} if self.case.workers == 1 else {"workers": self.case.workers}
        # Chance and uncertainty are counted against labels alone, whatever the network costs: benchmarks/trust.py measures them.
        return {"pictures": False, "resolution": self.size[0], "null": 0, "resamples": 0, **shared}

    def _time(self, run: Callable[[], object]) -> float:
        torch.set_num_threads(self.threads)
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def _make_runs(self) -> tuple[dict[str, Callable[[], object]], Combination]:
        """Return everything that is compared, and the best combination up to the last layer."""
        module, preprocess = self.bare_network.module, self.bare_network.preprocess
        searched = self.images[:SEARCHED]
        best = baseline.find_best(module, self.bare_layers, searched, preprocess)
        sizes = [replace(best, batch=batch) for batch in BATCHES]
        best_full = baseline.find_best(module, (), searched, preprocess, sizes)
        truncated = TorchPass(module, self.bare_layers, best, preprocess, self.size)
        full = TorchPass(module, (), best_full, preprocess, self.size)

        def run_plain(layout: str) -> None:
            baseline.run_decoded(plain[layout], self.images)

        plain = {
            layout: TorchPass(
                module, (), Combination(layout, packed=False, batch=BATCH), preprocess, self.size, fold=False
            )
            for layout in LAYOUTS
        }
        return {
            "dissection": partial(
                nd.dissect, self.network, list(self.case.layers), self.concepts, **self._settings
            ),
            "best": partial(baseline.run_decoding, truncated, self.read, len(self.concepts), self.threads),
            "best, decoded": partial(baseline.run_decoded, truncated, self.images),
            "full": partial(baseline.run_decoding, full, self.read, self.beside, self.threads),
            "full, decoded": partial(baseline.run_decoded, full, self.images),
            "plain": partial(run_plain, "default layout"),
            "plain last": partial(run_plain, "channels last"),
            "decoding": self._decode,
        }, best  # fmt: skip

    def _decode(self) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(self.read, range(self.beside)):
                pass

    def _record(self, name: str, ratio: float, decoded: float, plain: float, plain_last: float) -> None:
        images = f"{len(self.concepts):,} images"
        machine.record_figure(
            f"dissection ÷ torch's best pass to the layer with decoding, {name}, {images}",
            f"{ratio:.2f} (decoded before {decoded:.2f})",
            f"≤ {self.case.target:g}" if self.case.target else "stated",
        )
        target = "≤ 1.3" if len(self.case.layers) > 1 else "≤ 1.05"
        machine.record_figure(
            f"dissection ÷ bare forward, {name}, {images}", f"{plain:.2f} (channels last {plain_last:.2f})", target
        )


def _find_size(network: Any, concepts: Any) -> tuple[int, int]:
    size: tuple[int, int] = network.input_size or concepts.image_size
    return size


def make_network(architecture: str) -> Any:
    """Return a network of torchvision or timm with random weights, or open a network file."""
    if "/" in architecture:
        return open_network(architecture)
    torch.manual_seed(0)
    network = wrap_module(_make_module(architecture).eval())
    assert isinstance(network, TorchNetwork)
    return replace(network, input_size=(224, 224))


def _make_module(architecture: str) -> Any:
    kind, _, name = architecture.rpartition(":")
    if kind == "timm":
        import timm

        return timm.create_model(name)
    if architecture == "workers":  # worker processes import it from there
        from benchmarks.workers import ResNet18

        return ResNet18()
    import torchvision.models as zoo

    return zoo.get_model(architecture, weights=None)
