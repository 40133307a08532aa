"""Shapes become masks, and masks a label map: polygons as COCO's own API draws them, the smaller object on top."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: Corners may lie outside of the image by so many of its sides.
_FARTHEST = 4


class MaskPatch(NamedTuple):
    """A mask that is nothing outside of its rectangle.

    Attributes:
        top: row of its first pixel.
        left: column of its first pixel.
        mask: its pixels, (h, w).
    """

    top: int
    left: int
    mask: NDArray[np.bool_]


def paint_smallest_on_top(
    shapes: Sequence[tuple[int, Any]], size: tuple[int, int], patch_of: Callable[[Any], MaskPatch]
) -> NDArray[np.uint16]:
    """Paint shapes over one another, the largest first, and return the label map, (h, w).

    Sizes are counted in the masks; of equals the later lies on top. One mask is held at a time, so every shape is drawn
    twice.

    Args:
        shapes: label and outline of every shape.
        size: height and width of the label map.
        patch_of: draws an outline.
    """
    areas = [int(patch_of(outline).mask.sum()) for _, outline in shapes] if len(shapes) > 1 else [0] * len(shapes)
    plane = np.zeros(size, np.uint16)
    for position in sorted(range(len(shapes)), key=lambda position: -areas[position]):
        label, outline = shapes[position]
        top, left, mask = patch_of(outline)
        plane[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = label
    return plane


def draw_polygons(rings: Sequence[Sequence[float]], size: tuple[int, int]) -> MaskPatch:
    """Return the mask of what lies in any of several polygons.

    Args:
        rings: the corners of each, x, y, x, y, …, in pixels from the image's left and upper edge.
        size: height and width of the image.

    Raises:
        ValueError: as `parse_corners`.
    """
    patches = [draw_polygon(parse_corners(ring, size), size) for ring in rings]
    if len(patches) == 1:
        return patches[0]
    whole = np.zeros(size, bool)
    for top, left, mask in patches:
        whole[top : top + mask.shape[0], left : left + mask.shape[1]] |= mask
    return MaskPatch(0, 0, whole)


def draw_box(corner_and_sides: Sequence[float], size: tuple[int, int]) -> MaskPatch:
    """Return the mask of a box, given as x, y, width, height.

    Raises:
        ValueError: as `parse_box`.
    """
    return draw_polygon(parse_box(corner_and_sides, size), size)


def parse_box(corner_and_sides: Sequence[float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the corners of a box, given as x, y, width, height.

    Raises:
        ValueError: if these are not four numbers, a side is negative, or a corner lies far outside of the image.
    """
    if not isinstance(corner_and_sides, (list, tuple)) or len(corner_and_sides) != 4:
        raise ValueError(f"expected a box of 4 numbers x, y, width, height, got {abbreviate(corner_and_sides)}")
    x, y, width, height = (parse_coordinate(value) for value in corner_and_sides)
    if width < 0 or height < 0:
        raise ValueError(f"its box has the sides {width:g} and {height:g}, and none can be negative")
    return parse_corners([x, y, x, y + height, x + width, y + height, x + width, y], size)


def parse_corners(ring: Sequence[float], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the corners of a polygon, (n, 2), from x, y, x, y, ….

    Raises:
        ValueError: if it has fewer than three, an odd number of coordinates, one that is no finite number, or one far
            outside of the image.
    """
    if not isinstance(ring, (list, tuple)):
        raise ValueError(f"expected a polygon as a list x, y, x, y, …, got {abbreviate(ring)}")  # noqa: TRY004
    plain = set(map(type, ring)) <= {int, float} and len(ring) > 0
    try:
        values = np.array(ring, np.float64) if plain else np.array([parse_coordinate(value) for value in ring])
    except OverflowError:
        values = np.array([np.inf])
    if not np.isfinite(values).all():
        values = np.array([parse_coordinate(value) for value in ring])
    if len(values) % 2 or len(values) < 6:
        raise ValueError(f"expected a polygon of at least 3 corners x, y, got {len(values)} coordinates")
    points = values.reshape(-1, 2)
    far = np.abs(points - np.array(size[::-1]) / 2) > (_FARTHEST + 0.5) * max(size)
    if far.any():
        raise ValueError(f"a corner lies at {points[far][0]:g}, far outside of the image of {size[1]} x {size[0]}")
    return points


def parse_coordinate(value: object) -> float:
    """Return a coordinate.

    Raises:
        ValueError: if it is no finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {abbreviate(value)}")  # noqa: TRY004 - all problems of a shape are one kind
    if (isinstance(value, int) and abs(value) > 2**53) or not math.isfinite(value):
        raise ValueError(f"{abbreviate(value)} is not a coordinate")
    return float(value)


def abbreviate(value: object) -> str:
    """Return a value for a message, ASCII, cut where it is long."""
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**20 else "a number of many digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def draw_polygon(points: NDArray[np.float64], size: tuple[int, int]) -> MaskPatch:
    """Return the mask of a polygon as COCO's API draws it: the boundary on a grid five times as fine, filled by columns.

    Args:
        points: its corners (x, y), shape (n, 2); the last is joined to the first.
        size: height and width of the image.

    Raises:
        ValueError: if its outline is longer than any that people draw: it would take the machine's memory.

    Example:
        >>> draw_polygon(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]), (3, 4)).mask.astype(int).tolist()
        [[1, 1], [1, 1], [0, 0]]
    """
    height, width = size
    fine = (_SUBPIXELS * points + 0.5).astype(np.int64)
    length = int(np.abs(fine - np.roll(fine, -1, axis=0)).max(axis=1).sum()) // _SUBPIXELS
    if length > _LONGEST_OUTLINE:
        raise ValueError(
            f"a polygon whose outline is {length:,} pixels long, and at most {_LONGEST_OUTLINE:,} are drawn"
        )
    x, y = _trace_boundary(fine)
    left = np.minimum(x[1:], x[:-1]) - _SUBPIXELS // 2  # a step across a column's middle
    column, between = np.divmod(left, _SUBPIXELS)
    crosses = (x[1:] != x[:-1]) & (between == 0) & (column >= 0) & (column < width)
    column = column[crosses]
    if not column.size:
        return MaskPatch(0, 0, np.zeros((0, 0), bool))
    row = np.minimum(y[1:], y[:-1])[crosses]
    row = np.ceil(((row + 0.5) / _SUBPIXELS - 0.5).clip(0, height)).astype(np.int64)
    first, last = int(column.min()), int(column.max())
    turns = np.bincount((column - first) * height + row, minlength=(last - first + 1) * height + 1)[:-1]
    inside = (np.cumsum(turns) & 1).astype(bool)[: (last - first + 1) * height]
    return MaskPatch(0, first, inside.reshape(last - first + 1, height).T)


_SUBPIXELS = 5
#: Pixels of the longest outline.
_LONGEST_OUTLINE = 2**21


def _trace_boundary(points: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the points of a closed line, one for each step of its longer direction."""
    across, down = [], []
    for (x1, y1), (x2, y2) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        wide, high = abs(x2 - x1), abs(y2 - y1)
        lying = wide >= high
        back = x1 > x2 if lying else y1 > y2
        (xs, ys), (xe, ye) = ((x2, y2), (x1, y1)) if back else ((x1, y1), (x2, y2))
        step = np.arange(max(wide, high) + 1)
        step = step[::-1] if back else step
        slope = (ye - ys) / wide if lying and wide else (xe - xs) / high if high else 0.0
        if lying:
            across.append(step + xs)
            down.append((ys + slope * step + 0.5).astype(np.int64))
        else:
            across.append((xs + slope * step + 0.5).astype(np.int64))
            down.append(step + ys)
    return np.concatenate(across), np.concatenate(down)
