"""Make material textures as seamless tiles of brightness.

A tile's pattern scales with the image's side, so that an image looks alike at every size. Tiles are computed with integer
hashes and plain arithmetic, so that they are the same on every machine.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    #: Coordinates u and v, float64, shape (side, side), 0..1.
    Axis = NDArray[np.float64]

#: Largest relative change of brightness by each material's tile; materials that are not listed are smooth.
STRENGTH: dict[str, float] = {
    "grass": 0.15, "foliage": 0.18, "sand": 0.10, "soil": 0.22, "rock": 0.22, "snow": 0.06, "water": 0.14,
    "brick": 0.26, "stone": 0.24, "wood": 0.18, "tile": 0.16, "carpet": 0.14, "fabric": 0.05, "plaster": 0.03,
    "asphalt": 0.12, "concrete": 0.10, "hay": 0.24, "shingle": 0.22, "wicker": 0.30, "fur": 0.14, "gravel": 0.24,
    "marble": 0.12, "bark": 0.24, "leather": 0.08, "paving": 0.20, "thatch": 0.24, "parquet": 0.20, "reef": 0.24,
}  # fmt: skip


@cache
def make_grain_tiles(side: int) -> tuple[dict[str, int], NDArray[np.int8]]:
    """Return the number of every material's tile and the tiles, −127..127, int8, shape (materials + 1, side, side).

    Tile 0 is smooth. The tiles of a side are computed once per process.
    """
    axis = (np.arange(side) + 0.5) / side
    u, v = np.meshgrid(axis, axis)
    stack = np.zeros((len(STRENGTH) + 1, side, side), dtype=np.int8)
    numbers = {}
    for number, name in enumerate(STRENGTH, start=1):
        values = _TILES[name](u, v)
        values = values - values.mean()
        stack[number] = np.clip(np.rint(values * (60.0 / max(float(values.std()), 1e-9))), -127, 127)
        numbers[name] = number
    return numbers, stack


def make_noise(u: Axis, v: Axis, across: int, down: int, salt: int) -> Axis:
    """Return smooth, seamless noise, 0..1, on a lattice of `across` x `down` cells."""
    x, y = u * across, v * down
    i, j = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = _smooth_step(x - i), _smooth_step(y - j)
    lattice = hash_lattice_corners(*np.meshgrid(np.arange(across), np.arange(down)), salt).ravel()
    left, right = i % across, (i + 1) % across
    above, below = (j % down) * across, ((j + 1) % down) * across
    top = lattice.take(above + left)
    top += fx * (lattice.take(above + right) - top)
    low = lattice.take(below + left)
    low += fx * (lattice.take(below + right) - low)
    return top + fy * (low - top)


def _smooth_step(t: Axis) -> Axis:
    return t * t * (3 - 2 * t)


def hash_lattice_corners(i: NDArray[np.int64], j: NDArray[np.int64], salt: int) -> Axis:
    """Return a number in 0..1 for every lattice corner."""
    mixed = (i * 374761393 + j * 668265263 + salt * 2147483647) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 1274126177) & 0xFFFFFFFF
    mixed ^= mixed >> 16
    result: Axis = mixed / 0xFFFFFFFF
    return result


def _make_octaves(across: int, down: int, salt: int, rough: float = 0.5) -> Callable[[Axis, Axis], Axis]:
    """Return noise of three octaves."""

    def tile(u: Axis, v: Axis) -> Axis:
        return (
            make_noise(u, v, across, down, salt)
            + rough * make_noise(u, v, 2 * across, 2 * down, salt + 1)
            + rough * rough * make_noise(u, v, 4 * across, 4 * down, salt + 2)
        )

    return tile


def _make_stone_courses(
    across: int, down: int, joint: float, salt: int, offset: float = 0.5
) -> Callable[[Axis, Axis], Axis]:
    """Return stones laid in courses: every stone has its own brightness, the joints are dark."""

    def tile(u: Axis, v: Axis) -> Axis:
        row = np.floor(v * down)
        x = u * across + offset * (row % 2)
        fx, fy = x - np.floor(x), v * down - row
        inside = (fx > joint * across / down) & (fy > joint)
        stone = hash_lattice_corners(np.floor(x).astype(np.int64) % across, row.astype(np.int64), salt)
        result: Axis = np.where(inside, 0.55 + 0.45 * stone, 0.0)
        return result

    return tile


def _make_planks(across: int, down: int, salt: int) -> Callable[[Axis, Axis], Axis]:
    """Return boards with a grain along u."""

    def tile(u: Axis, v: Axis) -> Axis:
        row = np.floor(v * down)
        fy = v * down - row
        board = hash_lattice_corners(row.astype(np.int64), (row * 0).astype(np.int64), salt)
        grain = make_noise(u, v, across, 8 * down, salt + 1)
        result: Axis = np.where(fy < 0.12, -0.4, 0.35 * board + 0.65 * grain)
        return result

    return tile


def _make_waves(across: int, down: int, salt: int) -> Callable[[Axis, Axis], Axis]:
    """Return bands of ripples, wider than high."""

    def tile(u: Axis, v: Axis) -> Axis:
        bend = make_noise(u, v, across, down // 2, salt)
        phase = v * down + 1.5 * bend
        band = np.abs((phase - np.floor(phase)) * 2 - 1)
        result: Axis = band * (0.4 + 0.6 * make_noise(u, v, 2 * across, down, salt + 1))
        return result

    return tile


def _make_shingles(across: int, down: int) -> Callable[[Axis, Axis], Axis]:
    """Return rows of round shingles, each darker towards its upper edge."""

    def tile(u: Axis, v: Axis) -> Axis:
        row = np.floor(v * down)
        x = u * across + 0.5 * (row % 2)
        fx, fy = (x - np.floor(x)) * 2 - 1, v * down - row
        result: Axis = np.where(fy > 1 - 0.45 * fx * fx, 0.0, 0.45 + 0.5 * fy)
        return result

    return tile


def _make_weave(across: int, down: int) -> Callable[[Axis, Axis], Axis]:
    """Return strands that go over and under each other."""

    def tile(u: Axis, v: Axis) -> Axis:
        x, y = u * across, v * down
        over = (np.floor(x) + np.floor(y)) % 2
        fx, fy = x - np.floor(x), y - np.floor(y)
        result: Axis = np.where(over > 0, 1 - np.abs(2 * fy - 1), 1 - np.abs(2 * fx - 1))
        return result

    return tile


def _make_tufts(across: int, down: int, salt: int) -> Callable[[Axis, Axis], Axis]:
    """Return blades and tufts: noise with tall cells, over patches of coarse noise."""

    def tile(u: Axis, v: Axis) -> Axis:
        return make_noise(u, v, across, down, salt) + 0.7 * make_noise(u, v, 8, 6, salt + 1)

    return tile


def _make_leaves(across: int, salt: int) -> Callable[[Axis, Axis], Axis]:
    """Return dabs of light on leaves: noise whose high values are set to 1."""

    def tile(u: Axis, v: Axis) -> Axis:
        dabs = make_noise(u, v, across, across, salt)
        result: Axis = np.where(dabs > 0.55, 1.0, 0.6 * dabs) + 0.4 * make_noise(
            u, v, across // 3, across // 3, salt + 1
        )
        return result

    return tile


_TILES: dict[str, Callable[[Axis, Axis], Axis]] = {
    "grass": _make_tufts(96, 30, 11), "foliage": _make_leaves(36, 21), "sand": _make_octaves(24, 40, 31, 0.7),
    "soil": _make_octaves(30, 30, 41, 0.8), "rock": _make_octaves(9, 12, 51, 0.7), "snow": _make_octaves(6, 10, 61),
    "water": _make_waves(5, 26, 71), "brick": _make_stone_courses(17, 34, 0.2, 81), "stone": _make_stone_courses(10, 16, 0.14, 91),
    "wood": _make_planks(6, 22, 101), "tile": _make_stone_courses(16, 16, 0.12, 111, 0.0), "carpet": _make_octaves(60, 60, 121, 0.9),
    "fabric": _make_weave(84, 84), "plaster": _make_octaves(36, 36, 131), "asphalt": _make_octaves(64, 64, 141, 0.9),
    "concrete": _make_octaves(12, 12, 151, 0.8), "hay": _make_tufts(90, 24, 161), "shingle": _make_shingles(26, 30),
    "wicker": _make_weave(40, 44), "fur": _make_tufts(60, 22, 171), "gravel": _make_leaves(52, 181), "marble": _make_octaves(5, 9, 191, 0.9),
    "bark": _make_tufts(64, 10, 201), "leather": _make_octaves(20, 20, 211), "paving": _make_stone_courses(12, 20, 0.12, 221),
    "thatch": _make_tufts(84, 16, 231), "parquet": _make_planks(9, 15, 241), "reef": _make_leaves(40, 251),
}  # fmt: skip
