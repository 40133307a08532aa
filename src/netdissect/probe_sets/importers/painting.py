"""Draw shapes as masks, and paint masks into a label map; polygons are rasterized as by COCO's API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

#: Corners may be outside of the image by up to 4 times its longer side.
_FARTHEST = 4
#: COCO's API draws outlines on a grid that is 5 times as fine as the pixels.
_SUBPIXELS = 5
#: Pixels of the longest outline that is drawn.
_LONGEST_OUTLINE = 2**21


class MaskPatch(NamedTuple):
    """A mask in a rectangle of an image; it is empty outside.

    Attributes:
        top: row of the rectangle's first pixel.
        left: column of the rectangle's first pixel.
        mask: the pixels, (h, w).
    """

    top: int
    left: int
    mask: NDArray[np.bool_]

    def fill(self, plane: NDArray[Any], value: int) -> None:
        """Set the pixels of the mask to a value."""
        height, width = self.mask.shape
        plane[self.top : self.top + height, self.left : self.left + width][self.mask] = value


def paint_in_order(
    shapes: Iterable[tuple[int, Any]], size: tuple[int, int], draw: Callable[[Any], MaskPatch]
) -> NDArray[np.uint16]:
    """Return the label map (h, w) of shapes, with later shapes on top of earlier ones.

    Args:
        shapes: label and outline of every shape.
        size: height and width of the label map.
        draw: draws an outline.
    """
    plane = np.zeros(size, np.uint16)
    for label, outline in shapes:
        draw(outline).fill(plane, label)
    return plane


def paint_smallest_on_top(
    shapes: Sequence[tuple[int, Any]], size: tuple[int, int], draw: Callable[[Any], MaskPatch]
) -> NDArray[np.uint16]:
    """Return the label map (h, w) of shapes, with smaller shapes on top of larger ones, and later ones on top of equal ones.

    Every shape is drawn twice, so that only one mask is in memory. The arguments are those of `paint_in_order`.
    """
    areas = [int(draw(outline).mask.sum()) for _, outline in shapes] if len(shapes) > 1 else [0] * len(shapes)
    order = sorted(range(len(shapes)), key=lambda position: -areas[position])
    return paint_in_order((shapes[position] for position in order), size, draw)


def draw_polygons(rings: Sequence[Sequence[float]], size: tuple[int, int]) -> MaskPatch:
    """Return the mask of the union of polygons.

    Args:
        rings: the corners of every polygon, x, y, x, y, …, in pixels from the image's left and upper edge.
        size: height and width of the image.

    Raises:
        ValueError: as `parse_corners`.
    """
    patches = [draw_polygon(parse_corners(ring, size), size) for ring in rings]
    if len(patches) == 1:
        return patches[0]
    whole = np.zeros(size, bool)
    for patch in patches:
        patch.fill(whole, True)
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
        ValueError: if it is not four numbers, a side is negative, or a corner is far outside of the image.
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
        ValueError: for fewer than three corners, an odd number of coordinates, or a coordinate that is not finite or far
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
        raise ValueError(f"a corner is at {points[far][0]:g}, far outside of the image of {size[1]} x {size[0]}")
    return points


def parse_coordinate(value: object) -> float:
    """Return a coordinate; raise ValueError if it is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    if (isinstance(value, int) and abs(value) > 2**53) or not math.isfinite(value):
        raise ValueError(f"{abbreviate(value)} is not a coordinate")
    return float(value)


def abbreviate(value: object) -> str:
    """Return a value for an error message, in ASCII, cut at 60 characters."""
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**20 else "a number of many digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def draw_polygon(points: NDArray[np.float64], size: tuple[int, int]) -> MaskPatch:
    """Return the mask of a polygon as COCO's API draws it: the boundary on a grid five times as fine, filled by columns.

    Args:
        points: the corners (x, y), shape (n, 2); the last is joined to the first.
        size: height and width of the image.

    Raises:
        ValueError: if the outline is longer than `_LONGEST_OUTLINE`.

    Example:
        >>> draw_polygon(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [1.0, 2.0]]), (3, 4)).mask.astype(int).tolist()
        [[1, 1], [1, 1], [0, 0]]
    """
    height, width = size
    fine = (_SUBPIXELS * points + 0.5).astype(np.int64)
    length = int(np.abs(fine - np.roll(fine, -1, axis=0)).max(axis=1).sum()) // _SUBPIXELS
    if length > _LONGEST_OUTLINE:
        raise ValueError(
            f"the outline of a polygon is {length:,} pixels long, and at most {_LONGEST_OUTLINE:,} are supported"
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


def _trace_boundary(points: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return x and y of the points of a closed line, one per step in the longer direction of each side."""
    across, down = [], []
    for (x1, y1), (x2, y2) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        wide, high = abs(x2 - x1), abs(y2 - y1)
        is_flat = wide >= high
        back = x1 > x2 if is_flat else y1 > y2
        (xs, ys), (xe, ye) = ((x2, y2), (x1, y1)) if back else ((x1, y1), (x2, y2))
        step = np.arange(max(wide, high) + 1)
        step = step[::-1] if back else step
        slope = (ye - ys) / wide if is_flat and wide else (xe - xs) / high if high else 0.0
        if is_flat:
            across.append(step + xs)
            down.append((ys + slope * step + 0.5).astype(np.int64))
        else:
            across.append((xs + slope * step + 0.5).astype(np.int64))
            down.append(step + ys)
    return np.concatenate(across), np.concatenate(down)
