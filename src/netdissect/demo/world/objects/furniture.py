"""Draw furniture: beds, seats, tables, lamps, shelves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.palette import (
    BOOKS,
    CLOTHS,
    WOODS,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_bed(pen: Pen, rng: Random) -> None:
    """Draw a bed, 1 high and 2 long, its head on the left."""
    wood, cover = rng.choice(WOODS), rng.choice(CLOTHS)
    pen.shadow(0.05, 0, 1.1, 0.08)
    pen.pill(-1.05, 0, -0.92, 1.0, 0.05, wood, Region("bed", "headboard", "wood"), shade=0.3)
    pen.box(-0.95, 0.16, 1.0, 0.34, wood, Region("bed", "frame", "wood"))
    for u in (-0.98, 0.9):
        pen.box(u, 0, u + 0.1, 0.2, darken_color(wood, 0.2), Region("bed", "leg", "wood"))
    pen.pill(-0.93, 0.32, 0.98, 0.54, 0.06, parse_hex_color("faf6ec"), Region("bed", "mattress", "fabric"), shade=0.2)
    pen.pill(-0.88, 0.5, -0.4, 0.7, 0.09, parse_hex_color("fffdf6"), Region("bed", "pillow", "fabric"), shade=0.35)
    blanket = Region("bed", "blanket", "fabric")
    pen.soft("-.42,.24 -.42,.6 -.1,.62 .9,.58 1.02,.5 1.02,.2", cover, blanket, shade=0.25)
    pen.poly("-.41,.32 -.41,.57 -.24,.59 -.24,.32", lighten_color(cover, 0.45), blanket)
    if rng.random() < 0.5:
        for u in (0.05, 0.35, 0.65):
            pen.box(u, 0.27, u + 0.07, 0.56, lighten_color(cover, 0.3), blanket, shade=0.1)
    pen.pill(0.96, 0, 1.06, 0.66, 0.04, wood, Region("bed", "headboard", "wood"), shade=0.3)


def draw_sofa(pen: Pen, rng: Random) -> None:
    """Draw a sofa, 1 high and 2.1 long."""
    color = rng.choice(CLOTHS)
    material = "leather" if rng.random() < 0.3 else "fabric"
    pen.shadow(0, 0, 1.15, 0.08)
    for u in (-0.9, 0.82):
        pen.box(u, 0, u + 0.08, 0.16, parse_hex_color("5a3f2e"), Region("sofa", "leg", "wood"))
    pen.pill(-0.95, 0.3, 0.95, 1.0, 0.14, darken_color(color, 0.12), Region("sofa", "back", material), shade=0.25)
    pen.pill(-0.9, 0.14, 0.9, 0.42, 0.06, darken_color(color, 0.08), Region("sofa", "frame", material))
    for u0, u1 in ((-0.84, -0.01), (0.01, 0.84)):
        pen.pill(u0, 0.36, u1, 0.58, 0.08, lighten_color(color, 0.1), Region("sofa", "seat", material), shade=0.3)
    for u0, u1 in ((-1.1, -0.82), (0.82, 1.1)):
        pen.pill(u0, 0.12, u1, 0.72, 0.12, color, Region("sofa", "armrest", material), shade=0.35)
    accent = rng.choice(CLOTHS)
    for u in rng.sample((-0.6, -0.2, 0.3, 0.6), 2):
        pillow = pen.at(u, 0.7, 0.2, turn=rng.uniform(-0.3, 0.3))
        pillow.soft("-1,-.9 -.9,1 .9,1 1,-.9", accent, Region("sofa", "cushion", "fabric"), shade=0.3)


def draw_armchair(pen: Pen, rng: Random) -> None:
    """Draw an armchair, 1 high."""
    color = rng.choice(CLOTHS)
    pen.shadow(0, 0, 0.6, 0.07)
    for u in (-0.42, 0.34):
        pen.box(u, 0, u + 0.08, 0.16, parse_hex_color("5a3f2e"), Region("armchair", "leg", "wood"))
    pen.pill(-0.42, 0.26, 0.42, 1.0, 0.18, darken_color(color, 0.12), Region("armchair", "back", "fabric"), shade=0.3)
    pen.pill(-0.36, 0.3, 0.36, 0.52, 0.08, lighten_color(color, 0.1), Region("armchair", "seat", "fabric"))
    for u0, u1 in ((-0.56, -0.34), (0.34, 0.56)):
        pen.pill(u0, 0.12, u1, 0.68, 0.1, color, Region("armchair", "armrest", "fabric"), shade=0.35)


def draw_table(pen: Pen, rng: Random, *, cloth: bool = False, name: str = "table") -> None:
    """Draw a table, 1 high and 2.2 wide; with a chequered cloth if asked for."""
    wood = rng.choice(WOODS)
    pen.shadow(0, 0, 1.1, 0.1)
    for u in (-0.92, 0.8):
        pen.poly(
            ((u, 0.9), (u + 0.13, 0.9), (u + 0.1, 0), (u + 0.03, 0)),
            darken_color(wood, 0.18),
            Region(name, "leg", "wood"),
        )
    pen.pill(-1.1, 0.86, 1.1, 1.0, 0.04, wood, Region(name, "top", "wood"), shade=0.15)
    if cloth:
        color, fabric = rng.choice(CLOTHS), Region("tablecloth", "", "fabric")
        pen.poly("-1.12,1.02 1.12,1.02 1.16,.62 -1.16,.62", parse_hex_color("fffaf0"), fabric, shade=0)
        for i in range(12):
            for j in range(3):
                if (i + j) % 2 == 0:
                    u, v = -1.14 + 0.19 * i, 0.63 + 0.13 * j
                    pen.box(u, v, u + 0.19, v + 0.13, color, fabric, shade=0)


def draw_chair(pen: Pen, rng: Random, color: Color | None = None) -> None:
    """Draw a chair from the side, 1 high, facing growing u."""
    color = color or rng.choice(WOODS)
    pen.shadow(0, 0, 0.35, 0.06)
    for u in (-0.24, 0.2):
        pen.box(u, 0, u + 0.06, 0.46, darken_color(color, 0.15), Region("chair", "leg", "wood"))
    pen.pill(-0.28, 0.44, 0.3, 0.53, 0.03, rng.choice(CLOTHS), Region("chair", "seat", "fabric"))
    pen.poly("-.28,.5 -.2,.5 -.26,1 -.35,1", color, Region("chair", "back", "wood"), shade=0.25)


def draw_lamp(pen: Pen, rng: Random) -> None:
    """Draw a standing lamp, 1 high."""
    shade, lit = rng.choice(parse_palette("f2d9a0 e9c7a4 f4ead6 d99a6a")), pen.light.dark
    pen.shadow(0, 0, 0.16, 0.02)
    pen.disc(0, 0.015, 0.11, parse_hex_color("6a5344"), Region("lamp", "base", "metal"), rv=0.025)
    pen.box(-0.014, 0.02, 0.014, 0.75, parse_hex_color("7a6250"), Region("lamp", "pole", "metal"))
    pen.poly(
        "-.17,.72 .17,.72 .1,1 -.1,1",
        parse_hex_color("ffe3a3") if lit else shade,
        Region("lamp", "shade", "fabric"),
        glows=lit,
        shade=0.25,
    )
    if lit:
        pen.glow(0, 0.8, 0.55, parse_hex_color("ffd98a"), 0.65)


def draw_table_lamp(pen: Pen, rng: Random) -> None:
    """Draw a table lamp, 1 high."""
    lit = pen.light.dark
    pen.soft(
        "-.2,0 -.26,.2 -.08,.42 .08,.42 .26,.2 .2,0", rng.choice(CLOTHS), Region("lamp", "base", "ceramic"), shade=0.4
    )
    pen.poly(
        "-.42,.42 .42,.42 .26,1 -.26,1",
        parse_hex_color("ffe3a3") if lit else parse_hex_color("f4ead6"),
        Region("lamp", "shade", "fabric"),
        glows=lit,
        shade=0.25,
    )
    if lit:
        pen.glow(0, 0.6, 1.5, parse_hex_color("ffd98a"), 0.6)


def draw_bookcase(pen: Pen, rng: Random, *, width: float = 0.75) -> None:
    """Draw a bookcase full of books, 1 high."""
    wood, half = rng.choice(WOODS), width / 2
    frame, book = Region("bookcase", "shelf", "wood"), Region("bookcase", "book", "paper")
    pen.shadow(0, 0, half * 1.15, 0.03)
    pen.box(-half, 0, half, 1, wood, frame, shade=0.15)
    for row in range(4):
        low = 0.05 + 0.235 * row
        pen.box(-half + 0.04, low, half - 0.04, low + 0.2, darken_color(wood, 0.5), frame, shade=0.1)
        u = -half + 0.05
        while u < half - 0.09:
            thick = rng.uniform(0.03, 0.055)
            if rng.random() < 0.9:
                pen.box(u, low, u + thick, low + rng.uniform(0.13, 0.185), rng.choice(BOOKS), book, shade=0.2)
            u += thick + 0.004


def draw_television(pen: Pen, rng: Random) -> None:
    """Draw a television on a low cabinet, 1 high and 1.3 wide."""
    wood = rng.choice(WOODS)
    pen.shadow(0, 0, 0.75, 0.06)
    pen.pill(-0.68, 0.04, 0.68, 0.3, 0.02, wood, Region("cabinet", "drawer", "wood"))
    for u in (-0.34, 0.34):
        pen.box(u - 0.3, 0.08, u + 0.3, 0.26, darken_color(wood, 0.14), Region("cabinet", "drawer", "wood"))
        pen.disc(u, 0.17, 0.025, parse_hex_color("e9d9a0"), Region("cabinet", "knob", "metal"))
    pen.box(-0.06, 0.3, 0.06, 0.36, parse_hex_color("33313a"), Region("television", "stand", "plastic"))
    pen.pill(-0.6, 0.34, 0.6, 1.0, 0.03, parse_hex_color("25252d"), Region("television", "frame", "plastic"))
    pen.box(
        -0.56,
        0.38,
        0.56,
        0.96,
        rng.choice(parse_palette("2f4a6f 3f6f8f 4a5f8a")),
        Region("television", "screen", "glass"),
        shade=0.5,
    )
    pen.poly(
        "-.4,.96 -.1,.96 -.5,.45 -.56,.6",
        lighten_color(parse_hex_color("3f6f8f"), 0.25),
        Region("television", "screen", "glass"),
        shade=0,
    )


def draw_desk(pen: Pen, rng: Random) -> None:
    """Draw a desk with a computer on it, its top at 1, 2.2 wide."""
    wood = rng.choice(WOODS)
    pen.shadow(0, 0, 1.1, 0.08)
    for u in (-1.0, 0.92):
        pen.box(u, 0, u + 0.08, 0.92, darken_color(wood, 0.2), Region("desk", "leg", "wood"))
    pen.box(0.35, 0.12, 0.98, 0.92, wood, Region("desk", "drawer", "wood"), shade=0.2)
    for v in (0.15, 0.42, 0.68):
        pen.box(0.39, v, 0.94, v + 0.22, lighten_color(wood, 0.12), Region("desk", "drawer", "wood"), shade=0.1)
        pen.disc(0.66, v + 0.12, 0.035, parse_hex_color("e9d9a0"), Region("desk", "knob", "metal"))
    pen.pill(-1.08, 0.9, 1.08, 1.0, 0.03, lighten_color(wood, 0.08), Region("desk", "top", "wood"))
    plastic = Region("computer", "frame", "plastic")
    pen.poly("-.3,1 .1,1 .02,1.08 -.22,1.08", parse_hex_color("b9bec6"), Region("computer", "stand", "plastic"))
    pen.box(-0.14, 1.05, -0.06, 1.2, parse_hex_color("b9bec6"), Region("computer", "stand", "plastic"))
    pen.pill(-0.55, 1.16, 0.35, 1.74, 0.04, parse_hex_color("2f313a"), plastic)
    pen.box(
        -0.5,
        1.22,
        0.3,
        1.69,
        rng.choice(parse_palette("6fc3d8 8fb5e8 a9dcb5")),
        Region("computer", "screen", "glass"),
        glows=True,
        to=parse_hex_color("4f7fb5"),
    )
    for v in (1.3, 1.4, 1.5):
        pen.box(
            -0.42,
            v,
            rng.uniform(-0.2, 0.1),
            v + 0.045,
            parse_hex_color("f4fafc"),
            Region("computer", "screen", "glass"),
            glows=True,
            shade=0,
        )
    pen.pill(-0.95, 0.99, -0.62, 1.05, 0.02, parse_hex_color("dfe2e6"), Region("computer", "keyboard", "plastic"))
