"""Parse, mix and shade colors; define palettes of matching colors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdissect.demo.world.canvas import Color


def parse_hex_color(code: str) -> Color:
    """Return a color from its six hexadecimal digits.

    >>> parse_hex_color("ff8000")
    (255, 128, 0)
    """
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def parse_palette(codes: str) -> tuple[Color, ...]:
    """Return the colors of a palette from their hexadecimal codes, separated by spaces."""
    return tuple(parse_hex_color(code) for code in codes.split())


def mix_colors(a: Color, b: Color, share: float) -> Color:
    """Return a color between two, `share` of the way from the first to the second."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def darken_color(color: Color, share: float = 0.25) -> Color:
    """Return a color in the shade: darker and a little bluer."""
    return mix_colors(color, (38, 32, 66), share)


def lighten_color(color: Color, share: float = 0.25) -> Color:
    """Return a color in the sun: lighter and a little warmer."""
    return mix_colors(color, (255, 248, 228), share)


#: Leaves.
SPRING = parse_palette("86b84f 74ab4d 94c05a 5f9f55")
SUMMER = parse_palette("5c9a48 4f8b4a 6aa350 3f7f4f")
AUTUMN = parse_palette("e08a2e cf5a30 e8b040 b8452f")
BLOSSOM = parse_palette("f7bccb f29fb8 fbd3dc ee8fae")
FIRS = parse_palette("2f6f55 3a7a58 28635a 447f52")
BARKS = parse_palette("7a5138 6b4630 8a6244 5d4034")
PETALS = parse_palette("e4572e f2a541 f7d154 d94f8a 9b5de5 ffffff f28fb1 c1272d")

#: Grounds.
GREENS = parse_palette("8fbf5f 7fb258 9cc46a 86b070")
SANDS = parse_palette("f2d9a0 ecd0a0 f5dfb5")
SNOW = parse_hex_color("f4f8ff")
SEAS = parse_palette("2f8fb5 2a7fae 3a9fb8 2f9aa5")
PAVING = parse_palette("d3c8b8 c9c0b8 dccdb0 c4c4c4")

#: Houses.
WALLS = parse_palette("f4e6cf f2c9a4 cfe3d4 c4dbea ecc4bb f6f3ea ecc879 dba07c")
ROOFS = parse_palette("c4563f a8433a 8a5a44 5f6f86 4f6d6a d0774b")
DOORS = parse_palette("7a4a2b 3f6f6a 9b3f3a 35527a c98a3a")
PANES = parse_palette("9fd0e6 b4dcea 8fc0da")
LIT_PANE = parse_hex_color("ffd982")

#: What people make, wear and drive.
WOODS = parse_palette("a9713f 8a5a35 c29258 6b4630 b98152")
CLOTHS = parse_palette("c96a4f 4f7f8f d9a441 8aa57a b5647a 5f6fa0 e0cdb0 7a5f8f 3f7f7a")
CLOTHES = parse_palette("d9483b 3f7cac f2b134 2a9d8f 8e5aa8 f4f1ea e76f51 37485f e38fb0 6a994e")
BOOKS = parse_palette("c9483b 3f6f9a e3b23c 2f8f7f 7a4f8f e8dcc0 d97b2a 35485f b5647a 6a994e")
CARS = parse_palette("d9483b 3f7cac f2b134 2a9d8f f4f1ea 37485f e76f51 8fbf6a 9a9fb0 c9c0b0")
GLASS, GLASS_LOW = parse_hex_color("c4e4f0"), parse_hex_color("6f9fb8")
