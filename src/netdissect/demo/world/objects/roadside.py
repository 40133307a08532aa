"""Draw street furniture and construction equipment: benches, lamps, signs, pumps, cranes, a fountain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.palette import WOODS, darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Pen


def draw_bench(pen: Pen, rng: Random) -> None:
    """Draw a bench, 1 high and 2 long."""
    color = rng.choice(WOODS)
    seat, back, iron = Region("bench", "seat", "wood"), Region("bench", "back", "wood"), Region("bench", "leg", "metal")
    pen.shadow(0, 0.02, 1.1, 0.12)
    for u in (-0.8, 0.8):
        pen.box(u - 0.06, 0, u + 0.06, 1.0, parse_hex_color("3f4048"), iron)
    for v in (0.62, 0.8):
        pen.pill(-1, v, 1, v + 0.14, 0.04, color, back, shade=0.15)
    pen.pill(-1.04, 0.4, 1.04, 0.54, 0.04, lighten_color(color, 0.12), seat, shade=0.15)


def draw_lamppost(pen: Pen, rng: Random) -> None:
    """Draw a street lamp, 1 high."""
    iron = Region("streetlight", "pole", "metal")
    color = rng.choice(parse_palette("3a4450 2f4a4a 4a3f4f"))
    pen.shadow(0, 0, 0.1, 0.015)
    pen.box(-0.016, 0, 0.016, 0.8, color, iron)
    pen.poly("-.05,0 .05,0 .025,.07 -.025,.07", color, iron)
    pen.box(-0.05, 0.77, 0.05, 0.79, color, iron)
    lit = pen.light.dark
    pen.poly(
        "-.045,.79 .045,.79 .065,.91 -.065,.91",
        parse_hex_color("ffe7a3") if lit else parse_hex_color("f3efdc"),
        Region("streetlight", "bulb", "glass"),
        glows=lit,
    )
    pen.poly("-.085,.905 .085,.905 0,.985", color, iron)
    if lit:
        pen.glow(0, 0.85, 0.36, parse_hex_color("ffe0a0"), 0.7)


def draw_traffic_light(pen: Pen, rng: Random) -> None:
    """Draw a traffic light, 1 high."""
    metal = Region("traffic_light", "pole", "metal")
    pen.box(-0.02, 0, 0.02, 0.7, parse_hex_color("4a4f58"), metal)
    pen.pill(
        -0.1, 0.58, 0.1, 1.0, 0.04, parse_hex_color("33363e"), Region("traffic_light", "housing", "metal"), shade=0.2
    )
    on = rng.randrange(3)
    for i, color in enumerate(parse_palette("3fbf5f f2c230 e8392f")):
        pen.disc(
            0,
            0.66 + 0.13 * i,
            0.055,
            color if i == on else darken_color(color, 0.6),
            Region("traffic_light", "bulb", "glass"),
            glows=i == on,
            shade=0,
        )
        if i == on and pen.light.dark:
            pen.glow(0, 0.66 + 0.13 * i, 0.25, color, 0.6)


def draw_road_sign(pen: Pen, rng: Random) -> None:
    """Draw a road sign, 1 high."""
    pen.box(-0.025, 0, 0.025, 0.7, parse_hex_color("9aa0a8"), Region("signboard", "pole", "metal"))
    board = Region("signboard", "board", "metal")
    kind = rng.randrange(3)
    if kind == 0:
        pen.poly("-.25,.58 .25,.58 0,1", parse_hex_color("d9342f"), board)
        pen.poly("-.15,.64 .15,.64 0,.88", parse_hex_color("fdf8ec"), board)
    elif kind == 1:
        pen.disc(0, 0.78, 0.22, parse_hex_color("2f6fb5"), board)
        pen.poly("-.05,.66 .05,.66 .05,.78 .11,.78 0,.92 -.11,.78 -.05,.78", parse_hex_color("fdf8ec"), board)
    else:
        pen.pill(-0.32, 0.62, 0.32, 0.95, 0.05, parse_hex_color("2f8f5f"), board)
        for v in (0.71, 0.82):
            pen.box(-0.22, v, 0.2, v + 0.045, parse_hex_color("fdf8ec"), board)


def draw_crane(pen: Pen, rng: Random) -> None:
    """Draw a tower crane, 1 high."""
    color = rng.choice(parse_palette("f2b52d e8892f d9483b"))
    steel = Region("crane", "mast", "metal")
    for u in (-0.03, 0.03):
        pen.box(u - 0.008, 0, u + 0.008, 0.9, color, steel, shade=0)
    for i in range(11):
        pen.line(((-0.03, 0.08 * i), (0.03, 0.08 * (i + 1))), 0.012, color, steel)
        pen.line(((0.03, 0.08 * i), (-0.03, 0.08 * (i + 1))), 0.012, color, steel)
    jib = Region("crane", "arm", "metal")
    pen.line("0,1.02 .6,.9", 0.01, darken_color(color, 0.3), jib)
    pen.line("0,1.02 -.26,.9", 0.01, darken_color(color, 0.3), jib)
    pen.poly("-.03,.88 .03,.88 0,1.03", color, steel)
    pen.box(-0.28, 0.865, 0.66, 0.905, color, jib)
    pen.box(-0.28, 0.79, -0.17, 0.88, parse_hex_color("8f8a86"), Region("crane", "counterweight", "concrete"))
    pen.box(0.02, 0.8, 0.1, 0.88, parse_hex_color("bfe0ea"), Region("crane", "cab", "glass"))
    at = rng.uniform(0.3, 0.58)
    pen.line(((at, 0.87), (at, 0.6)), 0.008, parse_hex_color("3a3a42"), Region("crane", "rope", "metal"))
    pen.box(at - 0.07, 0.54, at + 0.07, 0.6, parse_hex_color("b5583f"), Region("crane", "load", "brick"))


def draw_cone(pen: Pen, rng: Random) -> None:
    """Draw a traffic cone, 1 high."""
    orange, plastic = rng.choice(parse_palette("f0752a f28c28")), Region("cone", "", "plastic")
    pen.shadow(0, 0.02, 0.5, 0.08)
    pen.pill(-0.45, 0, 0.45, 0.12, 0.05, darken_color(orange, 0.15), plastic)
    pen.poly("-.3,.1 .3,.1 .06,1 -.06,1", orange, plastic, shade=0.35)
    pen.poly("-.22,.4 .22,.4 .16,.62 -.16,.62", parse_hex_color("fdf8ec"), plastic, shade=0.2)


def draw_tower_of_control(pen: Pen, rng: Random) -> None:
    """Draw an airport's control tower, 1 high."""
    color = rng.choice(parse_palette("e6e2da d9dde0 cfd6d8"))
    pen.poly("-.09,0 .09,0 .065,.68 -.065,.68", color, Region("control_tower", "tower", "concrete"), shade=0.4)
    pen.poly("-.12,.68 .12,.68 .19,.76 -.19,.76", darken_color(color, 0.25), Region("control_tower", "cab", "concrete"))
    pen.poly(
        "-.17,.76 .17,.76 .21,.9 -.21,.9",
        parse_hex_color("9fd3e4"),
        Region("control_tower", "window", "glass"),
        to=parse_hex_color("4f85a5"),
    )
    pen.box(-0.22, 0.9, 0.22, 0.935, color, Region("control_tower", "roof", "concrete"))
    pen.box(-0.008, 0.93, 0.008, 1.04, parse_hex_color("d9483b"), Region("control_tower", "antenna", "metal"))


def draw_gas_pump(pen: Pen, rng: Random) -> None:
    """Draw a petrol pump, 1 high."""
    color, metal = rng.choice(parse_palette("d9483b 2a9d8f f2a12a 3f7cac")), Region("gas_pump", "", "metal")
    pen.shadow(0, 0, 0.4, 0.05)
    pen.pill(-0.27, 0, 0.27, 1, 0.08, color, metal, shade=0.3)
    pen.box(-0.18, 0.58, 0.18, 0.85, parse_hex_color("e8f3f4"), Region("gas_pump", "screen", "glass"))
    pen.box(-0.12, 0.68, 0.12, 0.73, parse_hex_color("33363e"), Region("gas_pump", "screen", "glass"))
    pen.line(".27,.7 .44,.62 .42,.3 .27,.26", 0.06, parse_hex_color("33313a"), Region("gas_pump", "hose", "rubber"))
    pen.box(-0.3, 0, 0.3, 0.07, parse_hex_color("6a6d78"), metal)


def draw_fountain(pen: Pen, rng: Random) -> None:
    """Draw a fountain of two basins, 1 high."""
    stone, marble = rng.choice(parse_palette("d9d2c4 cfc8c0 e3dccb")), Region("fountain", "basin", "marble")
    water = Region("fountain", "jet", "water")
    pen.shadow(0, 0, 0.8, 0.07)
    for sign in (-1, 1):
        pen.soft(
            (
                (0, 0.98),
                (sign * 0.16, 1.0),
                (sign * 0.36, 0.75),
                (sign * 0.4, 0.45),
                (sign * 0.3, 0.7),
                (sign * 0.12, 0.92),
            ),
            parse_hex_color("cdeaf6"),
            water,
            shade=0.1,
        )
    pen.poly("-.09,.2 .09,.2 .05,.62 -.05,.62", stone, marble, shade=0.4)
    pen.soft("-.4,.62 .4,.62 .2,.46 -.2,.46", stone, marble, shade=0.3)
    pen.disc(0, 0.615, 0.33, parse_hex_color("9fd6ea"), water, rv=0.035)
    pen.soft("-.03,.62 -.05,.98 0,1.05 .05,.98 .03,.62", parse_hex_color("e3f5fb"), water, shade=0.1)
    pen.soft("-.78,.24 .78,.24 .66,-.01 -.66,-.01", stone, marble, shade=0.3)
    pen.disc(0, 0.235, 0.68, parse_hex_color("7fc4de"), water, rv=0.055)
