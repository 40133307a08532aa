"""The stages that an image passes on a GPU, each measured alone, and how busy the GPU is during a dissection."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import netdissect as nd
from benchmarks import profile
from netdissect.engine.batch_scan import scan_batch_with_torch
from netdissect.engine.calibrate import Bounds
from netdissect.engine.cuda_overlap import copy_to_host
from netdissect.networks.image_upload import ImageUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.baseline import TorchPass

#: Phases of a profile that belong to the tally, which runs after the scan.
TALLY = ("labels", "tally")
#: Share of cells above a bound: what a calibration leaves, a little more than the quantile.
ABOVE = 0.0065


def measure_stages(
    network: Any, prepared: TorchPass, layer: str, concepts: Any, device: torch.device, dissect: Callable[[], object]
) -> dict[str, float]:
    """Return the milliseconds per image of every stage; all but the tally overlap in a dissection.

    Args:
        network: the network.
        prepared: the same network on the device.
        layer: name of the probed layer.
        concepts: the probe set.
        device: where the network runs.
        dissect: dissects the network over the whole probe set.
    """
    batch, size = prepared.batch, network.input_size
    count = min(len(concepts), 4 * batch)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        reading = _time(lambda: list(pool.map(lambda image: concepts.read_image(image, size), range(count))), device)
    images = np.stack([concepts.read_image(image, size) for image in range(min(batch, count))])
    upload = ImageUpload(device)
    there = upload(images)
    with network.probe([layer], size, geometry="receptive-field", device=device) as source:
        output = source.activations(images)[layer].contiguous()
    bounds = _make_bounds(output)
    scan = scan_batch_with_torch(output, bounds)
    found = [
        torch.from_numpy(array).to(device)
        for array in (scan.maxima, scan.candidates.cells.astype(np.int32), scan.candidates.values)
    ]
    with profile.time_phases() as phases:
        dissect()
    each = 1000 / len(images)
    back = each * _time(lambda: copy_to_host(*found), device)
    return {
        "reading": 1000 * reading / count,
        "host-to-device copy": each * _time(lambda: upload(images), device),
        "network": each * _time(lambda: prepared.run_input(network.preprocess(there)), device),
        "scan": max(0.0, each * _time(lambda: scan_batch_with_torch(output, bounds), device) - back),
        "copy back": back,
        "tally": 1000 * sum(phases[name] for name in TALLY) / len(concepts),
    }


def name_bottleneck(stages: dict[str, float]) -> str:
    """Return the stage that takes longest."""
    return max(stages, key=stages.__getitem__)


def _make_bounds(output: torch.Tensor) -> Bounds:
    """Return bounds that leave as many cells as a calibration does."""
    rows = output.flatten(0, 2)
    rank = max(1, int(ABOVE * len(rows)))
    return Bounds(rows.topk(rank, dim=0).values[-1].cpu().numpy(), np.zeros(0, np.int64))


def wait_for(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _time(run: Callable[[], object], device: torch.device) -> float:
    """Return the shortest of three times, in seconds, after one more run."""
    run()
    taken = []
    for _ in range(3):
        wait_for(device)
        start = time.perf_counter()
        run()
        wait_for(device)
        taken.append(time.perf_counter() - start)
    return min(taken)


def measure_busy_share(dissect: Callable[[], object], device: torch.device) -> float | None:
    """Return the share of a dissection's time in which the GPU computes or copies; None on a CPU."""
    if device.type != "cuda":
        return None
    kinds = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as recorded:
        start = time.perf_counter()
        dissect()
        wait_for(device)
        seconds = time.perf_counter() - start
    cuda = torch.autograd.DeviceType.CUDA
    spans = [(e.time_range.start, e.time_range.end) for e in recorded.events() if e.device_type == cuda]
    return join_spans(spans) / 1e6 / seconds


def join_spans(spans: list[tuple[float, float]]) -> float:
    """Return the length that spans cover together.

    >>> join_spans([(5, 6), (0, 2), (1, 3), (1, 1.5)])
    4
    """
    covered, end = 0.0, float("-inf")
    for first, last in sorted(spans):
        covered += max(0.0, last - max(first, end))
        end = max(end, last)
    return covered


@contextlib.contextmanager
def sample_utilization(device: torch.device) -> Iterator[list[int]]:
    """Yield a list that receives the driver's utilization in percent, five times a second; it stays empty without NVML."""
    found: list[int] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.2):
            try:
                found.append(torch.cuda.utilization(device))
            except Exception:  # noqa: BLE001 - NVML is missing, or denies it
                return

    thread = threading.Thread(target=sample, daemon=True)
    if device.type == "cuda":
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        if device.type == "cuda":
            thread.join()


def open_limited(concepts: Any, images: int) -> Any:
    """Return the first images of a probe set."""
    return nd.Broden(concepts.path, limit=min(images, len(concepts)))
