"""Draw shapes on a canvas of shape numbers, with pens that have a position, scale and rotation.

Every shape is drawn once, as its number. The color and the labels of a pixel are both looked up from the shape whose
number it holds, so image and labels always agree on what is visible.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

import numpy as np

from netdissect.demo.world.raster import FINE, fill_polygons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.demo.world.light import Light
    from netdissect.demo.world.world_concepts import Region

#: Red, green and blue, 0..255.
Color = tuple[float, float, float]
#: A point of a pen's frame: u to the right, v upwards.
Point = tuple[float, float]
#: Points, or their coordinates as text: ``"-.5,0 .5,0 0,1"``.
Path = str | Sequence[Point]

_CIRCLES = {
    n: tuple((round(math.cos(math.tau * i / n), 9), round(math.sin(math.tau * i / n), 9)) for i in range(n))
    for n in (10, 16, 28, 48)
}


class Fill(TypedDict, total=False):
    """The options of how a shape is filled; see `CanvasShape`."""

    to: Color | None
    shade: float
    grain: float
    glows: bool


class CanvasShape(NamedTuple):
    """A shape that has been drawn.

    Attributes:
        region: its object, part and material.
        color: its color, on the lit side or on top.
        to: its color at the other end; None shades `color` away from the light.
        shade: strength of the shading by the light, 0 (flat) to 1.
        grain: strength of its material's texture, 0 to 1.
        haze: share of the haze's color, 0 to 1.
        glows: whether it emits light; such a shape is not tinted.
        box: left, top, right, bottom on the canvas, in sixteenths of a pixel.
    """

    region: Region
    color: Color
    to: Color | None
    shade: float
    grain: float
    haze: float
    glows: bool
    box: tuple[int, int, int, int]


class Veil(NamedTuple):
    """A transparent polygon: it tints what was drawn before it, and has no label."""

    before: int
    corners: Sequence[int]
    color: Color
    strength: float


class Glow(NamedTuple):
    """A round light that is added to the finished image; position and radius are fractions of the image's side."""

    x: float
    y: float
    radius: float
    color: Color
    strength: float


@dataclass
class Canvas:
    """A square canvas with the shapes, veils and glows drawn so far.

    Attributes:
        side: side in pixels.
        light: the light of the image.
        shapes: the shapes, later ones on top; the first one is the background.
        veils: transparent polygons.
        glows: lights that are added to the finished image.
    """

    side: int
    light: Light
    shapes: list[CanvasShape] = field(default_factory=list)
    veils: list[Veil] = field(default_factory=list)
    glows: list[Glow] = field(default_factory=list)
    _corners: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    def rasterize(self) -> NDArray[np.int32]:
        """Return the number of the visible shape at every pixel, int32, shape (side, side)."""
        ids = np.zeros((self.side, self.side), dtype=np.int32)
        corners = np.array(self._corners, dtype=np.int64).reshape(-1, 2)
        fill_polygons(ids, corners, np.array(self._ends, dtype=np.int64))
        return ids

    def pen(self, x: float, y: float, scale: float, *, flip: bool = False, haze: float = 0.0) -> Pen:
        """Return a pen with its origin at (x, y), y downwards, and the unit `scale`, all as fractions of the side."""
        unit = scale * self.side
        return Pen(self, (-unit if flip else unit, 0.0, x * self.side, 0.0, -unit, y * self.side), haze)

    def add(self, corners: list[int], shape: CanvasShape) -> None:
        """Draw a shape; its corners are x, y, x, y and so on, in sixteenths of a pixel."""
        self._corners += corners
        self._ends.append(len(self._corners) // 2)
        self.shapes.append(shape)


class Pen:
    """A coordinate frame on a canvas, with methods that draw shapes in it.

    The methods that fill a shape take its color and region, and the options of `Fill`.
    """

    __slots__ = ("canvas", "frame", "haze")

    def __init__(self, canvas: Canvas, frame: tuple[float, float, float, float, float, float], haze: float) -> None:
        self.canvas = canvas
        self.frame = frame
        self.haze = haze

    @property
    def light(self) -> Light:
        """The light on this canvas."""
        return self.canvas.light

    @property
    def towards_light(self) -> float:
        """1 if the light comes from the direction of growing u, else −1."""
        return self.canvas.light.side if self.frame[0] + self.frame[1] > 0 else -self.canvas.light.side

    def at(self, u: float, v: float, scale: float = 1.0, *, flip: bool = False, turn: float = 0.0) -> Pen:
        """Return a pen with its origin at this one's (u, v), scaled, mirrored, then rotated by `turn` radians."""
        a, b, x, c, d, y = self.frame
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        m = -1.0 if flip else 1.0
        return Pen(
            self.canvas,
            (
                m * (a * cos + b * sin), b * cos - a * sin, a * u + b * v + x,
                m * (c * cos + d * sin), d * cos - c * sin, c * u + d * v + y,
            ),
            self.haze,
        )  # fmt: skip

    def poly(
        self,
        points: Path,
        color: Color,
        region: Region,
        *,
        to: Color | None = None,
        shade: float = 0.2,
        grain: float = 1.0,
        glows: bool = False,
    ) -> None:
        """Fill a polygon."""
        corners = self._corners(_transform_points(points))
        xs, ys = corners[::2], corners[1::2]
        box = (min(xs), min(ys), max(xs), max(ys))
        side = self.canvas.side * FINE
        if box[2] >= 0 and box[3] >= 0 and box[0] < side and box[1] < side:
            self.canvas.add(corners, CanvasShape(region, color, to, shade, grain, self.haze, glows, box))

    def box(
        self, u0: float, v0: float, u1: float, v1: float, color: Color, region: Region, **how: Unpack[Fill]
    ) -> None:
        """Fill a rectangle."""
        self.poly(((u0, v0), (u1, v0), (u1, v1), (u0, v1)), color, region, **how)

    def disc(
        self, u: float, v: float, ru: float, color: Color, region: Region, *, rv: float = 0.0, **how: Unpack[Fill]
    ) -> None:
        """Fill a circle, or an ellipse if `rv` is given."""
        self.poly(self.round(u, v, ru, rv or ru), color, region, **how)

    def pill(
        self,
        u0: float,
        v0: float,
        u1: float,
        v1: float,
        radius: float,
        color: Color,
        region: Region,
        **how: Unpack[Fill],
    ) -> None:
        """Fill a rectangle with round corners."""
        points: list[Point] = []
        for quarter, (u, v) in enumerate(
            ((u1 - radius, v1 - radius), (u0 + radius, v1 - radius), (u0 + radius, v0 + radius), (u1 - radius, v0 + radius))
        ):  # fmt: skip
            circle = _CIRCLES[16]
            points += [
                (u + radius * circle[i % 16][0], v + radius * circle[i % 16][1])
                for i in range(4 * quarter, 4 * quarter + 5)
            ]
        self.poly(points, color, region, **how)

    def soft(self, points: Path, color: Color, region: Region, **how: Unpack[Fill]) -> None:
        """Fill a closed curve that is drawn smoothly along a polygon (its corners cut twice)."""
        self.poly(_cut_corners(_cut_corners(_transform_points(points))), color, region, **how)

    def line(
        self, points: Path, width: float, color: Color, region: Region, *, end: float = -1.0, **how: Unpack[Fill]
    ) -> None:
        """Draw a line through points, `width` wide at its start and `end` wide at its end; default: the same width."""
        self.poly(_outline_line(_transform_points(points), width, width if end < 0 else end), color, region, **how)

    def veil(self, points: Path, color: Color, strength: float) -> None:
        """Tint what has been drawn so far inside a polygon; labels do not change."""
        self.canvas.veils.append(
            Veil(len(self.canvas.shapes), self._corners(_transform_points(points)), color, strength)
        )

    def shadow(self, u: float, v: float, ru: float, rv: float) -> None:
        """Draw the flat shadow of an object at (u, v) on the ground, away from the light."""
        away = -0.35 * ru * self.towards_light
        self.veil(self.round(u + away, v, ru, rv), self.light.shadow, self.light.depth)

    def glow(self, u: float, v: float, radius: float, color: Color, strength: float = 0.5) -> None:
        """Add a round light to the finished image."""
        a, b, x, c, d, y = self.frame
        side = self.canvas.side
        size = math.hypot(a, c) * radius / side
        self.canvas.glows.append(Glow((a * u + b * v + x) / side, (c * u + d * v + y) / side, size, color, strength))

    def round(self, u: float, v: float, ru: float, rv: float) -> list[Point]:
        """Return the corners of a polygon that approximates an ellipse; a larger one gets more corners."""
        pixels = abs(self.frame[0]) + abs(self.frame[1])
        reach = pixels * max(ru, rv)
        circle = _CIRCLES[10 if reach < 4 else 16 if reach < 12 else 28 if reach < 60 else 48]
        return [(u + ru * cos, v + rv * sin) for cos, sin in circle]

    def _corners(self, points: Sequence[Point]) -> list[int]:
        a, b, x, c, d, y = (value * FINE for value in self.frame)
        # int() rounds towards zero; adding a large number makes it round down for negative coordinates too.
        far = 1 << 20
        x, y = x + far + 0.5, y + far + 0.5
        return [value for u, v in points for value in (int(a * u + b * v + x) - far, int(c * u + d * v + y) - far)]


def _transform_points(path: Path) -> Sequence[Point]:
    return _parse_path(path) if isinstance(path, str) else path


@cache
def _parse_path(path: str) -> Sequence[Point]:
    """Return the points of a path from its text."""
    pairs = (pair.split(",") for pair in path.split())
    return tuple((float(u), float(v)) for u, v in pairs)


def _cut_corners(points: Sequence[Point]) -> list[Point]:
    """Cut the corners of a closed polygon (Chaikin)."""
    result: list[Point] = []
    for (u0, v0), (u1, v1) in zip(points, (*points[1:], points[0]), strict=True):
        result.append((0.75 * u0 + 0.25 * u1, 0.75 * v0 + 0.25 * v1))
        result.append((0.25 * u0 + 0.75 * u1, 0.25 * v0 + 0.75 * v1))
    return result


def _outline_line(points: Sequence[Point], start: float, end: float) -> list[Point]:
    """Return the outline of a line whose width changes from `start` to `end`."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(points) - 1
    for i, (u, v) in enumerate(points):
        (u0, v0), (u1, v1) = points[max(i - 1, 0)], points[min(i + 1, last)]
        length = math.hypot(u1 - u0, v1 - v0) or 1.0
        half = (start + (end - start) * i / last) / 2 / length
        du, dv = -(v1 - v0) * half, (u1 - u0) * half
        left.append((u + du, v + dv))
        right.append((u - du, v - dv))
    return left + right[::-1]
