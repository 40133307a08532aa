"""Trace rules: the output's trace of each kind of operation, from the traces of its inputs (docs/method.md, § 2).

Used by torch's operators (`torch_ops`) and by ONNX's nodes (`onnx_ops`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.networks.trace.borders import NO_BORDER, unite_borders
from netdissect.networks.trace.field_path import join_field_paths
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
    from collections.abc import Sequence

    from netdissect.networks.trace.field_path import FieldPath
    from netdissect.networks.trace.tensor_trace import Dim

Shape = tuple[int, ...]


def resize_dims(trace: TensorTrace, shape: Shape, path: FieldPath | None) -> TensorTrace:
    """Return the trace of an output whose dimensions have the same meanings but other lengths; its border is the input's."""
    if len(trace.dims) != len(shape):
        return make_unknown_trace(shape)
    dims = tuple(
        dim
        if measure_dim(dim) == size
        else (AxisPart(dim[0].meaning if len(collect_meanings(dim)) == 1 else "?", size),)
        for dim, size in zip(trace.dims, shape, strict=True)
    )
    return TensorTrace(dims, path, trace.rolled, trace.is_global, border=trace.border)


def renew_cells(trace: TensorTrace, shape: Shape, path: FieldPath | None) -> TensorTrace:
    """Return the trace of an output with other cells than its input's, none of which is padding."""
    return replace(resize_dims(trace, shape, path), border=NO_BORDER)


def slide_window(
    trace: TensorTrace,
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    padding_after: tuple[int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    transposed: bool = False,
) -> TensorTrace:
    """Return the trace after a convolution or pooling.

    `padding` is the padding above and on the left, `padding_after` that below and on the right if it differs.
    """
    trace = absorb_patches(trace, 1)
    if (
        (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0))
        and len(trace.dims) == 4
        and collect_meanings(trace.dims[1]) <= {"c"}
        and trace.shape[2:] == shape[2:]
    ):
        return replace(trace, dims=replace_dim(trace.dims, 1, make_channels(shape[1])), heads=0)
    if not trace.is_image or trace.rolled != (0, 0):
        inside = len(trace.dims) == 4 and collect_meanings(trace.dims[1]) <= {"c"} and trace.shape[2:] == shape[2:]
        if not inside:
            return make_unknown_trace(shape)
        # Within windows, cells keep their positions.
        return replace(trace, dims=replace_dim(trace.dims, 1, make_channels(shape[1])), is_global=True, heads=0)
    if trace.path is None:
        return renew_cells(trace, shape, None)
    make = fieldmap.make_transposed_window_field if transposed else fieldmap.make_window_field
    window = make(kernel, stride=stride, padding=padding, dilation=dilation)
    growth = [
        measure_growth(trace.shape[axis + 2], shape[axis + 2], stride[axis], dilation[axis] * (kernel[axis] - 1),
                        padding[axis] + (padding_after or padding)[axis], transposed=transposed)
        for axis in (0, 1)
    ]  # fmt: skip
    result = renew_cells(trace, shape, trace.path.follow(window, (growth[0], growth[1])))
    return replace(result, dims=replace_dim(result.dims, 1, make_channels(shape[1])))


def measure_growth(
    before: int, after: int, stride: int, reach: int, padding: int, *, transposed: bool = False
) -> float:
    """Return the cells by which a window operation makes the covered area larger than its input.

    An output of ``(before + padding - reach - 1) // stride + 1`` cells covers more than the input by a number between
    ``padding - reach`` and that plus ``stride - 1``, whatever is cut off by rounding. It is 0 if 0 is possible.

    Args:
        before: cells of the input.
        after: cells of the output.
        stride: of the window.
        reach: cells of the window after its first.
        padding: on both sides together.
        transposed: whether the operation is a transposed convolution.
    """
    if transposed:
        return after / stride - before
    rounded_up = stride * (after - (before + padding - reach - 1) // stride - 1)
    least = padding - reach + rounded_up
    return min(max(0, least), least + stride - 1)


def join_paths(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an elementwise operation on several inputs; a gate, which is equal at all positions, is ignored.

    An input without field map does not decide either, but then the cells may depend on more than the field map says.
    """
    full = [trace for trace, part_shape in parts if part_shape == shape]
    if not full:
        full = [trace for trace, part_shape in parts if _covers_grid(trace, part_shape, shape)]
    if not full:
        return make_unknown_trace(shape)
    placed = [trace for trace in full if trace.grid] or [trace for trace in full if trace.has_grid] or full
    if len({(trace.rolled, _locate_cells(trace)) for trace in placed}) > 1:
        return make_unknown_trace(shape)
    inputs = [trace for trace in full if not _is_gate(trace, placed[0])]
    known = [trace.path for trace in inputs if trace.path is not None]
    together = resize_dims(placed[0], shape, join_known_paths(known, placed[0].grid))
    return replace(
        together,
        is_global=any(trace.is_global for trace in inputs) or len(known) < len(inputs),
        heads=placed[0].heads if len(parts) == 1 else 0,
        border=unite_borders(trace.border for trace in placed if not _is_gate(trace, placed[0])),
    )


def keep_shape(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the trace after an operation about which only its output's shape is known.

    The dimensions of an image keep their meaning also if only the resolution or the number of channels changes.
    """
    same = [trace for trace, part_shape in parts if part_shape == shape]
    placed = [trace for trace in same if trace.grid] or same
    if placed:
        return replace(placed[0], path=None, heads=0)
    like = next((trace for trace, _ in parts if trace.is_image and _has_proportions(shape, trace.shape)), None)
    return make_unknown_trace(shape) if like is None else resize_dims(like, shape, None)


def _has_proportions(shape: Shape, image: Shape) -> bool:
    """Return whether an output has as many images as an image tensor, and rows and columns in its proportions."""
    (height, width), (rows, columns) = image[-2:], shape[-2:]
    return len(shape) == 4 and shape[0] == image[0] and abs(rows * width - columns * height) <= max(height, width)


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
    if trace.path is None or trace.rolled != (0, 0) or any(part.meaning == "t" for part in gone):
        return TensorTrace(
            dims, None, trace.rolled if remains else (0, 0), border=trace.border if remains else NO_BORDER
        )
    patch = pooled["y"], pooled["x"]
    path = trace.path.follow(fieldmap.make_window_field(patch, stride=patch))
    return TensorTrace(dims, path, is_global=trace.is_global, border=trace.border.coarsen(patch))


def _reduce_to_one(dim: Dim, *, known: bool) -> Dim:
    """Return a dimension that was reduced to length 1."""
    return (AxisPart(dim[0].meaning if known and len(collect_meanings(dim)) == 1 else "?", 1),)


def permute_dims(trace: TensorTrace, order: Sequence[int]) -> TensorTrace:
    """Return the trace with its dimensions in another order."""
    return replace(trace, dims=tuple(trace.dims[axis] for axis in order))


def insert_dim(trace: TensorTrace, axis: int) -> TensorTrace:
    """Return the trace with a new dimension of length 1."""
    return replace(trace, dims=(*trace.dims[:axis], (AxisPart("?", 1),), *trace.dims[axis:]))


def expand_dims(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace of a tensor repeated along dimensions of length 1."""
    trace = replace(trace, dims=((AxisPart("?", 1),),) * (len(shape) - len(trace.dims)) + trace.dims, heads=0)
    dims = tuple(
        dim if measure_dim(dim) == size else (AxisPart(name_repetition(trace, axis), size),)
        for axis, (dim, size) in enumerate(zip(trace.dims, shape, strict=True))
    )
    return replace(trace, dims=dims)


def name_repetition(trace: TensorTrace, axis: int) -> str:
    """Return the meaning of a dimension of length 1 once it is repeated: channels if a grid of cells has none yet."""
    long = {part.meaning for dim in trace.dims for part in iterate_parts(dim) if part.length > 1}
    return "c" if long & {"y", "x"} and "c" not in long and trace.dims[axis][0].meaning not in "yx" else "r"


def is_placeless(trace: TensorTrace) -> bool:
    """Return whether a tensor depends on images and channels only, as a gate does."""
    return all(collect_meanings(dim) <= {"n", "c", "r"} for dim in trace.dims)


def join_known_paths(paths: Sequence[FieldPath | None], cells: tuple[int, int] | None) -> FieldPath | None:
    """Return the path that decides where cells are after paths joined; None if one is unknown."""
    known = [path for path in paths if path is not None]
    return None if len(known) < len(paths) or not known else join_field_paths(known, cells)


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
