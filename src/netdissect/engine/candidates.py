"""Candidates: the few cells that can decide anything, kept sparse until the thresholds are known (docs/engine.md).

A label pixel can exceed T_k only if one of the four cells around it does. So for a lower bound B_k ≤ T_k it is enough
to keep, for every image and unit, the cells above B_k and their neighbours.

Activations come as (images, h, w, units), the layout convolutions compute in, so that no batch is laid out anew. On a
CPU compiled kernels look at them, on another device torch does; both find the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.engine.threads import Threads

#: Units whose planes are gathered together: as many floats as share a cache line.
_BLOCK = 16


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate cells of one layer over some images.

    A *pair* is one unit on one image, of which some cell lies above the unit's bound.

    Attributes:
        units: number of units U.
        pair_unit: unit of every pair, int32, shape (P,).
        pair_image: position of its image, int32, shape (P,).
        pair_start: first cell of every pair, and the end of the last, int64, shape (P + 1,).
        cells: position of every candidate in its grid, row by row, uint16 or int32, shape (cells,).
        values: its activation, float32, shape (cells,).
    """

    units: int
    pair_unit: NDArray[np.int32]
    pair_image: NDArray[np.int32]
    pair_start: NDArray[np.int64]
    cells: NDArray[np.uint16 | np.int32]
    values: NDArray[np.float32]

    @cached_property
    def by_unit(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs sorted by unit, shape (P,), and where every unit's begin among them, shape (U + 1,)."""
        order = np.argsort(self.pair_unit, kind="stable")
        return order, np.searchsorted(self.pair_unit[order], np.arange(self.units + 1)).astype(np.int64)

    def tails(self, bounds: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return every unit's values above a bound, laid end to end, and where each unit's begin, shape (U + 1,)."""
        order, unit_start = self.by_unit
        start = np.zeros(self.units + 1, np.int64)
        _count_tails(order, unit_start, self.pair_start, self.values, bounds, start[1:])
        np.cumsum(start, out=start)
        tails = np.empty(start[-1], np.float32)
        _fill_tails(order, unit_start, self.pair_start, self.values, bounds, start, tails)
        return tails, start


def joined(blocks: Sequence[Candidates], images: Sequence[int], units: int) -> Candidates:
    """Join the candidates of consecutive batches.

    Args:
        blocks: the batches' candidates.
        images: number of images of every batch.
        units: number of units U.
    """
    first_image = np.cumsum([0, *images])
    first_cell = np.cumsum([0, *(block.values.size for block in blocks)])

    def together(name: str, kind: Any) -> NDArray[Any]:
        return np.concatenate([getattr(block, name) for block in blocks]) if blocks else np.zeros(0, kind)

    return Candidates(
        units,
        together("pair_unit", np.int32),
        np.concatenate([np.zeros(0, np.int32), *(b.pair_image + np.int32(f) for b, f in zip(blocks, first_image, strict=False))]),
        np.concatenate([*(b.pair_start[:-1] + f for b, f in zip(blocks, first_cell, strict=False)), first_cell[-1:]]),
        together("cells", np.uint16),
        together("values", np.float32),
    )  # fmt: skip


def peaks(activations: torch.Tensor, threads: Threads) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the largest activation of every (image, unit), shape (B, U), and where one is NaN or infinite.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        threads: the threads to use on a CPU.
    """
    if activations.device.type != "cpu":
        flat = activations.flatten(1, 2)
        largest, smallest = flat.amax(1), flat.amin(1)
        broken = ~(torch.isfinite(largest) & torch.isfinite(smallest))
        return largest.cpu().numpy(), broken.cpu().numpy()
    array = activations.flatten(1, 2).numpy()
    most = np.empty((array.shape[0], array.shape[2]), np.float32)
    flaw = np.zeros_like(most)
    threads.split(array.shape[0], _peaks, array, most, flaw)
    return most, ~np.isfinite(flaw)


def count_equal(
    activations: torch.Tensor, bounds: NDArray[np.float32], units: NDArray[np.int64], threads: Threads
) -> NDArray[np.int64]:
    """Return how many cells of a batch lie exactly at some units' bounds, int64, shape (U,); 0 for the others."""
    equal = np.zeros(bounds.size, np.int64)
    if not units.size:
        return equal
    if activations.device.type != "cpu":
        chosen = torch.from_numpy(units).to(activations.device)
        level = torch.from_numpy(bounds[units]).to(activations.device)
        equal[units] = (activations[..., chosen] == level).sum(dim=(0, 1, 2)).cpu().numpy()
        return equal
    array = activations.flatten(1, 2).numpy()
    for part in threads.split(array.shape[0], _count_equal, array, bounds, units):
        equal += part
    return equal


def extract(
    activations: torch.Tensor, bounds: NDArray[np.float32], most: NDArray[np.float32], threads: Threads
) -> Candidates:
    """Copy the candidate cells out of a batch.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        bounds: B_k, shape (U,).
        most: largest activation of every (image, unit), shape (B, U).
        threads: the threads to use on a CPU.
    """
    if activations.device.type != "cpu":
        return extract_with_torch(activations, bounds)
    array = activations.numpy()
    kind = np.uint16(0) if array.shape[1] * array.shape[2] <= 65536 else np.int32(0)
    parts = threads.split(array.shape[0], _extract, array, bounds, most, kind)
    blocks = [
        Candidates(array.shape[3], unit, image, start, cells, values) for unit, image, start, cells, values in parts
    ]
    # Every part already counts its images from the batch's first.
    return joined(blocks, [0] * len(blocks), array.shape[3])


def extract_with_torch(activations: torch.Tensor, bounds: NDArray[np.float32]) -> Candidates:
    """Do what `extract` does with torch's own operations, on whatever device the activations are."""
    _, h, w, units = activations.shape
    planes = activations.permute(0, 3, 1, 2)
    above = planes > torch.from_numpy(bounds).to(activations.device)[:, None, None]
    near = torch.nn.functional.max_pool2d(above.to(torch.float16).contiguous(), 3, 1, 1) > 0
    chosen = near.reshape(-1).nonzero().ravel()  # by image, unit, cell
    values = planes.reshape(-1)[chosen].cpu().numpy()
    place: NDArray[np.int64] = chosen.cpu().numpy()
    pair, cells = np.divmod(place, h * w)
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    image, unit = np.divmod(pair[first], units)
    return Candidates(
        units,
        unit.astype(np.int32),
        image.astype(np.int32),
        np.array([*first, place.size], dtype=np.int64),
        cells.astype(np.uint16 if h * w <= 65536 else np.int32),
        values,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _peaks(first, last, activations, most, flaw):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, cells, units = activations.shape
    for b in range(first, last):
        peak, wrong = most[b], flaw[b]
        peak[:] = activations[b, 0]
        for cell in range(cells):
            row = activations[b, cell]
            for u in range(units):
                value = row[u]
                peak[u] = max(peak[u], value)
                wrong[u] += value * np.float32(0)  # stays 0 unless the value is NaN or infinite


@njit(cache=True, nogil=True)
def _count_equal(first, last, activations, bounds, units):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    equal = np.zeros(bounds.size, np.int64)
    for b in range(first, last):
        for cell in range(activations.shape[1]):
            for u in units:
                equal[u] += activations[b, cell, u] == bounds[u]
    return equal


@njit(cache=True, nogil=True)
def _extract(first, last, activations, bounds, most, kind):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, h, w, units = activations.shape
    planes = np.empty((_BLOCK, h, w), np.float32)
    members = np.empty(_BLOCK, np.int64)
    marks = np.zeros((h + 2, w + 2), np.bool_)
    pairs = 64
    pair_unit = np.empty(pairs, np.int32)
    pair_image = np.empty(pairs, np.int32)
    pair_start = np.empty(pairs + 1, np.int64)
    size = 1024
    cells = np.full(size, kind)
    values = np.empty(size, np.float32)
    found = 0
    at = 0
    for b in range(first, last):
        for block in range(0, units, _BLOCK):
            active = 0
            for u in range(block, min(block + _BLOCK, units)):
                if most[b, u] > bounds[u]:
                    members[active] = u
                    active += 1
            if not active:
                continue
            for y in range(h):
                for x in range(w):
                    for k in range(active):
                        planes[k, y, x] = activations[b, y, x, members[k]]
            for k in range(active):
                if at + h * w > size:
                    size = 2 * (at + h * w)
                    cells = _grown(cells, at, size)
                    values = _grown(values, at, size)
                if found == pairs:
                    pairs *= 2
                    pair_unit = _grown(pair_unit, found, pairs)
                    pair_image = _grown(pair_image, found, pairs)
                    pair_start = _grown(pair_start, found, pairs + 1)
                pair_unit[found] = members[k]
                pair_image[found] = b
                pair_start[found] = at
                found += 1
                at = _collect(planes[k], bounds[members[k]], marks, cells, values, at)
    pair_start[found] = at
    return (
        pair_unit[:found].copy(), pair_image[:found].copy(), pair_start[: found + 1].copy(), cells[:at].copy(),
        values[:at].copy(),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _collect(plane, bound, marks, cells, values, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Append a plane's cells above the bound and their neighbours; `marks` has a border of one and is left clear."""
    h, w = plane.shape
    top, bottom = h, -1  # rows that may hold a mark
    for y in range(h):
        above = 0
        for x in range(w):
            above += plane[y, x] > bound
        if above:
            top, bottom = min(top, y - 1), y + 1
            for x in range(w):
                if plane[y, x] > bound:
                    marks[y : y + 3, x : x + 3] = True
    for y in range(max(top, 0), min(bottom + 1, h)):
        for x in range(w):
            if marks[y + 1, x + 1]:
                cells[at] = y * w + x
                values[at] = plane[y, x]
                at += 1
    marks[max(top, -1) + 1 : bottom + 2, :] = False
    return at


@njit(cache=True, nogil=True)
def _grown(array, used, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(cache=True, nogil=True)
def _count_tails(order, unit_start, pair_start, values, bounds, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for u in range(unit_start.size - 1):
        for place in range(unit_start[u], unit_start[u + 1]):
            pair = order[place]
            for at in range(pair_start[pair], pair_start[pair + 1]):
                if values[at] > bounds[u]:
                    count[u] += 1


@njit(cache=True, nogil=True)
def _fill_tails(order, unit_start, pair_start, values, bounds, start, tails):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for u in range(unit_start.size - 1):
        to = start[u]
        for place in range(unit_start[u], unit_start[u + 1]):
            pair = order[place]
            for at in range(pair_start[pair], pair_start[pair + 1]):
                if values[at] > bounds[u]:
                    tails[to] = values[at]
                    to += 1
