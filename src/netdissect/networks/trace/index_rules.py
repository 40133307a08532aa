"""Trace rules of picking by index and of repeating: along channels nothing moves, along rows and columns regular steps are slices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.networks.trace.block_rules import unfold_axis
from netdissect.networks.trace.rules import name_repetition, resize_dims
from netdissect.networks.trace.slice_rules import take_slice
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from netdissect.networks.trace.rules import Shape


def take_indices(trace: TensorTrace, axis: int, index: NDArray[np.generic], shape: Shape) -> TensorTrace:
    """Return the trace of some indices of a dimension.

    Args:
        trace: of the input.
        axis: the dimension.
        index: indices that do not depend on the image, or a mask of the dimension; its dimensions replace the one it picks from.
        shape: of the output.
    """
    dim = trace.dims[axis]
    size = measure_dim(dim)
    numbers = np.flatnonzero(index) if index.dtype == bool else index.reshape(-1).astype(np.int64) % max(1, size)
    lengths = (numbers.size,) if index.dtype == bool else index.shape
    if collect_meanings(dim) <= {"c"} or collect_meanings(dim) in ({"r"}, {"?"}):
        meaning = name_repetition(trace, axis) if size == 1 else dim[0].meaning
        picked = tuple((AxisPart(meaning, length),) for length in lengths)
        return replace(trace, dims=(*trace.dims[:axis], *picked, *trace.dims[axis + 1 :]), heads=0)
    if len(lengths) == 2 and numbers.size:
        return _take_windows(trace, axis, index, shape)
    if len(lengths) != 1 or not numbers.size:
        return make_unknown_trace(shape)
    if np.array_equal(numbers, np.arange(size)):
        return trace
    step = int(numbers[1] - numbers[0]) if numbers.size > 1 else 1
    if step < 1 or not np.array_equal(numbers, numbers[0] + step * np.arange(numbers.size)):
        return make_unknown_trace(shape)
    return take_slice(trace, axis, int(numbers[0]), step, shape)


def _take_windows(trace: TensorTrace, axis: int, index: NDArray[np.generic], shape: Shape) -> TensorTrace:
    """Return the trace of windows along rows or columns that are picked by a table of indices, as Unfold is exported."""
    steps = np.diff(index, axis=0).max(initial=0), np.diff(index, axis=1).max(initial=0)
    cells = 0 if steps[0] > steps[1] and index.shape[0] >= index.shape[1] else 1
    table = (index if cells == 1 else index.T).astype(np.int64)
    kernel, count = table.shape
    stride = int(table[0, 1] - table[0, 0]) if count > 1 else 1
    dilation = int(table[1, 0] - table[0, 0]) if kernel > 1 else 1
    start = int(table[0, 0])
    regular = start + dilation * np.arange(kernel)[:, None] + stride * np.arange(count)
    if start < 0 or stride < 1 or not np.array_equal(table, regular):
        return make_unknown_trace(shape)
    rest = trace.shape[:axis], trace.shape[axis + 1 :]
    size = dilation * (kernel - 1) + 1
    used = stride * (count - 1) + size
    cut = take_slice(trace, axis, start, 1, (*rest[0], used, *rest[1]))
    unfolded = unfold_axis(cut, axis, kernel, stride, (*rest[0], count, *rest[1], kernel), dilation)
    *dims, window = unfolded.dims
    pair = (window, dims[axis]) if cells == 1 else (dims[axis], window)
    return replace(unfolded, dims=(*dims[:axis], *pair, *dims[axis + 1 :]))


def gather_elements(trace: TensorTrace, axis: int, index: NDArray[np.generic], shape: Shape) -> TensorTrace:
    """Return the trace of elements picked along one dimension, by indices that may differ elsewhere."""
    rest = [(a, b) for position, (a, b) in enumerate(zip(trace.shape, shape, strict=True)) if position != axis]
    if any(a != b for a, b in rest):
        return make_unknown_trace(shape)
    if collect_meanings(trace.dims[axis]) <= {"c"}:
        return resize_dims(trace, shape, trace.path)
    rows = np.moveaxis(index, axis, 0).reshape(shape[axis], -1)
    return take_indices(trace, axis, rows[:, 0], shape) if (rows == rows[:, :1]).all() else make_unknown_trace(shape)


def repeat_dims(trace: TensorTrace, times: Sequence[int], shape: Shape) -> TensorTrace:
    """Return the trace of a tensor whose dimensions are repeated as a whole; there may be more numbers than dimensions."""
    trace = replace(trace, dims=((AxisPart("?", 1),),) * (len(shape) - len(trace.dims)) + trace.dims)
    dims = trace.dims
    for axis, many in enumerate(times):
        dim = trace.dims[axis]
        if many == 1:
            continue
        if measure_dim(dim) == 1:
            meaning = name_repetition(trace, axis)
        elif collect_meanings(dim) in ({"c"}, {"r"}, {"?"}):
            meaning = dim[0].meaning
        else:
            return make_unknown_trace(shape)
        dims = replace_dim(dims, axis, (AxisPart(meaning, shape[axis]),))
    return replace(trace, dims=dims, heads=0)


def reorder(trace: TensorTrace, axes: Iterable[int], shape: Shape) -> TensorTrace:
    """Return the trace after some dimensions were reordered by value, as sorting does."""
    if any(not collect_meanings(trace.dims[axis]) <= {"c"} for axis in axes):
        return make_unknown_trace(shape)
    return resize_dims(trace, shape, trace.path)


def accumulate(trace: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of sums over all elements before; along rows and columns the field map is lost."""
    if trace.shape != shape:
        return make_unknown_trace(shape)
    return trace if collect_meanings(trace.dims[axis % len(shape)]) <= {"c"} else replace(trace, path=None)
