"""Trace rules of linear maps, matrix products and attention."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.rules import is_placeless, permute_dims
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    absorb_patches,
    collect_meanings,
    make_channels,
    make_unknown_trace,
    measure_dim,
)

if TYPE_CHECKING:
    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import Dim


def apply_linear(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a linear map of the last dimension."""
    trace = absorb_patches(trace, len(trace.dims) - 1)
    last, others = trace.dims[-1], trace.dims[:-1]
    if collect_meanings(last) <= {"c"}:
        return replace(trace, dims=(*others, make_channels(shape[-1])), heads=0)
    weights = "k" in collect_meanings(last) and any("c" in collect_meanings(dim) for dim in others)
    flat = "c" in collect_meanings(last) and not TensorTrace(others, None).has_grid and not weights
    return TensorTrace((*others, make_channels(shape[-1]) if flat else (AxisPart("?", shape[-1]),)), None, trace.rolled)


def multiply_matrices(left: TensorTrace | None, right: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the trace of a matrix product; None for a side that does not depend on the image."""
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
    rows, columns = _multiply_dims(left, right)
    for matrix, other, contracted in ((right, left, left.dims[-1]), (left, right, right.dims[-2])):
        if is_placeless(matrix) and not matrix.is_global and other.has_grid and collect_meanings(contracted) <= {"c"}:
            return replace(other, dims=(*other.dims[:-2], rows, columns), heads=0)  # weights of every image
    places = left if _has_positions(rows) else right
    dims = (*left.dims[:-2], rows, columns)
    return _count_heads(_mix(TensorTrace(dims, places.path, left.rolled, border=places.border)))


def _multiply_dims(left: TensorTrace, right: TensorTrace) -> tuple[Dim, Dim]:
    """Return the last two dimensions of a product.

    Positions by positions are attention (``a``); its product with values that were lost has their channels. A product over
    positions is channels by channels: weights (``k``), until they are multiplied with something whose channels they mix.
    """
    rows, columns = left.dims[-2], right.dims[-1]
    over = left.dims[-1], right.dims[-2]
    if _has_positions(rows):
        if collect_meanings(columns) == {"?"} and collect_meanings(over[0]) == {"a"}:
            return rows, make_channels(measure_dim(columns))
        if _has_positions(columns) or collect_meanings(columns) == {"?"}:
            return rows, (AxisPart("a", measure_dim(columns)),)
    if all(map(_has_positions, over)):
        are_weights = min(measure_dim(rows), measure_dim(columns)) > 1 and collect_meanings(rows) <= {"c"}
        return rows, (AxisPart("k", measure_dim(columns)),) if are_weights else columns
    if not _has_positions(rows) and collect_meanings(over[0]) == {"?"}:
        rows = (AxisPart("?", measure_dim(rows)),)
    rows, columns = (
        make_channels(measure_dim(dim)) if collect_meanings(dim) == {"k"} else dim for dim in (rows, columns)
    )
    return rows, columns


def _has_positions(dim: Dim) -> bool:
    return bool(collect_meanings(dim) & {"y", "x"})


def apply_attention(query: TensorTrace | None, value: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the trace after attention: the queries' cells and the values' channels; each cell depends on the whole image.

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
    dims = (*query.dims[:-1], last)
    return _count_heads(_mix(TensorTrace(dims, query.path, query.rolled, border=query.border)))


def apply_recurrence(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a recurrent network: the input's cells; each depends on its whole sequence."""
    return _mix(apply_linear(trace, shape))


def _mix(trace: TensorTrace) -> TensorTrace:
    """Return a trace marked as that of an operation that mixes positions."""
    return replace(trace, path=trace.path and trace.path.mix(), is_global=True)


def _count_heads(trace: TensorTrace) -> TensorTrace:
    """Return the trace with its number of attention heads, from the parts of channels before the last two dimensions."""
    heads = [part.length for dim in trace.dims[:-2] for part in dim if part.meaning == "c"]
    return replace(trace, heads=math.prod(heads)) if collect_meanings(trace.dims[-1]) <= {"c"} else trace
