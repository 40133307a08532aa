"""Choose the light of an image: its direction, its color, and the sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.demo.world.palette import mix_colors, parse_hex_color

if TYPE_CHECKING:
    from random import Random

    from netdissect.demo.world.canvas import Color


@dataclass(frozen=True, slots=True)
class Light:
    """The light of one image.

    Attributes:
        name: time of day.
        side: 1 if the light comes from the right, −1 from the left.
        tint: factor on red, green and blue of everything that does not glow.
        sky: colors of the sky, at the top and at the horizon.
        cloud: color of clouds.
        shadow: color of shadows on the ground.
        depth: strength of the shadows, 0 to 1.
        dark: whether lamps and windows are lit.
    """

    name: str
    side: int
    tint: Color
    sky: tuple[Color, Color]
    cloud: Color
    shadow: Color
    depth: float
    dark: bool

    @property
    def haze(self) -> Color:
        """The color that distant shapes fade into: that of the sky at the horizon."""
        return self.sky[1]


#: name: tint, sky at the top, sky at the horizon, clouds, shadows, their strength, lamps lit
_TIMES: dict[str, tuple[Color, str, str, str, str, float, bool]] = {
    "morning": ((1.02, 0.99, 0.95), "86c3e3", "fdf0d8", "fffaf0", "3f4a6b", 0.30, False),
    "noon": ((1.00, 1.00, 1.00), "4fa3dc", "cfeaf5", "ffffff", "2f3c5e", 0.34, False),
    "breeze": ((0.99, 1.01, 1.00), "5fbcc9", "e2f5ea", "ffffff", "2f4a5e", 0.32, False),
    "gold": ((1.06, 0.96, 0.84), "8f9fd0", "ffdcaa", "fff0dc", "54305a", 0.36, False),
    "sunset": ((1.04, 0.86, 0.80), "6c6ab0", "ff9f78", "ffc9b0", "43224e", 0.40, False),
    "mist": ((0.93, 0.96, 0.97), "a9bcc8", "e9eef0", "f7f9fa", "4a5566", 0.20, False),
    "dusk": ((0.66, 0.64, 0.80), "2f3a78", "d98a94", "8f7fae", "15123a", 0.40, True),
    "night": ((0.42, 0.50, 0.74), "0d1738", "3a4f8c", "3f4f86", "050820", 0.40, True),
    # Rooms: by daylight, on a warm afternoon, under a lamp.
    "day": ((1.00, 1.00, 1.00), "8cc6e8", "e4f4f8", "ffffff", "332a3c", 0.30, False),
    "warm": ((1.05, 0.97, 0.87), "9db4dc", "ffe0b4", "fff0dc", "3c2436", 0.34, False),
    "lamp": ((0.88, 0.80, 0.76), "141d44", "34427c", "3f4f86", "1c1028", 0.42, True),
}

DAY = ("morning", "noon", "noon", "breeze", "gold", "mist")
ANY = (*DAY, "sunset", "dusk")
BRIGHT = ("noon", "morning", "breeze", "gold")
EVENING = ("sunset", "dusk", "night")
ROOM = ("day", "day", "warm", "lamp")


def choose_light(rng: Random, times: tuple[str, ...]) -> Light:
    """Return the light of one image: one of several times of day, from either side, slightly varied."""
    name = rng.choice(times)
    tint, top, low, cloud, shadow, depth, dark = _TIMES[name]
    level = rng.uniform(0.95, 1.05)
    red, green, blue = (factor * level * rng.uniform(0.98, 1.02) for factor in tint)
    turn = rng.uniform(-0.12, 0.12)
    sky = (
        mix_colors(parse_hex_color(top), parse_hex_color(low), max(turn, 0.0)),
        mix_colors(parse_hex_color(low), parse_hex_color(top), max(-turn, 0.0)),
    )
    return Light(
        name=name, side=rng.choice((-1, 1)), tint=(red, green, blue), sky=sky, cloud=parse_hex_color(cloud), shadow=parse_hex_color(shadow),
        depth=depth, dark=dark,
    )  # fmt: skip
