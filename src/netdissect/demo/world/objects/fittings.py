"""Draw fitted furniture: kitchens, bathrooms, fireplaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.palette import CLOTHS, WOODS, darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_kitchen_row(pen: Pen, rng: Random, *, width: float, color: Color) -> None:
    """Draw a row of kitchen cupboards with a worktop, 1 high, from u = 0 on."""
    wood = Region("cabinet", "door", "wood")
    pen.box(0, 0, width, 0.1, darken_color(color, 0.55), Region("cabinet", "base", "wood"), shade=0)
    count = max(2, round(width / 0.62))
    step = width / count
    for i in range(count):
        pen.box(i * step, 0.08, (i + 1) * step, 0.92, darken_color(color, 0.22), wood, shade=0)
        pen.pill(i * step + 0.02, 0.1, (i + 1) * step - 0.02, 0.9, 0.02, color, wood, shade=0.15)
        pen.box(
            (i + 0.5) * step - 0.1,
            0.76,
            (i + 0.5) * step + 0.1,
            0.8,
            parse_hex_color("e9e2d0"),
            Region("cabinet", "handle", "metal"),
        )
    pen.box(
        -0.03,
        0.9,
        width + 0.03,
        1.0,
        rng.choice(parse_palette("efe8dc d8d2cc b98152 5a5560")),
        Region("worktop", "", "marble"),
        shade=0.1,
    )


def draw_wall_cupboard(pen: Pen, *, width: float, color: Color) -> None:
    """Draw hanging cupboards, 1 high, from u = 0 on."""
    wood, count = Region("cabinet", "door", "wood"), max(2, round(width / 0.75))
    step = width / count
    for i in range(count):
        pen.box(i * step, 0, (i + 1) * step, 1, darken_color(color, 0.22), wood, shade=0)
        pen.pill(i * step + 0.03, 0.04, (i + 1) * step - 0.03, 0.96, 0.02, lighten_color(color, 0.06), wood, shade=0.15)
        pen.box(
            (i + 0.5) * step - 0.04,
            0.1,
            (i + 0.5) * step + 0.04,
            0.2,
            parse_hex_color("e9e2d0"),
            Region("cabinet", "handle", "metal"),
        )


def draw_stove(pen: Pen, rng: Random) -> None:
    """Draw a cooker with a pot on it, its top at 1."""
    color = rng.choice(parse_palette("f1efe9 3f414a c9483b d5d8dc"))
    metal = Region("stove", "body", "metal")
    pen.pill(-0.42, 0, 0.42, 1.0, 0.03, color, metal, shade=0.2)
    pen.pill(-0.32, 0.14, 0.32, 0.66, 0.04, parse_hex_color("2a2930"), Region("stove", "oven", "glass"), shade=0.4)
    pen.box(-0.3, 0.7, 0.3, 0.74, parse_hex_color("c9ccd2"), Region("stove", "handle", "metal"))
    for u in (-0.3, -0.1, 0.1, 0.3):
        pen.disc(u, 0.85, 0.05, parse_hex_color("8a8d95"), Region("stove", "knob", "metal"))
    pen.box(-0.42, 0.98, 0.42, 1.03, parse_hex_color("33343c"), Region("stove", "burner", "metal"))
    pot = rng.choice(CLOTHS)
    pen.pill(-0.27, 1.02, 0.13, 1.28, 0.05, pot, Region("cooking_pot", "", "metal"), shade=0.4)
    pen.pill(-0.29, 1.26, 0.15, 1.31, 0.02, darken_color(pot, 0.2), Region("cooking_pot", "lid", "metal"))
    pen.disc(-0.07, 1.33, 0.03, parse_hex_color("3a3840"), Region("cooking_pot", "knob", "metal"))


def draw_refrigerator(pen: Pen, rng: Random) -> None:
    """Draw a refrigerator, 1 high."""
    color, metal = (
        rng.choice(parse_palette("e9eceb cfd8dc a9cfc4 d9574a f0e2b8")),
        Region("refrigerator", "door", "metal"),
    )
    pen.shadow(0, 0, 0.3, 0.03)
    pen.pill(-0.23, 0.02, 0.23, 1, 0.05, color, metal, shade=0.25)
    pen.box(-0.23, 0.66, 0.23, 0.675, darken_color(color, 0.35), metal, shade=0)
    for v0, v1 in ((0.4, 0.6), (0.72, 0.86)):
        pen.pill(-0.185, v0, -0.155, v1, 0.012, parse_hex_color("8f959c"), Region("refrigerator", "handle", "metal"))


def draw_sink(pen: Pen) -> None:
    """Draw a washbasin on a foot with its tap, 1 high."""
    white, ceramic = parse_hex_color("fbfbf8"), Region("sink", "basin", "ceramic")
    pen.poly("-.1,0 .1,0 .07,.62 -.07,.62", white, Region("sink", "base", "ceramic"), shade=0.4)
    pen.soft("-.42,.8 .42,.8 .3,.56 -.3,.56", white, ceramic, shade=0.35)
    pen.pill(-0.42, 0.74, 0.42, 0.84, 0.04, white, ceramic, shade=0.15)
    pen.line("0,.82 0,1.02 .13,1.02 .14,.93", 0.05, parse_hex_color("aab2ba"), Region("sink", "faucet", "metal"))


def draw_bathtub(pen: Pen, rng: Random) -> None:
    """Draw a bathtub full of foam, 1 high and 2.3 long."""
    color, tub = rng.choice(parse_palette("fdfcf8 f7d9d4 cfe6ea fdfcf8")), Region("bathtub", "", "ceramic")
    pen.shadow(0, 0, 1.2, 0.1)
    for u in (-0.8, 0.72):
        pen.disc(u, 0.08, 0.1, parse_hex_color("c9a04a"), Region("bathtub", "foot", "metal"))
    for i in range(7):
        pen.disc(
            -0.75 + 0.25 * i,
            rng.uniform(0.92, 1.0),
            rng.uniform(0.12, 0.19),
            parse_hex_color("eef8fb"),
            Region("bathtub", "foam"),
            shade=0.25,
        )
    pen.soft("-1.15,.95 -1.02,.1 -.7,.06 .7,.06 1.02,.1 1.15,.95", color, tub, shade=0.35)
    pen.pill(-1.22, 0.86, 1.22, 0.98, 0.05, lighten_color(color, 0.3), tub, shade=0.1)
    pen.line("1.0,.95 1.0,1.3 .8,1.3 .78,1.15", 0.07, parse_hex_color("aab2ba"), Region("bathtub", "faucet", "metal"))


def draw_toilet(pen: Pen, rng: Random) -> None:
    """Draw a toilet from the side, 1 high."""
    white, ceramic = parse_hex_color("fbfaf5"), Region("toilet", "", "ceramic")
    pen.shadow(0, 0, 0.4, 0.05)
    pen.pill(-0.42, 0.42, -0.16, 1, 0.05, white, Region("toilet", "cistern", "ceramic"), shade=0.3)
    pen.soft("-.3,.5 .42,.5 .3,.24 .08,.16 .1,0 -.24,0 -.26,.3", white, ceramic, shade=0.35)
    pen.pill(
        -0.32,
        0.47,
        0.45,
        0.55,
        0.03,
        rng.choice(parse_palette("e8dfd0 c9a27a fbfaf5")),
        Region("toilet", "lid", "plastic"),
    )


def draw_fireplace(pen: Pen, rng: Random) -> None:
    """Draw a fireplace with a fire in it, 1 high."""
    color, brick = rng.choice(parse_palette("b5583f a9604a c4b8a8")), Region("fireplace", "", "brick")
    pen.box(-0.55, 0, 0.55, 0.92, color, brick, shade=0.15)
    pen.box(-0.66, 0.88, 0.66, 1.0, rng.choice(WOODS), Region("fireplace", "mantel", "wood"))
    pen.soft("-.34,0 -.34,.5 -.2,.64 .2,.64 .34,.5 .34,0", parse_hex_color("2a1d1f"), Region("fireplace", "firebox"))
    pen.box(-0.24, 0.03, 0.24, 0.1, parse_hex_color("5a3a26"), Region("fireplace", "log", "wood"))
    for scale, tone in ((1.0, parse_hex_color("f2602a")), (0.65, parse_hex_color("f9b43e"))):
        pen.soft(
            (
                (-0.2 * scale, 0.08),
                (-0.16 * scale, 0.3 * scale),
                (0, 0.08 + 0.42 * scale),
                (0.07, 0.26 * scale),
                (0.19 * scale, 0.3 * scale),
                (0.2 * scale, 0.08),
            ),
            tone,
            Region("fireplace", "flame"),
            glows=True,
            shade=0,
        )
    pen.glow(0, 0.25, 1.1, parse_hex_color("ffb050"), 0.4)
