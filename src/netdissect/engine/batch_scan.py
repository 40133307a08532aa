"""One look at a batch: the maxima, what is broken, the cells at the bounds, the candidates (docs/engine.md).

Activations come as (images, h, w, units), the layout convolutions compute in, so that no batch is laid out anew. On a
CPU compiled kernels look at them, image by image, so that an image is read from memory once; on another device torch
does, and only what was found leaves it. Both find the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.compiled import cached_njit
from netdissect.engine.candidates import Candidates, join_candidates
from netdissect.engine.cuda_overlap import copy_to_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.engine.calibrate import Bounds
    from netdissect.engine.row_threads import RowThreads

#: Units whose planes are gathered together: as many floats as share a cache line.
_BLOCK = 16


@dataclass(frozen=True, slots=True, eq=False)
class BatchScan:
    """What one look at a batch found.

    Attributes:
        most: largest activation of every (image, unit), float32, shape (B, U).
        broken: which (image, unit) holds a NaN or an infinity, shape (B, U).
        equal: cells exactly at the bound, for the units where they may decide, int64, shape (U,); 0 for the others.
        candidates: the cells that can decide anything.
    """

    most: NDArray[np.float32]
    broken: NDArray[np.bool_]
    equal: NDArray[np.int64]
    candidates: Candidates


def scan_batch(activations: torch.Tensor, bounds: Bounds, threads: RowThreads) -> BatchScan:
    """Look at a batch once, where it is.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        bounds: B_k of every unit, and the units whose cells at the bound are counted.
        threads: the threads to use on a CPU.
    """
    if activations.device.type != "cpu":
        return scan_batch_with_torch(activations, bounds)
    return scan_batch_with_kernels(activations, bounds, threads)


def scan_batch_with_kernels(activations: torch.Tensor, bounds: Bounds, threads: RowThreads) -> BatchScan:
    """Do what `scan_batch` does with compiled kernels, on a CPU."""
    array = activations.numpy()
    images, h, w, units = array.shape
    kind = np.uint16(0) if h * w <= 65536 else np.int32(0)
    most = np.empty((images, units), np.float32)
    flaw = np.zeros_like(most)
    parts = threads.split(images, _scan_batch_kernel, array, bounds.bound, bounds.tied, most, flaw, kind)
    blocks = [Candidates(units, *found) for _, found in parts]
    equal: NDArray[np.int64] = np.stack([part for part, _ in parts]).sum(axis=0)
    # Every part already counts its images from the batch's first.
    return BatchScan(most, ~np.isfinite(flaw), equal, join_candidates(blocks, [0] * len(blocks), units))


def scan_batch_with_torch(activations: torch.Tensor, bounds: Bounds) -> BatchScan:
    """Do what `scan_batch` does with torch's own operations, on whatever device the activations are."""
    _, h, w, units = activations.shape
    device = activations.device
    bound = torch.from_numpy(bounds.bound).to(device)
    planes = activations.permute(0, 3, 1, 2)
    above = (planes > bound[:, None, None]).to(torch.float16).contiguous()
    near = torch.nn.functional.max_pool2d(above, 3, 1, 1) > 0
    chosen = near.reshape(-1).nonzero().ravel()  # by image, unit, cell
    image_unit, cells = chosen // (h * w), chosen % (h * w)
    first = torch.ones_like(image_unit, dtype=torch.bool)
    first[1:] = image_unit[1:] != image_unit[:-1]
    start = first.nonzero().ravel()
    pairs = image_unit[start]
    image, unit = pairs // units, pairs % units
    values = activations.reshape(-1)[(image_unit // units * (h * w) + cells) * units + image_unit % units]
    tied = torch.from_numpy(bounds.tied).to(device)
    equal = torch.zeros(units, dtype=torch.int64, device=device)
    equal[tied] = (activations[..., tied] == bound[tied]).sum(dim=(0, 1, 2))
    found = copy_to_host(*_find_extremes(activations), equal, unit.int(), image.int(), start, cells.int(), values)
    kind = np.uint16 if h * w <= 65536 else np.int32
    candidates = Candidates(
        units, found[3], found[4], np.append(found[5], chosen.numel()), found[6].astype(kind), found[7]
    )
    return BatchScan(found[0], found[1], found[2], candidates)


def find_maxima(activations: torch.Tensor, threads: RowThreads) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the largest activation of every (image, unit), shape (B, U), and where one is NaN or infinite.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        threads: the threads to use on a CPU.
    """
    if activations.device.type != "cpu":
        most, broken = copy_to_host(*_find_extremes(activations))
        return most, broken
    array = activations.flatten(1, 2).numpy()
    most = np.empty((array.shape[0], array.shape[2]), np.float32)
    flaw = np.zeros_like(most)
    threads.split(array.shape[0], _find_maxima_kernel, array, most, flaw)
    return most, ~np.isfinite(flaw)


def copy_grids(
    activations: torch.Tensor,
    threads: RowThreads,
    images: NDArray[np.int64],
    units: NDArray[np.int64],
    into: NDArray[np.float32],
    places: NDArray[np.int64],
) -> None:
    """Copy the whole grids of some (images, units) of a batch.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        threads: the threads to use on a CPU.
        images: position in the batch, shape (n,).
        units: shape (n,).
        into: takes the grids, float32, shape (places, h, w), contiguous.
        places: where each goes, shape (n,).
    """
    if activations.device.type != "cpu":
        chosen = torch.from_numpy(images).to(activations.device), torch.from_numpy(units).to(activations.device)
        into[places] = copy_to_host(activations[chosen[0], :, :, chosen[1]])[0]
        return
    order = np.lexsort((units, images))  # neighbors in memory are copied together
    grids = into.reshape(len(into), -1)
    threads.split(
        images.size, _copy_grids_kernel, activations.flatten(1, 2).numpy(), images, units, order, grids, places
    )


def _find_extremes(activations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = activations.flatten(1, 2)
    largest, smallest = flat.amax(1), flat.amin(1)
    return largest, ~(torch.isfinite(largest) & torch.isfinite(smallest))


@cached_njit(error_model="numpy")
def _find_maxima_kernel(first, last, activations, most, flaw):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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


@cached_njit()
def _copy_grids_kernel(first, last, activations, images, units, order, grids, places):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at = first
    while at < last:
        end = at + 1
        while end < min(at + _BLOCK, last) and images[order[end]] == images[order[at]]:
            end += 1
        image = activations[images[order[at]]]
        for cell in range(image.shape[0]):
            for place in range(at, end):
                grids[places[order[place]], cell] = image[cell, units[order[place]]]
        at = end


@cached_njit()
def _scan_batch_kernel(first, last, activations, bounds, tied, most, flaw, kind):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, h, w, units = activations.shape
    flat = activations.reshape(-1, h * w, units)
    equal = np.zeros(units, np.int64)
    above = np.zeros((h + 2, w + 2, units), np.uint8)  # a border that is never marked saves asking where a grid ends
    beside = np.zeros((h + 2, w, units), np.uint8)
    near = np.zeros((h, w, units), np.uint8)
    in_row = np.zeros((h, units), np.uint8)
    count = np.zeros(units, np.int32)
    pairs = units
    pair_unit = np.empty(pairs, np.int32)
    pair_image = np.empty(pairs, np.int32)
    pair_start = np.empty(pairs + 1, np.int64)
    size = max(1024, h * w * units // 8)
    cells = np.full(size, kind)
    values = np.empty(size, np.float32)
    found = 0
    at = 0
    for b in range(first, last):
        _find_maxima_kernel(b, b + 1, flat, most, flaw)
        if tied.size:
            for cell in range(h * w):
                for u in tied:
                    equal[u] += flat[b, cell, u] == bounds[u]
        _mark_candidates(activations[b], bounds, above, beside, near, in_row, count)
        end = at + count.sum() + 1
        if end > size:
            size = 2 * end
            cells = _grow(cells, at, size)
            values = _grow(values, at, size)
        if found + units > pairs:
            pairs = 2 * (found + units)
            pair_unit = _grow(pair_unit, found, pairs)
            pair_image = _grow(pair_image, found, pairs)
            pair_start = _grow(pair_start, found, pairs + 1)
        for u in range(units):
            if not count[u]:
                continue
            pair_unit[found] = u
            pair_image[found] = b
            pair_start[found] = at
            found += 1
            for y in range(h):
                if in_row[y, u]:
                    for x in range(w):  # without a branch: what was not to be kept is written over by the next
                        cells[at] = y * w + x
                        values[at] = activations[b, y, x, u]
                        at += near[y, x, u]
    pair_start[found] = at
    return equal, (
        pair_unit[:found].copy(), pair_image[:found].copy(), pair_start[: found + 1].copy(), cells[:at].copy(),
        values[:at].copy(),
    )  # fmt: skip


@cached_njit()
def _mark_candidates(image, bounds, above, beside, near, in_row, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mark an image's cells above the bounds and their neighbors, and the rows that hold any; count them by unit."""
    h, w, units = image.shape
    for y in range(h):
        for x in range(w):
            row, marks = image[y, x], above[y + 1, x + 1]
            for u in range(units):
                marks[u] = row[u] > bounds[u]
    for y in range(1, h + 1):
        for x in range(w):
            left, middle, right, marks = above[y, x], above[y, x + 1], above[y, x + 2], beside[y, x]
            for u in range(marks.size):
                marks[u] = left[u] | middle[u] | right[u]
    count[:] = 0
    in_row[:] = 0
    for y in range(h):
        any_ = in_row[y]
        for x in range(w):
            upper, middle, lower, marks = beside[y, x], beside[y + 1, x], beside[y + 2, x], near[y, x]
            for u in range(marks.size):
                marks[u] = upper[u] | middle[u] | lower[u]
                any_[u] |= marks[u]
                count[u] += marks[u]


@cached_njit()
def _grow(array, used, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger
