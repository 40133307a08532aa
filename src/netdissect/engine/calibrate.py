"""Calibration: choose a bound B_k for every unit from a random sample of images, almost certainly below its T_k.

A low bound keeps many candidates; a high one may exceed T_k, and then the unit must be scanned again. High activations
come in clusters (one image may hold most of a unit's), so the margin depends on how unevenly the sample's images
contribute: a level becomes the bound if `MARGIN` standard errors below the sample's count of cells above it is still
more than a share q of all cells.

The thresholds do not depend on the bounds: they are exact for any choice of bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.compiled import cached_njit
from netdissect.engine.cuda_overlap import copy_to_host
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.row_threads import RowThreads

#: Standard errors that are subtracted from the sample's count.
MARGIN = 5.0
#: Shares of cells above the bound that are tried, as multiples of q.
_LEVELS = (1.1, 1.3, 1.6, 2.0, 3.0, 5.0, 9.0, 16.0, 30.0)
#: Most values from which levels are read, over all units; more would only be slower.
_VALUES = 2**21
#: The same for each unit, if that is more.
_VALUES_EACH = 2**12
#: Bins of a unit's histogram.
_BINS = 48


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Bounds:
    """The bounds of a layer's units, which a scan needs.

    Attributes:
        bound: B_k, float32, shape (U,).
        tied: units whose cells exactly at the bound are counted too, int64, shape (t,), because T_k may equal B_k:
            those whose bound is the sample's smallest value (they are rarely active), or the threshold itself.
        floor: the lowest maximum among the sample's exemplars, below which an image cannot be one, float32, shape (U,);
            None if unknown.
    """

    bound: NDArray[np.float32]
    tied: NDArray[np.int64]
    floor: NDArray[np.float32] | None = None


def calibrate(
    batches: Sequence[torch.Tensor], quantile: Fraction, images: int, threads: RowThreads
) -> tuple[Bounds, Activity]:
    """Choose bounds from a sample, and describe the distribution of its activations.

    Args:
        batches: activations of a simple random sample of n images, float32, shape (B, h, w, U) each, contiguous, finite.
        quantile: q.
        images: number of images N of the whole probe set; a sample of all of them needs no margin.
        threads: threads for the kernel on a CPU.
    """
    _, h, w, units = batches[0].shape
    n, cells = sum(len(batch) for batch in batches), h * w
    values = _sample_values(batches)
    activity = _describe_activity(values)
    if n == images:
        allowed = min(math.floor(quantile * n * cells), n * cells - 1)
        sample = torch.cat([batch.reshape(-1, units) for batch in batches])
        exact = sample.T.contiguous().topk(allowed + 1, dim=1).values[:, -1]
        return Bounds(exact.cpu().numpy(), np.arange(units)), activity
    ranks = [math.ceil(multiple * float(quantile) * values.shape[1]) for multiple in _LEVELS]
    lowest = values[:, 0]
    levels = np.stack([*(values[:, -1 - rank] for rank in ranks if rank < values.shape[1]), lowest])
    needed = float(quantile) * n * cells
    margin = MARGIN * math.sqrt(1 - n / images)
    enough = np.ones(levels.shape, np.bool_)
    for level, count in zip(enough[:-1], count_above(batches, levels[:-1], threads), strict=True):
        error = np.sqrt(count.var(axis=0, ddof=1) * n) if n > 1 else count[0]
        level[:] = count.sum(axis=0) - margin * error > needed
    bound = levels[enough.argmax(axis=0), np.arange(units)]
    return Bounds(bound, np.flatnonzero(bound <= lowest)), activity


def count_above(batches: Sequence[torch.Tensor], levels: NDArray[np.float32], threads: RowThreads) -> NDArray[np.int32]:
    """Return how many cells of every image lie above each of a unit's levels, shape (levels, n, U).

    Args:
        batches: float32, shape (B, h, w, U) each, contiguous.
        levels: float32, shape (levels, U).
        threads: threads for the kernel on a CPU.
    """
    if batches[0].device.type != "cpu":
        return np.concatenate([count_above_with_torch(batch, levels) for batch in batches], axis=1)
    return np.concatenate([count_above_with_kernel(batch, levels, threads) for batch in batches], axis=1)


def count_above_with_torch(batch: torch.Tensor, levels: NDArray[np.float32]) -> NDArray[np.int32]:
    """Do what `count_above` does for one batch with torch's operations, on any device."""
    on_device = torch.from_numpy(levels).to(batch.device)
    count = torch.empty((len(levels), len(batch), batch.shape[3]), dtype=torch.int32, device=batch.device)
    for number, level in enumerate(on_device):
        count[number] = (batch > level).sum(dim=(1, 2))
    return copy_to_host(count)[0]


def count_above_with_kernel(batch: torch.Tensor, levels: NDArray[np.float32], threads: RowThreads) -> NDArray[np.int32]:
    """Do what `count_above` does for one batch with a compiled kernel, on a CPU."""
    count = np.zeros((len(levels), len(batch), batch.shape[3]), np.int32)
    threads.split(len(batch), _count_above_kernel, batch.flatten(1, 2).numpy(), levels, count)
    return count


@cached_njit()
def _count_above_kernel(first, last, batch, levels, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for n in range(first, last):
        for cell in range(batch.shape[1]):
            row = batch[n, cell]
            for number in range(levels.shape[0]):
                level, above = levels[number], count[number, n]
                for u in range(row.size):
                    above[u] += row[u] > level[u]


def _sample_values(batches: Sequence[torch.Tensor]) -> NDArray[np.float32]:
    """Return values of every unit in rising order, shape (U, m): all of the sample's, or a random part of a large one."""
    rows = [batch.reshape(-1, batch.shape[3]) for batch in batches]
    total, units = sum(len(part) for part in rows), rows[0].shape[1]
    most = max(_VALUES_EACH, _VALUES // units)
    if total > most:
        chosen = torch.randperm(total, generator=torch.Generator().manual_seed(0))[:most].sort().values
        ends = torch.tensor([len(part) for part in rows]).cumsum(0)
        parts = chosen.tensor_split(torch.searchsorted(chosen, ends)[:-1])
        rows = [part[own.to(part.device) - end + len(part)] for part, own, end in zip(rows, parts, ends, strict=True)]
    values = torch.cat(rows).T.contiguous()
    values += 0  # both zeros are 0.0, whatever their order
    return np.sort(copy_to_host(values)[0], axis=1)


def _describe_activity(values: NDArray[np.float32]) -> Activity:
    """Return histogram, range and mean of values in rising order, shape (U, m)."""
    low, high = values[:, 0].copy(), values[:, -1].copy()
    histogram = np.zeros((len(values), _BINS), np.int64)
    _fill_histogram(values, histogram)
    falling = torch.from_numpy(values[:, ::-1].astype(np.float64, order="C"))
    return Activity(histogram, low, high, falling.mean(dim=1).numpy(), low, high)


@cached_njit(error_model="numpy")
def _fill_histogram(values, histogram):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for u in range(values.shape[0]):
        low = values[u, 0]
        width = values[u, -1] - low if values[u, -1] > low else np.float32(1)
        for value in values[u]:
            place = np.int64((value - low) / width * np.float32(_BINS))
            histogram[u, min(max(place, 0), _BINS - 1)] += 1
