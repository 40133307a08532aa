"""What every kind of operation does to a track: convolutions, poolings, joins, cuts, attention (docs/method.md, § 2).

One function per kind, whatever calls it: torch's operators (`aten`) and ONNX's nodes (`onnx/fields`).
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


def resize_dims(track: TensorTrace, shape: Shape, field: FieldMap | None) -> TensorTrace:
    """Return the track of an output whose dimensions mean the same and have new lengths."""
    if len(track.dims) != len(shape):
        return make_unknown_trace(shape)
    dims = tuple(
        dim
        if measure_dim(dim) == size
        else (AxisPart(dim[0].meaning if len(collect_meanings(dim)) == 1 else "?", size),)
        for dim, size in zip(track.dims, shape, strict=True)
    )
    return TensorTrace(dims, field, track.rolled, track.is_global)


def slide_window(
    track: TensorTrace,
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    transposed: bool = False,
) -> TensorTrace:
    """Return the track behind a convolution or a pooling; padding counts the rows above and the columns on the left."""
    track = _absorb_patches(track, 1)
    if (
        (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0))
        and len(track.dims) == 4
        and collect_meanings(track.dims[1]) <= {"c"}
    ):
        return replace(track, dims=_replace_dim(track.dims, 1, make_channels(shape[1])), heads=0)
    if not track.is_image or track.rolled != (0, 0):
        inside = len(track.dims) == 4 and collect_meanings(track.dims[1]) <= {"c"} and track.shape[2:] == shape[2:]
        return (
            resize_dims(track, shape, None) if inside else make_unknown_trace(shape)
        )  # inside windows, cells keep their places
    if track.field is None:
        return resize_dims(track, shape, None)
    make = fieldmap.make_transposed_window_field if transposed else fieldmap.make_window_field
    window = make(kernel, stride=stride, padding=padding, dilation=dilation)
    return resize_dims(track, shape, fieldmap.compose_fields(track.field, window))


def pool_adaptively(track: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the track behind a pooling to so many cells; where they do not divide evenly, their mean window."""
    if not track.is_image or track.field is None:
        return resize_dims(track, shape, None) if track.is_image else make_unknown_trace(shape)
    steps = [size / cells for size, cells in zip(track.shape[2:], shape[2:], strict=True)]
    window = FieldMap((0, 0), (math.ceil(steps[0]), math.ceil(steps[1])), (steps[0], steps[1]))
    return resize_dims(track, shape, fieldmap.compose_fields(track.field, window))


def resample_grid(track: TensorTrace, shape: Shape, reach: int) -> TensorTrace:
    """Return the track behind a scaling to another size; `reach` is how many cells one interpolates between."""
    if not track.is_image or track.field is None:
        return resize_dims(track, shape, None) if track.is_image else make_unknown_trace(shape)
    step = [before / after for before, after in zip(track.shape[2:], shape[2:], strict=True)]
    offset = [ratio / 2 - reach / 2 for ratio in step]
    window = FieldMap((offset[0], offset[1]), (reach, reach), (step[0], step[1]))
    return resize_dims(track, shape, fieldmap.compose_fields(track.field, window))


def join_paths(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the track where paths join element by element; an input that is the same at all places has no say."""
    full = [track for track, given in parts if given == shape]
    if not full:
        full = [track for track, given in parts if _covers_grid(track, given, shape)]
    if not full:
        return make_unknown_trace(shape)
    placed = [track for track in full if track.grid] or [track for track in full if track.has_grid] or full
    if len({(track.rolled, _locate_cells(track)) for track in placed}) > 1:
        return make_unknown_trace(shape)
    heard = [track for track in full if not _is_gate(track, placed[0])]
    together = resize_dims(placed[0], shape, _unite_fields([track.field for track in heard]))
    return replace(
        together,
        is_global=any(track.is_global for track in heard),
        heads=placed[0].heads if len(parts) == 1 else 0,
    )


def keep_shape(parts: Sequence[tuple[TensorTrace, Shape]], shape: Shape) -> TensorTrace:
    """Return the track behind an operation of which it is only known that it keeps the shape."""
    same = [track for track, given in parts if given == shape]
    placed = [track for track in same if track.grid] or same
    return replace(placed[0], field=None, heads=0) if placed else make_unknown_trace(shape)


def normalize_along(track: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the track behind an operation that looks along one dimension, as a softmax does."""
    if track.shape != shape:
        return make_unknown_trace(shape)
    over = collect_meanings(track.dims[axis % len(shape)])
    return track if over <= {"c"} else replace(track, is_global=True)


def concatenate_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the track of tensors laid end to end: along channels paths join, along tokens others come beside them."""
    known = [track for track, _ in parts if track is not None]
    placed = [track for track in known if track.has_grid] or known
    first = placed[0]
    if len(first.dims) != len(shape):
        return make_unknown_trace(shape)
    if collect_meanings(first.dims[axis]) & {"y", "x"}:
        return _concatenate_tokens(parts, axis, shape)
    if any(
        track.rolled != first.rolled or any(a != b for i, (a, b) in enumerate(zip(track.dims, first.dims, strict=True)) if i != axis)
        for track in placed
    ):  # fmt: skip
        return make_unknown_trace(shape)
    together = resize_dims(first, shape, _unite_fields([track.field for track in known]))
    return replace(together, is_global=any(track.is_global for track in known))


def stack_traces(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Return the track of tensors laid side by side along a new dimension, which counts as channels."""
    tracks = [track for track, _ in parts if track is not None]
    if len(tracks) < len(parts) or any((t.dims, t.rolled) != (tracks[0].dims, tracks[0].rolled) for t in tracks):
        return make_unknown_trace(shape)
    first = tracks[0]
    dims = (*first.dims[:axis], (AxisPart("c", len(parts)),), *first.dims[axis:])
    seen = any(track.is_global for track in tracks)
    return TensorTrace(dims, _unite_fields([track.field for track in tracks]), first.rolled, seen)


def _concatenate_tokens(parts: Sequence[tuple[TensorTrace | None, Shape]], axis: int, shape: Shape) -> TensorTrace:
    """Put class or register tokens beside the patches."""
    before, found = 0, None
    for track, given in parts:
        if track is not None and len(track.dims) > axis and collect_meanings(track.dims[axis]) & {"y", "x"}:
            if found is not None:
                return make_unknown_trace(shape)
            found = (track, before)
        before += given[axis]
    if found is None:
        return make_unknown_trace(shape)
    track, before = found
    dim = track.dims[axis]
    if len(dim) == 1 and dim[0].meaning == "t":
        tokens = AxisPart("t", shape[axis], 1, before + dim[0].before, dim[0].grid)
    elif collect_meanings(dim) <= {"y", "x"}:
        tokens = AxisPart("t", shape[axis], 1, before, dim)
    else:
        return make_unknown_trace(shape)
    return replace(track, dims=_replace_dim(track.dims, axis, (tokens,)))


def take_slice(track: TensorTrace, axis: int, start: int, step: int, shape: Shape) -> TensorTrace:
    """Return the track of a slice: of y and x it shifts the field map or widens its step, of tokens it drops some."""
    if track.shape == shape:
        return track
    dim = track.dims[axis]
    if collect_meanings(dim) <= {"c"} or collect_meanings(dim) <= {"?"}:
        return resize_dims(track, shape, track.field)
    if len(dim) == 1 and dim[0].meaning == "t" and step == 1:
        return _slice_tokens(track, axis, start, shape)
    if track.spatial is None or axis not in track.spatial or track.rolled != (0, 0):
        return make_unknown_trace(shape)
    offset, stride = [0, 0], [1, 1]
    offset[track.spatial.index(axis)], stride[track.spatial.index(axis)] = -start, step
    window = fieldmap.make_window_field((1, 1), stride=(stride[0], stride[1]), padding=(offset[0], offset[1]))
    return resize_dims(track, shape, None if track.field is None else fieldmap.compose_fields(track.field, window))


def _slice_tokens(track: TensorTrace, axis: int, start: int, shape: Shape) -> TensorTrace:
    tokens = track.dims[axis][0]
    stop = start + shape[axis]
    first, last = tokens.before, tokens.before + tokens.patches
    if start <= first and stop >= last:
        left = AxisPart("t", shape[axis], 1, first - start, tokens.grid)
        return replace(
            track, dims=_replace_dim(track.dims, axis, tokens.grid if left.length == left.patches else (left,))
        )
    if stop <= first or start >= last:
        return TensorTrace(_replace_dim(track.dims, axis, (AxisPart("?", shape[axis]),)), None)
    return make_unknown_trace(shape)


def select_index(track: TensorTrace, axis: int, shape: Shape) -> TensorTrace:
    """Return the track of one step along a dimension, which is gone."""
    dims = track.dims[:axis] + track.dims[axis + 1 :]
    if collect_meanings(track.dims[axis]) <= {"c", "?"}:
        return replace(track, dims=dims)
    left = TensorTrace(dims, None)
    return make_unknown_trace(shape) if left.has_grid or collect_meanings(track.dims[axis]) & {"n"} else left


def reduce_dims(track: TensorTrace, axes: set[int], *, keep: bool, shape: Shape) -> TensorTrace:
    """Return the track of a mean, sum or maximum.

    Over channels it keeps its field map; over all of y and x it sees everything; over the inner pieces of windows it
    pools them.
    """
    gone = [atom for axis in axes for atom in track.dims[axis]]
    pooled = {"y": 1, "x": 1}
    for atom in gone:
        if atom.meaning == "n" or (atom.meaning in pooled and (atom.inner != 1 or pooled[atom.meaning] != 1)):
            return make_unknown_trace(shape)
        if atom.meaning in pooled:
            pooled[atom.meaning] = atom.length
    remains = TensorTrace(tuple(dim for axis, dim in enumerate(track.dims) if axis not in axes), None).has_grid
    dims = tuple(
        _reduce_to_one(dim, known=not remains) if axis in axes else tuple(coarsen_part(atom, pooled) for atom in dim)
        for axis, dim in enumerate(track.dims)
        if keep or axis not in axes
    )
    if track.field is None or track.rolled != (0, 0) or any(atom.meaning == "t" for atom in gone):
        return TensorTrace(dims, None, track.rolled if remains else (0, 0))
    window = fieldmap.make_window_field((pooled["y"], pooled["x"]), stride=(pooled["y"], pooled["x"]))
    return TensorTrace(dims, fieldmap.compose_fields(track.field, window), is_global=track.is_global)


def _reduce_to_one(dim: Dim, *, known: bool) -> Dim:
    """Return what is left of a dimension that was reduced to length 1."""
    return (AxisPart(dim[0].meaning if known and len(collect_meanings(dim)) == 1 else "?", 1),)


def reorder(track: TensorTrace, axes: Iterable[int], shape: Shape) -> TensorTrace:
    """Return the trace after steps of some dimensions were reordered or selected by value, as sorting does."""
    if any(not collect_meanings(track.dims[axis]) <= {"c"} for axis in axes):
        return make_unknown_trace(shape)
    return resize_dims(track, shape, track.field)


def permute_dims(track: TensorTrace, order: Sequence[int]) -> TensorTrace:
    """Return the track with its dimensions in another order."""
    return replace(track, dims=tuple(track.dims[axis] for axis in order))


def insert_dim(track: TensorTrace, axis: int) -> TensorTrace:
    """Return the track with a dimension of length 1 more."""
    return replace(track, dims=(*track.dims[:axis], (AxisPart("?", 1),), *track.dims[axis:]))


def expand_dims(track: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the track of a tensor repeated along dimensions of length 1."""
    dims = ((AxisPart("?", 1),),) * (len(shape) - len(track.dims)) + track.dims
    return TensorTrace(
        tuple(
            dim if measure_dim(dim) == size else (AxisPart("r", size),) for dim, size in zip(dims, shape, strict=True)
        ),
        track.field,
        track.rolled,
        track.is_global,
    )


def pad_border(track: TensorTrace, widths: Sequence[tuple[int, int]], shape: Shape) -> TensorTrace:
    """Return the track of a tensor with a border; widths are (before, after) per dimension."""
    if not any(any(pair) for pair in widths):
        return track
    spatial = track.spatial
    touched = {axis for axis, pair in enumerate(widths) if any(pair)}
    if spatial is None or track.rolled != (0, 0) or any(
        axis not in spatial and collect_meanings(track.dims[axis]) != {"c"} for axis in touched
    ):  # fmt: skip
        return make_unknown_trace(shape)
    window = fieldmap.make_window_field((1, 1), padding=(widths[spatial[0]][0], widths[spatial[1]][0]))
    return resize_dims(track, shape, None if track.field is None else fieldmap.compose_fields(track.field, window))


def apply_linear(track: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the track behind a linear map of the last dimension."""
    track = _absorb_patches(track, len(track.dims) - 1)
    last, others = track.dims[-1], track.dims[:-1]
    if collect_meanings(last) <= {"c"}:
        return replace(track, dims=(*others, make_channels(shape[-1])), heads=0)
    flat = "c" in collect_meanings(last) and not TensorTrace(others, None).has_grid
    return TensorTrace((*others, make_channels(shape[-1]) if flat else (AxisPart("?", shape[-1]),)), None, track.rolled)


def multiply_matrices(left: TensorTrace | None, right: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the track of a matrix product, of which one side may be constant."""
    if left is not None and right is None:
        return apply_linear(left, shape) if len(left.dims) == len(shape) else make_unknown_trace(shape)
    if right is not None and left is None:
        if len(right.dims) != len(shape):
            return make_unknown_trace(shape)
        turned = permute_dims(right, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
        turned = apply_linear(turned, (*shape[:-2], shape[-1], shape[-2]))
        return permute_dims(turned, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
    if left is None or right is None or not len(left.dims) == len(right.dims) == len(shape):
        return make_unknown_trace(shape)
    rows, columns = left.dims[-2], right.dims[-1]
    if collect_meanings(rows) & collect_meanings(columns) & {"y", "x"}:
        columns = (AxisPart("?", shape[-1]),)
    places = left if collect_meanings(rows) & {"y", "x"} else right
    return _count_heads(TensorTrace((*left.dims[:-2], rows, columns), places.field, left.rolled, is_global=True))


def attend(query: TensorTrace | None, value: TensorTrace | None, shape: Shape) -> TensorTrace:
    """Return the track behind attention: it lies at a query's place, has a value's channels and has seen everything.

    A query that is the same for all images, as attention pooling has it, gives its result no place.
    """
    if value is None or len(value.dims) != len(shape):
        return make_unknown_trace(shape)
    if query is None:
        pooled = (AxisPart("r" if shape[-2] > 1 else "?", shape[-2]),)
        return _count_heads(TensorTrace((*value.dims[:-2], pooled, value.dims[-1]), None))
    if len(query.dims) != len(shape):
        return make_unknown_trace(shape)
    known = collect_meanings(value.dims[-1]) != {"?"} or not collect_meanings(query.dims[-1]) <= {"c"}
    last = value.dims[-1] if known else make_channels(shape[-1])  # whatever values were made of, they are channels now
    return _count_heads(TensorTrace((*query.dims[:-1], last), query.field, query.rolled, is_global=True))


def _count_heads(track: TensorTrace) -> TensorTrace:
    """Return the track with the number of heads that lie beside the images."""
    beside = [atom.length for dim in track.dims[:-2] for atom in dim if atom.meaning == "c"]
    return replace(track, heads=math.prod(beside)) if collect_meanings(track.dims[-1]) <= {"c"} else track


def roll_grid(track: TensorTrace, shifts: dict[int, int]) -> TensorTrace:
    """Return the track of a tensor rolled along dimensions; rolled back it lies as before."""
    spatial = track.spatial
    if spatial is None or any(axis not in spatial for axis in shifts):
        return make_unknown_trace(track.shape)
    sizes = (measure_dim(track.dims[spatial[0]]), measure_dim(track.dims[spatial[1]]))
    moved = [(track.rolled[i] + shifts.get(spatial[i], 0)) % sizes[i] for i in (0, 1)]
    return replace(track, rolled=(moved[0], moved[1]))


def _absorb_patches(track: TensorTrace, axis: int) -> TensorTrace:
    """Turn pieces of patches that became channels into a window of that size."""
    if len(track.dims) <= axis:
        return track
    found, patch = absorb_patches(track, axis)
    if patch is None or track.field is None:
        return found
    window = fieldmap.make_window_field(patch, stride=patch)
    return replace(found, field=fieldmap.compose_fields(track.field, window))


def _unite_fields(fields: Sequence[FieldMap | None]) -> FieldMap | None:
    """Return the field map where paths join: the widest, or, where none holds the others, all that they see."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    return fieldmap.unite_fields(known)


def _locate_cells(track: TensorTrace) -> tuple[tuple[AxisPart, ...], ...]:
    """Return where a track's rows and columns lie."""
    return tuple(
        tuple(atom for atom in iterate_parts(dim) if atom.meaning in "yx" and atom.length > 1) for dim in track.dims
    )


def _is_gate(track: TensorTrace, placed: TensorTrace) -> bool:
    """Tell whether a tensor was repeated wherever another has rows and columns: a gate, which moves nothing."""
    grid = [axis for axis, dim in enumerate(placed.dims) if collect_meanings(dim) & {"y", "x"}]
    return bool(grid) and all(collect_meanings(track.dims[axis]) <= {"r"} for axis in grid)


def _covers_grid(track: TensorTrace, given: Shape, shape: Shape) -> bool:
    """Tell whether a broadcast leaves y and x alone, as a channel-wise product with one channel does."""
    if len(given) != len(shape) or track.spatial is None:
        return False
    return all(given[axis] == shape[axis] for axis in track.spatial)


def _replace_dim(dims: tuple[Dim, ...], axis: int, dim: Dim) -> tuple[Dim, ...]:
    return (*dims[:axis], dim, *dims[axis + 1 :])
