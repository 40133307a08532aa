"""Draw outdoor objects: fences, rocks, crates, barrels, bales, corals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import WOODS, darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_fence(pen: Pen, rng: Random, *, length: float, white: bool = True) -> None:
    """Draw a fence, 1 high, from u = 0 on."""
    color = parse_hex_color("fdf9f0") if white else rng.choice(WOODS)
    post, rail = Region("fence", "post", "wood"), Region("fence", "rail", "wood")
    for v in (0.28, 0.66):
        pen.box(0, v, length, v + 0.12, darken_color(color, 0.1), rail, shade=0.1)
    step = 0.36 if white else 1.0
    for i in range(int(length / step) + 1):
        u = i * step
        pen.poly(((u, 0), (u + 0.17, 0), (u + 0.17, 0.86), (u + 0.085, 1.0), (u, 0.86)), color, post, shade=0.2)


def draw_crate(pen: Pen, rng: Random) -> None:
    """Draw a wooden box, 1 high."""
    color, wood = rng.choice(parse_palette("c29258 b07f48 a9713f")), Region("crate", "", "wood")
    pen.shadow(0, 0, 0.65, 0.08)
    pen.box(-0.5, 0, 0.5, 1, darken_color(color, 0.25), wood)
    for v in (0.02, 0.36, 0.7):
        pen.box(-0.5, v, 0.5, v + 0.27, color, wood, shade=0.15)
    for u in (-0.5, 0.36):
        pen.box(u, 0, u + 0.14, 1, lighten_color(color, 0.18), wood)


def draw_barrel(pen: Pen, rng: Random) -> None:
    """Draw a barrel, 1 high."""
    color, wood = rng.choice(parse_palette("9a6538 8a5a35 a9713f")), Region("barrel", "", "wood")
    pen.shadow(0, 0, 0.5, 0.08)
    pen.soft("-.32,0 -.46,.5 -.32,1 .32,1 .46,.5 .32,0", color, wood, shade=0.45)
    for v in (0.2, 0.74):
        pen.box(-0.38, v, 0.38, v + 0.08, parse_hex_color("5a5a62"), Region("barrel", "hoop", "metal"))


def draw_rock(pen: Pen, rng: Random, color: Color | None = None) -> None:
    """Draw a boulder, 1 high and about 1.8 wide."""
    color = color or rng.choice(parse_palette("8d8f9a 9a948c 7f8590 a09a8f"))
    stone = Region("boulder", "", "rock")
    pen.shadow(0, 0, 1.0, 0.12)
    a, b, sunny = rng.uniform(-0.15, 0.15), rng.uniform(0.75, 1.0), pen.towards_light
    pen.soft(
        ((-0.95, 0), (-0.85, 0.45), (-0.4 + a, 0.85), (0.1, b), (0.6, 0.75), (0.95, 0.3), (0.98, 0)),
        darken_color(color, 0.1),
        stone,
        shade=0.35,
    )
    pen.soft(
        ((-0.5 * sunny + a, 0.6), (0.1 * sunny, b - 0.06), (0.55 * sunny, 0.7), (0.3 * sunny, 0.42)),
        lighten_color(color, 0.22),
        stone,
        shade=0.1,
    )


def draw_hay_bale(pen: Pen, rng: Random) -> None:
    """Draw a round bale, 1 high."""
    color, hay = rng.choice(parse_palette("dcb35a e3bf6a cfa24c")), Region("hay_bale", "", "hay")
    pen.shadow(0, 0, 0.75, 0.1)
    pen.soft("-.1,0 -.1,1 .55,1 .75,.5 .55,0", darken_color(color, 0.16), hay, shade=0.3)
    pen.disc(-0.08, 0.5, 0.5, color, hay, rv=0.5, shade=0.2)
    for r in (0.36, 0.2):
        pen.disc(-0.08, 0.5, r, darken_color(color, 0.14 if r > 0.3 else 0.0), hay, shade=0)


def draw_ladder(pen: Pen, rng: Random) -> None:
    """Draw a ladder, 1 high, that leans."""
    color, wood = rng.choice(parse_palette("c29258 a9713f")), Region("ladder", "", "wood")
    pen = pen.at(0, 0, turn=rng.choice((-1, 1)) * rng.uniform(0.1, 0.25))
    for u in (-0.13, 0.13):
        pen.box(u - 0.025, 0, u + 0.025, 1, color, wood)
    for i in range(6):
        pen.box(-0.13, 0.1 + 0.15 * i, 0.13, 0.14 + 0.15 * i, darken_color(color, 0.12), wood)


def draw_basket(pen: Pen, rng: Random) -> None:
    """Draw a basket of fruit, 1 high."""
    pen.shadow(0, 0, 0.7, 0.1)
    for u, v in ((-0.36, 0.72), (0.0, 0.78), (0.36, 0.72), (-0.18, 0.92), (0.18, 0.92)):
        pen.disc(u, v, 0.22, rng.choice(parse_palette("d7263d e34a3a f0a330")), Region("fruit", "", "food"), shade=0.4)
    pen.poly(
        "-.55,0 .55,0 .7,.7 -.7,.7",
        rng.choice(parse_palette("b98152 a9713f c29258")),
        Region("basket", "", "wicker"),
        shade=0.3,
    )
    pen.box(-0.73, 0.62, 0.73, 0.74, parse_hex_color("8a5a35"), Region("basket", "", "wicker"))


def draw_coral(pen: Pen, rng: Random) -> None:
    """Draw a branching coral, 1 high."""
    color, reef = rng.choice(parse_palette("f2637e f28c5a d94f8a b565c4 f7a1b8")), Region("coral", "branch", "reef")
    for lean, reach, width in (
        (-0.5, 0.75, 0.15),
        (0.0, 1.0, 0.18),
        (0.5, 0.8, 0.15),
        (-0.22, 0.9, 0.13),
        (0.27, 0.95, 0.13),
    ):
        tip = (lean * rng.uniform(0.8, 1.1), reach * rng.uniform(0.85, 1.05))
        pen.line(
            ((0.2 * lean, 0), (0.7 * lean, 0.45 * reach), tip),
            width,
            color if lean else lighten_color(color, 0.1),
            reef,
            end=0.07,
            shade=0.25,
        )
        pen.disc(tip[0], tip[1], 0.06, lighten_color(color, 0.35), reef, shade=0.1)


def draw_seaweed(pen: Pen, rng: Random) -> None:
    """Draw seaweed, 1 high."""
    for k in range(rng.randint(2, 4)):
        u, green = 0.14 * k - 0.2, rng.choice(parse_palette("3f8f5f 2f7f6a 6a9f3f"))
        sway, phase = rng.uniform(0.06, 0.12), rng.uniform(0, math.tau)
        points = [(u + sway * math.sin(phase + 4 * t / 6), rng.uniform(0.75, 1.0) * t / 6) for t in range(7)]
        pen.line(points, 0.11, green, Region("seaweed", "", "foliage"), end=0.02, shade=0.25)
