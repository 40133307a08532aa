"""Turn shape numbers into an image: colors, light, grain, veils, glows, and downsampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.demo.world.grain import STRENGTH, make_grain_tiles
from netdissect.demo.world.raster import FINE, fill_polygons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.demo.world.canvas import Canvas, Glow, Veil

#: Factors and RGB offsets at full shade: a shape's lit end is lighter and warmer, its other end darker and bluer.
_LIT, _LIT_BY = 0.28, np.array([14, 9, -4], dtype=np.float32)
_DIM, _DIM_BY = -0.62, np.array([6, 4, 26], dtype=np.float32)


def shade_image(canvas: Canvas, ids: NDArray[np.int32], *, times: int, drift: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the image of a canvas, RGB, uint8, shape (side / times, side / times, 3).

    Args:
        canvas: the canvas with its shapes, veils and glows.
        ids: the number of the shape at every pixel of the canvas, shape (side, side).
        times: canvas pixels per image pixel, along each axis.
        drift: shift of the grain, down and right, in canvas pixels.
    """
    ends = _compute_end_colors(canvas)
    position = _measure_shade(canvas, ids)
    grain = _compute_grain(canvas, ids, drift)
    planes = np.empty((3, *ids.shape), dtype=np.float32)
    for channel in range(3):
        start, end = ends[0][:, channel].copy(), ends[1][:, channel].copy()
        plane = np.multiply((end - start).take(ids), position, out=planes[channel])
        plane += start.take(ids)
        plane *= grain
    for veil in canvas.veils:
        _blend_veil(planes, ids, veil)
    small = _shrink(planes, times)
    for glow in canvas.glows:
        _add_glow(small, glow)
    np.clip(small, 0, 255, out=small)
    return np.rint(small).astype(np.uint8)


def _compute_end_colors(canvas: Canvas) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return every shape's color on the lit and on the other end, in its light and haze, each of shape (shapes, 3)."""
    shapes, light = canvas.shapes, canvas.light
    color = np.array([shape.color for shape in shapes], dtype=np.float32)
    to = np.array([shape.to or shape.color for shape in shapes], dtype=np.float32)
    shade = np.array([0.0 if shape.to else shape.shade for shape in shapes], dtype=np.float32)[:, None]
    haze = np.array([shape.haze for shape in shapes], dtype=np.float32)[:, None]
    glows = np.array([shape.glows for shape in shapes])
    far = np.array(light.haze, dtype=np.float32)
    tint = np.where(glows[:, None], np.float32(1), np.array(light.tint, dtype=np.float32))
    lit = (color * (1 + _LIT * shade) + _LIT_BY * shade) * tint
    dim = (to * (1 + _DIM * shade) + _DIM_BY * shade) * tint
    return lit + (far - lit) * haze, dim + (far - dim) * haze


def _measure_shade(canvas: Canvas, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return the position of every pixel between its shape's lit end (0) and other end (1), shape (side, side)."""
    box = np.array([shape.box for shape in canvas.shapes], dtype=np.float32) * np.float32(1 / FINE)
    plain = np.array([shape.to is not None for shape in canvas.shapes])
    across = np.where(plain, np.float32(0), np.float32(-0.5 * canvas.light.side))
    down = np.where(plain, np.float32(1), np.float32(0.85))
    first = np.where(across < 0, box[:, 2], box[:, 0]) * across + box[:, 1] * down
    last = np.where(across < 0, box[:, 0], box[:, 2]) * across + box[:, 3] * down
    scale = 1 / np.maximum(last - first, np.float32(1))
    x = np.arange(ids.shape[1], dtype=np.float32)
    y = np.arange(ids.shape[0], dtype=np.float32)[:, None]
    result: NDArray[np.float32] = (across * scale).take(ids)
    result *= x
    result += (down * scale).take(ids) * y
    result -= (first * scale).take(ids)
    return np.clip(result, 0, 1, out=result)


def _compute_grain(canvas: Canvas, ids: NDArray[np.int32], drift: tuple[int, int]) -> NDArray[np.float32]:
    """Return the factor by which grain changes brightness, shape (side, side)."""
    side = canvas.side
    numbers, stack = make_grain_tiles(side)
    materials = [shape.region.material for shape in canvas.shapes]
    number = np.array([numbers.get(material, 0) for material in materials], dtype=np.int32)
    strength = np.array(
        [STRENGTH.get(m, 0.0) * shape.grain * (1 - shape.haze) for m, shape in zip(materials, canvas.shapes, strict=True)],
        dtype=np.float32,
    )  # fmt: skip
    pixel = np.arange(side * side, dtype=np.int32).reshape(side, side)
    place = (number * np.int32(side * side)).take(ids)
    place += np.roll(pixel, drift, axis=(0, 1))
    result: NDArray[np.float32] = stack.ravel().take(place) * (strength * np.float32(1 / 127)).take(ids)
    result += 1
    return result


def _blend_veil(planes: NDArray[np.float32], ids: NDArray[np.int32], veil: Veil) -> None:
    """Blend a veil's color into the shapes under it that were drawn before it."""
    corners = np.array(veil.corners, dtype=np.int64).reshape(-1, 2)
    left, top = np.maximum(corners.min(axis=0) // FINE, 0)
    right, bottom = np.minimum(corners.max(axis=0) // FINE + 1, (ids.shape[1], ids.shape[0]))
    if left >= right or top >= bottom:
        return
    covered = np.full((bottom - top, right - left), -1, dtype=np.int32)
    fill_polygons(covered, corners - np.array([left, top]) * FINE, np.array([len(corners)], dtype=np.int64))
    share = ((covered == 0) & (ids[top:bottom, left:right] < veil.before)) * np.float32(veil.strength)
    for plane, color in zip(planes, veil.color, strict=True):
        part = plane[top:bottom, left:right]
        part += (np.float32(color) - part) * share


def _shrink(planes: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Return the mean over squares of times x times pixels; sums are integers, so that their order does not matter."""
    whole = np.clip(planes, 0, 255, out=planes).astype(np.uint16)
    total = np.zeros((3, whole.shape[1] // times, whole.shape[2] // times), dtype=np.uint16)
    for i in range(times):
        for j in range(times):
            total += whole[:, i::times, j::times]
    return np.moveaxis(total, 0, -1).astype(np.float32) * np.float32(1 / (times * times))


def _add_glow(small: NDArray[np.float32], glow: Glow) -> None:
    """Add a round light that falls off to nothing at its radius."""
    height, width = small.shape[:2]
    y, x, radius = glow.y * height, glow.x * width, max(glow.radius * height, 1.0)
    top, bottom = max(int(y - radius), 0), min(int(y + radius) + 1, height)
    left, right = max(int(x - radius), 0), min(int(x + radius) + 1, width)
    if top >= bottom or left >= right:
        return
    down = ((np.arange(top, bottom) + 0.5 - y) / radius)[:, None]
    across = (np.arange(left, right) + 0.5 - x) / radius
    share = np.maximum(1 - down * down - across * across, 0).astype(np.float32)
    share *= share * np.float32(glow.strength)
    part = small[top:bottom, left:right]
    part += (np.array(glow.color, dtype=np.float32) - part) * share[..., None]
