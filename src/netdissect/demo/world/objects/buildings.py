"""Draw houses, barns, churches, windmills and lighthouses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.palette import (
    DOORS,
    LIT_PANE,
    PANES,
    ROOFS,
    WALLS,
    darken_color,
    lighten_color,
    parse_hex_color,
    parse_palette,
)
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen


def draw_pane(
    pen: Pen, rng: Random, name: str, u0: float, v0: float, u1: float, v1: float, *, frame: Color | None = None
) -> None:
    """Draw a window of a building: frame, glass, a gleam, a cross; lit from inside when it is dark."""
    wood, glass = Region(name, "window", "wood"), Region(name, "window", "glass")
    edge = 0.14 * min(u1 - u0, v1 - v0)
    pen.box(u0 - edge, v0 - edge, u1 + edge, v1 + edge, frame or parse_hex_color("fbf6ea"), wood, shade=0.1)
    lit = pen.light.dark and rng.random() < 0.75
    top, low = (LIT_PANE, parse_hex_color("f7b24a")) if lit else (rng.choice(PANES), parse_hex_color("5f95b8"))
    pen.box(u0, v0, u1, v1, top, glass, to=low, glows=lit)
    um, vm, bar = (u0 + u1) / 2, (v0 + v1) / 2, 0.8 * edge
    pen.box(um - bar / 2, v0, um + bar / 2, v1, frame or parse_hex_color("fbf6ea"), wood, shade=0)
    pen.box(u0, vm - bar / 2, u1, vm + bar / 2, frame or parse_hex_color("fbf6ea"), wood, shade=0)


def draw_door(pen: Pen, rng: Random, name: str, u0: float, u1: float, top: float, color: Color | None = None) -> None:
    """Draw a door with a frame, a panel and a knob."""
    color = color or rng.choice(DOORS)
    wood = Region(name, "door", "wood")
    edge = 0.1 * (u1 - u0)
    pen.box(u0 - edge, 0, u1 + edge, top + edge, lighten_color(color, 0.45), wood, shade=0.1)
    pen.box(u0, 0, u1, top, color, wood, shade=0.25)
    pen.box(u0 + 2 * edge, 0.55 * top, u1 - 2 * edge, 0.9 * top, darken_color(color, 0.2), wood, shade=0.1)
    pen.disc(u1 - 2 * edge, 0.42 * top, 0.7 * edge, parse_hex_color("f2d16b"), Region(name, "knob", "metal"))


def draw_house(pen: Pen, rng: Random, *, snowy: bool = False, wall: str | None = None, far: bool = False) -> None:
    """Draw a cottage, 1 high and about 1.2 wide: gable or hipped roof, chimney, door, windows."""
    material = wall or rng.choice(("plaster", "plaster", "brick", "wood"))
    color = {
        "brick": rng.choice(parse_palette("b5583f c46a4a a34d3c")),
        "stone": rng.choice(parse_palette("b8b0a2 a8a39a c4b8a0")),
        "wood": rng.choice(parse_palette("b98152 8a5a3a a56a42 7f9a8c")),
    }.get(material) or rng.choice(WALLS)
    tiles, half, eave = rng.choice(ROOFS), rng.uniform(0.52, 0.62), rng.uniform(0.5, 0.56)
    walls, roof = Region("house", "wall", material), Region("house", "roof", "shingle")
    pen.shadow(0, 0, half * 1.25, 0.07)
    u = rng.choice((-0.3, 0.28))
    pen.box(u - 0.065, 0.7, u + 0.065, 1.02, parse_hex_color("a4553f"), Region("house", "chimney", "brick"), shade=0.3)
    pen.box(u - 0.085, 0.99, u + 0.085, 1.04, parse_hex_color("8a4636"), Region("house", "chimney", "brick"))
    pen.box(-half, 0, half, eave, color, walls, shade=0.18)
    pen.box(-half, 0, half, 0.05, darken_color(color, 0.3), walls, shade=0)
    ridge = half * rng.choice((0.0, 0.55, 0.75))
    over = half + 0.1
    pen.poly(
        ((-over, eave - 0.03), (over, eave - 0.03), (ridge + 0.04, 0.95), (-ridge - 0.04, 0.95)),
        tiles,
        roof,
        shade=0.22,
    )
    pen.box(-over, eave - 0.055, over, eave - 0.02, darken_color(tiles, 0.35), roof, shade=0)
    pen.veil(
        ((-half, eave - 0.055), (half, eave - 0.055), (half, eave - 0.11), (-half, eave - 0.11)),
        parse_hex_color("3a2a44"),
        0.28,
    )
    if snowy:
        snow = Region("house", "roof", "snow")
        pen.soft(
            (
                (-over - 0.02, eave - 0.02),
                (-0.6 * over, eave + 0.03),
                (-0.2 * over, eave),
                (0.3 * over, eave + 0.04),
                (0.7 * over, eave),
                (over + 0.02, eave - 0.02),
                (ridge + 0.07, 0.97),
                (-ridge - 0.07, 0.97),
            ),
            parse_hex_color("f7faff"),
            snow,
            shade=0.2,
        )
        pen.pill(u - 0.09, 1.02, u + 0.09, 1.08, 0.03, parse_hex_color("f7faff"), Region("house", "chimney", "snow"))
    at = rng.choice((-0.3, 0.0, 0.3))
    draw_door(pen, rng, "house", at - 0.085, at + 0.085, 0.34)
    for c in (-0.3, 0.0, 0.3):
        if abs(c - at) > 0.1:
            draw_pane(pen, rng, "house", c - 0.085, 0.19, c + 0.085, 0.37)
            if not far:
                shutter = rng.choice(DOORS) if c < 0 else tiles
                for sign in (-1, 1):
                    pen.box(
                        c + sign * 0.125 - 0.025,
                        0.175,
                        c + sign * 0.125 + 0.025,
                        0.385,
                        shutter,
                        Region("house", "shutter", "wood"),
                        shade=0.1,
                    )
    if ridge == 0.0:
        pen.disc(0, 0.67, 0.07, parse_hex_color("fbf6ea"), Region("house", "window", "wood"))
        pen.disc(
            0,
            0.67,
            0.05,
            LIT_PANE if pen.light.dark else parse_hex_color("8fc0da"),
            Region("house", "window", "glass"),
            glows=pen.light.dark,
        )


def draw_barn(pen: Pen, rng: Random) -> None:
    """Draw a barn, 1 high, with a gambrel roof and white trim."""
    color = rng.choice(parse_palette("b8524a ad4f48 a55a4a c05f4f"))
    walls, trim, roof = Region("barn", "wall", "wood"), parse_hex_color("ecdfc8"), Region("barn", "roof", "shingle")
    pen.shadow(0, 0, 0.75, 0.06)
    front = ((-0.6, 0), (0.6, 0), (0.6, 0.52), (0.42, 0.8), (0, 0.98), (-0.42, 0.8), (-0.6, 0.52))
    pen.poly(front, color, walls, shade=0.2)
    pen.line("-.68,.5 -.45,.83 0,1.02 .45,.83 .68,.5", 0.1, rng.choice(parse_palette("5a5f6e 6b5650 4f5a66")), roof)
    pen.line("-.6,.5 -.41,.77 0,.94 .41,.77 .6,.5", 0.035, trim, walls, grain=0)
    wood = Region("barn", "door", "wood")
    pen.box(-0.25, 0, 0.25, 0.42, darken_color(color, 0.18), wood)
    for a, b in (
        ((-0.25, 0), (0.25, 0.42)),
        ((-0.25, 0.42), (0.25, 0)),
        ((-0.25, 0), (-0.25, 0.42)),
        ((0.25, 0), (0.25, 0.42)),
        ((-0.27, 0.42), (0.27, 0.42)),
        ((0, 0), (0, 0.42)),
    ):
        pen.line((a, b), 0.035, trim, wood, grain=0)
    draw_pane(pen, rng, "barn", -0.1, 0.58, 0.1, 0.76, frame=trim)


def draw_church(pen: Pen, rng: Random) -> None:
    """Draw a village church, 1 high to the top of its spire."""
    wall, tiles = (
        rng.choice(parse_palette("f6f3ea efe2c8 e8dccb")),
        rng.choice(parse_palette("8a4f42 5f6f86 a8523f 55687a")),
    )
    walls, roof, steeple = (
        Region("church", "wall", "plaster"),
        Region("church", "roof", "shingle"),
        Region("church", "steeple", "shingle"),
    )
    pen.shadow(0, 0, 0.55, 0.04)
    pen.box(-0.12, 0, 0.48, 0.3, wall, walls)
    pen.poly("-.16,.28 .53,.28 .4,.48 -.16,.48", tiles, roof)
    for u in (0.02, 0.18, 0.34):
        draw_arch(pen, "church", u, 0.07, 0.075, 0.16)
    pen.box(-0.42, 0, -0.1, 0.56, lighten_color(wall, 0.2), walls, shade=0.25)
    pen.poly("-.46,.55 -.06,.55 -.26,.96", tiles, steeple, shade=0.35)
    pen.box(-0.268, 0.94, -0.252, 1.04, parse_hex_color("d8a93a"), steeple, grain=0)
    pen.box(-0.295, 0.99, -0.225, 1.005, parse_hex_color("d8a93a"), steeple, grain=0)
    pen.disc(-0.26, 0.47, 0.055, parse_hex_color("fffaf0"), Region("church", "dial"), shade=0)
    pen.line("-.26,.505 -.26,.47 -.235,.46", 0.014, parse_hex_color("3a2f3f"), Region("church", "dial"))
    draw_arch(pen, "church", -0.26, 0.29, 0.07, 0.12)
    draw_door(pen, rng, "church", -0.31, -0.21, 0.2)


def draw_windmill(pen: Pen, rng: Random) -> None:
    """Draw a windmill, 1 high to the tips of its sails."""
    wall, cap = (
        rng.choice(parse_palette("f4ead6 e9d4b0 d9c3a6 f6f3ea")),
        rng.choice(parse_palette("8a4f42 6b4a36 4f6173")),
    )
    pen.shadow(0, 0, 0.32, 0.04)
    pen.poly("-.22,0 .22,0 .13,.58 -.13,.58", wall, Region("windmill", "tower", "plaster"), shade=0.4)
    draw_door(pen, rng, "windmill", -0.06, 0.06, 0.16)
    draw_pane(pen, rng, "windmill", -0.04, 0.33, 0.04, 0.42)
    pen.soft("-.17,.56 -.15,.68 0,.8 .15,.68 .17,.56", cap, Region("windmill", "roof", "shingle"), shade=0.35)
    hub = pen.at(0, 0.63, turn=rng.uniform(0, 1.57))
    for i in range(4):
        arm = hub.at(0, 0, turn=1.5708 * i)
        arm.box(-0.012, 0, 0.014, 0.46, parse_hex_color("6b4a36"), Region("windmill", "blade", "wood"))
        arm.box(0.014, 0.1, 0.11, 0.45, parse_hex_color("fbf3e2"), Region("windmill", "blade", "fabric"), shade=0.15)
        for v in (0.19, 0.28, 0.37):
            arm.box(
                0.014,
                v - 0.006,
                0.11,
                v + 0.006,
                parse_hex_color("a9825c"),
                Region("windmill", "blade", "wood"),
                shade=0,
            )
    hub.disc(0, 0, 0.035, parse_hex_color("4a352a"), Region("windmill", "blade", "wood"))


def draw_lighthouse(pen: Pen, rng: Random) -> None:
    """Draw a lighthouse, 1 high, banded."""
    band = rng.choice(parse_palette("d1392f c9402f 2f6fa5 d1392f"))
    tower, lantern, roof = (
        Region("lighthouse", "tower", "plaster"),
        Region("lighthouse", "lantern", "glass"),
        Region("lighthouse", "roof", "metal"),
    )
    pen.shadow(0, 0, 0.26, 0.03)
    for i in range(5):
        low, high = 0.15 * i, 0.15 * (i + 1)
        a, b = 0.155 - 0.075 * low / 0.75, 0.155 - 0.075 * high / 0.75
        pen.poly(
            ((-a, low), (a, low), (b, high), (-b, high)),
            band if i % 2 == 0 else parse_hex_color("fbf7ef"),
            tower,
            shade=0.45,
        )
    pen.box(-0.115, 0.75, 0.115, 0.785, parse_hex_color("3d4452"), Region("lighthouse", "balcony", "metal"))
    lit = pen.light.dark or pen.light.name in ("sunset", "mist")
    pen.box(
        -0.06, 0.785, 0.06, 0.88, parse_hex_color("ffe9a0") if lit else parse_hex_color("bfe3ee"), lantern, glows=lit
    )
    pen.poly("-.085,.88 .085,.88 0,.98", band, roof, shade=0.3)
    draw_door(pen, rng, "lighthouse", -0.04, 0.04, 0.12)
    pen.box(-0.02, 0.47, 0.02, 0.53, parse_hex_color("4f7090"), Region("lighthouse", "window", "glass"))
    if lit:
        pen.veil(
            ((0, 0.83), (-1.4 * pen.towards_light, 0.98), (-1.4 * pen.towards_light, 0.7)),
            parse_hex_color("fff3c4"),
            0.3,
        )
        pen.glow(0, 0.83, 0.4, parse_hex_color("fff0b8"), 0.7)


def draw_arch(pen: Pen, name: str, u: float, v: float, width: float, height: float) -> None:
    """Draw a window with a round top."""
    lit = pen.light.dark
    for grow, color, region in (
        (0.018, parse_hex_color("fbf6ea"), Region(name, "window", "plaster")),
        (0.0, LIT_PANE if lit else parse_hex_color("6f9fc0"), Region(name, "window", "glass")),
    ):
        half = width / 2 + grow
        pen.soft(
            (
                (u - half, v - grow),
                (u - half, v + height),
                (u - half * 0.7, v + height + half),
                (u + half * 0.7, v + height + half),
                (u + half, v + height),
                (u + half, v - grow),
            ),
            color,
            region,
            glows=lit and grow == 0,
        )
