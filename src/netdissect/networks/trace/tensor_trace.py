"""What is known of a tensor computed from an image: what its dimensions mean, and where its cells look.

A dimension is a row of *atoms*, indivisible pieces: channels (c), rows (y), columns (x), images (n), tokens (t),
repetitions (r), unknown (?). Windows cut y in two atoms, flattening puts y and x into one dimension, attention splits channels into
heads: as long as every atom is known, a tensor can be put back on its grid, whatever shape it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netdissect.layers import FieldMap


class AxisPart(NamedTuple):
    """One indivisible piece of a dimension.

    Attributes:
        meaning: ``n``, ``c``, ``y``, ``x``, ``t``, ``r`` or ``?``.
        length: how many steps it has.
        inner: how many steps of the whole axis one of its steps is; 1 for the innermost piece.
        before: of ``t``: tokens in front of the patches; what is left behind them are tokens too.
        grid: of ``t``: the atoms of the patches.
    """

    meaning: str
    length: int
    inner: int = 1
    before: int = 0
    grid: tuple[AxisPart, ...] = ()

    @property
    def patches(self) -> int:
        """How many patches the tokens hold."""
        return measure_dim(self.grid)


Dim = tuple[AxisPart, ...]


@dataclass(frozen=True, slots=True)
class TensorTrace:
    """What is known of a tensor that was computed from the image.

    Attributes:
        dims: what every dimension means.
        field: where the cells look; None once it was lost.
        rolled: by how many steps y and x were rolled, for shifted windows.
        everywhere: whether a cell may have seen more than `field` says, the whole image even; then `field` says where
            the cell lies.
        heads: how many attention heads' outputs lie side by side in the channels; 0 once they were mixed, or for none.
    """

    dims: tuple[Dim, ...]
    field: FieldMap | None
    rolled: tuple[int, int] = (0, 0)
    is_global: bool = False
    heads: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(measure_dim(dim) for dim in self.dims)

    def axis(self, meaning: str) -> int | None:
        """Return the dimension that means only this and holds all of it, or None."""
        holds = [
            position for position, dim in enumerate(self.dims) if any(a.meaning == meaning for a in iterate_parts(dim))
        ]
        if len(holds) != 1:
            return None
        dim = self.dims[holds[0]]
        if meaning in "nc":  # channels may lie in any order
            return holds[0] if all(atom.meaning == meaning for atom in dim) else None
        return holds[0] if len(dim) == 1 and dim[0].meaning == meaning and dim[0].inner == 1 else None

    @property
    def spatial(self) -> tuple[int, int] | None:
        """The dimensions of y and x, or None where they are not both whole dimensions."""
        y, x = self.axis("y"), self.axis("x")
        return None if y is None or x is None else (y, x)

    @property
    def is_image(self) -> bool:
        """Whether the dimensions are (n, c, y, x); heads may lie beside n."""
        if len(self.dims) != 4 or self.spatial != (2, 3):
            return False
        return collect_meanings(self.dims[0]) <= {"n", "c"} and collect_meanings(self.dims[1]) <= {"c"}

    @property
    def has_grid(self) -> bool:
        """Whether any dimension still tells rows or columns apart."""
        return any(atom.meaning in "yx" for dim in self.dims for atom in iterate_parts(dim))

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the whole grid; None where pieces are missing or anything is unknown or repeated."""
        atoms = [atom for dim in self.dims for atom in iterate_parts(dim) if atom.length > 1]
        if any(atom.meaning not in "ncyx" for atom in atoms):
            return None
        sizes = [_measure_axis(atom for atom in atoms if atom.meaning == meaning) for meaning in "yx"]
        return None if None in sizes or not self.has_grid else (sizes[0] or 1, sizes[1] or 1)

    @property
    def is_lost(self) -> bool:
        """Whether nothing is known but perhaps which dimension holds the images."""
        return all(collect_meanings(dim) <= {"?", "n"} for dim in self.dims)


def make_image_trace(shape: Sequence[int], field: FieldMap, meanings: str = "ncyx") -> TensorTrace:
    """Return the track of the image itself."""
    return TensorTrace(tuple((AxisPart(meaning, size),) for meaning, size in zip(meanings, shape, strict=True)), field)


def make_unknown_trace(shape: Iterable[int]) -> TensorTrace:
    """Return the track of a tensor of which nothing is known but that it depends on the image."""
    return TensorTrace(tuple((AxisPart("?", size),) for size in shape), None)


def measure_dim(dim: Iterable[AxisPart]) -> int:
    """Return the length of a dimension."""
    return math.prod(atom.length for atom in dim)


def iterate_parts(dim: Iterable[AxisPart]) -> Iterator[AxisPart]:
    """Yield a dimension's atoms, and those of the patches inside tokens."""
    for atom in dim:
        yield from atom.grid if atom.meaning == "t" else (atom,)


def collect_meanings(dim: Iterable[AxisPart]) -> set[str]:
    """Return what a dimension holds."""
    return {atom.meaning for atom in iterate_parts(dim)} - ({"?"} if measure_dim(dim) == 1 else set())


def _measure_axis(pieces: Iterable[AxisPart]) -> int | None:
    """Return the length of an axis if its pieces make up all of it."""
    whole = 1
    for piece in sorted(pieces, key=lambda atom: atom.inner):
        if piece.inner != whole:
            return None
        whole *= piece.length
    return whole


def make_channels(size: int) -> Dim:
    """Return a dimension of channels."""
    return (AxisPart("c", size),)


def merge_parts(dim: Iterable[AxisPart]) -> Dim:
    """Join neighboring pieces of one axis."""
    joined: list[AxisPart] = []
    for atom in dim:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.meaning == atom.meaning
            and atom.meaning in "ncyx"
            and last.inner == atom.length * atom.inner
        ):
            joined[-1] = AxisPart(atom.meaning, last.length * atom.length, atom.inner)
        else:
            joined.append(atom)
    return tuple(joined)


def regroup_dims(track: TensorTrace, shape: Sequence[int]) -> TensorTrace:
    """Return the track of a view of another shape: atoms are grouped anew and cut where a dimension ends."""
    if track.shape == tuple(shape):
        return track
    atoms = [atom for dim in track.dims for atom in dim if atom.length != 1]
    dims: list[Dim] = []
    for size in shape:
        taken = _take_parts(atoms, size)
        if taken is None:
            return make_unknown_trace(shape)
        dims.append(merge_parts(taken) or (AxisPart("?", 1),))
    if atoms:
        return make_unknown_trace(shape)
    return replace(track, dims=_restore_ones(track, tuple(dims)))


def _take_parts(atoms: list[AxisPart], size: int) -> Dim | None:
    """Take atoms off the front that make up a dimension; cut the last one if need be."""
    taken: list[AxisPart] = []
    have = 1
    while have < size:
        if not atoms:
            return None
        atom = atoms.pop(0)
        if have * atom.length > size:
            outer = size // have
            if atom.meaning == "t" or size % have or atom.length % outer:
                return None
            rest = atom.length // outer
            atoms.insert(0, atom._replace(length=rest))
            atom = atom._replace(length=outer, inner=atom.inner * rest)
        taken.append(atom)
        have *= atom.length
    return tuple(taken) if have == size else None


def _restore_ones(before: TensorTrace, dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Give rows and columns of length 1 their meaning back where dimensions of length 1 only came or went elsewhere."""
    ones = [dim for dim in before.dims if measure_dim(dim) == 1]
    if not ones or sum(measure_dim(dim) == 1 for dim in dims) != len(ones):
        return dims
    remaining = iter(ones)
    return tuple(next(remaining) if measure_dim(dim) == 1 else dim for dim in dims)


def absorb_patches(track: TensorTrace, axis: int) -> tuple[TensorTrace, tuple[int, int] | None]:
    """Let channels absorb the pieces of patches that lie in their dimension (space to depth, patches by reshaping).

    Args:
        track: what is known.
        axis: the dimension that is about to be mixed as channels.

    Returns:
        the track with whole rows and columns, and height and width of a patch; None where nothing was absorbed.
    """
    dim = track.dims[axis]
    if "c" not in collect_meanings(dim) or not collect_meanings(dim) & {"y", "x"}:
        return track, None
    cut = {"y": 1, "x": 1}
    for atom in dim:
        if atom.meaning in "yx":
            if atom.inner != 1 or cut[atom.meaning] != 1:
                return track, None
            cut[atom.meaning] = atom.length
        elif atom.meaning != "c":
            return track, None
    if not TensorTrace((*track.dims[:axis], *track.dims[axis + 1 :]), None).has_grid:
        return track, None
    dims = tuple(
        make_channels(measure_dim(dim)) if position == axis else tuple(coarsen_part(atom, cut) for atom in other)
        for position, other in enumerate(track.dims)
    )
    return replace(track, dims=dims), (cut["y"], cut["x"])


def coarsen_part(atom: AxisPart, cut: Mapping[str, int]) -> AxisPart:
    """Return a piece of y or x after `cut` of its innermost steps became one."""
    if atom.meaning == "t":
        return atom._replace(grid=tuple(coarsen_part(piece, cut) for piece in atom.grid))
    return atom._replace(inner=max(1, atom.inner // cut[atom.meaning])) if atom.meaning in cut else atom
