"""Draw objects of leisure: sunshades, swings, stalls, camp fires, a Ferris wheel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import WOODS, darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Pen


def draw_umbrella(pen: Pen, rng: Random) -> None:
    """Draw a striped sunshade, 1 high, a little tilted."""
    a = rng.choice(parse_palette("e4572e 3f7cac f2b134 d94f8a 2a9d8f"))
    pen.shadow(0, 0, 0.5, 0.06)
    pen = pen.at(0, 0, turn=rng.uniform(-0.18, 0.18))
    pen.box(-0.015, 0, 0.015, 0.95, parse_hex_color("e9dcc4"), Region("umbrella", "pole", "wood"))
    canopy = Region("umbrella", "shade", "fabric")
    rim = [-0.62 + 1.24 * i / 6 for i in range(7)]
    for i in range(6):
        tone = a if i % 2 == 0 else parse_hex_color("f4e4ca")
        c0, c1 = rim[i], rim[i + 1]
        pen.poly(
            (
                (c0, 0.62),
                ((c0 + c1) / 2, 0.585),
                (c1, 0.62),
                (0.72 * c1, 0.85),
                (0.12 * c1, 1.0),
                (0.12 * c0, 1.0),
                (0.72 * c0, 0.85),
            ),
            tone,
            canopy,
            shade=0.15,
        )


def draw_towel(pen: Pen, rng: Random) -> None:
    """Draw a striped towel on the ground, 1 wide."""
    a, cloth = rng.choice(parse_palette("e4572e 3f7cac d94f8a 2a9d8f 8e5aa8")), Region("towel", "", "fabric")
    for i in range(6):
        t0, t1 = i / 6, (i + 1) / 6
        pen.poly(
            ((t0, 0), (t1, 0), (t1 * 0.9 + 0.25, 0.4), (t0 * 0.9 + 0.25, 0.4)),
            a if i % 2 == 0 else parse_hex_color("f4e4ca"),
            cloth,
            shade=0,
        )


def draw_ball(pen: Pen, rng: Random) -> None:
    """Draw a beach ball, 1 high."""
    a, region = rng.choice(parse_palette("e4572e 3f7cac d94f8a f2b134")), Region("ball", "", "plastic")
    pen.shadow(0, 0.04, 0.5, 0.12)
    pen.disc(0, 0.5, 0.5, parse_hex_color("fffaf0"), region, shade=0.4)
    pen.soft("-.1,.98 -.5,.7 -.4,.2 -.12,.5", a, region, shade=0.3)
    pen.soft(".08,.98 .12,.5 .42,.14 .5,.6", a, region, shade=0.4)


def draw_campfire(pen: Pen, rng: Random) -> None:
    """Draw a camp fire, 1 high."""
    pen.line("-.42,.04 .42,.2", 0.13, parse_hex_color("6b4630"), Region("campfire", "log", "wood"))
    pen.line("-.42,.2 .42,.04", 0.13, parse_hex_color("7a5138"), Region("campfire", "log", "wood"))
    flame = Region("campfire", "flame")
    for scale, color in (
        (1.0, parse_hex_color("f2602a")),
        (0.72, parse_hex_color("f9a22e")),
        (0.45, parse_hex_color("ffe27a")),
    ):
        w = scale * rng.uniform(0.9, 1.1)
        pen.soft(
            (
                (-0.34 * w, 0.12),
                (-0.3 * w, 0.12 + 0.4 * w),
                (-0.04, 0.12 + 0.95 * w),
                (0.08, 0.12 + 0.55 * w),
                (0.24 * w, 0.12 + 0.66 * w),
                (0.34 * w, 0.12 + 0.25 * w),
                (0.2 * w, 0.1),
            ),
            color,
            flame,
            glows=True,
            shade=0,
        )
    pen.glow(0, 0.4, 2.6 if pen.light.dark else 1.2, parse_hex_color("ffb050"), 0.45)


def draw_stall(pen: Pen, rng: Random) -> None:
    """Draw a market stall, 1 high and 1.3 wide: striped awning, posts, a counter full of fruit."""
    a = rng.choice(parse_palette("d9483b 3f7cac 2a9d8f e0892f 8e5aa8"))
    wood = Region("stall", "counter", "wood")
    pen.shadow(0, 0, 0.75, 0.06)
    for u in (-0.58, 0.58):
        pen.box(u - 0.025, 0, u + 0.025, 0.8, parse_hex_color("8a5a35"), Region("stall", "post", "wood"))
    pen.box(-0.56, 0.4, 0.56, 0.72, parse_hex_color("5a4450"), Region("stall"), shade=0.2)
    pen.box(-0.64, 0, 0.64, 0.34, rng.choice(WOODS), wood, shade=0.2)
    for k in range(4):
        color = rng.choice(parse_palette("d7263d f2a12a f7d154 7fb24d 8e4a8f e8762a"))
        u = -0.56 + 0.29 * k
        for i in range(3):
            pen.disc(u + 0.06 + 0.075 * i, 0.39, 0.052, color, Region("fruit", "", "food"), shade=0.4)
        for i in range(2):
            pen.disc(
                u + 0.1 + 0.075 * i, 0.45, 0.052, lighten_color(color, 0.1), Region("fruit", "", "food"), shade=0.4
            )
        pen.box(u, 0.28, u + 0.27, 0.38, parse_hex_color("c29258"), Region("crate", "", "wood"))
    awning = Region("stall", "awning", "fabric")
    for i in range(8):
        c0, c1 = -0.72 + 0.18 * i, -0.54 + 0.18 * i
        tone = a if i % 2 == 0 else parse_hex_color("f4e4ca")
        pen.poly(((c0, 0.72), (c1, 0.72), (0.84 * c1, 1.0), (0.84 * c0, 1.0)), tone, awning, shade=0.2)
        pen.disc((c0 + c1) / 2, 0.72, 0.09, tone, awning, rv=0.06)


def draw_swing(pen: Pen, rng: Random) -> None:
    """Draw a swing, 1 high."""
    color, steel = rng.choice(parse_palette("d9483b 3f7cac f2a12a 2a9d8f")), Region("swing", "frame", "metal")
    pen.shadow(0, 0, 0.7, 0.05)
    for u in (-0.55, 0.55):
        for lean in (-0.13, 0.13):
            pen.line(((u + lean, 0), (u, 1)), 0.045, color, steel)
    pen.line("-.6,.98 .6,.98", 0.055, color, steel)
    for u in (-0.26, 0.24):
        sway = rng.uniform(-0.1, 0.1)
        for d in (-0.08, 0.08):
            pen.line(((u + d, 0.97), (u + d + sway, 0.32)), 0.016, parse_hex_color("6a6d78"), Region("swing", "rope"))
        pen.box(
            u - 0.11 + sway, 0.28, u + 0.11 + sway, 0.33, parse_hex_color("7a4a2b"), Region("swing", "seat", "wood")
        )


def draw_slide(pen: Pen, rng: Random) -> None:
    """Draw a slide, 1 high and 1.5 long."""
    a, b = rng.sample(parse_palette("e4572e f2b134 3f7cac 2a9d8f d94f8a"), 2)
    pen.shadow(0, 0, 0.8, 0.05)
    for u in (-0.55, -0.28):
        pen.box(u - 0.025, 0, u + 0.025, 1.0, b, Region("slide", "step", "metal"))
    for i in range(6):
        pen.box(-0.55, 0.1 + 0.12 * i, -0.28, 0.135 + 0.12 * i, b, Region("slide", "step", "metal"))
    pen.soft(
        "-.3,.78 -.05,.7 .3,.25 .55,.07 .82,.06 .82,.14 .6,.17 .38,.36 .05,.84 -.3,.9",
        a,
        Region("slide", "chute", "plastic"),
        shade=0.25,
    )
    pen.poly("-.64,.98 -.2,.98 -.42,1.16", a, Region("slide", "roof", "plastic"))


def draw_ferris_wheel(pen: Pen, rng: Random) -> None:
    """Draw a Ferris wheel, 1 high."""
    steel = Region("ferris_wheel", "frame", "metal")
    color = rng.choice(parse_palette("f4f1ea e9c7d4 c4d8ea"))
    for sign in (-1, 1):
        pen.line(((0, 0.54), (sign * 0.26, 0)), 0.035, darken_color(color, 0.3), Region("ferris_wheel", "leg", "metal"))
    hub = pen.at(0, 0.54, turn=rng.uniform(0, 0.6))
    rim = [(math.cos(a / 24 * math.tau), math.sin(a / 24 * math.tau)) for a in range(25)]
    for r, width in ((0.4, 0.022), (0.3, 0.014)):
        hub.line([(r * u, r * v) for u, v in rim], width, color, steel, shade=0.1)
    spots = [rim[2 * k] for k in range(12)]
    for u, v in spots:
        hub.line(((0, 0), (0.4 * u, 0.4 * v)), 0.012, color, steel, shade=0)
    cabins = parse_palette("e4572e f2b134 3f7cac 2a9d8f d94f8a 8e5aa8")
    for k, (u, v) in enumerate(spots):
        hub.disc(0.4 * u, 0.4 * v, 0.058, cabins[k % 6], Region("ferris_wheel", "cabin", "metal"), shade=0.3)
    hub.disc(0, 0, 0.05, darken_color(color, 0.2), steel)


def draw_sled(pen: Pen, rng: Random) -> None:
    """Draw a sledge, 1 high."""
    wood = Region("sled", "", "wood")
    pen.line("-1.1,.1 .8,.1 1.15,.35 1.05,.65", 0.12, parse_hex_color("8a5a35"), wood)
    for u in (-0.8, 0.0, 0.6):
        pen.box(u - 0.06, 0.1, u + 0.06, 0.6, parse_hex_color("8a5a35"), wood)
    pen.box(
        -1.0,
        0.55,
        0.85,
        0.78,
        rng.choice(parse_palette("d9483b c29258 3f7cac")),
        Region("sled", "seat", "wood"),
        shade=0.2,
    )
