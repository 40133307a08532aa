"""Draw plants: trees of several kinds, bushes, flowers, mushrooms, grass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import (
    BARKS,
    FIRS,
    PETALS,
    SUMMER,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen

TRUNK, CROWN = Region("tree", "trunk", "bark"), Region("tree", "crown", "foliage")
APPLE = Region("tree", "apple", "food")
_FIR_TRUNK, _FIR_TIER, _FIR_SNOW = (
    Region("fir", "trunk", "bark"),
    Region("fir", "branch", "foliage"),
    Region("fir", "branch", "snow"),
)
_PALM_TRUNK, _FROND, _COCONUT = (
    Region("palm", "trunk", "bark"),
    Region("palm", "frond", "foliage"),
    Region("palm", "coconut"),
)
_CACTUS, _CACTUS_ARM, _CACTUS_FLOWER = Region("cactus", "stem"), Region("cactus", "branch"), Region("cactus", "petal")
_CYPRESS, _CYPRESS_TRUNK = Region("cypress", "crown", "foliage"), Region("cypress", "trunk", "bark")
_BUSH, _BERRY = Region("bush", "", "foliage"), Region("bush", "berry")
_STEM, _LEAF = Region("flower", "stem"), Region("flower", "leaf", "foliage")
_PETAL, _HEART = Region("flower", "petal"), Region("flower", "pistil")
_SUN_STEM, _SUN_LEAF = Region("sunflower", "stem"), Region("sunflower", "leaf", "foliage")
_SUN_PETAL, _SUN_HEART = Region("sunflower", "petal"), Region("sunflower", "pistil")
_MUSHROOM_CAP, _MUSHROOM_STEM = Region("mushroom", "cap"), Region("mushroom", "stem")
_ACACIA, _ACACIA_TRUNK = Region("acacia", "crown", "foliage"), Region("acacia", "trunk", "bark")
_GRASS = Region("", "", "grass")


def draw_tree(pen: Pen, rng: Random, greens: tuple[Color, ...] = SUMMER, *, apples: bool = False) -> None:
    """Draw a round tree, 1 high."""
    bark, color = rng.choice(BARKS), rng.choice(greens)
    pen.shadow(0, 0, 0.34, 0.05)
    pen.poly("-.055,0 -.035,.5 .035,.5 .06,0", bark, TRUNK, shade=0.4)
    pen.line("0,.34 .13,.52", 0.04, bark, TRUNK)
    pen.line("0,.28 -.12,.48", 0.04, bark, TRUNK)
    sunny = pen.towards_light
    puffs = [
        (rng.uniform(0.85, 1.1) * 0.22 * math.cos(a), 0.66 + 0.17 * math.sin(a), rng.uniform(0.15, 0.19))
        for a in (0.3, 1.3, 2.3, 3.3, 4.2, 5.2)
    ]
    puffs.append((0, 0.68, 0.22))
    for shift, shrink, tone in ((0.0, 1.0, darken_color(color, 0.24)), (0.035, 0.86, color)):
        for u, v, r in puffs:
            pen.disc(u + sunny * shift, v + 0.9 * shift, r * shrink, tone, CROWN, shade=0.05)
    for u, v, r in puffs:
        if u * sunny > -0.05 and v > 0.6:
            pen.disc(u + 0.06 * sunny, v + 0.06, 0.5 * r, lighten_color(color, 0.26), CROWN, shade=0.05)
    for _ in range(rng.randint(7, 12) if apples else 0):
        a, reach = rng.uniform(0, math.tau), rng.uniform(0.05, 0.3)
        pen.disc(
            reach * math.cos(a),
            0.66 + 0.85 * reach * math.sin(a),
            0.042,
            rng.choice(parse_palette("d7263d e34a3a f0a330")),
            APPLE,
            shade=0.5,
        )


def draw_fir(pen: Pen, rng: Random, *, snowy: bool = False) -> None:
    """Draw a fir, 1 high."""
    color = rng.choice(FIRS)
    sunny = pen.towards_light
    pen.shadow(0, 0, 0.26, 0.045)
    pen.box(-0.035, 0, 0.035, 0.18, rng.choice(BARKS), _FIR_TRUNK, shade=0.5)
    tiers = ((0.12, 0.5, 0.29), (0.32, 0.7, 0.235), (0.52, 0.87, 0.17), (0.7, 1.0, 0.11))
    for low, high, width in tiers:
        half = width * rng.uniform(0.93, 1.07)
        edge = [(-half, low), (-half * 0.5, low + 0.035), (0, low - 0.01), (half * 0.5, low + 0.035), (half, low)]
        pen.poly([*edge, (0, high)], darken_color(color, 0.2), _FIR_TIER, shade=0.12)
        lit = [
            (sunny * half, low),
            (sunny * half * 0.5, low + 0.035),
            (sunny * 0.02, low),
            (-0.02 * sunny, low + 0.1),
            (0, high),
        ]
        pen.poly(lit, lighten_color(color, 0.12), _FIR_TIER, shade=0.1)
        if snowy:
            top = low + 0.42 * (high - low)
            cap = [
                (0, high + 0.01),
                (-half * 0.62, top),
                (-half * 0.25, top + 0.05),
                (0, top - 0.02),
                (half * 0.28, top + 0.05),
                (half * 0.62, top),
            ]
            pen.poly(cap, parse_hex_color("f7faff"), _FIR_SNOW, shade=0.18)


def draw_palm(pen: Pen, rng: Random) -> None:
    """Draw a palm, 1 high, leaning away from its origin."""
    lean, bark = rng.uniform(-0.2, 0.2), parse_hex_color("a97c50")
    pen.shadow(0, 0, 0.26, 0.04)
    pen.line(
        ((0, 0), (0.15 * lean, 0.25), (0.5 * lean, 0.5), (lean, 0.75)), 0.085, bark, _PALM_TRUNK, end=0.05, shade=0.3
    )
    crown = pen.at(lean, 0.75)
    green = rng.choice(parse_palette("4c9a4f 3e8e55 62a848"))
    for angle, tone in ((0.1, 0.25), (3.04, 0.25), (-0.55, 0.3), (3.7, 0.3), (0.75, 0.0), (2.4, 0.0), (1.5, -0.2)):
        frond = crown.at(0, 0, rng.uniform(0.9, 1.1), turn=angle + rng.uniform(-0.12, 0.12))
        color = darken_color(green, tone) if tone > 0 else lighten_color(green, -tone)
        droop = 0.16 if math.cos(angle) > 0 else -0.16
        frond.soft(
            (
                (0, 0.03),
                (0.18, 0.07),
                (0.38, 0.03 - 0.4 * droop),
                (0.5, -droop),
                (0.3, -0.03 - 0.4 * droop),
                (0.1, -0.04),
                (0, -0.02),
            ),
            color,
            _FROND,
        )
    for u, v in ((-0.03, -0.03), (0.035, -0.035), (0.0, -0.06)):
        crown.disc(u, v, 0.035, parse_hex_color("6f4a2d"), _COCONUT, shade=0.5)


def draw_cactus(pen: Pen, rng: Random) -> None:
    """Draw a saguaro, 1 high."""
    color = rng.choice(parse_palette("4f8f5b 5d9a55 3f8262 6f9f4f"))
    pen.shadow(0, 0, 0.25, 0.04)
    parts = [(-0.09, 0.0, 0.09, 1.0, _CACTUS)]
    for sign in (-1, 1):
        if rng.random() < 0.85:
            low = rng.uniform(0.32, 0.5)
            parts += [
                (sign * 0.02, low, sign * 0.3, low + 0.12, _CACTUS_ARM),
                (sign * 0.19, low, sign * 0.31, low + rng.uniform(0.25, 0.4), _CACTUS_ARM),
            ]
    for u0, v0, u1, v1, region in parts:
        left, right = min(u0, u1), max(u0, u1)
        pen.pill(left, v0 - 0.02, right, v1, min(0.085, (right - left) / 2, (v1 - v0) / 2), color, region, shade=0.4)
        if right - left < 0.2:
            pen.line(
                (((left + right) / 2, v0 + 0.06), ((left + right) / 2, v1 - 0.06)),
                0.02,
                darken_color(color, 0.35),
                region,
            )
    if rng.random() < 0.5:
        pen.disc(0, 1.0, 0.07, parse_hex_color("e85d8a"), _CACTUS_FLOWER)


def draw_cypress(pen: Pen, rng: Random) -> None:
    """Draw a cypress, 1 high and slim."""
    color = rng.choice(parse_palette("2f5d46 3b6b4a 35624f"))
    pen.shadow(0, 0, 0.15, 0.03)
    pen.box(-0.025, 0, 0.025, 0.12, rng.choice(BARKS), _CYPRESS_TRUNK)
    pen.soft("-.1,.06 -.16,.3 -.1,.75 0,1.04 .1,.75 .16,.3 .1,.06", color, _CYPRESS, shade=0.45)


def draw_bush(pen: Pen, rng: Random, greens: tuple[Color, ...] = SUMMER, *, berries: bool = False) -> None:
    """Draw a bush, about 1 high and 1.6 wide."""
    color, sunny = rng.choice(greens), pen.towards_light
    pen.shadow(0, 0.02, 0.85, 0.12)
    puffs = [(-0.5, 0.28, 0.32), (0.5, 0.3, 0.34), (0.0, 0.52, 0.45)]
    for shift, shrink, tone in ((0.0, 1.0, darken_color(color, 0.25)), (0.06, 0.84, color)):
        for u, v, r in puffs:
            pen.disc(u + sunny * shift, v + shift, r * shrink, tone, _BUSH, shade=0.05)
    pen.disc(0.16 * sunny, 0.72, 0.2, lighten_color(color, 0.22), _BUSH, shade=0.05)
    for _ in range(8 if berries else 0):
        pen.disc(rng.uniform(-0.6, 0.6), rng.uniform(0.2, 0.75), 0.07, parse_hex_color("d7263d"), _BERRY)


def draw_flower(pen: Pen, rng: Random, color: Color | None = None) -> None:
    """Draw a flower, 1 high."""
    color = color or rng.choice(PETALS)
    lean = rng.uniform(-0.12, 0.12)
    pen.line(((0, 0), (0.4 * lean, 0.35), (lean, 0.7)), 0.07, parse_hex_color("4f8b4a"), _STEM)
    pen.soft("0,.15 .2,.4 .34,.42 .22,.22", parse_hex_color("5c9a48"), _LEAF)
    head = pen.at(lean, 0.72, turn=rng.uniform(0, 1))
    for i in range(5):
        a = math.tau * i / 5
        head.disc(
            0.17 * math.cos(a),
            0.17 * math.sin(a),
            0.155,
            color if i % 2 else lighten_color(color, 0.12),
            _PETAL,
            shade=0.2,
        )
    head.disc(
        0, 0, 0.11, parse_hex_color("f7d154") if color[2] > 90 or color[1] < 120 else parse_hex_color("7a4a2b"), _HEART
    )


def draw_sunflower(pen: Pen, rng: Random) -> None:
    """Draw a sunflower, 1 high, its head turned to us."""
    lean = rng.uniform(-0.06, 0.06)
    pen.line(((0, 0), (lean, 0.75)), 0.06, parse_hex_color("5a8f3c"), _SUN_STEM)
    for sign, v in ((-1, 0.25), (1, 0.36)):
        pen.soft(
            ((0, v - 0.04), (sign * 0.14, v + 0.13), (sign * 0.34, v + 0.1), (sign * 0.2, v - 0.02)),
            parse_hex_color("5f9a45"),
            _SUN_LEAF,
            shade=0.3,
        )
    head = pen.at(lean, 0.76, turn=rng.uniform(0, 0.5))
    for ring, tone in ((0.0, parse_hex_color("de9c33")), (0.26, parse_hex_color("f2bf45"))):
        points = []
        for i in range(24):
            a, r = math.tau * i / 24 + ring, (0.26 if i % 2 == 0 else 0.17) * (1 if ring == 0 else 0.93)
            points.append((r * math.cos(a), r * math.sin(a)))
        head.poly(points, tone, _SUN_PETAL, shade=0.1)
    head.disc(0, 0, 0.115, parse_hex_color("7a5030"), _SUN_HEART, shade=0.3)
    head.disc(0, 0, 0.06, parse_hex_color("966840"), _SUN_HEART, shade=0.0)


def draw_mushroom(pen: Pen, rng: Random) -> None:
    """Draw a toadstool, 1 high."""
    color = rng.choice(parse_palette("d03a33 d9572f b5443c"))
    pen.shadow(0, 0, 0.5, 0.1)
    pen.soft("-.16,0 -.1,.6 .1,.6 .17,0", parse_hex_color("f4ead8"), _MUSHROOM_STEM, shade=0.4)
    pen.soft("-.6,.42 -.5,.85 0,1.1 .5,.85 .6,.42 0,.36", color, _MUSHROOM_CAP, shade=0.35)
    for u, v, r in ((-0.25, 0.62, 0.09), (0.05, 0.84, 0.1), (0.3, 0.6, 0.08), (0.02, 0.56, 0.06)):
        pen.disc(u, v, r, parse_hex_color("fff4e6"), _MUSHROOM_CAP, shade=0)


def draw_acacia(pen: Pen, rng: Random) -> None:
    """Draw an umbrella tree of the savanna, 1 high and wider."""
    bark, color = parse_hex_color("6b4a36"), rng.choice(parse_palette("7f8f3f 6f8a45 8f9a44"))
    pen.shadow(0, 0, 0.55, 0.05)
    pen.line("0,0 .02,.35 -.18,.72", 0.075, bark, _ACACIA_TRUNK, end=0.03)
    pen.line(".01,.3 .1,.5 .28,.72", 0.055, bark, _ACACIA_TRUNK, end=0.025)
    for u, v, ru in ((-0.3, 0.72, 0.34), (0.32, 0.74, 0.34), (0.0, 0.86, 0.42)):
        pen.disc(u, v, ru, darken_color(color, 0.25), _ACACIA, rv=0.12, shade=0.05)
        pen.disc(u + 0.04 * pen.towards_light, v + 0.035, 0.88 * ru, color, _ACACIA, rv=0.085, shade=0.15)


def draw_tuft(pen: Pen, rng: Random, color: Color) -> None:
    """Draw a tuft of grass, 1 high."""
    for blade in (-0.5, -0.15, 0.2, 0.55):
        lean = blade + rng.uniform(-0.1, 0.1)
        pen.poly(
            ((0.3 * lean - 0.08, 0), (lean, rng.uniform(0.7, 1.0)), (0.3 * lean + 0.08, 0)), color, _GRASS, shade=0.1
        )
