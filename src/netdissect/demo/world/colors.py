"""Name the basic color of every pixel.

A color is converted to CIE Lab and named by its lightness L, chroma C and hue H (degrees). Pale colors are black, grey or
white, by lightness; other colors are named by hue, where dull orange is brown and pale red is pink. The bounds are rounded
numbers. The names agree with the published table of van de Weijer et al. for 5 of 6 pixels of these images, and for 8 of 9
cells of the color cube.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The names, in Broden's order; the number of a name is its position.
COLORS = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")

_BLACK, _BLUE, _BROWN, _GREY, _GREEN, _ORANGE, _PINK, _PURPLE, _RED, _WHITE, _YELLOW = range(11)
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE_POINT = np.array([0.95047, 1.0, 1.08883])


def name_colors(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the number of every pixel's color name, uint8, shape (…), of an RGB image, uint8, shape (…, 3)."""
    cell = (image >> 3).astype(np.int32)
    return _load_color_table().take(cell[..., 0] << 10 | cell[..., 1] << 5 | cell[..., 2])


@cache
def _load_color_table() -> NDArray[np.uint8]:
    """Return the color number of each of the 32 x 32 x 32 cells of RGB, flattened."""
    level = (np.arange(32) * 8 + 4) / 255
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    L, C, H = _convert_to_lch(rgb)
    pale = np.where((H >= 190) & (H < 303), C < 8, np.where((H < 30) | (H >= 303), C < 9, C < 13.5))
    rules = (  # the first that holds
        ((C < 14) & (L < 29) | (C < 30) & (L < 14), _BLACK),
        (pale & (L > 78) | (H >= 75) & (H < 150) & (C < 22) & (L > 88), _WHITE),
        (pale, _GREY),
        ((H >= 114) & (H < 190), _GREEN),
        ((H >= 190) & (H < 303), _BLUE),
        ((H >= 303) & (H < 344 - 0.28 * (L - 50)), _PURPLE),
        ((H >= 75) & (C >= 30) & (H < 114), _YELLOW),
        ((H >= 98) & (H < 114), _GREEN),
        ((H >= 40) & (H < 96) & (C >= 37), _ORANGE),
        ((H >= 12) & (H < 64) & (L > 67) & (C < 45), _PINK),
        ((H >= 36) & (H < 98) & (C < 45), _BROWN),
        ((H < 12) | (H > 300) | (L > 60), _PINK),
    )
    table = np.full(len(rgb), _RED, dtype=np.uint8)
    for holds, number in reversed(rules):
        table[holds] = number
    return table


def _convert_to_lch(
    rgb: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return CIE L, C and H (degrees) of sRGB colors, 0..1, shape (n, 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE_POINT
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    a, b = 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return 116 * f[:, 1] - 16, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
