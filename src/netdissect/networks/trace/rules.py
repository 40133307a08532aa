"""Trace rules: the output's trace of each kind of operation, from the traces of its inputs (docs/method.md, § 2).

Used by torch's operators (`torch_ops`) and by ONNX's nodes (`onnx_ops`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.layers import FieldMap
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    absorb_patches,
    coarsen_part,
    collect_meanings,
    iterate_parts,
    make_channels,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netdissect.networks.trace.tensor_trace import Dim

Shape = tuple[int, ...]


def resize_dims(trace: TensorTrace, shape: Shape, field: FieldMap | None) -> TensorTrace:
    """Return the trace of an output whose dimensions have the same meanings but other lengths."""
    if len(trace.dims) != len(shape):
        return make_unknown_trace(shape)
    dims = tuple(
        dim
        if measure_dim(dim) == size
        else (AxisPart(dim[0].meaning if len(collect_meanings(dim)) == 1 else "?", size),)
        for dim, size in zip(trace.dims, shape, strict=True)
    )
    return TensorTrace(dims, field, trace.rolled, trace.is_global)


def slide_window(
    trace: TensorTrace,
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    transposed: bool = False,
) -> TensorTrace:
    """Return the trace after a convolution or pooling; `padding` is the padding above and on the left."""
    trace = absorb_patches(trace, 1)
    if (
        (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0))
        and len(trace.dims) == 4
        and collect_meanings(trace.dims[1]) <= {"c"}
    ):
        return replace(trace, dims=replace_dim(trace.dims, 1, make_channels(shape[1])), heads=0)
    if not trace.is_image or trace.rolled != (0, 0):
        inside = len(trace.dims) == 4 and collect_meanings(trace.dims[1]) <= {"c"} and trace.shape[2:] == shape[2:]
        # Within windows, cells keep their positions.
        return resize_dims(trace, shape, None) if inside else make_unknown_trace(shape)
    if trace.field is None:
        return resize_dims(trace, shape, None)
    make = fieldmap.make_transposed_window_field if transposed else fieldmap.make_window_field
    window = make(kernel, stride=stride, padding=padding, dilation=dilation)
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def pool_adaptively(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a pooling to a given number of cells; windows of unequal size count as their mean."""
    if not trace.is_image or trace.field is None:
        return resize_dims(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    steps = [size / cells for size, cells in zip(trace.shape[2:], shape[2:], strict=True)]
    window = FieldMap((0, 0), (math.ceil(steps[0]), math.ceil(steps[1])), (steps[0], steps[1]))
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def resample_grid(trace: TensorTrace, shape: Shape, reach: int) -> TensorTrace:
    """Return the trace after interpolation to another size; `reach` is the number of input cells per axis that an output cell depends on."""
    if not trace.is_image or trace.field is None:
        return resize_dims(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    step = [before / after for before, after in zip(trace.shape[2:], shape[2:], strict=True)]
    offset = [ratio / 2 - reach / 2 for ratio in step]
    window = FieldMap((offset[0], offset[1]), (reach, reach), (step[0], step[1]))
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def join_paths(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an elementwise operation on several inputs; a gate, which is equal at all positions, is ignored."""
    full = [trace for trace, part_shape in parts if part_shape == shape]
    if not full:
        full = [trace for trace, part_shape in parts if _covers_grid(trace, part_shape, shape)]
    if not full:
        return make_unknown_trace(shape)
    placed = [trace for trace in full if trace.grid] or [trace for trace in full if trace.has_grid] or full
    if len({(trace.rolled, _locate_cells(trace)) for trace in placed}) > 1:
        return make_unknown_trace(shape)
    inputs = [trace for trace in full if not _is_gate(trace, placed[0])]
    together = resize_dims(placed[0], shape, unite_known_fields([trace.field for trace in inputs]))
    return replace(
        together,
        is_global=any(trace.is_global for trace in inputs),
        heads=placed[0].heads if len(parts) == 1 else 0,
    )


def keep_shape(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an operation about which only its output's shape is known."""
    same = [trace for trace, part_shape in parts if part_shape == shape]
    placed = [trace for trace in same if trace.grid] or same
    return replace(placed[0], field=None, heads=0) if placed else make_unknown_trace(shape)


def normalize_along(trace: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the trace after an operation along one dimension, such as a softmax."""
    if trace.shape != shape:
        return make_unknown_trace(shape)
    over = collect_meanings(trace.dims[axis % len(shape)])
    return trace if over <= {"c"} else replace(trace, is_global=True)


def reduce_dims(trace: TensorTrace, axes: set[int], *, keep: bool, shape: Shape) -> TensorTrace:
    """Return the trace after a mean, sum or maximum.

    Over channels the field map stays; over y and x, or the innermost parts of windows, it is that of a pooling.
    """
    gone = [part for axis in axes for part in trace.dims[axis]]
    pooled = {"y": 1, "x": 1}
    for part in gone:
        if part.meaning == "n" or (part.meaning in pooled and (part.inner != 1 or pooled[part.meaning] != 1)):
            return make_unknown_trace(shape)
        if part.meaning in pooled:
            pooled[part.meaning] = part.length
    remains = TensorTrace(tuple(dim for axis, dim in enumerate(trace.dims) if axis not in axes), None).has_grid
    dims = tuple(
        _reduce_to_one(dim, known=not remains) if axis in axes else tuple(coarsen_part(part, pooled) for part in dim)
        for axis, dim in enumerate(trace.dims)
        if keep or axis not in axes
    )
    if trace.field is None or trace.rolled != (0, 0) or any(part.meaning == "t" for part in gone):
        return TensorTrace(dims, None, trace.rolled if remains else (0, 0))
    window = fieldmap.make_window_field((pooled["y"], pooled["x"]), stride=(pooled["y"], pooled["x"]))
    return TensorTrace(dims, fieldmap.compose_fields(trace.field, window), is_global=trace.is_global)


def _reduce_to_one(dim: Dim, *, known: bool) -> Dim:
    """Return a dimension that was reduced to length 1."""
    return (AxisPart(dim[0].meaning if known and len(collect_meanings(dim)) == 1 else "?", 1),)


def reorder(trace: TensorTrace, axes: Iterable[int], shape: Shape) -> TensorTrace:
    """Return the trace after some dimensions were reordered by value, as sorting does."""
    if any(not collect_meanings(trace.dims[axis]) <= {"c"} for axis in axes):
        return make_unknown_trace(shape)
    return resize_dims(trace, shape, trace.field)


def permute_dims(trace: TensorTrace, order: Sequence[int]) -> TensorTrace:
    """Return the trace with its dimensions in another order."""
    return replace(trace, dims=tuple(trace.dims[axis] for axis in order))


def insert_dim(trace: TensorTrace, axis: int) -> TensorTrace:
    """Return the trace with a new dimension of length 1."""
    return replace(trace, dims=(*trace.dims[:axis], (AxisPart("?", 1),), *trace.dims[axis:]))


def expand_dims(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace of a tensor repeated along dimensions of length 1."""
    dims = ((AxisPart("?", 1),),) * (len(shape) - len(trace.dims)) + trace.dims
    return TensorTrace(
        tuple(
            dim if measure_dim(dim) == size else (AxisPart("r", size),) for dim, size in zip(dims, shape, strict=True)
        ),
        trace.field,
        trace.rolled,
        trace.is_global,
    )


def pad_border(trace: TensorTrace, widths: Sequence[tuple[int, int]], shape: Shape) -> TensorTrace:
    """Return the trace after padding; widths are (before, after) per dimension."""
    if not any(any(pair) for pair in widths):
        return trace
    spatial = trace.spatial
    touched = {axis for axis, pair in enumerate(widths) if any(pair)}
    if spatial is None or trace.rolled != (0, 0) or any(
        axis not in spatial and collect_meanings(trace.dims[axis]) != {"c"} for axis in touched
    ):  # fmt: skip
        return make_unknown_trace(shape)
    window = fieldmap.make_window_field((1, 1), padding=(widths[spatial[0]][0], widths[spatial[1]][0]))
    return resize_dims(trace, shape, None if trace.field is None else fieldmap.compose_fields(trace.field, window))


def roll_grid(trace: TensorTrace, shifts: dict[int, int]) -> TensorTrace:
    """Return the trace of a tensor rolled along some dimensions."""
    spatial = trace.spatial
    if spatial is None or any(axis not in spatial for axis in shifts):
        return make_unknown_trace(trace.shape)
    sizes = (measure_dim(trace.dims[spatial[0]]), measure_dim(trace.dims[spatial[1]]))
    moved = [(trace.rolled[i] + shifts.get(spatial[i], 0)) % sizes[i] for i in (0, 1)]
    return replace(trace, rolled=(moved[0], moved[1]))


def unite_known_fields(fields: Sequence[FieldMap | None]) -> FieldMap | None:
    """Return the field map that covers all others; None if one is unknown."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    return fieldmap.unite_fields(known)


def _locate_cells(trace: TensorTrace) -> tuple[tuple[AxisPart, ...], ...]:
    """Return the parts of rows and columns in every dimension."""
    return tuple(
        tuple(part for part in iterate_parts(dim) if part.meaning in "yx" and part.length > 1) for dim in trace.dims
    )


def _is_gate(trace: TensorTrace, placed: TensorTrace) -> bool:
    """Return whether a tensor is repeated along another's rows and columns, as a gate of channels is."""
    grid = [axis for axis, dim in enumerate(placed.dims) if collect_meanings(dim) & {"y", "x"}]
    return bool(grid) and all(collect_meanings(trace.dims[axis]) <= {"r"} for axis in grid)


def _covers_grid(trace: TensorTrace, part_shape: Shape, shape: Shape) -> bool:
    """Return whether a broadcast to a shape leaves y and x as they are."""
    if len(part_shape) != len(shape) or trace.spatial is None:
        return False
    return all(part_shape[axis] == shape[axis] for axis in trace.spatial)
