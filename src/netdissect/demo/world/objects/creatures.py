"""Draw people, animals and a snowman."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.demo.world.palette import CLOTHES, darken_color, lighten_color, parse_hex_color, parse_palette
from netdissect.demo.world.world_concepts import Region

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color, Pen

_HEAD, _HAIR = Region("person", "head", "skin"), Region("person", "hair")
_TORSO, _ARM, _LEG = (
    Region("person", "torso", "fabric"),
    Region("person", "arm", "skin"),
    Region("person", "leg", "fabric"),
)
_SLEEVE, _FOOT = Region("person", "arm", "fabric"), Region("person", "foot", "leather")

_SKINS = parse_palette("f2c9a4 e0ac80 c68d5d 9a6540 6f4a33")
_HAIRS = parse_palette("2d2320 5a3a25 8a5a2f d0a050 7a2f22 9a9a98")


def draw_person(pen: Pen, rng: Random, *, sitting: bool = False) -> None:
    """Draw a person, 1 high."""
    skin, hair, shirt, legs = (
        rng.choice(_SKINS),
        rng.choice(_HAIRS),
        rng.choice(CLOTHES),
        rng.choice(parse_palette("37485f 4a5a78 6b4f3a 2f3640 7d8597")),
    )
    stride = rng.uniform(0.03, 0.09)
    if not sitting:
        pen.shadow(0, 0, 0.2, 0.035)
        for sign in (-1, 1):
            pen.poly(
                (
                    (sign * 0.01, 0.46),
                    (sign * 0.13, 0.46),
                    (sign * (stride + 0.065), 0.03),
                    (sign * (stride - 0.02), 0.03),
                ),
                legs,
                _LEG,
                shade=0.2,
            )
            pen.pill(
                min(sign * (stride - 0.03), sign * (stride + 0.11)),
                0,
                max(sign * (stride - 0.03), sign * (stride + 0.11)),
                0.05,
                0.024,
                parse_hex_color("4a332a"),
                _FOOT,
            )
    dress = not sitting and rng.random() < 0.35
    pen.soft(
        (
            (-0.15, 0.78),
            (0.15, 0.78),
            (0.14, 0.55),
            (0.24 if dress else 0.15, 0.3 if dress else 0.4),
            (-0.24 if dress else -0.15, 0.3 if dress else 0.4),
            (-0.14, 0.55),
        ),
        shirt,
        _TORSO,
        shade=0.25,
    )
    for sign in (-1, 1):
        bend = rng.uniform(0.0, 0.12)
        pen.line(
            ((sign * 0.12, 0.74), (sign * (0.19 + bend), 0.56), (sign * (0.17 + 1.4 * bend), 0.42)),
            0.07,
            skin,
            _ARM,
            end=0.055,
        )
        pen.line(((sign * 0.11, 0.75), (sign * (0.18 + 0.8 * bend), 0.6)), 0.095, shirt, _SLEEVE)
    pen.box(-0.035, 0.76, 0.035, 0.84, darken_color(skin, 0.12), _HEAD)
    pen.disc(0, 0.95 if rng.random() < 0.3 else 0.93, 0.125, hair, _HAIR, shade=0.2)
    if rng.random() < 0.4:
        pen.soft("-.13,.95 .13,.95 .14,.74 .08,.74 -.08,.74 -.14,.74", hair, _HAIR, shade=0.2)
    pen.disc(0.015, 0.89, 0.095, skin, _HEAD, rv=0.105, shade=0.15)


def _draw_four_legs(
    pen: Pen, name: str, color: Color, at: tuple[float, ...], top: float, width: float, material: str = "fur"
) -> None:
    leg, hoof = Region(name, "leg", material), Region(name, "foot")
    for i, u in enumerate(at):
        pen.poly(
            ((u - width, top), (u + width, top), (u + 0.7 * width, 0), (u - 0.7 * width, 0)),
            darken_color(color, 0.22) if i % 2 else color,
            leg,
            shade=0.15,
        )
        pen.box(u - 0.75 * width, 0, u + 0.75 * width, 0.06, parse_hex_color("3f332c"), hoof, shade=0)


def draw_cow(pen: Pen, rng: Random) -> None:
    """Draw a cow, 1 high, 1.5 long."""
    base = rng.choice(parse_palette("f6f1e7 f6f1e7 b5713f 8a5a3a"))
    spot = parse_hex_color("3b2f2c") if base[2] > 200 else darken_color(base, 0.35)
    body, head, ear, horn = (
        Region("cow", "torso", "fur"),
        Region("cow", "head", "fur"),
        Region("cow", "ear", "fur"),
        Region("cow", "horn"),
    )
    pen.shadow(0, 0, 0.8, 0.07)
    _draw_four_legs(pen, "cow", base, (-0.45, -0.3, 0.32, 0.46), 0.45, 0.07)
    pen.soft("-.66,.82 -.6,.3 .55,.3 .66,.7 .5,.88", base, body, shade=0.35)
    for u, v, r in ((-0.35, 0.65, 0.15), (0.05, 0.55, 0.13), (0.36, 0.7, 0.12)):
        pen.disc(u, v, r, spot, body, rv=0.8 * r)
    pen.disc(-0.1, 0.33, 0.09, parse_hex_color("f0b5ad"), body)
    pen.line("-.64,.78 -.72,.45", 0.04, darken_color(base, 0.2), Region("cow", "tail", "fur"))
    pen.soft(".5,.98 .86,.98 .9,.6 .66,.56", base, head, shade=0.2)
    pen.pill(0.68, 0.52, 0.94, 0.7, 0.08, parse_hex_color("f0b5ad"), Region("cow", "muzzle"), shade=0.2)
    pen.disc(0.74, 0.83, 0.03, parse_hex_color("2a2220"), Region("cow", "eye"))
    for u in (0.55, 0.86):
        pen.poly(
            ((u - 0.04, 0.94), (u + 0.04, 0.94), (u + (0.06 if u > 0.7 else -0.06), 1.06)),
            parse_hex_color("e8dcc0"),
            horn,
        )
    pen.disc(0.48, 0.92, 0.09, darken_color(base, 0.15), ear, rv=0.05)


def draw_sheep(pen: Pen, rng: Random) -> None:
    """Draw a sheep, 1 high."""
    wool = rng.choice(parse_palette("fbf7ee f3ead8 e9e4da"))
    fleece, head = Region("sheep", "torso", "fur"), Region("sheep", "head")
    pen.shadow(0, 0, 0.6, 0.08)
    _draw_four_legs(pen, "sheep", parse_hex_color("4a4240"), (-0.3, -0.15, 0.2, 0.34), 0.4, 0.055)
    for u, v, r in ((-0.4, 0.5, 0.22), (-0.15, 0.68, 0.26), (0.18, 0.7, 0.26), (0.42, 0.52, 0.22), (0, 0.48, 0.3)):
        pen.disc(u, v, r, wool, fleece, shade=0.25)
    pen.soft(".44,.86 .7,.86 .76,.55 .56,.48", parse_hex_color("4a4240"), head, shade=0.2)
    pen.disc(0.42, 0.8, 0.1, parse_hex_color("3f3836"), Region("sheep", "ear"), rv=0.05)
    pen.disc(0.52, 0.9, 0.12, wool, fleece)


def draw_deer(pen: Pen, rng: Random) -> None:
    """Draw a deer, 1 high to the antlers."""
    color = rng.choice(parse_palette("b0723f a4683a c0844a"))
    body, head, horn = Region("deer", "torso", "fur"), Region("deer", "head", "fur"), Region("deer", "horn")
    pen.shadow(0, 0, 0.42, 0.04)
    _draw_four_legs(pen, "deer", color, (-0.27, -0.18, 0.17, 0.26), 0.4, 0.035)
    pen.soft("-.36,.58 -.34,.34 .28,.34 .36,.56 .2,.62", color, body, shade=0.35)
    pen.disc(-0.36, 0.52, 0.06, parse_hex_color("f3e6d2"), Region("deer", "tail", "fur"))
    pen.poly(".18,.56 .34,.46 .48,.76 .38,.8", color, Region("deer", "neck", "fur"))
    pen.soft(".36,.86 .5,.86 .66,.72 .6,.68 .4,.7", color, head, shade=0.2)
    pen.disc(0.48, 0.79, 0.018, parse_hex_color("2a2220"), Region("deer", "eye"))
    for d in (0.0, 0.07):
        pen.line(
            ((0.4 + d, 0.84), (0.36 + 1.6 * d, 1.0), (0.46 + 1.4 * d, 1.1)), 0.025, parse_hex_color("7a5a3a"), horn
        )
        pen.line(((0.37 + 1.4 * d, 0.95), (0.28 + 2.4 * d, 1.04)), 0.022, parse_hex_color("7a5a3a"), horn)


def draw_giraffe(pen: Pen, rng: Random) -> None:
    """Draw a giraffe, 1 high."""
    color, spot = parse_hex_color("e8b65a"), rng.choice(parse_palette("a5652f b0702f 94582c"))
    body, neck, head = (
        Region("giraffe", "torso", "fur"),
        Region("giraffe", "neck", "fur"),
        Region("giraffe", "head", "fur"),
    )
    pen.shadow(0, 0, 0.26, 0.03)
    _draw_four_legs(pen, "giraffe", color, (-0.17, -0.11, 0.1, 0.16), 0.42, 0.024)
    pen.soft("-.24,.5 -.2,.36 .18,.36 .22,.56 .1,.6", color, body, shade=0.3)
    pen.poly(".06,.55 .2,.5 .3,.92 .22,.94", color, neck, shade=0.25)
    for u, v, r in ((-0.13, 0.48, 0.045), (-0.02, 0.44, 0.05), (0.09, 0.5, 0.045), (0.02, 0.53, 0.03)):
        pen.disc(u, v, r, spot, body)
    for u, v, r in ((0.15, 0.6, 0.03), (0.18, 0.69, 0.026), (0.22, 0.78, 0.024), (0.25, 0.86, 0.02)):
        pen.disc(u, v, r, spot, neck)
    pen.soft(".21,.98 .3,1 .42,.92 .4,.88 .24,.9", color, head, shade=0.2)
    for u in (0.235, 0.27):
        pen.line(((u, 0.97), (u - 0.01, 1.04)), 0.015, spot, Region("giraffe", "horn"))


def draw_elephant(pen: Pen, rng: Random) -> None:
    """Draw an elephant, 1 high, 1.4 long."""
    color = rng.choice(parse_palette("8d93a1 979aa3 848a96"))
    body, head = Region("elephant", "torso", "leather"), Region("elephant", "head", "leather")
    pen.shadow(0, 0, 0.75, 0.06)
    _draw_four_legs(pen, "elephant", color, (-0.42, -0.2, 0.16, 0.36), 0.5, 0.1, "leather")
    pen.soft("-.62,.75 -.56,.3 .45,.3 .56,.8 .1,1.04 -.4,.98", color, body, shade=0.35)
    pen.line(".72,.66 .86,.4 .84,.16 .94,.1", 0.17, color, Region("elephant", "nose", "leather"), end=0.07)
    pen.soft(".36,.98 .72,1 .86,.7 .7,.48 .42,.5", color, head, shade=0.25)
    pen.soft(".3,.96 .52,.98 .58,.6 .42,.42 .26,.6", darken_color(color, 0.18), Region("elephant", "ear", "leather"))
    pen.line(".74,.55 .88,.46 .98,.5", 0.05, parse_hex_color("fbf5e4"), Region("elephant", "tusk"), end=0.015)
    pen.disc(0.68, 0.8, 0.025, parse_hex_color("26242a"), Region("elephant", "eye"))


def draw_fish(pen: Pen, rng: Random) -> None:
    """Draw a fish, 1 long, around its middle."""
    color = rng.choice(parse_palette("f28c28 f4d03f e4572e 5dade2 f48fb1 ffffff 7ad7c9"))
    stripe = rng.choice(parse_palette("ffffff 2f3e66 f4d03f e4572e"))
    body, fin, tail = Region("fish", "body"), Region("fish", "fin"), Region("fish", "tail")
    pen.poly("-.28,0 -.56,.22 -.48,0 -.56,-.22", darken_color(color, 0.12), tail)
    pen.soft("-.1,.16 .02,.38 .2,.3 .2,.16", darken_color(color, 0.15), fin)
    pen.soft("-.36,0 -.1,.27 .25,.26 .5,0 .25,-.26 -.1,-.27", color, body, shade=0.35)
    for u in (-0.08, 0.14):
        pen.soft(((u, 0.19), (u + 0.09, 0.19), (u + 0.09, -0.19), (u, -0.19)), stripe, body, shade=0.2)
    pen.soft("0,-.05 .12,-.02 0,-.2 -.1,-.2", darken_color(color, 0.2), fin)
    pen.disc(0.32, 0.06, 0.06, parse_hex_color("fffdf5"), Region("fish", "eye"), shade=0)
    pen.disc(0.335, 0.06, 0.032, parse_hex_color("1d1d28"), Region("fish", "eye"), shade=0)


def draw_snowman(pen: Pen, rng: Random) -> None:
    """Draw a snowman, 1 high."""
    body = Region("snowman", "torso", "snow")
    scarf = rng.choice(CLOTHES)
    pen.shadow(0, 0, 0.34, 0.05)
    for v, r in ((0.22, 0.25), (0.53, 0.18)):
        pen.disc(0, v, r, parse_hex_color("f8fbff"), body, shade=0.4)
    for sign in (-1, 1):
        pen.line(
            ((sign * 0.15, 0.56), (sign * 0.4, 0.7)), 0.03, parse_hex_color("6b4630"), Region("snowman", "arm", "wood")
        )
    pen.disc(0, 0.77, 0.135, parse_hex_color("f8fbff"), Region("snowman", "head", "snow"), shade=0.35)
    pen.pill(-0.13, 0.63, 0.13, 0.7, 0.03, scarf, Region("snowman", "scarf", "fabric"))
    pen.poly(".05,.66 .12,.66 .13,.48 .06,.48", darken_color(scarf, 0.15), Region("snowman", "scarf", "fabric"))
    pen.poly("0,.79 .17,.76 0,.74", parse_hex_color("f08a24"), Region("snowman", "nose"))
    for u, v in ((-0.05, 0.83), (0.05, 0.83), (0, 0.56), (0, 0.47), (0, 0.3)):
        pen.disc(u, v, 0.02, parse_hex_color("2b2b33"), Region("snowman", "eye") if v > 0.7 else body, shade=0)
    pen.box(-0.16, 0.88, 0.16, 0.915, parse_hex_color("2f2b3a"), Region("snowman", "hat", "fabric"))
    pen.box(-0.1, 0.9, 0.1, 1.05, parse_hex_color("2f2b3a"), Region("snowman", "hat", "fabric"), shade=0.4)


def draw_cat(pen: Pen, rng: Random) -> None:
    """Draw a sitting cat, 1 high."""
    color = rng.choice(parse_palette("d98e4a 4a4550 e9e2d6 8a8580 6b4a35"))
    fur, head, ear = Region("cat", "torso", "fur"), Region("cat", "head", "fur"), Region("cat", "ear", "fur")
    pen.shadow(0, 0, 0.4, 0.06)
    pen.line("-.25,.08 -.5,.16 -.48,.42", 0.09, color, Region("cat", "tail", "fur"))
    pen.soft("-.32,0 -.3,.4 0,.66 .22,.4 .26,0", color, fur, shade=0.3)
    pen.soft("-.05,.02 0,.45 .15,.4 .16,.02", lighten_color(color, 0.3), fur)
    for u in (-0.12, 0.2):
        pen.poly(((u - 0.1, 0.82), (u + 0.1, 0.82), (u + (0.04 if u > 0 else -0.04), 1.04)), color, ear)
    pen.disc(0.04, 0.72, 0.24, color, head, rv=0.2, shade=0.2)
    for u in (-0.05, 0.13):
        pen.disc(u, 0.75, 0.035, parse_hex_color("b9d94a"), Region("cat", "eye"), shade=0)
