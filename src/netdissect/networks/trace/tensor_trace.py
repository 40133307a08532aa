"""Traces: the meaning of a tensor's dimensions, and the field map of its cells.

A dimension is a sequence of *parts*: channels (c), rows (y), columns (x), images (n), tokens (t), repetitions (r),
frequencies (f), weights that depend on the image (k), positions attended to (a) or unknown (?). Windows split y into two parts, flattening merges y and x into one dimension, attention splits channels
into heads. As long as every part is known, a tensor of any shape can be rearranged into its grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from netdissect.geometry.fieldmap import IDENTITY, make_window_field
from netdissect.networks.trace.borders import NO_BORDER
from netdissect.networks.trace.field_path import FieldPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netdissect.layers import FieldMap
    from netdissect.networks.trace.borders import Border


class AxisPart(NamedTuple):
    """One part of a dimension.

    Attributes:
        meaning: ``n``, ``c``, ``y``, ``x``, ``t``, ``r``, ``f``, ``k``, ``a`` or ``?``.
        length: number of steps.
        inner: steps of the whole axis per step of this part; 1 for the innermost part.
        before: of ``t``: tokens before the patches; those left over come after the patches.
        grid: of ``t``: the parts of the patches; of ``f``: the parts before the Fourier transform.
    """

    meaning: str
    length: int
    inner: int = 1
    before: int = 0
    grid: tuple[AxisPart, ...] = ()

    @property
    def patches(self) -> int:
        """Number of patches among the tokens."""
        return measure_dim(self.grid)


Dim = tuple[AxisPart, ...]


@dataclass(frozen=True, slots=True)
class TensorTrace:
    """The trace of a tensor that depends on the image.

    Attributes:
        dims: the parts of every dimension.
        path: where the cells lie; None once it was lost.
        rolled: steps by which y and x were rolled, for shifted windows.
        is_global: whether a cell may depend on more than its field map says, such as the whole image; `path` then gives its
            position only.
        heads: number of attention heads whose outputs the channels hold one after the other; 0 for none, or if mixed.
        image: number of the only image that the tensor depends on, and how many there are; None for all of them.
        border: how many of the first and last rows and columns are padding.
        known_paths: by rows and columns, the last known path of every grid on the way (`grid_centers`).
    """

    dims: tuple[Dim, ...]
    path: FieldPath | None
    rolled: tuple[int, int] = (0, 0)
    is_global: bool = False
    heads: int = 0
    image: tuple[int, int] | None = None
    border: Border = NO_BORDER
    known_paths: Mapping[tuple[int, int], FieldPath] = field(default_factory=dict, compare=False, repr=False)

    @property
    def field(self) -> FieldMap | None:
        """The field map of the cells; None once it was lost."""
        return None if self.path is None else self.path.field

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(measure_dim(dim) for dim in self.dims)

    def axis(self, meaning: str) -> int | None:
        """Return the dimension that has all of this meaning and no other; None if there is none."""
        holds = [
            position for position, dim in enumerate(self.dims) if any(a.meaning == meaning for a in iterate_parts(dim))
        ]
        if len(holds) != 1:
            return None
        dim = self.dims[holds[0]]
        if meaning in "nc":  # channels may be in any order
            return holds[0] if all(part.meaning == meaning for part in dim) else None
        return holds[0] if len(dim) == 1 and dim[0].meaning == meaning and dim[0].inner == 1 else None

    @property
    def spatial(self) -> tuple[int, int] | None:
        """The dimensions of y and x; None unless each is one whole dimension."""
        y, x = self.axis("y"), self.axis("x")
        return None if y is None or x is None else (y, x)

    @property
    def is_image(self) -> bool:
        """Whether the dimensions are (n, c, y, x); n may include attention heads."""
        if len(self.dims) != 4 or self.spatial != (2, 3):
            return False
        return collect_meanings(self.dims[0]) <= {"n", "c"} and collect_meanings(self.dims[1]) <= {"c"}

    @property
    def has_grid(self) -> bool:
        """Whether any dimension has a part of rows or columns."""
        return any(part.meaning in "yx" for dim in self.dims for part in iterate_parts(dim))

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the grid; None if parts are missing, unknown or repeated, or images are missing."""
        if self.image is not None:
            return None
        parts = [part for dim in self.dims for part in iterate_parts(dim) if part.length > 1]
        if any(part.meaning not in "ncyx" for part in parts):
            return None
        sizes = [_measure_axis(part for part in parts if part.meaning == meaning) for meaning in "yx"]
        return None if None in sizes or not self.has_grid else (sizes[0] or 1, sizes[1] or 1)

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of the grid without padding."""
        if self.grid is None:
            return None
        rows, columns = self.grid
        return rows - sum(self.border.rows), columns - sum(self.border.columns)

    @property
    def cell_path(self) -> FieldPath | None:
        """Where the cells without padding lie."""
        if self.path is None or self.border == NO_BORDER:
            return self.path
        (top, bottom), (left, right), _ = self.border
        return self.path.follow(make_window_field((1, 1), padding=(-top, -left)), (-top - bottom, -left - right))

    @property
    def is_lost(self) -> bool:
        """Whether only the dimension of images is known."""
        return all(collect_meanings(dim) <= {"?", "n"} for dim in self.dims)


def make_image_trace(shape: Sequence[int], meanings: str = "ncyx") -> TensorTrace:
    """Return the trace of an input of images."""
    dims = tuple((AxisPart(meaning, size),) for meaning, size in zip(meanings, shape, strict=True))
    return TensorTrace(dims, FieldPath(IDENTITY, (shape[meanings.index("y")], shape[meanings.index("x")])))


def make_unknown_trace(shape: Iterable[int]) -> TensorTrace:
    """Return the trace of a tensor that depends on the image in an unknown way."""
    return TensorTrace(tuple((AxisPart("?", size),) for size in shape), None)


def measure_dim(dim: Iterable[AxisPart]) -> int:
    """Return the length of a dimension."""
    return math.prod(part.length for part in dim)


def iterate_parts(dim: Iterable[AxisPart]) -> Iterator[AxisPart]:
    """Yield a dimension's parts; for tokens, the parts of their patches."""
    for part in dim:
        yield from part.grid if part.meaning == "t" else (part,)


def collect_meanings(dim: Iterable[AxisPart]) -> set[str]:
    """Return the meanings of a dimension's parts; an unknown one of length 1 does not count."""
    return {part.meaning for part in iterate_parts(dim)} - ({"?"} if measure_dim(dim) == 1 else set())


def _measure_axis(pieces: Iterable[AxisPart]) -> int | None:
    """Return the length of an axis if these parts make up all of it; else None."""
    whole = 1
    for piece in sorted(pieces, key=lambda part: part.inner):
        if piece.inner != whole:
            return None
        whole *= piece.length
    return whole


def make_channels(size: int) -> Dim:
    """Return a dimension of channels."""
    return (AxisPart("c", size),)


def merge_parts(dim: Iterable[AxisPart]) -> Dim:
    """Join neighboring parts of one axis."""
    joined: list[AxisPart] = []
    for part in dim:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.meaning == part.meaning
            and part.meaning in "ncyx"
            and last.inner == part.length * part.inner
        ):
            joined[-1] = AxisPart(part.meaning, last.length * part.length, part.inner)
        else:
            joined.append(part)
    return tuple(joined)


def regroup_dims(trace: TensorTrace, shape: Sequence[int]) -> TensorTrace:
    """Return the trace of a view: parts are grouped into the new dimensions, and split where a dimension ends."""
    if trace.shape == tuple(shape):
        return trace
    parts = [part for dim in trace.dims for part in dim if part.length != 1]
    dims: list[Dim] = []
    for size in shape:
        taken = _take_parts(parts, size)
        if taken is None:
            return make_unknown_trace(shape)
        dims.append(merge_parts(taken) or (AxisPart("?", 1),))
    if parts:
        return make_unknown_trace(shape)
    return replace(trace, dims=_restore_ones(trace, tuple(dims)))


def _take_parts(parts: list[AxisPart], size: int) -> Dim | None:
    """Remove the first parts that make up a dimension, splitting the last one if necessary; None if they do not fit."""
    taken: list[AxisPart] = []
    have = 1
    while have < size:
        if not parts:
            return None
        part = parts.pop(0)
        if have * part.length > size:
            outer = size // have
            if part.meaning in "tf" or size % have or part.length % outer:
                return None
            rest = part.length // outer
            parts.insert(0, part._replace(length=rest))
            part = part._replace(length=outer, inner=part.inner * rest)
        taken.append(part)
        have *= part.length
    return tuple(taken) if have == size else None


def _restore_ones(before: TensorTrace, dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Restore the meaning of rows and columns of length 1 if the number of such dimensions is the same as before."""
    ones = [dim for dim in before.dims if measure_dim(dim) == 1]
    if not ones or sum(measure_dim(dim) == 1 for dim in dims) != len(ones):
        return dims
    remaining = iter(ones)
    return tuple(next(remaining) if measure_dim(dim) == 1 else dim for dim in dims)


def absorb_patches(trace: TensorTrace, axis: int) -> TensorTrace:
    """Turn the parts of patches in a dimension of channels into channels (space to depth, patches by reshaping).

    The rows and columns become those of the patches, and the field map that of a window of a patch's size. A dimension of a
    patch's rows or columns alone is absorbed if the patches themselves are in other dimensions.
    """
    if len(trace.dims) <= axis:
        return trace
    dim = trace.dims[axis]
    outside = [part.meaning for at, other in enumerate(trace.dims) if at != axis for part in iterate_parts(other)]
    absorbed = collect_meanings(dim) & {"y", "x"}
    if not absorbed or not {*outside} & {"y", "x"}:
        return trace
    if "c" not in collect_meanings(dim) and not absorbed <= {*outside}:
        return trace
    patch = {"y": 1, "x": 1}
    for part in dim:
        if part.meaning in patch:
            if part.inner != 1 or patch[part.meaning] != 1:
                return trace
            patch[part.meaning] = part.length
        elif part.meaning != "c":
            return trace
    dims = tuple(
        make_channels(measure_dim(dim)) if position == axis else tuple(coarsen_part(part, patch) for part in other)
        for position, other in enumerate(trace.dims)
    )
    size = patch["y"], patch["x"]
    path = trace.path and trace.path.follow(make_window_field(size, stride=size))
    return replace(trace, dims=dims, path=path, border=trace.border.coarsen(size))


def coarsen_part(part: AxisPart, cut: Mapping[str, int]) -> AxisPart:
    """Return a part of y or x after every `cut` innermost steps became one."""
    if part.meaning == "t":
        return part._replace(grid=tuple(coarsen_part(piece, cut) for piece in part.grid))
    return part._replace(inner=max(1, part.inner // cut[part.meaning])) if part.meaning in cut else part


def replace_dim(dims: tuple[Dim, ...], axis: int, dim: Dim) -> tuple[Dim, ...]:
    """Return dimensions with the one at `axis` replaced by `dim`."""
    return (*dims[:axis], dim, *dims[axis + 1 :])
