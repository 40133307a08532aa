"""What every kind of operation does to a track: convolutions, poolings, joins, cuts, attention (METHOD, § 2).

One function per kind, whatever calls it: torch's operators (`aten`) and ONNX's nodes (`onnx/fields`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.layers import FieldMap
from netdissect.models.tracks import Atom, Track, channels, coarser, leaves, meanings, settled, size_of, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.models.tracks import Dim

Shape = tuple[int, ...]


def resized(track: Track, shape: Shape, field: FieldMap | None) -> Track:
    """Return the track of an output whose dimensions mean the same and have new lengths."""
    if len(track.dims) != len(shape):
        return unknown(shape)
    dims = tuple(
        dim if size_of(dim) == size else (Atom(dim[0].meaning if len(meanings(dim)) == 1 else "?", size),)
        for dim, size in zip(track.dims, shape, strict=True)
    )
    return Track(dims, field, track.rolled, track.everywhere)


def windowed(
    track: Track,
    shape: Shape,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    transposed: bool = False,
) -> Track:
    """Return the track behind a convolution or a pooling; padding counts the rows above and the columns on the left."""
    track = _patchified(track, 1)
    if (
        (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0))
        and len(track.dims) == 4
        and meanings(track.dims[1]) <= {"c"}
    ):
        return replace(track, dims=_put(track.dims, 1, channels(shape[1])), heads=0)
    if not track.is_image or track.rolled != (0, 0):
        inside = len(track.dims) == 4 and meanings(track.dims[1]) <= {"c"} and track.shape[2:] == shape[2:]
        return resized(track, shape, None) if inside else unknown(shape)  # inside windows, cells keep their places
    if track.field is None:
        return resized(track, shape, None)
    make = fieldmap.transposed_window if transposed else fieldmap.window
    window = make(kernel, stride=stride, padding=padding, dilation=dilation)
    return resized(track, shape, fieldmap.compose(track.field, window))


def adaptively_pooled(track: Track, shape: Shape) -> Track:
    """Return the track behind a pooling to so many cells; where they do not divide evenly, their mean window."""
    if not track.is_image or track.field is None:
        return resized(track, shape, None) if track.is_image else unknown(shape)
    steps = [size / cells for size, cells in zip(track.shape[2:], shape[2:], strict=True)]
    window = FieldMap((0, 0), (math.ceil(steps[0]), math.ceil(steps[1])), (steps[0], steps[1]))
    return resized(track, shape, fieldmap.compose(track.field, window))


def resampled(track: Track, shape: Shape, reach: int) -> Track:
    """Return the track behind a scaling to another size; `reach` is how many cells one interpolates between."""
    if not track.is_image or track.field is None:
        return resized(track, shape, None) if track.is_image else unknown(shape)
    step = [before / after for before, after in zip(track.shape[2:], shape[2:], strict=True)]
    offset = [ratio / 2 - reach / 2 for ratio in step]
    window = FieldMap((offset[0], offset[1]), (reach, reach), (step[0], step[1]))
    return resized(track, shape, fieldmap.compose(track.field, window))


def joined(parts: Sequence[tuple[Track, Shape]], shape: Shape) -> Track:
    """Return the track where paths join element by element; an input that is the same at all places has no say."""
    full = [track for track, given in parts if given == shape]
    if not full:
        full = [track for track, given in parts if _covers(track, given, shape)]
    if not full:
        return unknown(shape)
    placed = [track for track in full if track.grid] or [track for track in full if track.has_grid] or full
    if len({(track.rolled, _places(track)) for track in placed}) > 1:
        return unknown(shape)
    heard = [track for track in full if not _same_everywhere(track, placed[0])]
    together = resized(placed[0], shape, _together([track.field for track in heard]))
    return replace(
        together,
        everywhere=any(track.everywhere for track in heard),
        heads=placed[0].heads if len(parts) == 1 else 0,
    )


def mixed(parts: Sequence[tuple[Track, Shape]], shape: Shape) -> Track:
    """Return the track behind an operation of which it is only known that it keeps the shape."""
    same = [track for track, given in parts if given == shape]
    placed = [track for track in same if track.grid] or same
    return replace(placed[0], field=None, heads=0) if placed else unknown(shape)


def along(track: Track, axis: int, shape: Shape) -> Track:
    """Return the track behind an operation that looks along one dimension, as a softmax does."""
    if track.shape != shape:
        return unknown(shape)
    over = meanings(track.dims[axis % len(shape)])
    return track if over <= {"c"} else replace(track, everywhere=True)


def concatenated(parts: Sequence[tuple[Track | None, Shape]], axis: int, shape: Shape) -> Track:
    """Return the track of tensors laid end to end: along channels paths join, along tokens others come beside them."""
    known = [track for track, _ in parts if track is not None]
    placed = [track for track in known if track.has_grid] or known
    first = placed[0]
    if len(first.dims) != len(shape):
        return unknown(shape)
    if meanings(first.dims[axis]) & {"y", "x"}:
        return _with_tokens(parts, axis, shape)
    if any(
        track.rolled != first.rolled or any(a != b for i, (a, b) in enumerate(zip(track.dims, first.dims, strict=True)) if i != axis)
        for track in placed
    ):  # fmt: skip
        return unknown(shape)
    together = resized(first, shape, _together([track.field for track in known]))
    return replace(together, everywhere=any(track.everywhere for track in known))


def stacked(parts: Sequence[tuple[Track | None, Shape]], axis: int, shape: Shape) -> Track:
    """Return the track of tensors laid side by side along a new dimension, which counts as channels."""
    tracks = [track for track, _ in parts if track is not None]
    if len(tracks) < len(parts) or any((t.dims, t.rolled) != (tracks[0].dims, tracks[0].rolled) for t in tracks):
        return unknown(shape)
    first = tracks[0]
    dims = (*first.dims[:axis], (Atom("c", len(parts)),), *first.dims[axis:])
    seen = any(track.everywhere for track in tracks)
    return Track(dims, _together([track.field for track in tracks]), first.rolled, seen)


def _with_tokens(parts: Sequence[tuple[Track | None, Shape]], axis: int, shape: Shape) -> Track:
    """Put class or register tokens beside the patches."""
    before, found = 0, None
    for track, given in parts:
        if track is not None and len(track.dims) > axis and meanings(track.dims[axis]) & {"y", "x"}:
            if found is not None:
                return unknown(shape)
            found = (track, before)
        before += given[axis]
    if found is None:
        return unknown(shape)
    track, before = found
    dim = track.dims[axis]
    if len(dim) == 1 and dim[0].meaning == "t":
        tokens = Atom("t", shape[axis], 1, before + dim[0].before, dim[0].grid)
    elif meanings(dim) <= {"y", "x"}:
        tokens = Atom("t", shape[axis], 1, before, dim)
    else:
        return unknown(shape)
    return replace(track, dims=_put(track.dims, axis, (tokens,)))


def cut(track: Track, axis: int, start: int, step: int, shape: Shape) -> Track:
    """Return the track of a slice: of y and x it shifts the field map or widens its step, of tokens it drops some."""
    if track.shape == shape:
        return track
    dim = track.dims[axis]
    if meanings(dim) <= {"c"} or meanings(dim) <= {"?"}:
        return resized(track, shape, track.field)
    if len(dim) == 1 and dim[0].meaning == "t" and step == 1:
        return _cut_tokens(track, axis, start, shape)
    if track.spatial is None or axis not in track.spatial or track.rolled != (0, 0):
        return unknown(shape)
    offset, stride = [0, 0], [1, 1]
    offset[track.spatial.index(axis)], stride[track.spatial.index(axis)] = -start, step
    window = fieldmap.window((1, 1), stride=(stride[0], stride[1]), padding=(offset[0], offset[1]))
    return resized(track, shape, None if track.field is None else fieldmap.compose(track.field, window))


def _cut_tokens(track: Track, axis: int, start: int, shape: Shape) -> Track:
    tokens = track.dims[axis][0]
    stop = start + shape[axis]
    first, last = tokens.before, tokens.before + tokens.patches
    if start <= first and stop >= last:
        left = Atom("t", shape[axis], 1, first - start, tokens.grid)
        return replace(track, dims=_put(track.dims, axis, tokens.grid if left.length == left.patches else (left,)))
    if stop <= first or start >= last:
        return Track(_put(track.dims, axis, (Atom("?", shape[axis]),)), None)
    return unknown(shape)


def chosen(track: Track, axis: int, shape: Shape) -> Track:
    """Return the track of one step along a dimension, which is gone."""
    dims = track.dims[:axis] + track.dims[axis + 1 :]
    if meanings(track.dims[axis]) <= {"c", "?"}:
        return replace(track, dims=dims)
    left = Track(dims, None)
    return unknown(shape) if left.has_grid or meanings(track.dims[axis]) & {"n"} else left


def reduced(track: Track, axes: set[int], *, keep: bool, shape: Shape) -> Track:
    """Return the track of a mean, sum or maximum.

    Over channels it keeps its field map; over all of y and x it sees everything; over the inner pieces of windows it
    pools them.
    """
    gone = [atom for axis in axes for atom in track.dims[axis]]
    pooled = {"y": 1, "x": 1}
    for atom in gone:
        if atom.meaning == "n" or (atom.meaning in pooled and (atom.inner != 1 or pooled[atom.meaning] != 1)):
            return unknown(shape)
        if atom.meaning in pooled:
            pooled[atom.meaning] = atom.length
    remains = Track(tuple(dim for axis, dim in enumerate(track.dims) if axis not in axes), None).has_grid
    dims = tuple(
        _one(dim, known=not remains) if axis in axes else tuple(coarser(atom, pooled) for atom in dim)
        for axis, dim in enumerate(track.dims)
        if keep or axis not in axes
    )
    if track.field is None or track.rolled != (0, 0) or any(atom.meaning == "t" for atom in gone):
        return Track(dims, None, track.rolled if remains else (0, 0))
    window = fieldmap.window((pooled["y"], pooled["x"]), stride=(pooled["y"], pooled["x"]))
    return Track(dims, fieldmap.compose(track.field, window), everywhere=track.everywhere)


def _one(dim: Dim, *, known: bool) -> Dim:
    """Return what is left of a dimension that was reduced to length 1."""
    return (Atom(dim[0].meaning if known and len(meanings(dim)) == 1 else "?", 1),)


def permuted(track: Track, order: Sequence[int]) -> Track:
    """Return the track with its dimensions in another order."""
    return replace(track, dims=tuple(track.dims[axis] for axis in order))


def unsqueezed(track: Track, axis: int) -> Track:
    """Return the track with a dimension of length 1 more."""
    return replace(track, dims=(*track.dims[:axis], (Atom("?", 1),), *track.dims[axis:]))


def expanded(track: Track, shape: Shape) -> Track:
    """Return the track of a tensor repeated along dimensions of length 1."""
    dims = ((Atom("?", 1),),) * (len(shape) - len(track.dims)) + track.dims
    return Track(
        tuple(dim if size_of(dim) == size else (Atom("r", size),) for dim, size in zip(dims, shape, strict=True)),
        track.field,
        track.rolled,
        track.everywhere,
    )


def padded(track: Track, widths: Sequence[tuple[int, int]], shape: Shape) -> Track:
    """Return the track of a tensor with a border; widths are (before, after) per dimension."""
    if not any(any(pair) for pair in widths):
        return track
    spatial = track.spatial
    touched = {axis for axis, pair in enumerate(widths) if any(pair)}
    if spatial is None or track.rolled != (0, 0) or any(
        axis not in spatial and meanings(track.dims[axis]) != {"c"} for axis in touched
    ):  # fmt: skip
        return unknown(shape)
    window = fieldmap.window((1, 1), padding=(widths[spatial[0]][0], widths[spatial[1]][0]))
    return resized(track, shape, None if track.field is None else fieldmap.compose(track.field, window))


def linear(track: Track, shape: Shape) -> Track:
    """Return the track behind a linear map of the last dimension."""
    track = _patchified(track, len(track.dims) - 1)
    last, others = track.dims[-1], track.dims[:-1]
    if meanings(last) <= {"c"}:
        return replace(track, dims=(*others, channels(shape[-1])), heads=0)
    flat = "c" in meanings(last) and not Track(others, None).has_grid
    return Track((*others, channels(shape[-1]) if flat else (Atom("?", shape[-1]),)), None, track.rolled)


def product(left: Track | None, right: Track | None, shape: Shape) -> Track:
    """Return the track of a matrix product, of which one side may be constant."""
    if left is not None and right is None:
        return linear(left, shape) if len(left.dims) == len(shape) else unknown(shape)
    if right is not None and left is None:
        if len(right.dims) != len(shape):
            return unknown(shape)
        turned = permuted(right, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
        turned = linear(turned, (*shape[:-2], shape[-1], shape[-2]))
        return permuted(turned, [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2])
    if left is None or right is None or not len(left.dims) == len(right.dims) == len(shape):
        return unknown(shape)
    rows, columns = left.dims[-2], right.dims[-1]
    if meanings(rows) & meanings(columns) & {"y", "x"}:
        columns = (Atom("?", shape[-1]),)
    places = left if meanings(rows) & {"y", "x"} else right
    return _by_heads(Track((*left.dims[:-2], rows, columns), places.field, left.rolled, everywhere=True))


def attended(query: Track | None, value: Track | None, shape: Shape) -> Track:
    """Return the track behind attention: it lies at a query's place, has a value's channels and has seen everything.

    A query that is the same for all pictures, as attention pooling has it, gives its result no place.
    """
    if value is None or len(value.dims) != len(shape):
        return unknown(shape)
    if query is None:
        pooled = (Atom("r" if shape[-2] > 1 else "?", shape[-2]),)
        return _by_heads(Track((*value.dims[:-2], pooled, value.dims[-1]), None))
    if len(query.dims) != len(shape):
        return unknown(shape)
    known = meanings(value.dims[-1]) != {"?"} or not meanings(query.dims[-1]) <= {"c"}
    last = value.dims[-1] if known else channels(shape[-1])  # whatever values were made of, they are channels now
    return _by_heads(Track((*query.dims[:-1], last), query.field, query.rolled, everywhere=True))


def _by_heads(track: Track) -> Track:
    """Return the track with the number of heads that lie beside the pictures."""
    beside = [atom.length for dim in track.dims[:-2] for atom in dim if atom.meaning == "c"]
    return replace(track, heads=math.prod(beside)) if meanings(track.dims[-1]) <= {"c"} else track


def rolled(track: Track, shifts: dict[int, int]) -> Track:
    """Return the track of a tensor rolled along dimensions; rolled back it lies as before."""
    spatial = track.spatial
    if spatial is None or any(axis not in spatial for axis in shifts):
        return unknown(track.shape)
    sizes = (size_of(track.dims[spatial[0]]), size_of(track.dims[spatial[1]]))
    moved = [(track.rolled[i] + shifts.get(spatial[i], 0)) % sizes[i] for i in (0, 1)]
    return replace(track, rolled=(moved[0], moved[1]))


def _patchified(track: Track, axis: int) -> Track:
    """Turn pieces of patches that became channels into a window of that size."""
    if len(track.dims) <= axis:
        return track
    found, patch = settled(track, axis)
    if patch is None or track.field is None:
        return found
    window = fieldmap.window(patch, stride=patch)
    return replace(found, field=fieldmap.compose(track.field, window))


def _together(fields: Sequence[FieldMap | None]) -> FieldMap | None:
    """Return the field map where paths join: the widest, or, where none holds the others, all that they see."""
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or not known:
        return None
    return fieldmap.union(known)


def _places(track: Track) -> tuple[tuple[Atom, ...], ...]:
    """Return where a track's rows and columns lie."""
    return tuple(tuple(atom for atom in leaves(dim) if atom.meaning in "yx" and atom.length > 1) for dim in track.dims)


def _same_everywhere(track: Track, placed: Track) -> bool:
    """Tell whether a tensor was repeated wherever another has rows and columns: a gate, which moves nothing."""
    grid = [axis for axis, dim in enumerate(placed.dims) if meanings(dim) & {"y", "x"}]
    return bool(grid) and all(meanings(track.dims[axis]) <= {"r"} for axis in grid)


def _covers(track: Track, given: Shape, shape: Shape) -> bool:
    """Tell whether a broadcast leaves y and x alone, as a channel-wise product with one channel does."""
    if len(given) != len(shape) or track.spatial is None:
        return False
    return all(given[axis] == shape[axis] for axis in track.spatial)


def _put(dims: tuple[Dim, ...], axis: int, dim: Dim) -> tuple[Dim, ...]:
    return (*dims[:axis], dim, *dims[axis + 1 :])
