"""Draw eighteen textures of the Describable Textures Dataset that fill an image.

Each pattern is a field of 0..1 over the image, rotated and scaled at random, that mixes two matching colors. Contrast is
kept moderate (a standard deviation of about 28 to 62 of 255), because stronger patterns activate even units with random
weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from netdissect.demo.world.grain import hash_lattice_corners, make_noise
from netdissect.demo.world.palette import darken_color, lighten_color, mix_colors, parse_palette

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from numpy.typing import NDArray

    from netdissect.demo.world.canvas import Color

    #: Coordinates or a field over the image, float64, shape (side, side).
    Field = NDArray[np.float64]

_PALETTES = tuple(
    parse_palette(codes)
    for codes in (
        "2a9d8f f4e3c1", "264653 e9c46a", "e76f51 fdf0d5", "355070 eaac8b", "6d597a f2d0a9", "588157 dad7cd",
        "bc4749 f2e8cf", "1d3557 a8dadc", "8e5aa8 f7d6e0", "774936 edc4b3", "3d405b e07a5f", "33658a f6ae2d",
        "5f0f40 fb8b24", "386641 a7c957", "22577a 80ed99", "9c6644 ede0d4", "b56576 ffd6ba", "495057 ced4da",
    )
)  # fmt: skip


def draw_texture(name: str, rng: Random, *, size: int, times: int) -> NDArray[np.uint8]:
    """Return an image of a texture, RGB, uint8, shape (size, size, 3), supersampled by a factor of `times`."""
    axis = (np.arange(size * times) + 0.5) / (size * times) - 0.5
    turn, scale = rng.uniform(0, math.tau), rng.uniform(0.75, 1.35)
    if name in ("scaly", "knitted", "pleated", "cracked", "marbled"):
        turn = rng.uniform(-0.25, 0.25)
    cos, sin = scale * round(math.cos(turn), 6), scale * round(math.sin(turn), 6)
    x, y = axis[None, :], axis[:, None]
    u, v = x * cos + y * sin + rng.uniform(0, 1), y * cos - x * sin + rng.uniform(0, 1)
    share = np.clip(TEXTURES[name](u, v, rng), 0, 1)
    first, second = _choose_two_colors(rng)
    light = 1 + rng.uniform(0.04, 0.14) * (rng.choice((-1, 1)) * x - y)
    planes = [
        np.clip((a + (b - a) * share) * light, 0, 255).astype(np.uint16) for a, b in zip(first, second, strict=True)
    ]
    whole = np.stack(planes, axis=-1).reshape(size, times, size, times, 3)
    mean: NDArray[np.uint8] = ((whole.sum(axis=(1, 3)) + times * times // 2) // (times * times)).astype(np.uint8)
    return mean


def _choose_two_colors(rng: Random) -> tuple[Color, Color]:
    """Return two matching colors that are neither too similar nor too different."""
    first, second = rng.choice(_PALETTES)
    if rng.random() < 0.5:
        first, second = second, first
    toned = rng.choice((darken_color, lighten_color))
    first, second = toned(first, rng.uniform(0, 0.2)), toned(second, rng.uniform(0, 0.2))
    apart = max(abs(a - b) for a, b in zip(first, second, strict=True))
    wanted = min(apart, rng.uniform(85, 130))
    middle, reach = mix_colors(first, second, 0.5), wanted / max(apart, 1.0)
    return mix_colors(middle, first, reach), mix_colors(middle, second, reach)


def _triangle_wave(t: Field) -> Field:
    """Return 0..1..0 once per unit."""
    return 1 - np.abs(2 * (t - np.floor(t)) - 1)


def _soft_step(t: Field, at: float, soft: float = 0.06) -> Field:
    """Return 0 below a level and 1 above, with a short slope between."""
    return np.clip((t - at) / soft + 0.5, 0, 1)


def _draw_striped(u: Field, _: Field, rng: Random) -> Field:
    return _soft_step(_triangle_wave(u * rng.uniform(6, 10)), rng.uniform(0.4, 0.6), 0.12)


def _draw_chequered(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 10)
    return (np.floor(u * n) + np.floor(v * n)) % 2


def _draw_dotted(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(7, 11)
    row = np.floor(v * n)
    x, y = u * n + 0.5 * (row % 2), v * n
    far = np.sqrt((x - np.floor(x) - 0.5) ** 2 + (y - row - 0.5) ** 2)
    return 1 - _soft_step(far, rng.uniform(0.26, 0.34), 0.08)


def _draw_zigzagged(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(5, 8)
    return _soft_step(_triangle_wave(v * n + 0.5 * _triangle_wave(u * n)), 0.5, 0.12)


def _draw_grid(u: Field, v: Field, rng: Random) -> Field:
    n, width = rng.uniform(8, 13), rng.uniform(0.22, 0.32)
    return np.maximum(
        1 - _soft_step(_triangle_wave(u * n), width, 0.1), 1 - _soft_step(_triangle_wave(v * n), width, 0.1)
    )


def _draw_honeycombed(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 10)
    near, next_ = _find_two_nearest(
        u * n, v * n * 1.1547, lambda i, j: (0.5 * (j % 2) + 0.5, 0 * i + 0.5), stretch=1 / 1.1547
    )
    return 1 - _soft_step(next_ - near, 0.16, 0.08)


def _find_two_nearest(
    x: Field, y: Field, place: Callable[[Field, Field], tuple[Field, Field]], *, stretch: float = 1.0
) -> tuple[Field, Field]:
    """Return the distances to the nearest and the second-nearest of points, one of which is in each cell."""
    i, j = np.floor(x), np.floor(y)
    near, second = np.full(x.shape, 9.0), np.full(x.shape, 9.0)
    for dj in (-1, 0, 1):
        for di in (-1, 0, 1):
            a, b = place(i + di, j + dj)
            far = np.sqrt((i + di + a - x) ** 2 + ((j + dj + b - y) * stretch) ** 2)
            second = np.minimum(second, np.maximum(near, far))
            near = np.minimum(near, far)
    return near, second


def _scatter_in_cells(salt: int) -> Callable[[Field, Field], tuple[Field, Field]]:
    """Return a function that places a point at random in each cell."""
    return lambda i, j: (
        hash_lattice_corners(i.astype(np.int64), j.astype(np.int64), salt),
        hash_lattice_corners(i.astype(np.int64), j.astype(np.int64), salt + 1),
    )


def _draw_cracked(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(4.5, 7)
    bend = 0.25 * make_noise(u, v, 9, 9, 5)
    near, second = _find_two_nearest(u * n + bend, v * n + bend, _scatter_in_cells(rng.randrange(1000)))
    return 1 - _soft_step(second - near, 0.09, 0.07)


def _draw_bubbly(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(5, 8)
    near, _ = _find_two_nearest(u * n, v * n, _scatter_in_cells(rng.randrange(1000)))
    rim = 1 - np.abs(near - 0.36) / 0.12
    return np.clip(rim, 0, 1) + 0.35 * _soft_step(0.36 - near, 0, 0.1)


def _draw_blotchy(u: Field, v: Field, rng: Random) -> Field:
    n, salt = rng.choice((6, 7, 8)), rng.randrange(1000)
    return _soft_step(make_noise(u, v, n, n, salt) + 0.4 * make_noise(u, v, 3 * n, 3 * n, salt + 1), 0.72, 0.1)


def _draw_marbled(u: Field, v: Field, rng: Random) -> Field:
    salt = rng.randrange(1000)
    bend = make_noise(u, v, 4, 4, salt) + 0.5 * make_noise(u, v, 9, 9, salt + 1)
    vein = _triangle_wave(2.2 * u + 1.3 * v + 1.6 * bend)
    return 1 - _soft_step(vein, 0.22, 0.4)


def _draw_swirly(u: Field, v: Field, rng: Random) -> Field:
    salt = rng.randrange(1000)
    return _soft_step(
        _triangle_wave(5 * make_noise(u, v, 3, 3, salt) + 2.5 * make_noise(u, v, 5, 5, salt + 1)), 0.5, 0.2
    )


def _draw_spiralled(u: Field, v: Field, rng: Random) -> Field:
    x, y = u - u.mean() + rng.uniform(-0.12, 0.12), v - v.mean() + rng.uniform(-0.12, 0.12)
    arms = rng.choice((1, 2))
    return _soft_step(
        _triangle_wave(np.sqrt(x * x + y * y) * rng.uniform(8, 12) + arms * np.arctan2(y, x) / math.tau), 0.5, 0.14
    )


def _draw_woven(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 9)
    x, y = u * n, v * n
    over = (np.floor(x) + np.floor(y)) % 2 > 0
    along, across = np.where(over, x - np.floor(x), y - np.floor(y)), np.where(over, y - np.floor(y), x - np.floor(x))
    strand = _soft_step(_triangle_wave(across), 0.22, 0.2) * (0.55 + 0.45 * _triangle_wave(along))
    return strand * np.where(over, 1.0, 0.72)


def _draw_scaly(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 9)
    best = np.zeros(u.shape)
    for shift in (0, 1, 2):  # rows of round scales, each over the row below it
        row = np.floor(v * n * 1.6) - shift
        x = u * n + 0.5 * (row % 2)
        dx, dy = x - np.floor(x) - 0.5, (v * n * 1.6 - row) / 1.6
        far = np.sqrt(dx * dx + dy * dy)
        best = np.where(far < 0.58, np.where(far > 0.5, 0.0, 0.35 + 1.2 * dy), best)
    return best


def _draw_knitted(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 8)
    x, y = u * n, v * n * 1.2
    half = np.abs(x - np.floor(x) - 0.5)
    stitch = _triangle_wave(y + 1.1 * half)
    return _soft_step(stitch, 0.3, 0.5) * (1 - _soft_step(half, 0.43, 0.1))


def _draw_crosshatched(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(11, 16)
    one = 1 - _soft_step(_triangle_wave((u + 0.35 * v) * n), 0.3, 0.16)
    two = 1 - _soft_step(_triangle_wave((0.35 * u - v) * n), 0.3, 0.16)
    patch = make_noise(u, v, 4, 4, rng.randrange(1000))
    return np.maximum(one * (0.45 + 0.55 * patch), two * (1 - 0.55 * patch))


def _draw_studded(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(6, 9)
    dx, dy = u * n - np.floor(u * n) - 0.5, v * n - np.floor(v * n) - 0.5
    far = np.sqrt(dx * dx + dy * dy)
    dome = np.clip(0.75 - 1.3 * np.sqrt((dx + 0.12) ** 2 + (dy + 0.12) ** 2), 0, 1)
    return np.where(far < 0.34, 0.35 + dome, 0.28 - 0.28 * _soft_step(0.46 - far, 0, 0.1))


def _draw_pleated(u: Field, v: Field, rng: Random) -> Field:
    n = rng.uniform(7, 11)
    t = u * n + 0.25 * make_noise(u, v, 3, 3, rng.randrange(1000))
    return t - np.floor(t)


#: The functions that draw the textures, by DTD's name.
TEXTURES: dict[str, Callable[[Field, Field, Random], Field]] = {
    "striped": _draw_striped, "chequered": _draw_chequered, "polka-dotted": _draw_dotted, "zigzagged": _draw_zigzagged, "grid": _draw_grid,
    "honeycombed": _draw_honeycombed, "cracked": _draw_cracked, "bubbly": _draw_bubbly, "blotchy": _draw_blotchy, "marbled": _draw_marbled,
    "swirly": _draw_swirly, "spiralled": _draw_spiralled, "woven": _draw_woven, "scaly": _draw_scaly, "knitted": _draw_knitted,
    "crosshatched": _draw_crosshatched, "studded": _draw_studded, "pleated": _draw_pleated,
}  # fmt: skip
