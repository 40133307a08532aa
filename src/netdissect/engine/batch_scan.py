"""The scan of a batch: maxima, non-finite activations, cells at the bounds, candidates (docs/engine.md).

On a CPU, compiled kernels go image by image, so that an image is read from memory once. On another device, torch
operations select the candidates, and only these are copied to the host. Both give the same results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.compiled import cached_njit
from netdissect.engine.candidates import Candidates, join_candidates
from netdissect.engine.cuda_overlap import copy_to_host, move_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.engine.calibrate import Bounds
    from netdissect.engine.row_threads import RowThreads

#: Units whose grids are copied together: as many float32 as fit a cache line.
_UNITS_PER_BLOCK = 16
#: A number in whose binary digits every group of five is different: its product with 2^n has n's group in front.
_DE_BRUIJN = 0x077CB531
#: The n of every group.
_PLACES = np.array([n for _, n in sorted(((_DE_BRUIJN << n & 0xFFFFFFFF) >> 27, n) for n in range(32))], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class BatchScan:
    """The scan of one layer over one batch.

    Attributes:
        maxima: largest activation of every (image, unit), float32, shape (B, U).
        non_finite: which (image, unit) has a NaN or infinite activation, shape (B, U).
        equal: number of cells exactly at the bound, for the units in `Bounds.tied`, int64, shape (U,); 0 for others.
        candidates: the cells above the bounds, and their neighbors.
    """

    maxima: NDArray[np.float32]
    non_finite: NDArray[np.bool_]
    equal: NDArray[np.int64]
    candidates: Candidates


def scan_batch(activations: torch.Tensor, bounds: Bounds, threads: RowThreads) -> BatchScan:
    """Scan a batch on the device it is on.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        bounds: B_k of every unit, and the units whose cells at the bound are counted.
        threads: threads for the kernels on a CPU.
    """
    if activations.device.type != "cpu":
        return scan_batch_with_torch(activations, bounds)
    return scan_batch_with_kernels(activations, bounds, threads)


def scan_batch_with_kernels(activations: torch.Tensor, bounds: Bounds, threads: RowThreads) -> BatchScan:
    """Do what `scan_batch` does with compiled kernels, on a CPU."""
    array = activations.numpy()
    images, h, w, units = array.shape
    cell_type = np.uint16(0) if h * w <= 65536 else np.int32(0)
    maxima = np.empty((images, units), np.float32)
    flaws = np.zeros_like(maxima)
    parts = threads.split(images, _scan_batch_kernel, array, bounds.bound, bounds.tied, maxima, flaws, cell_type)
    blocks = [Candidates(units, *arrays) for _, arrays in parts]
    equal: NDArray[np.int64] = np.stack([part for part, _ in parts]).sum(axis=0)
    # The parts number images from the first of the batch, so no offsets are added.
    return BatchScan(maxima, ~np.isfinite(flaws), equal, join_candidates(blocks, [0] * len(blocks), units))


def scan_batch_with_torch(activations: torch.Tensor, bounds: Bounds) -> BatchScan:
    """Do what `scan_batch` does with torch operations, on any device.

    The host waits for the device twice: for the number of candidates, and for the results.
    """
    images, h, w, units = activations.shape
    bound, tied = move_bounds(bounds, activations.device)
    near = _mark_neighbors(activations > bound).permute(0, 3, 1, 2).reshape(images, units, h * w)
    chosen = near.reshape(-1).nonzero().ravel()  # by image, unit, cell
    pair, cells = chosen // (h * w), chosen % (h * w)
    values = activations.reshape(-1)[(pair // units * (h * w) + cells) * units + pair % units]
    equal = torch.zeros(units, dtype=torch.int64, device=activations.device)
    equal[tied] = (activations[..., tied] == bound[tied]).sum(dim=(0, 1, 2))
    maxima, non_finite, equals, counts, cell, value = copy_to_host(
        *_find_extremes(activations), equal, near.sum(dim=2, dtype=torch.int32), cells.int(), values
    )
    pair_image, pair_unit = np.nonzero(counts)
    pair_start = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[pair_image, pair_unit], dtype=np.int64)])
    cell_type = np.uint16 if h * w <= 65536 else np.int32
    return BatchScan(
        maxima, non_finite, equals,
        Candidates(
            units, pair_unit.astype(np.int32), pair_image.astype(np.int32), pair_start, cell.astype(cell_type), value
        ),
    )  # fmt: skip


def _mark_neighbors(marked: torch.Tensor) -> torch.Tensor:
    """Mark the cells next to marked ones too, also diagonally; bool, shape (B, h, w, U)."""
    for axis in (1, 2):
        near, others = marked.clone(), marked.shape[axis] - 1
        near.narrow(axis, 1, others).logical_or_(marked.narrow(axis, 0, others))
        near.narrow(axis, 0, others).logical_or_(marked.narrow(axis, 1, others))
        marked = near
    return marked


def find_maxima(activations: torch.Tensor, threads: RowThreads) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the largest activation of every (image, unit), and which have a NaN or infinite one, shape (B, U) each.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        threads: threads for the kernel on a CPU.
    """
    if activations.device.type != "cpu":
        maxima, non_finite = copy_to_host(*_find_extremes(activations))
        return maxima, non_finite
    array = activations.flatten(1, 2).numpy()
    maxima = np.empty((array.shape[0], array.shape[2]), np.float32)
    flaws = np.zeros_like(maxima)
    threads.split(array.shape[0], _find_maxima_kernel, array, maxima, flaws)
    return maxima, ~np.isfinite(flaws)


def copy_grids(
    activations: torch.Tensor,
    threads: RowThreads,
    images: NDArray[np.int64],
    units: NDArray[np.int64],
    into: NDArray[np.float32],
    places: NDArray[np.int64],
) -> None:
    """Copy the grids of n (image, unit) of a batch.

    Args:
        activations: float32, shape (B, h, w, U), contiguous.
        threads: threads for the kernel on a CPU.
        images: positions in the batch, shape (n,).
        units: shape (n,).
        into: receives the grids, float32, shape (places, h, w), contiguous.
        places: positions in `into`, shape (n,).
    """
    if activations.device.type != "cpu":
        chosen = torch.from_numpy(np.stack([images, units])).to(activations.device)
        into[places] = copy_to_host(activations[chosen[0], :, :, chosen[1]])[0]
        return
    order = np.lexsort((units, images))  # neighbors in memory are copied together
    grids = into.reshape(len(into), -1)
    threads.split(
        images.size, _copy_grids_kernel, activations.flatten(1, 2).numpy(), images, units, order, grids, places
    )


def _find_extremes(activations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    smallest, largest = activations.flatten(1, 2).aminmax(dim=1)
    return largest, ~(torch.isfinite(largest) & torch.isfinite(smallest))


@cached_njit(error_model="numpy")
def _find_maxima_kernel(first, last, activations, maxima, flaws):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, cells, units = activations.shape
    for b in range(first, last):
        peak, flaw = maxima[b], flaws[b]
        peak[:] = activations[b, 0]
        for cell in range(cells):
            row = activations[b, cell]
            for u in range(units):
                value = row[u]
                peak[u] = max(peak[u], value)
                flaw[u] += value * np.float32(0)  # stays 0 unless the value is NaN or infinite


@cached_njit()
def _copy_grids_kernel(first, last, activations, images, units, order, grids, places):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at = first
    while at < last:
        end = at + 1
        while end < min(at + _UNITS_PER_BLOCK, last) and images[order[end]] == images[order[at]]:
            end += 1
        image = activations[images[order[at]]]
        for cell in range(image.shape[0]):
            for place in range(at, end):
                grids[places[order[place]], cell] = image[cell, units[order[place]]]
        at = end


@cached_njit(error_model="numpy")
def _scan_batch_kernel(first, last, activations, bounds, tied, maxima, flaws, cell_type):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    _, h, w, units = activations.shape
    equal = np.zeros(units, np.int64)
    # Bit x % 32 of word x // 32 says whether a cell of the row lies above the bound; the first and last row are a border.
    above = np.zeros((h + 2, (w + 31) // 32, units), np.uint32)
    in_column = np.empty((h, (w + 31) // 32, units), np.uint32)  # the same for a cell or those above and below it
    near = np.empty_like(in_column)  # the same for candidates
    pairs = units
    pair_unit = np.empty(pairs, np.int32)
    pair_image = np.empty(pairs, np.int32)
    pair_start = np.empty(pairs + 1, np.int64)
    size = max(1024, h * w * units // 8)
    cells = np.full(size, cell_type)
    values = np.empty(size, np.float32)
    found = 0
    at = 0
    for b in range(first, last):
        image = activations[b]
        _mark_above(image, bounds, above, maxima[b], flaws[b])
        for y in range(h if tied.size else 0):
            for x in range(w):
                for u in tied:
                    equal[u] += image[y, x, u] == bounds[u]
        _mark_candidates(above, in_column, near, w)
        if found + units > pairs:
            pairs = 2 * (found + units)
            pair_unit = _grow(pair_unit, found, pairs)
            pair_image = _grow(pair_image, found, pairs)
            pair_start = _grow(pair_start, found, pairs + 1)
        for u in range(units):
            if at + h * w > size:
                size = 2 * (at + h * w)
                cells = _grow(cells, at, size)
                values = _grow(values, at, size)
            end = _collect_candidates(image, near, u, cells, values, at)
            if end > at:
                pair_unit[found], pair_image[found], pair_start[found] = u, b, at
                found += 1
                at = end
    pair_start[found] = at
    return equal, (
        pair_unit[:found].copy(), pair_image[:found].copy(), pair_start[: found + 1].copy(), cells[:at].copy(),
        values[:at].copy(),
    )  # fmt: skip


@cached_njit(error_model="numpy")
def _mark_above(image, bounds, above, peak, flaw):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mark the cells above the bounds in `above`, and find every unit's maximum and whether a value is not finite."""
    h, w, units = image.shape
    above[:] = 0
    peak[:] = image[0, 0]
    for y in range(h):
        for x in range(w):
            row, marked = image[y, x], above[y + 1, x // 32]
            bit, none = np.uint32(1 << (x % 32)), np.uint32(0)
            for u in range(units):
                value = row[u]
                peak[u] = max(peak[u], value)
                flaw[u] += value * np.float32(0)  # stays 0 unless the value is NaN or infinite
                marked[u] |= bit if value > bounds[u] else none


@cached_njit()
def _mark_candidates(above, in_column, near, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mark in `near` every cell of which itself or one of its eight neighbors lies above the bound."""
    h, words, units = near.shape
    for y in range(h):
        for word in range(words):
            upper, middle, lower, marked = above[y, word], above[y + 1, word], above[y + 2, word], in_column[y, word]
            for u in range(units):
                marked[u] = upper[u] | middle[u] | lower[u]
        for word in range(words):
            left, right = max(word - 1, 0), min(word + 1, words - 1)
            inside = np.uint32(2 ** min(32, w - 32 * word) - 1)
            from_left, from_right = np.uint32(word > left), np.uint32(right > word)
            before, own, after, marked = in_column[y, left], in_column[y, word], in_column[y, right], near[y, word]
            for u in range(units):
                carried = (before[u] >> 31 & from_left) | ((after[u] & from_right) << 31)
                marked[u] = (own[u] | own[u] << 1 | own[u] >> 1 | carried) & inside


@cached_njit()
def _collect_candidates(image, near, u, cells, values, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Append the candidates of a unit to `cells` and `values` from `at` on; return the new end."""
    h, words, _ = near.shape
    w = image.shape[1]
    for y in range(h):
        for word in range(words):
            bits = np.int64(near[y, word, u])
            while bits:
                lowest = bits & -bits
                x = 32 * word + _PLACES[((lowest * _DE_BRUIJN) & 0xFFFFFFFF) >> 27]
                cells[at] = y * w + x
                values[at] = image[y, x, u]
                at += 1
                bits ^= lowest
    return at


@cached_njit()
def _grow(array, used, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger
