"""Shapes of annotation tools, and how they are drawn as masks: polygons with holes, boxes, ellipses, lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image, ImageDraw

from netdissect.probe_sets.importers import painting
from netdissect.probe_sets.importers.painting import MaskPatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: x and y, in pixels from the image's left and upper edge, or as fractions of its sides.
Point = tuple[float, float]


class Shape(Protocol):
    """The outline of a labeled object; it is pickled into worker processes, and its ``repr``, which is hashed, is complete."""

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask in an image of size (height, width), cut at its edges; raise ValueError for a damaged shape."""
        ...


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon.

    Attributes:
        corners: three or more points.
        holes: polygons that are cut out.
        shares: whether points are fractions of the image's sides, instead of pixels.
    """

    corners: tuple[Point, ...]
    holes: tuple[tuple[Point, ...], ...] = ()
    shares: bool = False

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        outer = self._draw_ring(self.corners, size)
        if not self.holes:
            return outer
        whole = np.zeros(size, bool)
        outer.fill(whole, True)
        for hole in self.holes:
            self._draw_ring(hole, size).fill(whole, False)
        return MaskPatch(0, 0, whole)

    def _draw_ring(self, ring: Sequence[Point], size: tuple[int, int]) -> MaskPatch:
        across, down = (size[1], size[0]) if self.shares else (1, 1)
        flat = [value for x, y in ring for value in (x * across, y * down)]
        return painting.draw_polygon(painting.parse_corners(flat, size), size)


def make_box(left: float, top: float, right: float, bottom: float, *, shares: bool = False) -> Polygon:
    """Return a box by its edges, in any order."""
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    return Polygon(((left, top), (left, bottom), (right, bottom), (right, top)), shares=shares)


def make_rotated_box(left: float, top: float, width: float, height: float, degrees: float, about: Point) -> Polygon:
    """Return a box rotated clockwise about a point."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    right, bottom = left + width, top + height
    corners = []
    for x, y in ((left, top), (left, bottom), (right, bottom), (right, top)):
        dx, dy = x - about[0], y - about[1]
        corners.append((about[0] + dx * cos - dy * sin, about[1] + dx * sin + dy * cos))
    return Polygon(tuple(corners))


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse: the pixels whose centers are in it.

    Attributes:
        x: x of the center.
        y: y of the center.
        across: half of the width.
        down: half of the height.
        degrees: clockwise rotation.
    """

    x: float
    y: float
    across: float
    down: float
    degrees: float = 0.0

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        if self.across < 0 or self.down < 0:
            raise ValueError(f"an ellipse with the radii {self.across:g} and {self.down:g}, and none can be negative")
        if not self.across or not self.down:
            return MaskPatch(0, 0, np.zeros((0, 0), bool))
        reach = max(self.across, self.down)
        painting.parse_corners([self.x, self.y, self.x + reach, self.y, self.x, self.y + reach], size)
        top, bottom = (min(max(0, round(self.y + way * (reach + 1))), size[0]) for way in (-1, 1))
        left, right = (min(max(0, round(self.x + way * (reach + 1))), size[1]) for way in (-1, 1))
        dx = np.arange(left, right)[np.newaxis] + 0.5 - self.x
        dy = np.arange(top, bottom)[:, np.newaxis] + 0.5 - self.y
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        along, aside = dx * cos + dy * sin, dy * cos - dx * sin
        mask: NDArray[np.bool_] = (along * self.down) ** 2 + (aside * self.across) ** 2 <= (
            self.across * self.down
        ) ** 2
        return MaskPatch(top, left, mask)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of straight segments.

    Attributes:
        points: two or more points.
        width: the width in pixels.
    """

    points: tuple[Point, ...]
    width: int

    def draw_mask(self, size: tuple[int, int]) -> MaskPatch:
        """Return the mask."""
        if len(self.points) < 2:
            raise ValueError(f"a line has {len(self.points)} points, and at least two are needed")
        flat = [value for point in self.points for value in point]
        painting.parse_corners([*flat, *flat[:2]], size)  # none is far outside
        canvas = Image.new("1", (size[1], size[0]))
        ImageDraw.Draw(canvas).line(list(self.points), fill=1, width=self.width)
        return MaskPatch(0, 0, np.array(canvas))


def parse_points(pairs: object) -> tuple[Point, ...]:
    """Return points from a list of [x, y]; raise ValueError if it is something else."""
    if not isinstance(pairs, list):
        raise ValueError(f"expected points as a list of [x, y], got {painting.abbreviate(pairs)}")  # noqa: TRY004 - one kind
    corners = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"expected a point [x, y], got {painting.abbreviate(pair)}")
        corners.append((painting.parse_coordinate(pair[0]), painting.parse_coordinate(pair[1])))
    return tuple(corners)
