"""Trace rules of operations that join or split tensors along one dimension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.networks.trace.border_rules import add_tokens, concatenate_rows
from netdissect.networks.trace.borders import unite_borders
from netdissect.networks.trace.image_rules import join_images, select_image
from netdissect.networks.trace.rules import join_known_paths, resize_dims
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    make_channels,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.rules import Shape


def concatenate_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of concatenated tensors; along rows, columns or tokens, all tensors but the patches count as additional tokens."""
    known = [trace for trace, _ in parts if trace is not None]
    placed = [trace for trace in known if trace.has_grid] or known
    if not placed or len(placed[0].dims) != len(shape):
        return make_unknown_trace(shape)  # also if every tensor that depends on the image is empty
    first = placed[0]
    if collect_meanings(first.dims[axis]) & {"y", "x"}:
        is_grid = len(known) == len(parts) > 1 and first.spatial is not None
        return concatenate_rows(known, axis, shape) if is_grid else _concatenate_tokens(parts, axis, shape)
    images = join_images([trace for trace, _ in parts])
    if any(
        trace.rolled != first.rolled or any(a != b for i, (a, b) in enumerate(zip(trace.dims, first.dims, strict=True)) if i != axis)
        for trace in placed
    ):  # fmt: skip
        return make_unknown_trace(shape)
    path = join_known_paths([trace.path for trace in known], first.grid)
    border = unite_borders(trace.border for trace in placed)
    is_global = any(trace.is_global for trace in known)
    result = replace(resize_dims(first, shape, path), is_global=is_global, border=border)
    if measure_dim(first.dims[axis]) == 1 and first.grid not in (None, (1, 1)):
        result = replace(result, dims=replace_dim(result.dims, axis, make_channels(shape[axis])))
    if axis or images != shape[0]:
        return result
    return replace(result, dims=replace_dim(result.dims, 0, (AxisPart("n", images),)), image=None)


def stack_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of tensors stacked along a new dimension, which counts as channels unless it is that of images."""
    traces = [trace for trace, _ in parts if trace is not None]
    if len(traces) < len(parts) or any((t.dims, t.rolled) != (traces[0].dims, traces[0].rolled) for t in traces):
        return make_unknown_trace(shape)
    first = traces[0]
    images = 0 if axis else join_images(traces)
    new = AxisPart("n", images) if images else AxisPart("c", len(parts))
    dims = (*first.dims[:axis], (new,), *first.dims[axis:])
    is_global = any(trace.is_global for trace in traces)
    path = join_known_paths([trace.path for trace in traces], first.grid)
    return TensorTrace(dims, path, first.rolled, is_global, border=unite_borders(trace.border for trace in traces))


def _concatenate_tokens(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of patches concatenated with class or register tokens."""
    before, found = 0, None
    for trace, part_shape in parts:
        if trace is not None and len(trace.dims) > axis and collect_meanings(trace.dims[axis]) & {"y", "x"}:
            if found is not None:
                return make_unknown_trace(shape)
            found = (trace, before)
        before += part_shape[axis]
    if found is None:
        return make_unknown_trace(shape)
    return add_tokens(found[0], axis, found[1], shape)


def take_slice(trace: TensorTrace, axis: int, start: int, step: int, shape: Shape) -> TensorTrace:
    """Return the trace of a slice; along y or x it shifts the field map and widens its step."""
    if trace.shape == shape:
        return trace
    dim = trace.dims[axis]
    if collect_meanings(dim) <= {"c", "r"} or collect_meanings(dim) <= {"?"}:
        return resize_dims(trace, shape, trace.path)
    if len(dim) == 1 and dim[0].meaning == "t" and step == 1:
        return _slice_tokens(trace, axis, start, shape)
    if collect_meanings(dim) == {"n"} and shape[axis] == 1:
        return select_image(trace, axis, start, shape)
    if trace.spatial is None or axis not in trace.spatial:
        return make_unknown_trace(shape)
    place = trace.spatial.index(axis)
    if trace.border.is_outside:
        if not trace.border.is_cut_off(place, range(start, start + shape[axis], step), trace.shape[axis]):
            return make_unknown_trace(shape)
    elif trace.rolled[place]:
        start = (start - trace.rolled[place]) % trace.shape[axis]
        if step != 1 or start + shape[axis] > trace.shape[axis]:
            return make_unknown_trace(shape)
        trace = replace(trace, rolled=(0, trace.rolled[1]) if place == 0 else (trace.rolled[0], 0))
    offset, stride, growth = [0, 0], [1, 1], [0, 0]
    offset[place], stride[place], growth[place] = -start, step, shape[axis] * step - trace.shape[axis]
    window = fieldmap.make_window_field((1, 1), stride=(stride[0], stride[1]), padding=(offset[0], offset[1]))
    path = trace.path and trace.path.follow(window, (growth[0], growth[1]))
    taken = range(start, start + shape[axis] * step, step)
    return replace(resize_dims(trace, shape, path), border=trace.border.slice_axis(place, taken, trace.shape[axis]))


def _slice_tokens(trace: TensorTrace, axis: int, start: int, shape: Shape) -> TensorTrace:
    tokens = trace.dims[axis][0]
    stop = start + shape[axis]
    first, last = tokens.before, tokens.before + tokens.patches
    if start <= first and stop >= last:
        left = AxisPart("t", shape[axis], 1, first - start, tokens.grid)
        return replace(
            trace, dims=replace_dim(trace.dims, axis, tokens.grid if left.length == left.patches else (left,))
        )
    if stop <= first or start >= last:
        return TensorTrace(replace_dim(trace.dims, axis, (AxisPart("?", shape[axis]),)), None)
    return make_unknown_trace(shape)


def select_index(trace: TensorTrace, axis: int, number: int, shape: Shape) -> TensorTrace:
    """Return the trace of one index of a dimension, which is removed."""
    dims = trace.dims[:axis] + trace.dims[axis + 1 :]
    if collect_meanings(trace.dims[axis]) <= {"c", "r", "?"}:
        return replace(trace, dims=dims)
    if collect_meanings(trace.dims[axis]) == {"n"}:
        return select_image(trace, axis, number, shape)
    left = TensorTrace(dims, None)
    return make_unknown_trace(shape) if left.has_grid or collect_meanings(trace.dims[axis]) & {"n"} else left
