"""Draw the decoration of rooms: paintings, curtains, plants, instruments."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import (
    CLOTHS,
    PETALS,
    WOODS,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Pen


def draw_rug(pen: Pen, rng: Random) -> None:
    """Draw an oval rug on the floor, 1 high and 5 wide."""
    a, b = rng.sample(CLOTHS, 2)
    wool = Region("rug", "", "carpet")
    for r, color in ((1.0, a), (0.82, lighten_color(a, 0.5)), (0.7, b), (0.35, lighten_color(b, 0.35))):
        pen.disc(0, 0, 2.5 * r, color, wool, rv=0.5 * r, shade=0)


def draw_painting(pen: Pen, rng: Random) -> None:
    """Draw a framed image, 1 high, around its middle."""
    frame, canvas = Region("painting", "frame", "wood"), Region("painting", "canvas", "paper")
    w = rng.choice((0.42, 0.62, 0.75))
    pen.box(-w, -0.5, w, 0.5, rng.choice(parse_palette("c9a04a 6b4630 f6f1e4 3a3540")), frame, shade=0.3)
    u, v = w - 0.09, 0.41
    pen.box(-u, -v, u, v, rng.choice(parse_palette("bfe0ea f7d9a8 f2c0b0 d6e6c8")), canvas, shade=0.1)
    kind = rng.randrange(3)
    if kind == 0:
        pen.poly(
            ((-u, -v), (-u, -0.05), (-0.35 * u, 0.2), (0.2 * u, -0.12), (0.6 * u, 0.08), (u, -0.1), (u, -v)),
            rng.choice(parse_palette("5f9a7a 7a8fb0 c98a5a")),
            canvas,
            shade=0.1,
        )
        pen.disc(0.45 * u, 0.22, 0.11, parse_hex_color("f7d154"), canvas, shade=0)
    elif kind == 1:
        pen.disc(0, 0.02, 0.2, rng.choice(PETALS), canvas)
        pen.poly(((-0.12, -v), (-0.17, -0.14), (0.17, -0.14), (0.12, -v)), rng.choice(CLOTHS), canvas)
    else:
        for _ in range(4):
            pen.disc(
                rng.uniform(-0.6, 0.6) * u,
                rng.uniform(-0.5, 0.5) * v,
                rng.uniform(0.08, 0.2),
                rng.choice(CLOTHS),
                canvas,
                shade=0,
            )


def draw_mirror(pen: Pen, rng: Random) -> None:
    """Draw an oval mirror, 1 high, around its middle."""
    pen.disc(0, 0, 0.4, rng.choice(parse_palette("c9a04a 8a5a35 d6d6dc")), Region("mirror", "frame", "metal"), rv=0.5)
    pen.disc(
        0, 0, 0.34, parse_hex_color("e6f3f7"), Region("mirror", "", "glass"), rv=0.44, to=parse_hex_color("a9c8d6")
    )
    pen.poly("-.1,.36 .04,.38 -.2,-.26 -.26,-.1", parse_hex_color("ffffff"), Region("mirror", "", "glass"))


def draw_potted_plant(pen: Pen, rng: Random) -> None:
    """Draw a plant in a pot, 1 high."""
    green = rng.choice(parse_palette("4f8b4a 3f7f5a 6aa350"))
    pen.shadow(0, 0, 0.3, 0.04)
    leaf = Region("plant", "leaf", "foliage")
    for angle in (-1.0, -0.55, -0.2, 0.2, 0.55, 1.0):
        frond = pen.at(0, 0.32, rng.uniform(0.85, 1.1), turn=-angle + rng.uniform(-0.1, 0.1))
        frond.soft("0,0 -.1,.3 0,.66 .1,.3", green if abs(angle) > 0.4 else lighten_color(green, 0.15), leaf, shade=0.3)
    pot = rng.choice(parse_palette("c9704a b5583f e6dfd2 4f7f8f"))
    pen.poly("-.16,0 .16,0 .22,.34 -.22,.34", pot, Region("plant", "pot", "ceramic"), shade=0.4)
    pen.box(-0.25, 0.3, 0.25, 0.38, lighten_color(pot, 0.12), Region("plant", "pot", "ceramic"), shade=0.3)


def draw_vase(pen: Pen, rng: Random) -> None:
    """Draw a vase of flowers, 1 high."""
    for u, v in ((-0.2, 0.82), (0.0, 0.92), (0.2, 0.8), (0.08, 0.72)):
        pen.line(((0, 0.4), (u, v)), 0.035, parse_hex_color("4f8b4a"), Region("flower", "stem"))
        pen.disc(u, v, 0.12, rng.choice(PETALS), Region("flower", "petal"), shade=0.2)
        pen.disc(u, v, 0.045, parse_hex_color("f7d154"), Region("flower", "pistil"))
    pen.soft(
        "-.14,0 -.24,.24 -.1,.5 .1,.5 .24,.24 .14,0",
        rng.choice(parse_palette("4f7f9f e6dfd2 c96a4f 8fb5a8")),
        Region("vase", "", "ceramic"),
        shade=0.45,
    )


def draw_room_window(pen: Pen, rng: Random, *, curtains: bool = True) -> None:
    """Draw a window in a room, 1 high, around its middle, with the sky outside; curtains if asked for."""
    light = pen.light
    pen.box(-0.46, -0.5, 0.46, 0.5, parse_hex_color("faf6ec"), Region("windowpane", "frame", "wood"), shade=0.15)
    glass = Region("windowpane", "", "glass")
    for u in (-0.4, 0.03):
        for v in (-0.44, 0.04):
            pen.box(u, v, u + 0.37, v + 0.4, light.sky[0], glass, to=light.sky[1], glows=True)
    pen.box(-0.52, -0.56, 0.52, -0.48, parse_hex_color("f1e8d8"), Region("windowpane", "sill", "wood"))
    if curtains:
        color, cloth = rng.choice(CLOTHS), Region("curtain", "", "fabric")
        for sign in (-1, 1):
            pen.soft(
                (
                    (sign * 0.66, 0.56),
                    (sign * 0.26, 0.56),
                    (sign * 0.34, 0.1),
                    (sign * 0.46, -0.1),
                    (sign * 0.44, -0.62),
                    (sign * 0.7, -0.62),
                ),
                color,
                cloth,
                shade=0.3,
            )
            for k in (0.42, 0.54, 0.62):
                pen.line(((sign * k, 0.5), (sign * (k + 0.02), -0.58)), 0.025, darken_color(color, 0.22), cloth)
        pen.line("-.72,.58 .72,.58", 0.04, parse_hex_color("7a5a3a"), Region("curtain", "rod", "wood"))


def draw_blackboard(pen: Pen, rng: Random) -> None:
    """Draw a blackboard with writing, 1 high and 2 wide, around its middle."""
    pen.box(-1.06, -0.56, 1.06, 0.56, rng.choice(WOODS), Region("blackboard", "frame", "wood"))
    slate = Region("blackboard", "")
    pen.box(-1, -0.5, 1, 0.5, rng.choice(parse_palette("3f7a62 4a7f6a 3f6f60")), slate, shade=0.25)
    chalk = parse_hex_color("eaf2ea")
    for row in range(3):
        u = -0.85
        while u < rng.uniform(0.1, 0.7):
            end = u + rng.uniform(0.1, 0.3)
            pen.line(
                ((u, 0.3 - 0.26 * row), (end, 0.3 - 0.26 * row + rng.uniform(-0.02, 0.02))),
                0.055,
                chalk,
                slate,
                shade=0,
            )
            u = end + 0.08
    pen.line(
        [(0.72 + 0.16 * math.cos(a), 0.1 + 0.16 * math.sin(a)) for a in (0, 1, 2, 3, 4, 5, 6.28)],
        0.03,
        parse_hex_color("f7d97a"),
        slate,
    )


def draw_piano(pen: Pen, rng: Random) -> None:
    """Draw an upright piano, 1 high and 1.35 wide."""
    color, wood = rng.choice(parse_palette("6b4030 4f3530 8a5a3a 7a4a3a")), Region("piano", "", "wood")
    pen.shadow(0, 0, 0.75, 0.06)
    pen.box(-0.64, 0, 0.64, 1, color, wood, shade=0.2)
    pen.box(-0.68, 0.96, 0.68, 1.02, lighten_color(color, 0.12), wood)
    pen.box(-0.56, 0.64, 0.56, 0.92, lighten_color(color, 0.1), wood, shade=0.3)
    pen.box(-0.68, 0.42, 0.68, 0.48, lighten_color(color, 0.08), wood)
    pen.box(-0.62, 0.48, 0.62, 0.58, parse_hex_color("fbf7ee"), Region("piano", "keyboard"), shade=0)
    for i in range(14):
        pen.box(
            -0.58 + 0.085 * i,
            0.51,
            -0.545 + 0.085 * i,
            0.58,
            parse_hex_color("1f1c22"),
            Region("piano", "keyboard"),
            shade=0,
        )
    pen.poly("-.2,.66 .2,.66 .23,.9 -.23,.9", parse_hex_color("fbf7ee"), Region("piano", "sheet", "paper"))
    for u in (-0.62, 0.54):
        pen.box(u, 0, u + 0.08, 0.44, lighten_color(color, 0.1), Region("piano", "leg", "wood"))


def draw_guitar(pen: Pen, rng: Random) -> None:
    """Draw a guitar that leans, 1 high."""
    pen = pen.at(0, 0, turn=rng.uniform(-0.3, 0.3))
    color, wood = rng.choice(parse_palette("c9823a b5602f d9a45a")), Region("guitar", "body", "wood")
    pen.soft("-.2,.02 -.24,.22 -.13,.36 -.17,.5 0,.56 .17,.5 .13,.36 .24,.22 .2,.02 0,-.01", color, wood, shade=0.35)
    pen.disc(0, 0.32, 0.065, parse_hex_color("3a2620"), wood)
    pen.box(-0.028, 0.36, 0.028, 0.9, parse_hex_color("5a3a2a"), Region("guitar", "neck", "wood"))
    pen.box(-0.05, 0.88, 0.05, 1.0, parse_hex_color("3f2a22"), Region("guitar", "head", "wood"))
    pen.box(-0.06, 0.12, 0.06, 0.15, parse_hex_color("3a2620"), wood)


def draw_statue(pen: Pen, rng: Random) -> None:
    """Draw a bust on a plinth, 1 high."""
    marble, color = Region("statue", "", "marble"), rng.choice(parse_palette("ece8e0 dcd8d4 d0c8b8"))
    pen.shadow(0, 0, 0.3, 0.04)
    pen.box(-0.2, 0, 0.2, 0.06, darken_color(color, 0.2), Region("statue", "pedestal", "marble"))
    pen.box(-0.15, 0.05, 0.15, 0.46, darken_color(color, 0.1), Region("statue", "pedestal", "marble"), shade=0.4)
    pen.box(-0.19, 0.44, 0.19, 0.5, color, Region("statue", "pedestal", "marble"))
    pen.soft("-.18,.5 -.2,.64 -.07,.72 .07,.72 .2,.64 .18,.5", color, marble, shade=0.4)
    pen.box(-0.05, 0.68, 0.05, 0.78, darken_color(color, 0.1), marble)
    pen.disc(0, 0.86, 0.1, color, Region("statue", "head", "marble"), rv=0.13, shade=0.45)


def draw_clock(pen: Pen, rng: Random) -> None:
    """Draw a wall clock, 1 high, around its middle."""
    pen.disc(0, 0, 0.5, rng.choice(parse_palette("8a5a35 3f4f5f c9483b c9a04a")), Region("clock", "frame"))
    pen.disc(0, 0, 0.41, parse_hex_color("fffaf0"), Region("clock", "dial"), shade=0.05)
    for length, width in ((0.22, 0.07), (0.32, 0.05)):
        a = rng.uniform(0, math.tau)
        pen.line(
            ((0, 0), (length * math.cos(a), length * math.sin(a))),
            width,
            parse_hex_color("33303a"),
            Region("clock", "hand"),
        )
