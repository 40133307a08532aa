"""Trace rules of operations that add, remove or move whole rows, columns or tokens: padding, rolls, and rows joined again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.networks.trace.borders import NO_BORDER
from netdissect.networks.trace.rules import resize_dims
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.field_path import FieldPath
    from netdissect.networks.trace.rules import Shape

#: Cells by which two positions may differ and still count as equal.
_TOLERANCE = 1e-6


def pad_border(trace: TensorTrace, widths: Sequence[tuple[int, int]], shape: Shape) -> TensorTrace:
    """Return the trace after padding; widths are (before, after) per dimension, negative where cells are removed."""
    touched = [axis for axis, pair in enumerate(widths) if any(pair) and collect_meanings(trace.dims[axis]) != {"c"}]
    spatial = trace.spatial
    if not touched:
        return resize_dims(trace, shape, trace.path) if trace.shape != shape else trace
    if spatial is None and len(touched) == 1 and min(widths[touched[0]]) >= 0:
        return add_tokens(trace, touched[0], widths[touched[0]][0], shape)
    is_rolled = trace.rolled != (0, 0)
    if spatial is None or (is_rolled and trace.border != NO_BORDER) or not {*touched} <= {*spatial}:
        return make_unknown_trace(shape)
    rows, columns = widths[spatial[0]], widths[spatial[1]]
    window = fieldmap.make_window_field((1, 1), padding=(rows[0], columns[0]))
    padded = resize_dims(trace, shape, trace.path and trace.path.follow(window, (sum(rows), sum(columns))))
    return replace(padded, border=trace.border.extend(rows, columns, is_outside=is_rolled))


def add_tokens(trace: TensorTrace, axis: int, before: int, shape: Shape) -> TensorTrace:
    """Return the trace after tokens that are not patches were added to a dimension."""
    dim = trace.dims[axis]
    if len(dim) == 1 and dim[0].meaning == "t":
        tokens = AxisPart("t", shape[axis], 1, before + dim[0].before, dim[0].grid)
    elif dim and collect_meanings(dim) and collect_meanings(dim) <= {"y", "x"}:
        tokens = AxisPart("t", shape[axis], 1, before, dim)
    else:
        return make_unknown_trace(shape)
    dims = replace_dim(trace.dims, axis, (tokens,))
    return replace(resize_dims(trace, shape, trace.path), dims=dims) if trace.shape != shape else trace


def roll_grid(trace: TensorTrace, shifts: dict[int, int]) -> TensorTrace:
    """Return the trace of a tensor rolled along some dimensions."""
    shifts = {axis: shift for axis, shift in shifts.items() if not collect_meanings(trace.dims[axis]) <= {"c"}}
    if not shifts:
        return trace
    spatial = trace.spatial
    if spatial is None or trace.border.is_outside or any(axis not in spatial for axis in shifts):
        return make_unknown_trace(trace.shape)
    sizes = (measure_dim(trace.dims[spatial[0]]), measure_dim(trace.dims[spatial[1]]))
    moved = [(trace.rolled[i] + shifts.get(spatial[i], 0)) % sizes[i] for i in (0, 1)]
    return replace(trace, rolled=(moved[0], moved[1]))


def concatenate_rows(traces: Sequence[TensorTrace], axis: int, shape: Shape) -> TensorTrace:
    """Return the trace of tensors joined along rows or columns.

    Neighbors that were apart are one again; an end before its beginning is a roll. Of others, one that is longer than all the
    rest together decides, and the rest is padding around it.
    """
    first = traces[0]
    place = -1 if first.spatial is None or axis not in first.spatial else first.spatial.index(axis)
    pieces = [(trace.path, trace.shape[axis]) for trace in traces if trace.path is not None]
    if place < 0 or len(pieces) < len(traces) or any(not _is_compatible(trace, first, axis) for trace in traces):
        return make_unknown_trace(shape)
    joined = [pieces[0]]
    for path, length in pieces[1:]:
        last, before = joined[-1]
        if _is_next(last, before, path, place):
            joined[-1] = (last, before + length)
        else:
            joined.append((path, length))
    is_global = any(trace.is_global for trace in traces)
    if len(joined) == 2 and _is_next(joined[1][0], joined[1][1], joined[0][0], place):
        whole = _extend(joined[1][0], place, 0, joined[0][1] + joined[1][1], joined[1][1])
        rolled = [joined[0][1] if i == place else first.rolled[i] for i in (0, 1)]
        border = first.border.join_axis(place, traces[-1].border, traces[0].border)
        whole_trace = resize_dims(first, shape, whole)
        return replace(whole_trace, rolled=(rolled[0], rolled[1]), is_global=is_global, border=border)
    longest = max(range(len(joined)), key=lambda at: joined[at][1])
    path, length = joined[longest]
    if 2 * length <= shape[axis] or first.rolled[place]:
        return make_unknown_trace(shape)
    before = sum(size for _, size in joined[:longest])
    cells = next(size for known, size in pieces if known is path)
    border = first.border.join_axis(place, first.border, traces[-1].border)
    if len(joined) > 1:
        widths = [(0, 0), (0, 0)]
        widths[place] = before, shape[axis] - before - length
        border = first.border.extend(*widths)
    whole_trace = resize_dims(first, shape, _extend(path, place, before, shape[axis], cells))
    return replace(whole_trace, is_global=is_global, border=border)


def _is_compatible(trace: TensorTrace, first: TensorTrace, axis: int) -> bool:
    """Return whether two tensors differ only in the length of one dimension."""
    others = zip(trace.dims, first.dims, strict=True) if len(trace.dims) == len(first.dims) else ()
    same = all(a == b for position, (a, b) in enumerate(others) if position != axis)
    return same and trace.spatial == first.spatial and trace.rolled == first.rolled


def _is_next(path: FieldPath, length: int, other: FieldPath, place: int) -> bool:
    """Return whether another tensor's first cell comes after the last of `length` cells."""
    step = path.field.step[place]
    gap = other.center[place] - path.center[place] - length * step
    return other.field.step == path.field.step and abs(gap) <= _TOLERANCE * max(1, step)


def _extend(path: FieldPath, place: int, before: int, total: int, cells: int) -> FieldPath:
    """Return the path of `cells` cells after `before` cells and others after them made it `total` along an axis."""
    padding, growth = [0, 0], [0.0, 0.0]
    padding[place], growth[place] = before, total - cells
    window = fieldmap.make_window_field((1, 1), padding=(padding[0], padding[1]))
    return path.follow(window, (growth[0], growth[1]))
