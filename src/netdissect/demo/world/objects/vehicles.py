"""Draw vehicles on land, on water and in the air."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import (
    CARS,
    GLASS,
    GLASS_LOW,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_wheel(pen: Pen, name: str, u: float, radius: float) -> None:
    """Draw a wheel that stands on v = 0."""
    pen.disc(u, radius, radius, parse_hex_color("2e2c35"), Region(name, "wheel", "rubber"), shade=0.15)
    pen.disc(u, radius, 0.52 * radius, parse_hex_color("c9ccd6"), Region(name, "wheel", "metal"), shade=0.3)
    pen.disc(u, radius, 0.18 * radius, parse_hex_color("6a6d78"), Region(name, "wheel", "metal"), shade=0)


def draw_car(pen: Pen, rng: Random, color: Color | None = None) -> None:
    """Draw a car, 1 high and 2.4 long, facing growing u."""
    color = color or rng.choice(CARS)
    body, glass = Region("car", "body", "metal"), Region("car", "window", "glass")
    pen.shadow(0, 0.03, 1.35, 0.1)
    pen.soft("-1.2,.3 -1.18,.62 -.75,.72 -.5,1.04 .35,1.04 .68,.7 1.14,.6 1.22,.3", color, body, shade=0.3)
    pen.poly("-.62,.68 -.42,.96 -.08,.96 -.08,.68", GLASS, glass, to=GLASS_LOW)
    pen.poly("0,.68 0,.96 .3,.96 .54,.68", GLASS, glass, to=GLASS_LOW)
    pen.line("-1.14,.46 1.16,.44", 0.05, darken_color(color, 0.22), body)
    pen.box(0.08, 0.56, 0.22, 0.6, darken_color(color, 0.35), Region("car", "handle"))
    pen.box(-1.22, 0.24, 1.24, 0.32, parse_hex_color("4a4a55"), Region("car", "bumper", "metal"))
    lit = pen.light.dark
    pen.disc(
        1.12,
        0.5,
        0.08,
        parse_hex_color("fff0b0") if lit else parse_hex_color("f7f3df"),
        Region("car", "headlight", "glass"),
        glows=lit,
    )
    pen.disc(-1.14, 0.5, 0.06, parse_hex_color("e0352b"), Region("car", "taillight", "glass"), glows=lit)
    if lit:
        pen.glow(1.2, 0.48, 0.5, parse_hex_color("fff0b0"), 0.7)
    for u in (-0.72, 0.74):
        draw_wheel(pen, "car", u, 0.24)


def draw_taxi(pen: Pen, rng: Random) -> None:
    """Draw a yellow car with a sign on its roof."""
    draw_car(pen, rng, parse_hex_color("f7c52d"))
    pen.pill(-0.2, 1.0, 0.12, 1.13, 0.04, parse_hex_color("fff8e1"), Region("car", "board"))


def draw_bus(pen: Pen, rng: Random) -> None:
    """Draw a bus, 1 high and 2.3 long."""
    color = rng.choice(parse_palette("d1392f 3f7cac e9a23b 3f9a7a"))
    body, glass = Region("bus", "body", "metal"), Region("bus", "window", "glass")
    pen.shadow(0, 0.02, 1.25, 0.07)
    pen.pill(-1.15, 0.12, 1.15, 1.0, 0.1, color, body, shade=0.3)
    pen.box(-1.15, 0.36, 1.15, 0.43, lighten_color(color, 0.65), body)
    for i in range(5):
        u = -1.02 + 0.37 * i
        lit = pen.light.dark
        pen.pill(
            u,
            0.52,
            u + 0.3,
            0.85,
            0.03,
            parse_hex_color("ffe2a0") if lit else GLASS,
            glass,
            to=None if lit else GLASS_LOW,
            glows=lit,
        )
    pen.pill(0.86, 0.22, 1.08, 0.85, 0.03, GLASS, Region("bus", "door", "glass"), to=GLASS_LOW)
    pen.disc(1.12, 0.25, 0.05, parse_hex_color("fff0b0"), Region("bus", "headlight", "glass"))
    for u in (-0.68, 0.58):
        draw_wheel(pen, "bus", u, 0.16)


def draw_truck(pen: Pen, rng: Random) -> None:
    """Draw a lorry, 1 high and 2.2 long."""
    color, load = rng.choice(CARS), rng.choice(parse_palette("f4f1ea d6dbe0 c4b59a a9c0cc"))
    pen.shadow(0, 0.02, 1.2, 0.08)
    pen.box(-1.1, 0.18, 1.05, 0.28, parse_hex_color("4a4a55"), Region("truck", "body", "metal"))
    pen.box(-1.12, 0.26, 0.45, 1.0, load, Region("truck", "trailer", "metal"), shade=0.25)
    for u in (-0.8, -0.48, -0.16, 0.16):
        pen.box(u - 0.01, 0.28, u + 0.01, 0.98, darken_color(load, 0.2), Region("truck", "trailer", "metal"), shade=0)
    pen.soft(
        "0.52,.2 .52,.84 .62,.88 .9,.84 1.02,.56 1.12,.5 1.12,.2", color, Region("truck", "cab", "metal"), shade=0.3
    )
    pen.poly(".72,.54 .72,.78 .88,.76 .98,.54", GLASS, Region("truck", "window", "glass"), to=GLASS_LOW)
    pen.disc(1.08, 0.35, 0.05, parse_hex_color("fff0b0"), Region("truck", "headlight", "glass"))
    for u in (-0.82, -0.48, 0.8):
        draw_wheel(pen, "truck", u, 0.17)


def draw_tractor(pen: Pen, rng: Random) -> None:
    """Draw a tractor, 1 high and 1.3 long."""
    color = rng.choice(parse_palette("3f8f4a c9402f 2f7f5f d97b2a"))
    body = Region("tractor", "body", "metal")
    pen.shadow(0, 0.02, 0.75, 0.07)
    pen.box(-0.34, 0.5, -0.3, 0.98, darken_color(color, 0.3), Region("tractor", "cab", "metal"))
    pen.poly("-.32,.52 -.3,.94 .08,.94 .14,.52", GLASS, Region("tractor", "window", "glass"), to=GLASS_LOW)
    pen.box(-0.4, 0.92, 0.18, 1.0, color, Region("tractor", "roof", "metal"))
    pen.line(".12,.94 .16,.52", 0.04, darken_color(color, 0.3), Region("tractor", "cab", "metal"))
    pen.soft("-.45,.34 -.45,.56 .1,.58 .6,.56 .66,.3 .1,.26", color, body, shade=0.3)
    pen.box(0.5, 0.34, 0.64, 0.5, darken_color(color, 0.35), Region("tractor", "grille", "metal"))
    pen.line(".42,.56 .42,.84", 0.05, parse_hex_color("4a4a55"), Region("tractor", "chimney", "metal"))
    draw_wheel(pen, "tractor", -0.3, 0.3)
    draw_wheel(pen, "tractor", 0.48, 0.18)


def draw_excavator(pen: Pen, rng: Random) -> None:
    """Draw an excavator, 1 high and 1.6 long."""
    color = rng.choice(parse_palette("f2b52d f0a12a e8c23a"))
    arm, dark = Region("excavator", "arm", "metal"), parse_hex_color("3f3d46")
    pen.shadow(0, 0.02, 0.8, 0.07)
    pen.pill(-0.66, 0, 0.3, 0.24, 0.12, dark, Region("excavator", "track", "rubber"), shade=0.2)
    for u in (-0.5, -0.18, 0.14):
        pen.disc(u, 0.12, 0.07, parse_hex_color("7a7784"), Region("excavator", "track", "metal"))
    pen.line(".02,.5 .42,.98 .78,.66", 0.11, color, arm, end=0.08, shade=0.3)
    pen.line(".78,.68 .72,.3", 0.08, darken_color(color, 0.12), arm)
    pen.soft(".56,.32 .88,.34 .84,.1 .6,.12", dark, Region("excavator", "bucket", "metal"), shade=0.3)
    pen.pill(-0.72, 0.26, 0.2, 0.52, 0.06, color, Region("excavator", "body", "metal"), shade=0.3)
    pen.pill(-0.3, 0.48, 0.16, 0.88, 0.05, color, Region("excavator", "cab", "metal"))
    pen.box(-0.2, 0.56, 0.1, 0.82, GLASS, Region("excavator", "window", "glass"), to=GLASS_LOW)


def draw_train(pen: Pen, rng: Random, *, cars: int = 3) -> None:
    """Draw a train, 1 high, from u = 0 to the left; every car is 2.2 long."""
    color, band = rng.choice(parse_palette("c9402f 2f6fa5 3f8f6a e0892f 5f4f8f")), parse_hex_color("f7efdc")
    body, glass = Region("train", "body", "metal"), Region("train", "window", "glass")
    for k in range(cars):
        right = -2.25 * k
        left = right - 2.18
        if k == 0:
            pen.soft(
                (
                    (left, 0.14),
                    (left, 1.0),
                    (left + 0.1, 1.0),
                    (right - 0.5, 1.0),
                    (right - 0.12, 0.86),
                    (right + 0.08, 0.4),
                    (right + 0.06, 0.14),
                ),
                color,
                body,
                shade=0.3,
            )
            pen.poly(
                ((right - 0.45, 0.58), (right - 0.45, 0.88), (right - 0.22, 0.86), (right - 0.06, 0.58)),
                GLASS,
                glass,
                to=GLASS_LOW,
            )
            pen.disc(right - 0.04, 0.32, 0.05, parse_hex_color("fff0b0"), Region("train", "headlight", "glass"))
        else:
            pen.pill(left, 0.14, right, 1.0, 0.08, color, body, shade=0.3)
        pen.box(left + 0.02, 0.3, right - 0.03, 0.42, band, body, shade=0.1)
        pen.box(left - 0.05, 0.2, left + 0.02, 0.3, parse_hex_color("3a3840"), Region("train", "coupling", "metal"))
        lit = pen.light.dark
        for i in range(4 if k == 0 else 5):
            u = left + 0.14 + 0.4 * i
            pen.pill(
                u,
                0.55,
                u + 0.28,
                0.85,
                0.03,
                parse_hex_color("ffe2a0") if lit else GLASS,
                glass,
                to=None if lit else GLASS_LOW,
                glows=lit,
            )
        for u in (0.35, 0.7, 1.5, 1.85):
            draw_wheel(pen, "train", left + u, 0.11)


def draw_bicycle(pen: Pen, rng: Random) -> None:
    """Draw a bicycle, 1 high and 1.6 long."""
    color = rng.choice(CARS[:4])
    frame, tyre = Region("bicycle", "frame", "metal"), Region("bicycle", "wheel", "rubber")
    pen.shadow(0, 0.01, 0.8, 0.05)
    for u in (-0.5, 0.5):
        ring = [(u + 0.33 * math.cos(a / 14 * math.tau), 0.33 + 0.33 * math.sin(a / 14 * math.tau)) for a in range(15)]
        pen.line(ring, 0.07, parse_hex_color("33313a"), tyre)
    for path in ("-.5,.33 -.18,.75 .36,.75 .0,.33 -.5,.33", "0,.33 -.18,.82", ".5,.33 .34,.88 .46,.95"):
        pen.line(path, 0.065, color, frame)
    pen.pill(-0.32, 0.8, -0.06, 0.88, 0.03, parse_hex_color("3f2f2a"), Region("bicycle", "saddle", "leather"))


def draw_sailboat(pen: Pen, rng: Random) -> None:
    """Draw a sailing boat, 1 high, that floats at v = 0."""
    hull, sail = (
        rng.choice(parse_palette("8a4f32 f4f1ea 2f5f8a b5382f 6b4630")),
        rng.choice(parse_palette("fdf8ec fdf8ec f2b134 e4572e f2c9a4 d94f4a")),
    )
    pen.veil("-.5,-.02 .5,-.02 .3,-.16 -.3,-.16", darken_color(hull, 0.3), 0.35)
    pen.line("-.02,.1 -.02,1", 0.03, parse_hex_color("6b4a36"), Region("sailboat", "mast", "wood"))
    cloth = Region("sailboat", "sail", "fabric")
    pen.soft(".02,.96 .06,.9 .36,.42 .46,.22 .02,.2", sail, cloth, shade=0.25)
    pen.poly("-.05,.9 -.38,.22 -.05,.2", darken_color(sail, 0.1), cloth, shade=0.2)
    pen.poly("-.02,1 -.02,1.08 -.16,1.04", rng.choice(CARS), Region("sailboat", "flag", "fabric"))
    pen.poly("-.52,.17 .56,.17 .4,-.03 -.36,-.03", hull, Region("sailboat", "hull", "wood"), shade=0.3)
    pen.box(-0.52, 0.13, 0.55, 0.17, lighten_color(hull, 0.5), Region("sailboat", "hull", "wood"), shade=0)


def draw_ship(pen: Pen, rng: Random) -> None:
    """Draw a freighter, 1 high and 2.6 long, that floats at v = 0."""
    hull = rng.choice(parse_palette("b5382f 2f4f6f 3f4a5a 8a3f34"))
    pen.veil("-1.2,-.02 1.2,-.02 1.0,-.2 -1.0,-.2", darken_color(hull, 0.3), 0.35)
    for i in range(4):
        for j in range(rng.randint(1, 2)):
            u, v = -0.32 + 0.32 * i, 0.36 + 0.2 * j
            pen.box(u, v, u + 0.29, v + 0.18, rng.choice(CARS), Region("ship", "container", "metal"), shade=0.2)
    pen.box(-1.0, 0.34, -0.42, 0.62, parse_hex_color("f6f3ea"), Region("ship", "cabin", "metal"))
    pen.box(-0.9, 0.62, -0.52, 0.8, parse_hex_color("f6f3ea"), Region("ship", "cabin", "metal"))
    for u in (-0.92, -0.76, -0.6):
        pen.box(u, 0.44, u + 0.1, 0.54, parse_hex_color("5f95b8"), Region("ship", "window", "glass"))
    pen.poly(
        "-.8,.78 -.58,.78 -.62,1 -.78,1",
        rng.choice(parse_palette("e4572e f2b134 3f4a5a")),
        Region("ship", "chimney", "metal"),
        shade=0.35,
    )
    pen.poly("-1.2,.36 -1.08,-.03 .98,-.03 1.32,.44 .95,.34", hull, Region("ship", "hull", "metal"), shade=0.25)
    pen.poly(
        "-1.13,.06 -1.08,-.03 .98,-.03 1.05,.06", parse_hex_color("e9e2d6"), Region("ship", "hull", "metal"), shade=0
    )


def draw_rowboat(pen: Pen, rng: Random) -> None:
    """Draw a rowing boat, 1 high and 3 long, that floats at v = 0."""
    color = rng.choice(parse_palette("a9713f 3f7cac c9402f 5f9a7a e9dcc0"))
    wood = Region("rowboat", "hull", "wood")
    pen.veil("-1.3,.02 1.3,.02 .9,-.35 -.9,-.35", darken_color(color, 0.3), 0.35)
    pen.soft("-1.6,.9 -1.3,-.1 1.3,-.1 1.6,.9 .9,.66 -.9,.66", color, wood, shade=0.3)
    pen.soft("-1.35,.72 -.9,.5 .9,.5 1.35,.72 .8,.8 -.8,.8", darken_color(color, 0.4), wood)
    for u in (-0.45, 0.4):
        pen.box(u - 0.13, 0.56, u + 0.13, 0.74, lighten_color(color, 0.3), Region("rowboat", "seat", "wood"))
    pen.line("-.2,.95 .55,-.1 .9,-.4", 0.1, parse_hex_color("d8b27a"), Region("rowboat", "oar", "wood"))


def draw_airplane(pen: Pen, rng: Random) -> None:
    """Draw an airliner, 1 high and 3.2 long, in the air or on its wheels at v = 0."""
    trim = rng.choice(parse_palette("d9483b 3f7cac f2a12a 2a9d8f 8e5aa8"))
    body, wing = Region("airplane", "body", "metal"), Region("airplane", "wing", "metal")
    pen.poly("-1.5,.55 -1.75,1.18 -1.45,1.18 -.95,.62", trim, Region("airplane", "tail", "metal"), shade=0.2)
    pen.poly("-.1,.55 -.5,.86 -.3,.86 .35,.55", darken_color(parse_hex_color("dfe5ea"), 0.18), wing)
    pen.soft(
        "-1.7,.62 -1.1,.32 1.0,.26 1.5,.36 1.66,.47 1.4,.62 .9,.7 -1.2,.7", parse_hex_color("f8f9fb"), body, shade=0.4
    )
    pen.poly("-1.3,.41 1.58,.4 1.6,.45 -1.4,.47", trim, body, shade=0.1)
    for i in range(9):
        pen.disc(-0.9 + 0.22 * i, 0.56, 0.05, parse_hex_color("5f8fb0"), Region("airplane", "window", "glass"), shade=0)
    pen.poly("1.28,.52 1.33,.61 1.46,.58 1.56,.51", parse_hex_color("5f8fb0"), Region("airplane", "window", "glass"))
    pen.poly("-1.55,.6 -1.9,.74 -1.7,.76 -1.15,.6", darken_color(trim, 0.15), Region("airplane", "tail", "metal"))
    pen.poly(".35,.42 -.55,.02 -.3,.0 .95,.4", parse_hex_color("c9d1d9"), wing, shade=0.2)
    pen.pill(-0.1, 0.1, 0.35, 0.26, 0.08, parse_hex_color("aab4bf"), Region("airplane", "engine", "metal"), shade=0.4)


def draw_balloon(pen: Pen, rng: Random) -> None:
    """Draw a hot-air balloon, 1 high, its basket at the bottom."""
    a, b = rng.sample(parse_palette("e4572e f2b134 2a9d8f 3f7cac d94f8a 8e5aa8 fdf3df f28c28"), 2)
    bag, basket = Region("balloon", "envelope", "fabric"), Region("balloon", "gondola", "wicker")
    for sign in (-1, 1):
        pen.line(((sign * 0.05, 0.1), (sign * 0.12, 0.32)), 0.012, parse_hex_color("5a4a3a"), Region("balloon", "rope"))
    outline = ((0.0, 0.36), (0.5, 0.42), (0.86, 0.58), (1.0, 0.74), (0.86, 0.9), (0.5, 0.99), (0.0, 1.01))
    for low, high in ((-1.0, 1.0), (-0.62, 0.62), (-0.24, 0.24)):
        tone = a if abs(low) in (1.0, 0.24) else b
        right = [
            (0.07 * high if i == 0 else 0.36 * high * r, 0.28 if i == 0 else v) for i, (r, v) in enumerate(outline)
        ]
        left = [(0.07 * low if i == 0 else 0.36 * low * r, 0.28 if i == 0 else v) for i, (r, v) in enumerate(outline)]
        pen.soft(right + left[::-1], tone, bag, shade=0.4)
    pen.box(-0.12, 0.27, 0.12, 0.3, darken_color(a, 0.2), bag)
    pen.pill(-0.075, 0.0, 0.075, 0.11, 0.02, parse_hex_color("a9713f"), basket, shade=0.3)
    pen.box(-0.08, 0.09, 0.08, 0.115, parse_hex_color("7a4a2b"), basket)
