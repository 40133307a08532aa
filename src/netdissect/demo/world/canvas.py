"""Draw shapes on a canvas of shape numbers, with pens that have a position, scale and rotation.

Every shape is drawn once, as its own number. What a pixel looks like and what it is are both looked up later from
the shape whose number it holds, so that image and labels cannot disagree: what is hidden in one is hidden in the
other.
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
#: Points, or the same written down: ``"-.5,0 .5,0 0,1"``.
Path = str | Sequence[Point]

_CIRCLES = {
    n: tuple((round(math.cos(math.tau * i / n), 9), round(math.sin(math.tau * i / n), 9)) for i in range(n))
    for n in (10, 16, 28, 48)
}


class Fill(TypedDict, total=False):
    """How a shape is filled; see `CanvasShape`."""

    to: Color | None
    shade: float
    grain: float
    glows: bool


class CanvasShape(NamedTuple):
    """What is known of one shape.

    Attributes:
        region: the object, part and material it is.
        color: its color, on the lit side or on top.
        to: its color at the other end; None shades `color` away from the light.
        shade: how strongly it is modeled by the light, 0 (flat) to 1.
        grain: how strongly its material shows, 0 to 1.
        haze: how far it lies in the haze, 0 to 1.
        glows: whether it is a light itself, which no light colors.
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
    """A see-through polygon: it colors what was drawn before it, and belongs to no object."""

    before: int
    corners: Sequence[int]
    color: Color
    strength: float


class Glow(NamedTuple):
    """A round light on the finished image, in shares of its side."""

    x: float
    y: float
    radius: float
    color: Color
    strength: float


@dataclass
class Canvas:
    """The shapes, veils and glows drawn so far on a square of so many pixels.

    Attributes:
        side: its side in pixels.
        light: the light everything is seen in.
        shapes: later ones lie on top; the first one shows where nothing else does.
        veils: see-through polygons.
        glows: lights over the finished image.
    """

    side: int
    light: Light
    shapes: list[CanvasShape] = field(default_factory=list)
    veils: list[Veil] = field(default_factory=list)
    glows: list[Glow] = field(default_factory=list)
    _corners: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    def numbers(self) -> NDArray[np.int32]:
        """Return the number of the shape that is seen at every pixel, int32, shape (side, side)."""
        ids = np.zeros((self.side, self.side), dtype=np.int32)
        corners = np.array(self._corners, dtype=np.int64).reshape(-1, 2)
        fill_polygons(ids, corners, np.array(self._ends, dtype=np.int64))
        return ids

    def pen(self, x: float, y: float, scale: float, *, flip: bool = False, haze: float = 0.0) -> Pen:
        """Return a pen whose frame has its origin at (x, y), y downwards, and its unit, both in shares of the side."""
        unit = scale * self.side
        return Pen(self, (-unit if flip else unit, 0.0, x * self.side, 0.0, -unit, y * self.side), haze)

    def add(self, corners: list[int], shape: CanvasShape) -> None:
        """Draw a shape; its corners are x, y, x, y and so on, in sixteenths of a pixel."""
        self._corners += corners
        self._ends.append(len(self._corners) // 2)
        self.shapes.append(shape)


class Pen:
    """A frame on a canvas, and what can be drawn in it.

    Every drawing method takes a color and the region it stands for, and as options `to` (a second color at the
    lower end), `shade` (how strongly the light models it), `grain` (how strongly its material shows) and `glows`.
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
        """1 where the light comes from growing u, −1 where it comes from falling u."""
        return self.canvas.light.side if self.frame[0] + self.frame[1] > 0 else -self.canvas.light.side

    def at(self, u: float, v: float, scale: float = 1.0, *, flip: bool = False, turn: float = 0.0) -> Pen:
        """Return a pen whose origin is this one's (u, v), `scale` times as large, mirrored, then turned by radians."""
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
        """Fill a circle, or an ellipse where `rv` is given."""
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
        """Draw a line through points, `width` wide at its start and `end` (the same if not given) at its end."""
        self.poly(_outline_line(_transform_points(points), width, width if end < 0 else end), color, region, **how)

    def veil(self, points: Path, color: Color, strength: float) -> None:
        """Color what has been drawn so far inside a polygon; labels stay as they are."""
        self.canvas.veils.append(
            Veil(len(self.canvas.shapes), self._corners(_transform_points(points)), color, strength)
        )

    def shadow(self, u: float, v: float, ru: float, rv: float) -> None:
        """Let an object that stands at (u, v) throw a flat shadow on the ground, away from the light."""
        away = -0.35 * ru * self.towards_light
        self.veil(self.round(u + away, v, ru, rv), self.light.shadow, self.light.depth)

    def glow(self, u: float, v: float, radius: float, color: Color, strength: float = 0.5) -> None:
        """Let a light shine over the finished image."""
        a, b, x, c, d, y = self.frame
        side = self.canvas.side
        size = math.hypot(a, c) * radius / side
        self.canvas.glows.append(Glow((a * u + b * v + x) / side, (c * u + d * v + y) / side, size, color, strength))

    def round(self, u: float, v: float, ru: float, rv: float) -> list[Point]:
        """Return the corners of an ellipse, as many as its size needs."""
        pixels = abs(self.frame[0]) + abs(self.frame[1])
        reach = pixels * max(ru, rv)
        circle = _CIRCLES[10 if reach < 4 else 16 if reach < 12 else 28 if reach < 60 else 48]
        return [(u + ru * cos, v + rv * sin) for cos, sin in circle]

    def _corners(self, points: Sequence[Point]) -> list[int]:
        a, b, x, c, d, y = (value * FINE for value in self.frame)
        # int() rounds towards zero; so far from zero that is down, left of the canvas and above it too.
        far = 1 << 20
        x, y = x + far + 0.5, y + far + 0.5
        return [value for u, v in points for value in (int(a * u + b * v + x) - far, int(c * u + d * v + y) - far)]


def _transform_points(path: Path) -> Sequence[Point]:
    return _parse_path(path) if isinstance(path, str) else path


@cache
def _parse_path(path: str) -> Sequence[Point]:
    """Return the points of a path that is written down."""
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
    """Return the outline of a line whose width runs from `start` to `end`."""
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
