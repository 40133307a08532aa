"""Field paths: how the operations along one path through a network place cells, and which path decides where several join.

docs/method.md, § 2, states the rule and its reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from netdissect.geometry import fieldmap
from netdissect.layers import FieldMap

if TYPE_CHECKING:
    from collections.abc import Sequence

Pair = tuple[float, float]

#: Cells or pixels by which two positions may differ and still count as equal.
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The field map of a tensor's cells, and what decides whether it is used.

    Attributes:
        field: the field map.
        input_size: height and width of the network's input in pixels.
        growth: pixels by which padding makes the area of all cells larger than the input; negative after convolutions
            without padding, which lose their border.
        coarsest: the largest step on the way. It is larger than the field map's own step if cells were scaled up.
        is_mixed: whether the cells are those of an operation that mixes positions, such as attention's queries.
    """

    field: FieldMap
    input_size: tuple[int, int]
    growth: Pair = (0, 0)
    coarsest: Pair = (1, 1)
    is_mixed: bool = False

    def follow(self, window: FieldMap, growth: Pair = (0, 0)) -> Self:
        """Return the path continued by an operation.

        Args:
            window: the field map of the operation alone.
            growth: cells of its input by which the operation makes the covered area larger (padding), or smaller.
        """
        step = self.field.step
        field = fieldmap.compose_fields(self.field, window)
        return replace(
            self,
            field=field,
            growth=(self.growth[0] + growth[0] * step[0], self.growth[1] + growth[1] * step[1]),
            coarsest=(max(self.coarsest[0], field.step[0]), max(self.coarsest[1], field.step[1])),
        )

    def mix(self) -> Self:
        """Return the path after an operation that mixes positions."""
        return replace(self, is_mixed=True)

    def fits(self, cells: tuple[int, int]) -> bool:
        """Return whether so many cells lie in the input: ``|t·cells − input| ≤ t``, centers inside ± t/2.

        Padding that was added and borders that were lost count as part of the input (`growth`).
        """
        for axis in (0, 1):
            step, size = self.field.step[axis], self.input_size[axis]
            slack = step + _TOLERANCE
            if step <= 0 or abs(step * cells[axis] - size - self.growth[axis]) > slack:
                return False
            first = self.center[axis]
            outside = max(0, self.growth[axis]) + max(1, slack) / 2  # a pixel's area reaches half a pixel further
            if first < -outside or first + (cells[axis] - 1) * step > size - 1 + outside:
                return False
        return True

    @property
    def center(self) -> Pair:
        """The center of the first cell, (y, x), in input pixels."""
        (y, x), (h, w) = self.field.offset, self.field.size
        return y + (h - 1) / 2, x + (w - 1) / 2

    def is_aligned(self, other: FieldPath) -> bool:
        """Return whether both paths place every cell at the same position."""
        own, others = (*self.center, *self.field.step), (*other.center, *other.field.step)
        return all(abs(a - b) <= _TOLERANCE * max(1, abs(a)) for a, b in zip(own, others, strict=True))


def join_field_paths(paths: Sequence[FieldPath], cells: tuple[int, int] | None) -> FieldPath:
    """Return the path that decides where cells are after several paths joined.

    Paths that place the cells alike are one: the widest, as in the paper. Of others, in this order: one that fits the input;
    one that passed no attention; one that was never coarser (a branch that was scaled up does not decide); the narrowest,
    which is the most direct. Several equally direct ones, as in space to depth, are united.

    Args:
        paths: at least one.
        cells: rows and columns after the join; None if unknown.
    """
    left = list(paths)
    if cells is not None:
        left = [path for path in left if path.fits(cells)] or left
    left = [path for path in left if not path.is_mixed] or left
    finest = min(max(path.coarsest) for path in left)
    left = [path for path in left if max(path.coarsest) <= finest * (1 + _TOLERANCE)]
    narrowest = min(max(path.field.size) for path in left)
    first = next(path for path in left if max(path.field.size) == narrowest)
    direct = [path for path in left if max(path.field.size) == narrowest or path.is_aligned(first)]
    if any(not path.is_aligned(first) for path in direct):  # several pieces of one cell
        direct = [path for path in direct if max(path.field.size) == narrowest]
    field = fieldmap.unite_fields([path.field for path in direct])
    return replace(first, field=_widen(field, [path.field for path in left]))


def _widen(field: FieldMap, others: Sequence[FieldMap]) -> FieldMap:
    """Return a field map enlarged on all sides by whole pixels, so that it covers others of the same step."""
    offset, size = list(field.offset), list(field.size)
    for axis in (0, 1):
        start = min([other.offset[axis] for other in others if other.step == field.step], default=offset[axis])
        stop = max([o.offset[axis] + o.size[axis] for o in others if o.step == field.step], default=start)
        more = max(0, -int(-(offset[axis] - start) // 1), -int(-(stop - offset[axis] - size[axis]) // 1))
        offset[axis], size[axis] = offset[axis] - more, size[axis] + 2 * more
    return FieldMap((offset[0], offset[1]), (size[0], size[1]), field.step)
