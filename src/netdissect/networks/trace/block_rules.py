"""Trace rules of operations that exchange channels and cells: pixel shuffle, unfolding into patches, and folding back."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.networks.trace.borders import NO_BORDER
from netdissect.networks.trace.resampling import Resampling, make_spaced_field
from netdissect.networks.trace.rules import measure_growth, permute_dims
from netdissect.networks.trace.slice_rules import take_slice
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    iterate_parts,
    make_channels,
    make_unknown_trace,
    measure_dim,
    regroup_dims,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.rules import Shape

_NEAREST = Resampling(1, "asymmetric", "floor")


def regroup_cells(trace: TensorTrace, shape: Sequence[int]) -> TensorTrace:
    """Return the trace of a view, in which channels that follow rows and columns become finer rows and columns."""
    regrouped = regroup_dims(trace, shape)
    dims = tuple(
        make_channels(measure_dim(dim)) if collect_meanings(dim) == {"c", "r"} else dim for dim in regrouped.dims
    )
    return _spread_blocks(replace(regrouped, dims=dims))


def _spread_blocks(trace: TensorTrace) -> TensorTrace:
    """Turn channels and repetitions after rows or columns of one dimension into cells, as nearest neighbors place them."""
    axes = {dim[0].meaning: axis for axis, dim in enumerate(trace.dims) if _is_block(dim)}
    parts = [part.meaning for dim in trace.dims for part in iterate_parts(dim)]
    has_channels = any(part.meaning == "c" for axis in axes.values() for part in trace.dims[axis])
    if not axes or any(parts.count(meaning) > 1 for meaning in axes) or (has_channels and len(axes) < 2):
        return trace
    dims, factors = trace.dims, {"y": 1, "x": 1}
    spacings = {"y": _NEAREST.place_cells(1, 1), "x": _NEAREST.place_cells(1, 1)}
    for meaning, axis in axes.items():
        before, after = trace.dims[axis][0].length, measure_dim(trace.dims[axis])
        factors[meaning], spacings[meaning] = after // before, _NEAREST.place_cells(before, after)
        dims = replace_dim(dims, axis, (AxisPart(meaning, after),))
    path = trace.path and trace.path.follow(make_spaced_field(spacings["y"], spacings["x"]))
    rolled = trace.rolled[0] * factors["y"], trace.rolled[1] * factors["x"]
    return replace(trace, dims=dims, path=path, rolled=rolled, border=trace.border.scale((factors["y"], factors["x"])))


def _is_block(dim: Sequence[AxisPart]) -> bool:
    """Return whether a dimension is whole rows or columns, and channels or repetitions after them."""
    if len(dim) < 2 or dim[0].meaning not in ("y", "x") or dim[0].inner != 1:
        return False
    return all(part.meaning in "cr" for part in dim[1:])


def shuffle_pixels(
    trace: TensorTrace, block: Sequence[int], shape: Shape, *, is_depth_first: bool = True
) -> TensorTrace:
    """Return the trace after channels became the cells of blocks (PixelShuffle, DepthToSpace, Fold without overlap).

    Args:
        trace: of the input, (..., channels, rows, columns).
        block: cells of a block, (y, x).
        shape: of the output.
        is_depth_first: whether the cells of a block are next to each other in the input's channels.
    """
    (*outer, depth, _, _), (height, width) = shape, trace.shape[-2:]
    inside = (depth, *block) if is_depth_first else (*block, depth)
    cut = regroup_dims(trace, (*outer, *inside, height, width))
    at = len(outer)
    order = (at, at + 3, at + 1, at + 4, at + 2) if is_depth_first else (at + 2, at + 3, at, at + 4, at + 1)
    return regroup_cells(permute_dims(cut, (*range(at), *order)), shape)


def gather_pixels(
    trace: TensorTrace, block: Sequence[int], shape: Shape, *, is_depth_first: bool = True
) -> TensorTrace:
    """Return the trace after the cells of blocks became channels (PixelUnshuffle, SpaceToDepth).

    Args:
        trace: of the input, (..., channels, rows, columns).
        block: cells of a block, (y, x).
        shape: of the output.
        is_depth_first: whether the cells of a block are next to each other in the output's channels.
    """
    *outer, depth, height, width = trace.shape
    cut = regroup_dims(trace, (*outer, depth, height // block[0], block[0], width // block[1], block[1]))
    at = len(outer)
    order = (at, at + 2, at + 4, at + 1, at + 3) if is_depth_first else (at + 2, at + 4, at, at + 1, at + 3)
    return regroup_cells(permute_dims(cut, (*range(at), *order)), shape)


def unfold_windows(
    trace: TensorTrace, shape: Shape, kernel: tuple[int, int], *,
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int],
) -> TensorTrace:  # fmt: skip
    """Return the trace after every window became one token whose channels are the window's cells (Unfold, im2col)."""
    if not trace.is_image or trace.rolled != (0, 0):
        return make_unknown_trace(shape)
    cells = trace.shape[2:]
    windows = [
        (cells[axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    ]
    if kernel == stride and padding == (0, 0) and dilation == (1, 1) and _divides(cells, kernel):
        whole = (shape[0], shape[1], *windows)
        return regroup_dims(gather_pixels(trace, kernel, whole), shape)
    window = fieldmap.make_window_field(kernel, stride=stride, padding=padding, dilation=dilation)
    growth = [
        measure_growth(cells[axis], windows[axis], stride[axis], dilation[axis] * (kernel[axis] - 1), 2 * padding[axis])
        for axis in (0, 1)
    ]
    tokens = (AxisPart("y", windows[0]), AxisPart("x", windows[1]))
    path = trace.path and trace.path.follow(window, (growth[0], growth[1]))
    return replace(trace, dims=(trace.dims[0], make_channels(shape[1]), tokens), path=path, border=NO_BORDER)


def fold_windows(
    trace: TensorTrace, shape: Shape, kernel: tuple[int, int], *,
    stride: tuple[int, int], padding: tuple[int, int], dilation: tuple[int, int],
) -> TensorTrace:  # fmt: skip
    """Return the trace after the windows that tokens stand for were added up to one grid (Fold, col2im)."""
    if len(trace.dims) != 3 or len(shape) != 4 or trace.rolled != (0, 0):
        return make_unknown_trace(shape)
    cells = [
        (shape[axis + 2] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    ]
    whole = regroup_dims(trace, (shape[0], trace.shape[1], *cells))
    if kernel == stride and padding == (0, 0) and dilation == (1, 1) and _divides(shape[2:], kernel):
        return shuffle_pixels(whole, kernel, shape)
    if not whole.is_image:
        return make_unknown_trace(shape)
    window = fieldmap.make_transposed_window_field(kernel, stride=stride, padding=padding, dilation=dilation)
    growth = [shape[axis + 2] / stride[axis] - cells[axis] for axis in (0, 1)]
    dims = (whole.dims[0], make_channels(shape[1]), (AxisPart("y", shape[2]),), (AxisPart("x", shape[3]),))
    path = whole.path and whole.path.follow(window, (growth[0], growth[1]))
    return replace(whole, dims=dims, path=path, heads=0, border=NO_BORDER)


def unfold_axis(trace: TensorTrace, axis: int, size: int, step: int, shape: Shape, dilation: int = 1) -> TensorTrace:
    """Return the trace after windows along one dimension were cut, whose cells become a last dimension (Tensor.unfold)."""
    dim, count = trace.dims[axis], shape[axis]
    meaning = dim[0].meaning
    if trace.rolled != (0, 0) or len(dim) != 1 or trace.is_lost or (meaning in "yx" and trace.axis(meaning) != axis):
        return make_unknown_trace(shape)
    if meaning in "yx" and size == step and dilation == 1:
        used = take_slice(trace, axis, 0, 1, (*trace.shape[:axis], count * size, *trace.shape[axis + 1 :]))
        dims = replace_dim(used.dims, axis, (AxisPart(meaning, count, size),))
        return replace(used, dims=(*dims, (AxisPart(meaning, size),)))
    if meaning not in "cyx":
        return make_unknown_trace(shape)
    sizes, strides, growth = [1, 1], [1, 1], [0.0, 0.0]
    if meaning in "yx":
        place = "yx".index(meaning)
        sizes[place], strides[place] = dilation * (size - 1) + 1, step
        growth[place] = measure_growth(measure_dim(dim), count, step, sizes[place] - 1, 0)
    window = fieldmap.make_window_field((sizes[0], sizes[1]), stride=(strides[0], strides[1]))
    path = trace.path and trace.path.follow(window, (growth[0], growth[1]))
    dims = (*replace_dim(trace.dims, axis, (AxisPart(meaning, count),)), make_channels(size))
    return replace(trace, dims=dims, path=path, border=NO_BORDER)


def _divides(cells: Sequence[int], kernel: Sequence[int]) -> bool:
    return all(math.remainder(size, part) == 0 for size, part in zip(cells, kernel, strict=True))
