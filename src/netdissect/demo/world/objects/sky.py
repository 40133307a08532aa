"""Draw the background: sky, sun, moon, stars, clouds, birds, mountains and hills."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import darken_color, lighten_color, mix_colors, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import NOTHING, Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Canvas, Color, Pen, Point

_SUN, _MOON, _STAR, _CLOUD = Region("sun"), Region("moon"), Region("star"), Region("cloud")
_SLOPE, _PEAK = Region("mountain", "slope", "rock"), Region("mountain", "peak", "snow")
_HILL = Region("hill")
_BIRD_WING, _BIRD_BODY = Region("bird", "wing"), Region("bird", "body")

_ROCKS = parse_palette("7d86a8 8a8fa3 9a8f98 75809b 8b7f95")
_SUNS = {
    "sunset": parse_hex_color("ffd166"),
    "gold": parse_hex_color("ffe9a3"),
    "morning": parse_hex_color("fff3c4"),
    "dusk": parse_hex_color("ffb27d"),
}


def draw_sky(canvas: Canvas, rng: Random, *, horizon: float, clouds: int = 3, far: bool = True) -> None:
    """Paint the sky down to the horizon: sun or moon on the side of the light, stars at night, clouds."""
    light, pen = canvas.light, canvas.pen(0, 0, 1)
    pen.box(0, 0.02, 1, -horizon - 0.02, light.sky[0], NOTHING, to=light.sky[1], glows=True)
    if light.name == "night":
        _draw_night(canvas, rng, horizon)
    elif light.name != "mist" and far and rng.random() < 0.8:
        _draw_sun(canvas, rng, horizon)
    for _ in range(clouds if light.name != "mist" else clouds + 2):
        if rng.random() < 0.75:
            size = rng.uniform(0.07, 0.15)
            draw_cloud(canvas.pen(rng.uniform(-0.05, 1.05), rng.uniform(0.06, 0.72 * horizon), size), rng)


def _draw_sun(canvas: Canvas, rng: Random, horizon: float) -> None:
    light = canvas.light
    low = light.name in ("sunset", "dusk", "gold")
    color = _SUNS.get(light.name, parse_hex_color("fff7d6"))
    x = 0.5 + light.side * rng.uniform(0.14, 0.42)
    y = horizon * (rng.uniform(0.55, 0.85) if low else rng.uniform(0.14, 0.4))
    pen = canvas.pen(x, y, rng.uniform(0.04, 0.06) * (1.3 if low else 1))
    _draw_halo(pen, color, 1.35 if low else 1.0)
    pen.disc(0, 0, 1, color, _SUN, glows=True, shade=0)
    if low:
        pen.glow(0, 0, 7.0, color, 0.25)


def _draw_halo(pen: Pen, color: Color, size: float) -> None:
    """Draw rings of light in the sky around a sun or moon; shapes that are drawn later cover them."""
    for radius, strength in ((5.6, 0.09), (3.9, 0.12), (2.6, 0.16), (1.6, 0.25)):
        pen.veil(pen.round(0, 0, size * radius, size * radius), color, strength)


def _draw_night(canvas: Canvas, rng: Random, horizon: float) -> None:
    for _ in range(rng.randint(14, 30)):
        pen = canvas.pen(rng.uniform(0, 1), rng.uniform(0, 0.85 * horizon), rng.uniform(0.004, 0.009))
        pen.poly("-1,0 0,1 1,0 0,-1", parse_hex_color("fff6d8"), _STAR, glows=True, shade=0)
    x = 0.5 + canvas.light.side * rng.uniform(0.12, 0.4)
    pen = canvas.pen(x, horizon * rng.uniform(0.2, 0.45), rng.uniform(0.045, 0.065))
    _draw_halo(pen, parse_hex_color("8fa4e0"), 0.9)
    pen.disc(0, 0, 1, parse_hex_color("fdf3cf"), _MOON, glows=True, shade=0)
    pen.disc(-0.3, 0.25, 0.2, parse_hex_color("ecdfb4"), _MOON, glows=True, shade=0)
    pen.disc(0.35, -0.2, 0.26, parse_hex_color("ecdfb4"), _MOON, glows=True, shade=0)


def draw_cloud(pen: Pen, rng: Random) -> None:
    """Draw a cloud, about 2 wide and 1 high around its base."""
    light = pen.light
    puffs = [(-0.85, 0.2, 0.26), (-0.42, 0.38, 0.4), (0.12, 0.5, 0.5), (0.6, 0.34, 0.36), (0.95, 0.18, 0.24)]
    puffs = [(u, v * rng.uniform(0.8, 1.15), r * rng.uniform(0.85, 1.15)) for u, v, r in puffs]
    under, over = mix_colors(light.cloud, light.sky[0], 0.22), light.cloud
    sunny = 0.07 * pen.towards_light
    for color, du, dv, shrink in ((under, 0.0, 0.0, 1.0), (over, sunny, 0.1, 0.88)):
        pen.pill(-1.1 * shrink + du, -0.06 + dv, 1.2 * shrink + du, 0.3 * shrink + dv, 0.17 * shrink, color, _CLOUD,
                 glows=True, shade=0)  # fmt: skip
        for u, v, r in puffs:
            pen.disc(u * shrink + du, v + dv, r * shrink, color, _CLOUD, glows=True, shade=0)


def draw_birds(canvas: Canvas, rng: Random, *, low: float) -> None:
    """Draw a few gulls in the sky, none below `low`."""
    x, y = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.6) * low
    color = darken_color(canvas.light.cloud, 0.55) if rng.random() < 0.5 else lighten_color(canvas.light.cloud, 0.5)
    for _ in range(rng.randint(2, 5)):
        beat = rng.uniform(0.1, 0.7)
        pen = canvas.pen(x + rng.uniform(-0.16, 0.16), y + rng.uniform(-0.1, 0.1), rng.uniform(0.025, 0.05))
        for flip in (False, True):
            wing = pen.at(0, 0, flip=flip)
            wing.soft(
                ((0, 0), (0.5, beat), (1.2, beat * 0.6), (0.55, beat * 0.55), (0.05, -0.2)), color, _BIRD_WING, shade=0
            )
        pen.disc(0, -0.05, 0.2, color, _BIRD_BODY, rv=0.14, shade=0)


def draw_mountains(canvas: Canvas, rng: Random, *, base: float, height: float, snow: bool = True) -> None:
    """Draw a range of peaks that stands on `base`, the farther ones in the haze."""
    color = rng.choice(_ROCKS)
    for row, haze in ((0, 0.45), (1, 0.15)):
        for x in (0.1, 0.5, 0.9) if row == 0 else (0.28, 0.74):
            size = height * rng.uniform(0.75, 1.0) * (1.0 if row == 0 else 0.85)
            pen = canvas.pen(x + rng.uniform(-0.1, 0.1), base, size, haze=haze)
            _draw_peak(pen, rng, color, snow=snow)


def _draw_peak(pen: Pen, rng: Random, color: Color, *, snow: bool) -> None:
    width, sunny = rng.uniform(0.75, 1.05), pen.towards_light
    left: list[Point] = [(-width, 0), (-0.55 * width, 0.42), (-0.32 * width, 0.62), (0, 1)]
    right: list[Point] = [(0, 1), (0.25 * width, 0.7), (0.6 * width, 0.36), (width, 0)]
    ridge: list[Point] = [(0, 1), (0.07, 0.75), (-0.06, 0.5), (0.1, 0.25), (0, 0)]
    for face, lit in ((left + ridge, sunny < 0), (right + ridge[::-1], sunny > 0)):
        pen.poly(face, lighten_color(color, 0.18) if lit else darken_color(color, 0.22), _SLOPE, shade=0.12)
    if not snow:
        return
    line = rng.uniform(0.58, 0.7)
    share = 1 - line
    caps = (
        ([(0, 1), (-share * 0.62 * width, line + 0.08), (-0.16, line + 0.1), (-0.08, line - 0.04), (0.0, line + 0.08), (0.07, 0.76)], sunny < 0),
        ([(0, 1), (share * 0.62 * width, line + 0.1), (0.16, line), (0.1, line + 0.12), (0.0, line + 0.08), (0.07, 0.76)], sunny > 0),
    )  # fmt: skip
    for cap, lit in caps:
        pen.poly(cap, parse_hex_color("fbfcff") if lit else parse_hex_color("c3cfe6"), _PEAK, shade=0.04)


def draw_hills(
    canvas: Canvas, rng: Random, colors: tuple[Color, ...], *, base: float, height: float, region: Region = _HILL
) -> None:
    """Draw rolling hills, one row for each color, the first the farthest and highest."""
    rows = len(colors)
    for row, color in enumerate(colors):
        top = height * (1 - 0.62 * row / max(rows, 1))
        a, b, phase = rng.uniform(1.0, 1.7), rng.uniform(2.4, 3.6), rng.uniform(0, math.tau)
        crest: list[Point] = []
        for i in range(25):
            u = i / 24
            wave = 0.6 * math.sin(a * u * math.tau * 0.8 + phase) + 0.25 * math.sin(b * u * math.tau + 2 * phase)
            crest.append((1.04 * u - 0.02, top * (0.72 + 0.32 * wave)))
        pen = canvas.pen(0, base, 1, haze=0.5 * (1 - (row + 0.6) / rows))
        pen.poly([*crest, (1.02, -0.03), (-0.02, -0.03)], color, region, to=darken_color(color, 0.14))
