"""A GPU against the CPU: the same results within tolerances, images a second, how busy it is, and the first bottleneck.

No GPU was available when this was written: it has only run with ``--device cpu``, which tests that it works and measures
nothing. With a GPU it takes about ten minutes:

1. *Scan*: the candidates of one batch are those that the compiled kernels find for the same activations, exactly.
2. *Results*: the bundled network and ResNet-18 are dissected on both; TOLERANCES says what may differ. TF32 is off here.
3. *Speed*: dissected images a second ÷ the network's own up to the layer, over data that is already on the GPU.
4. *Stages*: every stage measured alone; the slowest is the first bottleneck. The share of time in which the GPU is busy.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import gpu_stages, machine, probe_sets
from benchmarks.baseline import Combination, TorchPass
from benchmarks.overhead import make_network
from netdissect.demo.network import LAYERS, load_trained_network
from netdissect.demo.world import write_probe_set
from netdissect.engine import scan
from netdissect.engine.batch_scan import scan_batch_with_kernels, scan_batch_with_torch
from netdissect.engine.calibrate import Bounds
from netdissect.engine.row_threads import RowThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: What may differ between a GPU and the CPU with float32 arithmetic, over all units of a layer.
TOLERANCES = {
    "thresholds: largest difference ÷ the unit's largest activation": 1e-4,
    "counts: sum of differences of I ÷ sum of I": 1e-3,
    "labels: share of units with another": 5e-3,
    "top images: share of another set among each unit's": 1e-2,
}
#: Name, network, layers and probe set of the networks that are dissected on both.
NETWORKS: tuple[tuple[str, Callable[[], Any], list[str], str], ...] = (
    ("bundled network", load_trained_network, list(LAYERS), "demo"),
    ("ResNet-18", partial(make_network, "resnet18"), ["layer3", "layer4"], "noise"),
)
#: Architecture, layer and precision of the networks whose speed is measured.
SPEED = (
    ("resnet18", "layer4", "fp32"),
    ("resnet18", "layer4", "bf16"),
    ("resnet50", "layer4", "fp32"),
    ("timm:vit_small_patch16_224", "blocks.11", "fp32"),
)
#: Images over which the share of time that the GPU is busy is measured.
PROFILED = 2048


def main(words: list[str]) -> None:
    """Print what differs, and a row per network and precision; without a GPU print that nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu --")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu to test this script")
    parser.add_argument("--images", type=int, default=20_000, help="images for the speed")
    parser.add_argument("--compared", type=int, default=1000, help="images for the results, also on the CPU")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--only", default="", help="only speed of networks with this in their name")
    options = parser.parse_args(words)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("\n## GPU\n\ntorch sees no CUDA device here: nothing was measured\n")
        return
    machine.shim_torchvision()
    machine.print_title(f"GPU: {options.device}, {options.images} images, batches of {options.batch}")
    if device.type == "cpu":
        print("A dry run on a CPU: it tests this script, and its times mean nothing.\n")
    failures = compare_scans(device) + compare_results(device, options)
    print("\n".join(failures) or "everything agrees within the tolerances", end="\n\n", flush=True)
    measure_speed(device, options)
    if failures:
        raise SystemExit(f"{len(failures)} comparison(s) with the CPU failed")


def compare_scans(device: torch.device) -> list[str]:
    """Compare the scan of one batch with that of the kernels; return what differs."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=(16, 13, 17, 96)), 0).astype(np.float32)
    bounds = Bounds(rng.uniform(0, 2, size=96).astype(np.float32), np.arange(0, 96, 3))
    there = scan_batch_with_torch(torch.from_numpy(values).to(device), bounds)
    with RowThreads(2) as threads:
        here = scan_batch_with_kernels(torch.from_numpy(values), bounds, threads)
    failures = [
        f"scan: {name} differs" for name in ("maxima", "non_finite", "equal")
        if not np.array_equal(getattr(there, name), getattr(here, name))
    ]  # fmt: skip
    failures += [
        f"scan: {name} of the candidates differs"
        for name in ("pair_unit", "pair_image", "pair_start", "cells", "values")
        if not np.array_equal(getattr(there.candidates, name), getattr(here.candidates, name))
    ]
    return failures


def compare_results(device: torch.device, options: argparse.Namespace) -> list[str]:
    """Dissect two networks on both devices; print what differs, and return what differs more than it may."""
    rows, failures = [], []
    with tempfile.TemporaryDirectory() as folder, full_precision():
        write_probe_set(Path(folder) / "demo", images=min(options.compared, 400), size=112)
        sets = {"demo": nd.Broden(Path(folder) / "demo"), "noise": probe_sets.make_noise(options.compared)}
        for name, make, layers, which in NETWORKS:
            network, data = make(), sets[which]
            settings = {"pictures": False, "batch_size": min(options.batch, options.compared)}
            here = nd.dissect(network, layers, data, device="cpu", **settings)
            with torch_on_a_cpu(device):
                there = nd.dissect(network, layers, data, device=str(device), **settings)
            for layer in layers:
                found = find_differences(here[layer], there[layer])
                rows.append([f"{name} {layer}", *(f"{value:.1e}" for value in found)])
                failures += [
                    f"{name} {layer}: {what} is {value:.2g}, and may be {allowed:g}"
                    for (what, allowed), value in zip(TOLERANCES.items(), found, strict=True) if value > allowed
                ]  # fmt: skip
    machine.print_table(["layer", *TOLERANCES], rows)
    return failures


def find_differences(here: Any, there: Any) -> list[float]:
    """Return how much two dissections of a layer differ, in the order of TOLERANCES."""
    largest = np.maximum(np.abs(here.activity.maximum), np.finfo(np.float32).tiny)
    labels = [{row.unit: row.label for row in result.units} for result in (here, there)]
    tops = [np.sort(result.exemplars.images, axis=1) for result in (here, there)]
    shared = sum(np.intersect1d(a, b).size for a, b in zip(*tops, strict=True))
    possible = sum(np.unique(a).size for a in tops[0])
    return [
        float((np.abs(here.thresholds - there.thresholds) / largest).max()),
        float(np.abs(here.counts.I - there.counts.I).sum() / max(1, here.counts.I.sum())),
        float(np.mean([labels[1][unit] != label for unit, label in labels[0].items()])),
        1 - shared / max(1, possible),
    ]


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute with all bits of float32; by default torch's convolutions on a GPU use TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextlib.contextmanager
def torch_on_a_cpu(device: torch.device) -> Iterator[None]:
    """In a dry run, scan with torch's operations instead of the kernels."""
    kernels = scan.scan_batch
    if device.type == "cpu":
        scan.scan_batch = lambda activations, bounds, _threads: scan_batch_with_torch(activations, bounds)  # type: ignore[assignment]
    try:
        yield
    finally:
        scan.scan_batch = kernels


def measure_speed(device: torch.device, options: argparse.Namespace) -> None:
    """Print images a second, how busy the GPU is, and the stages."""
    concepts = probe_sets.make_noise(options.images)
    rows, stage_rows = [], []
    for architecture, layer, precision in SPEED:
        name = f"{architecture} {layer}, {precision}"
        if options.only not in name:
            continue
        found, stages = measure_network(architecture, layer, precision, concepts, device, options)
        rows.append([name, *found])
        stage_rows.append([name, *stages.values(), gpu_stages.name_bottleneck(stages)])
        if device.type == "cuda":
            machine.record_figure(f"GPU: {name}, images/s ÷ the network alone", f"{found[2]:.2f}", "≥ 0.7")
        print(f"… {name}: first bottleneck: {stage_rows[-1][-1]}", flush=True)
    machine.print_table(
        ["network", "network alone, images/s", "dissection, images/s", "ratio", "GPU busy", "utilization (driver)"],
        rows,
    )
    if stage_rows:
        machine.print_table(["ms per image", *stages, "first bottleneck"], stage_rows)


def measure_network(
    architecture: str, layer: str, precision: str, concepts: Any, device: torch.device, options: argparse.Namespace
) -> tuple[Sequence[Any], dict[str, float]]:
    """Return the cells of a network's row, and the milliseconds per image of every stage."""
    network = make_network(architecture)
    module = copy.deepcopy(network.module).to(device)
    way = Combination("channels last", packed=False, batch=options.batch)
    alone = TorchPass(module, (layer,), way, network.preprocess, network.input_size)
    x = torch.rand(options.batch, 3, *network.input_size, device=device)

    def run_alone() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
            for _ in range(-(-options.images // options.batch)):
                alone.run_input(x)
        gpu_stages.wait_for(device)

    settings = {"pictures": False, "device": str(device), "batch_size": options.batch, "precision": precision}
    dissect = partial(nd.dissect, network, layer, concepts, **settings)
    with torch_on_a_cpu(device):
        with gpu_stages.sample_utilization(device) as samples:
            seconds = machine.time_interleaved({"alone": run_alone, "dissection": dissect}, options.times)
        few = gpu_stages.open_limited(concepts, PROFILED)
        busy = gpu_stages.measure_busy_share(partial(nd.dissect, network, layer, few, **settings), device)
        stages = gpu_stages.measure_stages(
            network, alone, layer, few, device, partial(nd.dissect, network, layer, few, **settings)
        )
    number = -(-options.images // options.batch) * options.batch
    speeds = number / seconds["alone"], options.images / seconds["dissection"]
    return [
        *speeds, speeds[1] / speeds[0],
        "not measured" if busy is None else f"{100 * busy:.0f} %",
        f"{np.median(samples):.0f} %" if samples else "not measured",
    ], stages  # fmt: skip
