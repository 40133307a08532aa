"""Candidates: the few cells that can decide anything, kept sparse until the thresholds are known (docs/engine.md).

A label pixel can exceed T_k only if one of the four cells around it does. So for a lower bound B_k ≤ T_k it is enough
to keep, for every image and unit, the cells above B_k and their neighbours.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidate cells of one layer over one shard.

    They are grouped by block (a batch), then by unit, then by image: a *pair* is one unit on one image.

    Attributes:
        unit_start: first pair of every unit in every block, int64, shape (blocks, U + 1).
        pair_image: position of every pair's image within the shard, int32, shape (pairs,).
        pair_start: first cell of every pair, and the end of the last, int64, shape (pairs + 1,).
        cells: position of every candidate in its grid, row by row, uint16 or int32, shape (cells,).
        values: its activation, float32, shape (cells,).
    """

    unit_start: NDArray[np.int64]
    pair_image: NDArray[np.int32]
    pair_start: NDArray[np.int64]
    cells: NDArray[np.uint16 | np.int32]
    values: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(getattr(self, name).nbytes for name in self.__slots__)

    def of_unit(self, unit: int) -> NDArray[np.float32]:
        """Return the values of all candidates of a unit, in no particular order."""
        parts = []
        for block in self.unit_start:
            first, last = self.pair_start[block[unit]], self.pair_start[block[unit + 1]]
            parts.append(self.values[first:last])
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def joined(blocks: Sequence[Candidates], units: int, cell_type: type[np.uint16 | np.int32]) -> Candidates:
    """Join the blocks of a shard into one record."""
    if not blocks:
        return Candidates(
            np.zeros((0, units + 1), np.int64), np.zeros(0, np.int32), np.zeros(1, np.int64), np.zeros(0, cell_type),
            np.zeros(0, np.float32),
        )  # fmt: skip
    pairs = np.cumsum([0, *(block.pair_image.size for block in blocks)])
    cells = np.cumsum([0, *(block.values.size for block in blocks)])
    return Candidates(
        unit_start=np.concatenate([block.unit_start + pairs[i] for i, block in enumerate(blocks)]),
        pair_image=np.concatenate([block.pair_image for block in blocks]),
        pair_start=np.concatenate(
            [*(block.pair_start[:-1] + cells[i] for i, block in enumerate(blocks)), cells[-1:]], dtype=np.int64
        ),
        cells=np.concatenate([block.cells for block in blocks]),
        values=np.concatenate([block.values for block in blocks]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What one look at a batch's activations says about every (image, unit).

    Attributes:
        peak: largest activation, float32, shape (B, U).
        total: sum over all cells of the batch, float64, shape (U,).
        lowest: smallest activation of the batch, float32, shape (U,).
        equal: cells exactly at the bound, int64, shape (U,).
        needed: candidate cells, int32, shape (U, B).
        broken: position of an (image, unit) that holds NaN or infinity; (-1, -1) if none does.
    """

    peak: NDArray[np.float32]
    total: NDArray[np.float64]
    lowest: NDArray[np.float32]
    equal: NDArray[np.int64]
    needed: NDArray[np.int32]
    broken: tuple[int, int]


def measure(
    activations: NDArray[np.float32],
    bounds: NDArray[np.float32],
    histogram: NDArray[np.int64],
    edges: tuple[NDArray[np.float32], NDArray[np.float32]],
    pool: UnitPool,
) -> Measures:
    """Look once at a batch's activations, shape (B, U, h, w), and add them to the histogram, shape (U, bins)."""
    images, units = activations.shape[:2]
    peak = np.empty((images, units), np.float32)
    total = np.zeros(units, np.float64)
    lowest = np.empty(units, np.float32)
    equal = np.zeros(units, np.int64)
    needed = np.zeros((units, images), np.int32)
    broken = np.full((units, 2), -1, np.int64)
    pool.each(units, _measure, activations, bounds, *edges, histogram, peak, total, lowest, equal, needed, broken)
    fault = np.flatnonzero(broken[:, 0] >= 0)
    where = (int(broken[fault[0], 0]), int(broken[fault[0], 1])) if fault.size else (-1, -1)
    return Measures(peak, total, lowest, equal, needed, where)


def extract(
    activations: NDArray[np.float32],
    bounds: NDArray[np.float32],
    needed: NDArray[np.int32],
    first_image: int,
    pool: UnitPool,
) -> Candidates:
    """Copy the candidate cells out of a batch.

    Args:
        activations: float32, shape (B, U, h, w).
        bounds: B_k, float32, shape (U,).
        needed: candidate cells of every (unit, image), as `measure` counted them.
        first_image: position of the batch's first image within its shard.
        pool: the threads to use.
    """
    units = needed.shape[0]
    unit_of, image_of = np.nonzero(needed)
    pair_start = np.zeros(unit_of.size + 1, np.int64)
    np.cumsum(needed[unit_of, image_of], out=pair_start[1:])
    unit_start = np.searchsorted(unit_of, np.arange(units + 1)).astype(np.int64)
    cells = np.empty(pair_start[-1], cell_type(activations.shape[2] * activations.shape[3]))
    values = np.empty(pair_start[-1], np.float32)
    pool.each(units, _extract, activations, bounds, unit_start, image_of, pair_start, cells, values)
    return Candidates(unit_start[None], (image_of + first_image).astype(np.int32), pair_start, cells, values)


def cell_type(cells: int) -> type[np.uint16 | np.int32]:
    """Return the smallest type that can number a grid's cells."""
    return np.uint16 if cells <= 65536 else np.int32


class UnitPool:
    """Threads that share a layer's units among them; kernels run without Python's lock."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="units") if self.threads > 1 else None

    def each(self, units: int, kernel: Callable[..., None], *arguments: Any) -> None:
        """Call ``kernel(first, last, *arguments)`` for ranges that cover the units."""
        if self._executor is None or units < 2:
            kernel(0, units, *arguments)
            return
        cuts = np.linspace(0, units, min(units, self.threads * 4) + 1).astype(int)
        list(self._executor.map(lambda cut: kernel(int(cut[0]), int(cut[1]), *arguments), itertools.pairwise(cuts)))

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Return ``function(item)`` for every item, in their order."""
        return list(map(function, items)) if self._executor is None else list(self._executor.map(function, items))

    def close(self) -> None:
        """Give the threads back."""
        if self._executor is not None:
            self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@njit(cache=True, nogil=True)
def _measure(first, last, activations, bounds, low, high, histogram, peak, total, lowest, equal, needed, broken):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    images, _, h, w = activations.shape
    bins = histogram.shape[1]
    for u in range(first, last):
        bound = bounds[u]
        width = high[u] - low[u]
        per_unit = bins / width if width > 0 else 0.0
        smallest = np.float32(np.inf)
        for b in range(images):
            plane = activations[b, u]
            largest = np.float32(-np.inf)
            above = 0
            for y in range(h):
                for x in range(w):
                    value = plane[y, x]
                    if not np.isfinite(value):
                        broken[u, 0] = b
                        broken[u, 1] = u
                        return
                    largest = max(largest, value)
                    smallest = min(smallest, value)
                    total[u] += value
                    if value > bound:
                        above += 1
                    elif value == bound:
                        equal[u] += 1
                    place = int(max(0.0, min((value - low[u]) * per_unit, bins - 1.0)))
                    histogram[u, place] += 1
            peak[b, u] = largest
            if above:
                count = 0
                for y in range(h):
                    for x in range(w):
                        if _near(plane, y, x, bound):
                            count += 1
                needed[u, b] = count
        lowest[u] = smallest


@njit(cache=True, nogil=True)
def _extract(first, last, activations, bounds, unit_start, image_of, pair_start, cells, values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, _, h, w = activations.shape
    for u in range(first, last):
        for pair in range(unit_start[u], unit_start[u + 1]):
            plane = activations[image_of[pair], u]
            at = pair_start[pair]
            for y in range(h):
                for x in range(w):
                    if _near(plane, y, x, bounds[u]):
                        cells[at] = y * w + x
                        values[at] = plane[y, x]
                        at += 1


@njit(cache=True, nogil=True, inline="always")
def _near(plane, y, x, bound):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell whether a cell or one of its eight neighbours lies above the bound."""
    h, w = plane.shape
    for i in range(max(0, y - 1), min(h, y + 2)):
        for j in range(max(0, x - 1), min(w, x + 2)):
            if plane[i, j] > bound:
                return True
    return False
