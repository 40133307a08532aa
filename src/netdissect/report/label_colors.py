"""Colors of the numbers in label maps: neighbors in number differ in hue and lightness."""

from __future__ import annotations

import colorsys

#: The golden ratio's share of a turn: successive hues are never close to each other.
_TURN = 0.618033988749895
_LIGHTNESS = (0.5, 0.66, 0.4)
_SATURATION = 0.62


def pick_color(number: int) -> tuple[int, int, int]:
    """Return the color of a number from 1 as red, green and blue from 0 to 255; 0, no label, is black.

    >>> pick_color(0), pick_color(1) != pick_color(2)
    ((0, 0, 0), True)
    """
    if number == 0:
        return (0, 0, 0)
    hue, lightness = (number * _TURN) % 1, _LIGHTNESS[number % len(_LIGHTNESS)]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, _SATURATION)
    return (round(255 * red), round(255 * green), round(255 * blue))


def format_hex(color: tuple[int, int, int]) -> str:
    """Return a color as CSS writes it.

    >>> format_hex((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*color)
