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
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
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


def calibrate(sample: torch.Tensor, quantile: Fraction, images: int, threads: RowThreads) -> tuple[Bounds, Activity]:
    """Choose bounds from a sample, and describe the distribution of its activations.

    Args:
        sample: activations of a simple random sample of n images, float32, shape (n, cells, U), finite.
        quantile: q.
        images: number of images N of the whole probe set; a sample of all of them needs no margin.
        threads: threads for the kernel on a CPU.
    """
    n, cells, units = sample.shape
    values = _sample_values(sample)
    lowest = values[:, -1]
    activity = _describe_activity(values)
    if n == images:
        allowed = min(math.floor(quantile * n * cells), n * cells - 1)
        exact = sample.reshape(-1, units).T.contiguous().topk(allowed + 1, dim=1).values[:, -1]
        return _make_bounds(exact, torch.ones_like(exact, dtype=torch.bool)), activity
    needed = float(quantile) * n * cells
    margin = MARGIN * math.sqrt(1 - n / images)
    bound = lowest.clone()
    undecided = torch.arange(units, device=sample.device)
    for multiple in _LEVELS:
        rank = math.ceil(multiple * float(quantile) * values.shape[1])
        if rank >= values.shape[1] or not len(undecided):
            break
        level = values[undecided, rank]
        count = _count_above(sample, level, undecided, threads).double()  # per image, for every undecided unit
        error = (count.var(dim=0, correction=1) * n).sqrt() if n > 1 else count[0]
        enough = count.sum(dim=0) - margin * error > needed
        bound[undecided[enough]] = level[enough]
        undecided = undecided[~enough]
    return _make_bounds(bound, bound <= lowest), activity


def _count_above(sample: torch.Tensor, level: torch.Tensor, units: torch.Tensor, threads: RowThreads) -> torch.Tensor:
    """Return how many cells of every image lie above the levels of some units, int64, shape (n, units)."""
    if len(units) < sample.shape[2]:
        sample = sample[:, :, units]
    return (
        count_above_with_torch(sample, level)
        if sample.device.type != "cpu"
        else count_above_with_kernel(sample, level, threads)
    )


def count_above_with_torch(sample: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Return how many cells of every image lie above the units' levels, with torch's operations, on any device.

    Args:
        sample: float32, shape (n, cells, units).
        level: float32, shape (units,).

    Returns:
        int64, shape (n, units).
    """
    return (sample > level).sum(dim=1)


def count_above_with_kernel(sample: torch.Tensor, level: torch.Tensor, threads: RowThreads) -> torch.Tensor:
    """Do what `count_above_with_torch` does with a compiled kernel, on a CPU."""
    count = np.zeros((sample.shape[0], sample.shape[2]), np.int64)
    threads.split(sample.shape[0], _count_above_kernel, sample.numpy(), level.numpy(), count)
    return torch.from_numpy(count)


@cached_njit()
def _count_above_kernel(first, last, sample, level, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for n in range(first, last):
        for cell in range(sample.shape[1]):
            for u in range(sample.shape[2]):
                count[n, u] += sample[n, cell, u] > level[u]


def _make_bounds(bound: torch.Tensor, tied: torch.Tensor) -> Bounds:
    return Bounds(bound.cpu().numpy(), tied.nonzero().ravel().cpu().numpy())


def _sample_values(sample: torch.Tensor) -> torch.Tensor:
    """Return values of every unit in falling order, shape (U, m): all of the sample's, or a random part of a large one."""
    rows = sample.reshape(-1, sample.shape[2])
    most = max(_VALUES_EACH, _VALUES // rows.shape[1])
    if rows.shape[0] > most:
        chosen = torch.randperm(rows.shape[0], generator=torch.Generator().manual_seed(0))[:most]
        rows = rows[chosen.to(rows.device)]
    return rows.T.contiguous().sort(dim=1, descending=True).values


def _describe_activity(values: torch.Tensor) -> Activity:
    """Return histogram, range and mean of values in falling order, shape (U, m)."""
    high, low = values[:, 0], values[:, -1]
    width = torch.where(high > low, high - low, torch.ones_like(high))
    bins = ((values - low[:, None]) / width[:, None] * _BINS).long().clamp_(0, _BINS - 1)
    histogram = torch.zeros((values.shape[0], _BINS), dtype=torch.int64, device=values.device)
    histogram.scatter_add_(1, bins, torch.ones_like(bins))
    return Activity(
        histogram.cpu().numpy(),
        low.cpu().numpy(),
        high.cpu().numpy(),
        values.double().mean(dim=1).cpu().numpy(),
        low.cpu().numpy(),
        high.cpu().numpy(),
    )
