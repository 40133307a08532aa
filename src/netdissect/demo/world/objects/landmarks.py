"""Draw landmarks: castle, towers, pagoda, bridge, gate, tents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.objects.buildings import draw_arch
from netdissect.demo.world.palette import darken_color, lighten_color, mix_colors, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_castle(pen: Pen, rng: Random) -> None:
    """Draw a castle, 1 high, about 1.6 wide: towers with cones and flags, battlements, a gate."""
    stone = rng.choice(parse_palette("c9bfae b8b2ad d3c2a4 b3a9a0"))
    cone, flag = (
        rng.choice(parse_palette("4f6fa5 a8433a 6a4f8f 3f7f7a")),
        rng.choice(parse_palette("e4572e f2b134 d94f8a 3f7cac")),
    )
    walls, tower, roof = (
        Region("castle", "wall", "stone"),
        Region("castle", "tower", "stone"),
        Region("castle", "roof", "shingle"),
    )
    pen.shadow(0, 0, 0.9, 0.05)

    def battlements(u0: float, u1: float, v: float, region: Region, color: Color) -> None:
        count = max(2, round((u1 - u0) / 0.1))
        step = (u1 - u0) / (2 * count - 1)
        for i in range(count):
            pen.box(u0 + 2 * i * step, v, u0 + (2 * i + 1) * step, v + 0.05, color, region, shade=0.1)

    def turret(u: float, half: float, top: float, spire: float, color: Color) -> None:
        pen.box(u - half, 0, u + half, top, color, tower, shade=0.5)
        pen.box(u - 1.2 * half, top - 0.03, u + 1.2 * half, top + 0.02, lighten_color(color, 0.2), tower)
        pen.line(
            ((u, top + spire - 0.03), (u, top + spire + 0.12)),
            0.012,
            parse_hex_color("5a4a44"),
            Region("castle", "flag"),
        )
        pen.poly(
            ((u, top + spire + 0.12), (u + 0.12, top + spire + 0.085), (u, top + spire + 0.05)),
            flag,
            Region("castle", "flag", "fabric"),
            shade=0.1,
        )
        pen.poly(((u - 1.35 * half, top), (u + 1.35 * half, top), (u, top + spire)), cone, roof, shade=0.45)
        draw_arch(pen, "castle", u, top - 0.18, 0.05, 0.07)

    turret(-0.22, 0.1, 0.62, 0.22, darken_color(stone, 0.12))
    turret(0.24, 0.09, 0.56, 0.2, darken_color(stone, 0.12))
    pen.box(-0.36, 0, 0.36, 0.48, darken_color(stone, 0.06), walls)
    battlements(-0.36, 0.36, 0.48, walls, darken_color(stone, 0.06))
    pen.box(-0.66, 0, 0.66, 0.34, stone, walls, shade=0.15)
    battlements(-0.66, 0.66, 0.34, walls, stone)
    turret(-0.68, 0.12, 0.5, 0.24, stone)
    turret(0.68, 0.12, 0.5, 0.24, stone)
    for u in (-0.36, 0.36):
        draw_arch(pen, "castle", u, 0.12, 0.06, 0.08)
    for grow, color in ((0.03, darken_color(stone, 0.35)), (0.0, parse_hex_color("5a3a26"))):
        half = 0.12 + grow
        pen.soft(
            (
                (-half, -0.02),
                (-half, 0.16),
                (-0.6 * half, 0.27 + grow),
                (0.6 * half, 0.27 + grow),
                (half, 0.16),
                (half, -0.02),
            ),
            color,
            Region("castle", "portal", "wood") if grow == 0 else walls,
        )


def draw_skyscraper(pen: Pen, rng: Random, *, width: float = 0.3) -> None:
    """Draw a tower of offices, 1 high, with rows of windows."""
    glass = rng.random() < 0.5
    color = (
        rng.choice(parse_palette("6f93b5 7fa8b8 5f7fa5 8fa5c0"))
        if glass
        else rng.choice(parse_palette("b9a690 c4b5a5 a08f88 cfc3b0 93a0a8"))
    )
    wall = Region("skyscraper", "wall", "glass" if glass else "concrete")
    window = Region("skyscraper", "window", "glass")
    half = width / 2
    if rng.random() < 0.5:
        pen.box(-0.012, 0.9, 0.012, 1.1, parse_hex_color("6a6f7a"), Region("skyscraper", "antenna", "metal"))
    if rng.random() < 0.5:
        pen.box(-0.6 * half, 0.9, 0.6 * half, 1.02, darken_color(color, 0.1), wall)
    pen.box(-half, 0, half, 0.95, color, wall, shade=0.35)
    columns, rows = max(2, round(width / 0.075)), 11
    dark = pen.light.dark
    step = 2 * half / columns
    for i in range(columns):
        for j in range(rows):
            lit = dark and rng.random() < 0.55
            if dark and not lit and rng.random() < 0.5:
                continue
            u, v = -half + (i + 0.24) * step, 0.05 + 0.88 * j / rows
            tone = (
                rng.choice(parse_palette("ffdc8a ffc861 fff0c0"))
                if lit
                else mix_colors(color, parse_hex_color("dff1fa"), 0.65)
                if (i + j) % 3
                else mix_colors(color, parse_hex_color("3f5f80"), 0.55)
            )
            pen.box(u, v, u + 0.52 * step, v + 0.048, tone, window, shade=0, glows=lit)


def draw_pagoda(pen: Pen, rng: Random) -> None:
    """Draw a pagoda of three storeys, 1 high."""
    red, tiles = rng.choice(parse_palette("b5382f a8433a c0503a")), rng.choice(parse_palette("4a5d5a 55606e 3f4f5f"))
    wall, roof = Region("pagoda", "wall", "wood"), Region("pagoda", "roof", "shingle")
    pen.shadow(0, 0, 0.5, 0.04)
    pen.box(-0.4, 0, 0.4, 0.05, parse_hex_color("b0a899"), Region("pagoda", "step", "stone"))
    for i, (base, half) in enumerate(((0.05, 0.28), (0.32, 0.22), (0.57, 0.165))):
        pen.box(-half, base, half, base + 0.2, parse_hex_color("f3e3c6"), wall, shade=0.2)
        for k in range(5):
            u = -half + 2 * half * k / 4
            pen.box(u - 0.016, base, u + 0.016, base + 0.2, red, Region("pagoda", "pillar", "wood"), shade=0)
        pen.box(-half, base + 0.17, half, base + 0.2, red, wall, shade=0)
        over, top = half + 0.17, base + 0.27
        pen.poly(
            (
                (-over, base + 0.21),
                (-over + 0.02, base + 0.165),
                (-half, base + 0.19),
                (half, base + 0.19),
                (over - 0.02, base + 0.165),
                (over, base + 0.21),
                (half * 0.72, top),
                (-half * 0.72, top),
            ),
            tiles,
            roof,
            shade=0.3,
        )
        if i == 0:
            pen.box(-0.07, base, 0.07, base + 0.15, parse_hex_color("5a2f26"), Region("pagoda", "door", "wood"))
    pen.poly("-.2,.82 .2,.82 .02,.94 .012,1.06 -.012,1.06 -.02,.94", tiles, roof, shade=0.3)


def draw_tent(pen: Pen, rng: Random) -> None:
    """Draw a camping tent, 1 high and 1.7 wide, its opening towards us."""
    color = rng.choice(parse_palette("e07a3f 3f8f8a d9483b e3b23c 5f7fb5"))
    cloth = Region("tent", "", "fabric")
    pen.shadow(0, 0, 1.0, 0.09)
    pen.poly("-.85,0 .85,0 0,1", color, cloth, shade=0.35)
    pen.poly(
        "-.85,0 0,1 -.28,0",
        darken_color(color, 0.15) if pen.towards_light > 0 else lighten_color(color, 0.1),
        cloth,
        shade=0.1,
    )
    lit = pen.light.dark
    pen.poly(
        "-.28,0 .3,0 0,.78",
        parse_hex_color("ffd27a") if lit else parse_hex_color("4a3340"),
        Region("tent", "door", "fabric"),
        glows=lit,
        shade=0.2,
    )
    pen.poly("0,.78 .3,0 .42,0 .12,.5", lighten_color(color, 0.3), Region("tent", "door", "fabric"))
    if lit:
        pen.glow(0, 0.3, 1.3, parse_hex_color("ffc46a"), 0.45)


def draw_circus_tent(pen: Pen, rng: Random) -> None:
    """Draw a striped circus tent, 1 high and 1.5 wide."""
    color = rng.choice(parse_palette("d9342f 3f6fb5 2a9d8f e0662f"))
    cloth = Region("circus_tent", "", "fabric")
    pen.shadow(0, 0, 0.85, 0.05)
    white = parse_hex_color("f4e6cc")
    for i in range(10):
        a, b = -0.6 + 0.12 * i, -0.6 + 0.12 * (i + 1)
        tone = color if i % 2 else white
        pen.poly(((a, 0), (b, 0), (b, 0.42), (a, 0.42)), tone, cloth, shade=0.15)
        pen.poly(((1.25 * a, 0.42), (1.25 * b, 0.42), (0.08 * b, 0.88), (0.08 * a, 0.88)), tone, cloth, shade=0.2)
        pen.disc(1.25 * (a + b) / 2, 0.42, 0.076, tone, cloth, rv=0.05)
    pen.poly("-.14,0 .14,0 0,.4", parse_hex_color("3f2438"), Region("circus_tent", "door", "fabric"))
    pen.line("0,.85 0,1.05", 0.02, parse_hex_color("7a5a3a"), Region("circus_tent", "flag"))
    pen.poly("0,1.05 .16,1.0 0,.95", parse_hex_color("f2b134"), Region("circus_tent", "flag", "fabric"))


def draw_bridge(pen: Pen, rng: Random, *, arches: int = 3) -> None:
    """Draw a stone bridge, 1 high, of arches that are 1.4 wide each, centered."""
    color, stone = rng.choice(parse_palette("b8ad9f c4b8a0 a89f98")), Region("bridge", "", "stone")
    half = 0.7 * arches
    top = [(-half - 0.3, 0.62), (-half * 0.5, 0.9), (0, 1.0), (half * 0.5, 0.9), (half + 0.3, 0.62)]
    low = []
    for k in range(arches):
        c = -half + 1.4 * k + 0.7
        low += [
            (c - 0.52, 0.0),
            (c - 0.48, 0.25),
            (c - 0.28, 0.5),
            (c, 0.58),
            (c + 0.28, 0.5),
            (c + 0.48, 0.25),
            (c + 0.52, 0),
        ]
    pen.poly([*top, (half + 0.3, 0.0), *low[::-1], (-half - 0.3, 0.0)], color, stone, shade=0.2)
    pen.line([(u, v + 0.05) for u, v in top], 0.12, lighten_color(color, 0.2), Region("bridge", "railing", "stone"))


def draw_torii(pen: Pen, rng: Random) -> None:
    """Draw a torii gate, 1 high and 1.2 wide."""
    red, wood = rng.choice(parse_palette("d1432f c9402f dc5a35")), Region("gate", "", "wood")
    pen.shadow(0, 0, 0.6, 0.03)
    for u in (-0.4, 0.4):
        pen.poly(
            ((u - 0.05, 0), (u + 0.05, 0), (u + 0.04, 0.88), (u - 0.04, 0.88)),
            red,
            Region("gate", "pillar", "wood"),
            shade=0.4,
        )
    pen.box(-0.5, 0.66, 0.5, 0.73, red, wood, shade=0.2)
    pen.soft("-.7,1 -.66,.86 0,.84 .66,.86 .7,1 0,.93", parse_hex_color("3f2f35"), wood)
    pen.poly("-.62,.9 -.58,.84 .58,.84 .62,.9", red, wood)
