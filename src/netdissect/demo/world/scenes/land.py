"""Draw grounds and rooms for scenes, and place objects in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects.plants import draw_tuft
from netdissect.demo.world.palette import (
    GREENS,
    SEAS,
    darken_color,
    lighten_color,
    mix_colors,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas, Color, Pen

_WATER = Region("", "", "water")


def spread_places(rng: Random, count: int, low: float = 0.05, high: float = 0.95) -> list[float]:
    """Return places along x: one in each of `count` equal stretches, in random order."""
    step = (high - low) / count
    places = [low + (i + rng.uniform(0.2, 0.8)) * step for i in range(count)]
    rng.shuffle(places)
    return places


def place_pen(canvas: Canvas, rng: Random, x: float, y: float, height: float, *, flip: bool | None = None) -> Pen:
    """Return a pen for a thing that stands at (x, y) and is so high, mirrored at random."""
    return canvas.pen(x, y, height * rng.uniform(0.9, 1.1), flip=rng.random() < 0.5 if flip is None else flip)


def lay_ground(
    canvas: Canvas, top: float, near: Color, material: str, *, far: Color | None = None, bottom: float = 1.02
) -> None:
    """Lay the ground from `top` down; it gets paler towards the horizon."""
    far = far or mix_colors(near, canvas.light.haze, 0.35)
    canvas.pen(0, 0, 1).box(-0.02, -top, 1.02, -bottom, far, Region("", "", material), to=near)


def lay_meadow(canvas: Canvas, rng: Random, top: float, *, color: Color | None = None, tufts: int = 14) -> Color:
    """Lay grass from `top` down, with tufts."""
    color = color or rng.choice(GREENS)
    lay_ground(canvas, top, color, "grass")
    for _ in range(tufts):
        y = rng.uniform(top + 0.04, 0.99)
        pen = canvas.pen(rng.uniform(0, 1), y, 0.014 + 0.03 * (y - top))
        draw_tuft(pen, rng, darken_color(color, 0.22) if rng.random() < 0.6 else lighten_color(color, 0.22))
    return color


def lay_water(
    canvas: Canvas, rng: Random, top: float, *, bottom: float = 1.02, color: Color | None = None, glitter: int = 16
) -> Color:
    """Lay water from `top` down, sky in its far part and glitter on the side of the light."""
    color = color or rng.choice(SEAS)
    pen = canvas.pen(0, 0, 1)
    pen.box(
        -0.02, -top, 1.02, -bottom, mix_colors(color, canvas.light.sky[1], 0.45), _WATER, to=darken_color(color, 0.12)
    )
    for _ in range(glitter):
        t = rng.random()
        y = top + (bottom - top) * t
        x = 0.5 + canvas.light.side * rng.uniform(0.0, 0.35) + rng.uniform(-0.25, 0.25)
        width = 0.015 + 0.05 * t
        pen.veil(
            ((x - width, -y), (x, -y + 0.003), (x + width, -y), (x, -y - 0.004)),
            mix_colors(canvas.light.sky[1], (255, 255, 255), 0.5),
            0.5,
        )
    return color


def lay_path(canvas: Canvas, rng: Random, top: float, color: Color, region: Region, *, at: float = 0.5) -> None:
    """Lay a path that winds from the bottom to `top`."""
    end, start = at, 0.5 + rng.uniform(-0.25, 0.25)
    bend = rng.uniform(-0.12, 0.12)
    span = 1.02 - top
    left, right = [], []
    for i in range(9):
        t = i / 8
        x = start + (end - start) * t + bend * 4 * t * (1 - t)
        half = 0.15 * (1 - t) ** 1.6 + 0.012
        y = top + span * (1 - t) ** 1.5
        left.append((x - half, -y))
        right.append((x + half, -y))
    canvas.pen(0, 0, 1).poly(left + right[::-1], mix_colors(color, canvas.light.haze, 0.2), region, to=color)


def lay_road(canvas: Canvas, top: float, bottom: float, *, lines: int = 7) -> None:
    """Lay a road across the image with its kerbs and center line."""
    pen = canvas.pen(0, 0, 1)
    kerb, asphalt = Region("sidewalk", "", "concrete"), Region("", "", "asphalt")
    pen.box(-0.02, -top + 0.045, 1.02, -top, parse_hex_color("cfc8bf"), kerb, to=parse_hex_color("bfb8b0"))
    pen.box(-0.02, -top, 1.02, -bottom, parse_hex_color("74757f"), asphalt, to=parse_hex_color("5f606b"))
    pen.box(-0.02, -top, 1.02, -top - 0.008, parse_hex_color("a39d98"), kerb)
    middle, step = (top + bottom) / 2, 1.1 / lines
    for i in range(lines):
        u = i * step - 0.03
        pen.box(
            u, -middle + 0.006, u + 0.6 * step, -middle - 0.008, parse_hex_color("f2ead2"), asphalt, shade=0, grain=0
        )


_WALLS = parse_palette("ecdcc6 d6e0d2 e8cfc4 cfdce3 e6d9b8 dccfe0 c4d3cc e2b9a0")
_PAPERS = parse_palette("b5c9bf c9b5a8 a9b9c9 d9c4a0")


def paint_room(
    canvas: Canvas,
    rng: Random,
    *,
    wall: str = "plaster",
    floor: str = "wood",
    wall_color: Color | None = None,
    floor_color: Color | None = None,
) -> float:
    """Paint a back wall, a skirting board and a floor; return where the floor begins."""
    line = rng.uniform(0.66, 0.72)
    pen = canvas.pen(0, 0, 1)
    color = (
        wall_color
        or {
            "brick": rng.choice(parse_palette("b8664e c47a5f a85a48")),
            "tile": rng.choice(parse_palette("d3e6e8 e8e4da c9dfd4 f0d9d2")),
        }.get(wall)
        or rng.choice(_WALLS)
    )
    below = floor_color or {
        "wood": rng.choice(parse_palette("c08a55 a9713f d0a06a 8f5f3a")), "parquet": rng.choice(parse_palette("c9995f b07f48 d9b27a")),
        "tile": rng.choice(parse_palette("d9d2c6 bfcfd4 e3d3c0 a9b8b5")), "carpet": rng.choice(parse_palette("8f9f8a 9a7f8a 7f8fa8 b08a6f")),
        "marble": rng.choice(parse_palette("dcd7cf c9ccd0 d8cbbd")),
    }.get(floor, parse_hex_color("b09a80"))  # fmt: skip
    pen.box(-0.02, 0.02, 1.02, -line, color, Region("", "", wall), shade=0.22)
    if wall == "plaster" and rng.random() < 0.35:
        stripe = lighten_color(color, 0.3)
        for i in range(11):
            pen.box(0.1 * i - 0.02, 0.02, 0.1 * i + 0.02, -line, stripe, Region("", "", wall), shade=0.22)
    pen.box(-0.02, -line, 1.02, -1.02, mix_colors(below, color, 0.15), Region("", "", floor), to=below)
    pen.box(
        -0.02, -line + 0.028, 1.02, -line - 0.004, parse_hex_color("f6f1e6"), Region("skirting", "", "wood"), shade=0.15
    )
    if not canvas.light.dark:
        x, lean = rng.uniform(0.1, 0.6), 0.16 * -canvas.light.side
        pen.veil(
            ((x, -line - 0.06), (x + 0.2, -line - 0.06), (x + 0.2 + lean, -line - 0.24), (x + lean, -line - 0.24)),
            parse_hex_color("fff3d6"),
            0.25,
        )
    return line
