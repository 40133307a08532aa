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
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netdissect.networks.trace.tensor_trace import Dim

Shape = tuple[int, ...]


def resize_dims(trace: TensorTrace, shape: Shape, field: FieldMap | None) -> TensorTrace:
    """Return the trace of an output whose dimensions have the same meanings and other lengths."""
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
    """Return the trace after a convolution or pooling; padding is that above and on the left."""
    trace = _absorb_patches(trace, 1)
    if (
        (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0))
        and len(trace.dims) == 4
        and collect_meanings(trace.dims[1]) <= {"c"}
    ):
        return replace(trace, dims=_replace_dim(trace.dims, 1, make_channels(shape[1])), heads=0)
    if not trace.is_image or trace.rolled != (0, 0):
        inside = len(trace.dims) == 4 and collect_meanings(trace.dims[1]) <= {"c"} and trace.shape[2:] == shape[2:]
        return (
            resize_dims(trace, shape, None) if inside else make_unknown_trace(shape)
        )  # within windows, cells stay in place
    if trace.field is None:
        return resize_dims(trace, shape, None)
    make = fieldmap.make_transposed_window_field if transposed else fieldmap.make_window_field
    window = make(kernel, stride=stride, padding=padding, dilation=dilation)
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def pool_adaptively(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a pooling to a given number of cells; if they do not divide evenly, of their mean window."""
    if not trace.is_image or trace.field is None:
        return resize_dims(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    steps = [size / cells for size, cells in zip(trace.shape[2:], shape[2:], strict=True)]
    window = FieldMap((0, 0), (math.ceil(steps[0]), math.ceil(steps[1])), (steps[0], steps[1]))
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def resample_grid(trace: TensorTrace, shape: Shape, reach: int) -> TensorTrace:
    """Return the trace after interpolation to another size; `reach` is the number of cells interpolated between."""
    if not trace.is_image or trace.field is None:
        return resize_dims(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    step = [before / after for before, after in zip(trace.shape[2:], shape[2:], strict=True)]
    offset = [ratio / 2 - reach / 2 for ratio in step]
    window = FieldMap((offset[0], offset[1]), (reach, reach), (step[0], step[1]))
    return resize_dims(trace, shape, fieldmap.compose_fields(trace.field, window))


def join_paths(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an elementwise operation on several inputs; one that is equal at all places is ignored."""
    full = [trace for trace, given in parts if given == shape]
    if not full:
        full = [trace for trace, given in parts if _covers_grid(trace, given, shape)]
    if not full:
        return make_unknown_trace(shape)
    placed = [trace for trace in full if trace.grid] or [trace for trace in full if trace.has_grid] or full
    if len({(trace.rolled, _locate_cells(trace)) for trace in placed}) > 1:
        return make_unknown_trace(shape)
    inputs = [trace for trace in full if not _is_gate(trace, placed[0])]
    together = resize_dims(placed[0], shape, _unite_fields([trace.field for trace in inputs]))
    return replace(
        together,
        is_global=any(trace.is_global for trace in inputs),
        heads=placed[0].heads if len(parts) == 1 else 0,
    )


def keep_shape(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an operation of which only the output's shape is known."""
    same = [trace for trace, given in parts if given == shape]
    placed = [trace for trace in same if trace.grid] or same
    return replace(placed[0], field=None, heads=0) if placed else make_unknown_trace(shape)


def normalize_along(trace: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the trace after an operation along one dimension, such as a softmax."""
    if trace.shape != shape:
        return make_unknown_trace(shape)
    over = collect_meanings(trace.dims[axis % len(shape)])
    return trace if over <= {"c"} else replace(trace, is_global=True)


def concatenate_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of concatenated tensors; along rows, columns or tokens the others are extra tokens."""
    known = [trace for trace, _ in parts if trace is not None]
    placed = [trace for trace in known if trace.has_grid] or known
    first = placed[0]
    if len(first.dims) != len(shape):
        return make_unknown_trace(shape)
    if collect_meanings(first.dims[axis]) & {"y", "x"}:
        return _concatenate_tokens(parts, axis, shape)
    if any(
        trace.rolled != first.rolled or any(a != b for i, (a, b) in enumerate(zip(trace.dims, first.dims, strict=True)) if i != axis)
        for trace in placed
    ):  # fmt: skip
        return make_unknown_trace(shape)
    together = resize_dims(first, shape, _unite_fields([trace.field for trace in known]))
    return replace(together, is_global=any(trace.is_global for trace in known))


def stack_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of tensors stacked along a new dimension, which counts as channels."""
    traces = [trace for trace, _ in parts if trace is not None]
    if len(traces) < len(parts) or any((t.dims, t.rolled) != (traces[0].dims, traces[0].rolled) for t in traces):
        return make_unknown_trace(shape)
    first = traces[0]
    dims = (*first.dims[:axis], (AxisPart("c", len(parts)),), *first.dims[axis:])
    seen = any(trace.is_global for trace in traces)
    return TensorTrace(dims, _unite_fields([trace.field for trace in traces]), first.rolled, seen)


def _concatenate_tokens(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of patches concatenated with class or register tokens."""
    before, found = 0, None
    for trace, given in parts:
        if trace is not None and len(trace.dims) > axis and collect_meanings(trace.dims[axis]) & {"y", "x"}:
            if found is not None:
                return make_unknown_trace(shape)
            found = (trace, before)
        before += given[axis]
    if found is None:
        return make_unknown_trace(shape)
    trace, before = found
    dim = trace.dims[axis]
    if len(dim) == 1 and dim[0].meaning == "t":
        tokens = AxisPart("t", shape[axis], 1, before + dim[0].before, dim[0].grid)
    elif collect_meanings(dim) <= {"y", "x"}:
        tokens = AxisPart("t", shape[axis], 1, before, dim)
    else:
        return make_unknown_trace(shape)
    return replace(trace, dims=_replace_dim(trace.dims, axis, (tokens,)))


def take_slice(trace: TensorTrace, axis: int, start: int, step: int, shape: Shape) -> TensorTrace:
    """Return the trace of a slice; along y or x it shifts the field map and widens its step."""
    if trace.shape == shape:
        return trace
    dim = trace.dims[axis]
    if collect_meanings(dim) <= {"c"} or collect_meanings(dim) <= {"?"}:
        return resize_dims(trace, shape, trace.field)
    if len(dim) == 1 and dim[0].meaning == "t" and step == 1:
        return _slice_tokens(trace, axis, start, shape)
    if trace.spatial is None or axis not in trace.spatial or trace.rolled != (0, 0):
        return make_unknown_trace(shape)
    offset, stride = [0, 0], [1, 1]
    offset[trace.spatial.index(axis)], stride[trace.spatial.index(axis)] = -start, step
    window = fieldmap.make_window_field((1, 1), stride=(stride[0], stride[1]), padding=(offset[0], offset[1]))
    return resize_dims(trace, shape, None if trace.field is None else fieldmap.compose_fields(trace.field, window))


def _slice_tokens(trace: TensorTrace, axis: int, start: int, shape: Shape) -> TensorTrace:
    tokens = trace.dims[axis][0]
    stop = start + shape[axis]
    first, last = tokens.before, tokens.before + tokens.patches
    if start <= first and stop >= last:
        left = AxisPart("t", shape[axis], 1, first - start, tokens.grid)
        return replace(
            trace, dims=_replace_dim(trace.dims, axis, tokens.grid if left.length == left.patches else (left,))
        )
    if stop <= first or start >= last:
        return TensorTrace(_replace_dim(trace.dims, axis, (AxisPart("?", shape[axis]),)), None)
    return make_unknown_trace(shape)


def select_index(trace: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of one index of a dimension, which is removed."""
    dims = trace.dims[:axis] + trace.dims[axis + 1 :]
    if collect_meanings(trace.dims[axis]) <= {"c", "?"}:
        return replace(trace, dims=dims)
    left = TensorTrace(dims, None)
    return make_unknown_trace(shape) if left.has_grid or collect_meanings(trace.dims[axis]) & {"n"} else left


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


def apply_linear(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a linear map of the last dimension."""
    trace = _absorb_patches(trace, len(trace.dims) - 1)
    last, others = trace.dims[-1], trace.dims[:-1]
    if collect_meanings(last) <= {"c"}:
        return replace(trace, dims=(*others, make_channels(shape[-1])), heads=0)
    flat = "c" in collect_meanings(last) and not TensorTrace(others, None).has_grid
    return TensorTrace((*others, make_channels(shape[-1]) if flat else (AxisPart("?", shape[-1]),)), None, trace.rolled)


def multiply_matrices(left: TensorTrace | None, right: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the trace of a matrix product; None stands for a side that does not depend on the image."""
    if left is not None and right is None:
        return apply_linear(left, shape) if len(left.dims) == len(shape) else make_unknown_trace(shape)
    if right is not None and left is None:
        if len(right.dims) != len(shape):
            return make_unknown_trace(shape)
        transposed = permute_dims(right, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
        transposed = apply_linear(transposed, (*shape[:-2], shape[-1], shape[-2]))
        return permute_dims(transposed, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
    if left is None or right is None or not len(left.dims) == len(right.dims) == len(shape):
        return make_unknown_trace(shape)
    rows, columns = left.dims[-2], right.dims[-1]
    if collect_meanings(rows) & collect_meanings(columns) & {"y", "x"}:
        columns = (AxisPart("?", shape[-1]),)
    places = left if collect_meanings(rows) & {"y", "x"} else right
    return _count_heads(TensorTrace((*left.dims[:-2], rows, columns), places.field, left.rolled, is_global=True))


def attend(query: TensorTrace | None, value: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the trace after attention: the queries' cells, the values' channels, and a view of the whole image.

    Queries that do not depend on the image, as in attention pooling, have no cells.
    """
    if value is None or len(value.dims) != len(shape):
        return make_unknown_trace(shape)
    if query is None:
        pooled = (AxisPart("r" if shape[-2] > 1 else "?", shape[-2]),)
        return _count_heads(TensorTrace((*value.dims[:-2], pooled, value.dims[-1]), None))
    if len(query.dims) != len(shape):
        return make_unknown_trace(shape)
    known = collect_meanings(value.dims[-1]) != {"?"} or not collect_meanings(query.dims[-1]) <= {"c"}
    last = value.dims[-1] if known else make_channels(shape[-1])
    return _count_heads(TensorTrace((*query.dims[:-1], last), query.field, query.rolled, is_global=True))


def _count_heads(trace: TensorTrace) -> TensorTrace:
    """Return the trace with its number of attention heads, from the parts of channels before the last two dimensions."""
    beside = [part.length for dim in trace.dims[:-2] for part in dim if part.meaning == "c"]
    return replace(trace, heads=math.prod(beside)) if collect_meanings(trace.dims[-1]) <= {"c"} else trace


def roll_grid(trace: TensorTrace, shifts: dict[int, int]) -> TensorTrace:
    """Return the trace of a tensor rolled along some dimensions."""
    spatial = trace.spatial
    if spatial is None or any(axis not in spatial for axis in shifts):
        return make_unknown_trace(trace.shape)
    sizes = (measure_dim(trace.dims[spatial[0]]), measure_dim(trace.dims[spatial[1]]))
    moved = [(trace.rolled[i] + shifts.get(spatial[i], 0)) % sizes[i] for i in (0, 1)]
    return replace(trace, rolled=(moved[0], moved[1]))


def _absorb_patches(trace: TensorTrace, axis: int) -> TensorTrace:
    """Return the trace in which parts of patches among the channels have become a window of the patch's size."""
    if len(trace.dims) <= axis:
        return trace
    found, patch = absorb_patches(trace, axis)
    if patch is None or trace.field is None:
        return found
    window = fieldmap.make_window_field(patch, stride=patch)
    return replace(found, field=fieldmap.compose_fields(trace.field, window))


def _unite_fields(fields: Sequence[FieldMap | None]) -> FieldMap | None:
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


def _covers_grid(trace: TensorTrace, given: Shape, shape: Shape) -> bool:
    """Return whether a broadcast to a shape leaves y and x as they are."""
    if len(given) != len(shape) or trace.spatial is None:
        return False
    return all(given[axis] == shape[axis] for axis in trace.spatial)


def _replace_dim(dims: tuple[Dim, ...], axis: int, dim: Dim) -> tuple[Dim, ...]:
    return (*dims[:axis], dim, *dims[axis + 1 :])
