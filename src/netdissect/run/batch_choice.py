"""Choose the batch size: by the memory that activations take on a CPU, by speed and memory on a GPU.

On a CPU the choice depends on the network, and on whether the process keeps freed memory: glibc gives a block of 32 MB back
to the system when it is freed, and the rest when more than 64 MB are free, which costs more than larger batches gain. On a
GPU larger batches are tried until they no longer pay or do not fit.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch

from netdissect.errors import NetdissectError
from netdissect.runtime.allocator import KEPT_BLOCK, keeps_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.networks.memory_use import MemoryUse
    from netdissect.protocols import ActivationSource, ConceptSource

_LOG = logging.getLogger("netdissect")
#: Images per forward pass where nothing is known about the network or the device.
DEFAULT_SIZES = {"cpu": 8, "cuda": 32}
#: Batch sizes that are tried on a GPU.
GPU_SIZES = (32, 64, 128, 256, 512)
#: A larger batch must be faster by this factor.
MIN_GAIN = 1.05
#: Share of a GPU's free memory that a batch may take; the scan needs some too.
MAX_SHARE = 0.4


class _Limits(NamedTuple):
    """What a CPU's batch may take, in images and bytes."""

    images: int
    largest: int
    live: int


#: Beyond 32 MiB, and 64 MiB in all, glibc gives memory back to the system.
_PLAIN = _Limits(8, 2**25, 2**26)
_KEEPING = _Limits(16, KEPT_BLOCK, 4 * KEPT_BLOCK)


def choose_batch_size(source: ActivationSource, concepts: ConceptSource, device: torch.device) -> int:
    """Return the number of images per forward pass for a network on a device.

    Args:
        source: the probed network, not entered.
        concepts: the probe set.
        device: where the network runs.
    """
    if device.type == "cpu":
        return choose_for_cpu(getattr(source, "memory", None), keeps_memory=keeps_freed_memory())
    if device.type != "cuda" or not torch.cuda.is_available():
        return DEFAULT_SIZES["cuda"]
    try:
        image = source.model_input(concepts, 0)
    except NetdissectError:  # the run itself reports or skips it
        return DEFAULT_SIZES["cuda"]
    with source:
        return grow_batch(GpuMeter(source, image, device), len(concepts))


def choose_for_cpu(memory: MemoryUse | None, *, keeps_memory: bool) -> int:
    """Return the largest power of 2 whose activations stay in the process.

    Args:
        memory: what the network takes for an image; None if unknown.
        keeps_memory: whether the process keeps freed memory (`netdissect.keep_freed_memory`).
    """
    if memory is None:
        return DEFAULT_SIZES["cpu"]
    limits = _KEEPING if keeps_memory else _PLAIN
    images = limits.images
    while images > 1 and (images * memory.largest > limits.largest or images * memory.live > limits.live):
        images //= 2
    return images


class BatchMeter(Protocol):
    """Measures batches on a device."""

    def measure(self, images: int) -> tuple[float, int] | None:
        """Return the seconds and the bytes that a batch takes; None if it does not fit into memory."""
        ...

    def count_free(self) -> int:
        """Return the bytes of memory that are free."""
        ...


def grow_batch(meter: BatchMeter, most: int) -> int:
    """Return the smallest of `GPU_SIZES` from which on larger batches are not clearly faster, or do not fit.

    Args:
        meter: measures batches.
        most: images of the probe set; larger batches are not tried.
    """
    free, chosen, best = meter.count_free(), GPU_SIZES[0], 0.0
    for images in GPU_SIZES:
        measured = meter.measure(images)
        if measured is None:
            break
        seconds, taken = measured
        rate = images / max(seconds, 1e-9)
        if rate < MIN_GAIN * best:
            break
        chosen, best = images, rate
        if images >= most or 2 * taken > MAX_SHARE * free:  # the next one takes twice as much
            break
    _LOG.info("batches of %d images", chosen)
    return chosen


@dataclass(frozen=True)
class GpuMeter:
    """Measures batches on a GPU.

    Attributes:
        source: the probed network, entered.
        image: one input.
        device: the GPU.
    """

    source: ActivationSource
    image: NDArray[np.generic]
    device: torch.device

    def measure(self, images: int) -> tuple[float, int] | None:
        """Return the seconds and the bytes that a batch takes; None if it does not fit into memory."""
        batch = np.repeat(self.image[np.newaxis], images, axis=0)
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        try:
            self._run(batch)  # the first one also chooses kernels
            seconds = min(self._run(batch) for _ in range(3))
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None
        return seconds, torch.cuda.max_memory_allocated(self.device) - before

    def count_free(self) -> int:
        """Return the bytes of memory that are free."""
        return int(torch.cuda.mem_get_info(self.device)[0])

    def _run(self, batch: NDArray[np.generic]) -> float:
        torch.cuda.synchronize(self.device)
        start = time.perf_counter()
        self.source.activations(batch)
        torch.cuda.synchronize(self.device)
        return time.perf_counter() - start
