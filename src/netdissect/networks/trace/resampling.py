"""Where interpolation and adaptive pooling place the cells of their output, by the positions of their sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from netdissect.layers import FieldMap

#: Largest distance between a cell's center and the straight line through all, as a share of the step.
_MAX_DEVIATION = 0.25


class CellSpacing(NamedTuple):
    """Cells of one axis, in cells of the input: the center of the first, the step, and the extent of each."""

    center: float
    step: float
    size: float


def make_spaced_field(rows: CellSpacing, columns: CellSpacing) -> FieldMap:
    """Return the field map of cells at equal distances."""
    sizes, steps = (rows.size, columns.size), (rows.step, columns.step)
    return FieldMap((rows.center - (rows.size - 1) / 2, columns.center - (columns.size - 1) / 2), sizes, steps)


@dataclass(frozen=True, slots=True)
class Resampling:
    """A way to interpolate, in the words of ONNX's Resize.

    Attributes:
        reach: input cells per axis that an output cell depends on.
        coordinates: ``"half_pixel"``, ``"align_corners"`` or ``"asymmetric"``: the position of an output cell in the input.
        rounding: ``"floor"``, ``"ceil"``, ``"round_prefer_floor"`` or ``"round_prefer_ceil"`` if the nearest input cell is
            taken; else empty.
    """

    reach: int
    coordinates: str = "half_pixel"
    rounding: str = ""

    def place_cells(self, before: int, after: int, ratio: float | None = None) -> CellSpacing:
        """Return where the output's cells lie.

        Args:
            before: cells of the input.
            after: cells of the output.
            ratio: input cells per output cell, if it was given; else it follows from the two numbers.
        """
        step = before / after if ratio is None else ratio
        if self.coordinates == "align_corners":
            step = (before - 1) / (after - 1) if after > 1 else before
        first = step / 2 - 0.5 if self.coordinates == "half_pixel" else 0
        if self.rounding:
            rounded = [_round_to_cell(first + cell * step, self.rounding) for cell in range(after)]
            sources = [min(max(source, 0), before - 1) for source in rounded]
            first = sum(source - cell * step for cell, source in enumerate(sources)) / after
        return CellSpacing(first, step, self.reach)


def _round_to_cell(position: float, rounding: str) -> int:
    if rounding == "floor":
        return math.floor(position)
    if rounding == "ceil":
        return math.ceil(position)
    return math.ceil(position - 0.5) if rounding == "round_prefer_floor" else math.floor(position + 0.5)


def place_pools(before: int, after: int) -> CellSpacing | None:
    """Return where the cells of an adaptive pooling lie; None if their distances differ too much.

    Args:
        before: cells of the input.
        after: cells of the output.

    >>> place_pools(14, 7), place_pools(7, 3)
    (CellSpacing(center=0.5, step=2.0, size=2.0), CellSpacing(center=1.0, step=2.0, size=3))
    """
    if before % after == 0:
        return CellSpacing((before // after - 1) / 2, before / after, before / after)
    starts = [cell * before // after for cell in range(after)]
    stops = [-(-(cell + 1) * before // after) for cell in range(after)]
    centers = [(start + stop - 1) / 2 for start, stop in zip(starts, stops, strict=True)]
    step = _fit_step(centers)
    middle = sum(centers) / after - step * (after - 1) / 2
    if any(abs(middle + cell * step - center) > _MAX_DEVIATION * step for cell, center in enumerate(centers)):
        return None
    return CellSpacing(middle, step, max(stop - start for start, stop in zip(starts, stops, strict=True)))


def _fit_step(centers: list[float]) -> float:
    """Return the slope of the straight line nearest to the centers."""
    middle = (len(centers) - 1) / 2
    spread = sum((cell - middle) ** 2 for cell in range(len(centers)))
    return sum((cell - middle) * center for cell, center in enumerate(centers)) / spread
