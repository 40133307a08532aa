"""Images of the calibration sample at falling levels of every unit's maximum, with their activation maps.

All activations of the sample are known, also those far below the threshold, so no image runs twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.batch_scan import copy_grids
from netdissect.layers import make_file_stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from netdissect.engine.row_threads import RowThreads
    from netdissect.engine.worker_context import ArtifactStore


@dataclass(frozen=True, slots=True, eq=False)
class LevelImages:
    """Images at falling levels of every unit's maximum.

    Attributes:
        images: positions in the probe set, int64, shape (U, k); -1 where the sample has fewer than k images.
        maxima: the unit's maximum on each, falling, float32, shape (U, k).
        grids: the unit's activation map on each, float32, shape (U, k, h, w).
    """

    images: NDArray[np.int64]
    maxima: NDArray[np.float32]
    grids: NDArray[np.float32]


def choose_levels(maxima: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the images nearest to k levels at equal distances from the highest to the lowest maximum of every unit.

    An image is chosen once: for the first level that it is nearest to, the highest level first.

    Args:
        maxima: of every (image, unit), shape (n, U).
        k: number of levels.

    Returns:
        positions by falling maximum, then by rising position, int64, shape (U, k); -1 behind the last if k > n.
    """
    n, units = maxima.shape
    values, every = maxima.astype(np.float64), np.arange(units)
    high, low = values.max(axis=0), values.min(axis=0)
    chosen, free = np.full((units, k), -1, np.int64), np.ones((n, units), np.bool_)
    for level in range(min(k, n)):
        target = high - (high - low) * level / max(k - 1, 1)
        nearest = np.where(free, np.abs(values - target), np.inf).argmin(axis=0)
        chosen[:, level] = nearest
        free[nearest, every] = False
    some = chosen[:, : min(k, n)]
    order = np.lexsort((some, -values[some, every[:, np.newaxis]]), axis=1)
    some[...] = np.take_along_axis(some, order, axis=1)
    return chosen


def collect_levels(
    images: NDArray[np.int64], maxima: NDArray[np.float32], batches: Sequence[torch.Tensor], k: int, threads: RowThreads
) -> LevelImages:
    """Return the images of a sample at k levels.

    Args:
        images: positions of the sample's images in the probe set, shape (n,).
        maxima: of every (image, unit), shape (n, U).
        batches: their activations, float32, shape (B, h, w, U) each, contiguous.
        k: number of levels.
        threads: threads for the kernel on a CPU.
    """
    chosen = choose_levels(maxima, k)
    units, places = np.nonzero(chosen >= 0)
    of_sample = chosen[units, places]
    grids = np.zeros((len(chosen) * k, *batches[0].shape[1:3]), np.float32)
    first = 0
    for batch in batches:
        own = np.flatnonzero((of_sample >= first) & (of_sample < first + len(batch)))
        if own.size:
            copy_grids(batch, threads, of_sample[own] - first, units[own], grids, units[own] * k + places[own])
        first += len(batch)
    shown = np.where(chosen >= 0, maxima[chosen, np.arange(len(chosen))[:, np.newaxis]], np.float32(0))
    return LevelImages(np.where(chosen >= 0, images[chosen], -1), shown, grids.reshape(*chosen.shape, *grids.shape[1:]))


def store_levels(store: ArtifactStore, layer: str, levels: LevelImages) -> None:
    """Store the levels of a layer."""
    store.put(make_levels_key(layer), {name: getattr(levels, name) for name in ("images", "maxima", "grids")})


def load_levels(store: ArtifactStore, layer: str) -> LevelImages:
    """Return the stored levels of a layer."""
    arrays: Mapping[str, NDArray[Any]] = store.get(make_levels_key(layer))
    return LevelImages(**arrays)


def make_levels_key(layer: str) -> str:
    """Return the key under which the levels of a layer are stored."""
    return f"levels-{make_file_stem(layer)}"
