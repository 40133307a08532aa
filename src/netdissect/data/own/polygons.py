"""Polygons as masks, filled in one way for every importer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

#: No corner lies further from an image's own than this, in pixels; more is a damaged file.
FURTHEST = 1e7


def filled(
    polygons: Iterable[Sequence[tuple[float, float]]],
    size: tuple[int, int],
    holes: Iterable[Sequence[tuple[float, float]]] = (),
) -> NDArray[np.bool_]:
    """Return the mask of polygons, (h, w): their edges belong to them, what lies outside the image is cut.

    Args:
        polygons: corners (x, y) in pixels, three at least each.
        size: height and width of the image.
        holes: polygons that are taken out again.

    Raises:
        ValueError: if a polygon has fewer than three corners, one lies beyond all measure, or the image is too large.

    Example:
        >>> filled([[(0, 0), (2, 0), (2, 1), (0, 1)]], (3, 4)).astype(int).tolist()
        [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    """
    if size[0] * size[1] > images.LARGEST_IMAGE:
        raise ValueError(
            f"an image of {size[1]} x {size[0]} pixels, more than the {images.LARGEST_IMAGE:,} that are read"
        )
    canvas = Image.new("1", (size[1], size[0]))
    brush = ImageDraw.Draw(canvas)
    for fill, rings in ((1, polygons), (0, holes)):
        for ring in rings:
            brush.polygon(_checked(ring), fill=fill)
    return np.array(canvas)


def _checked(ring: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    points = [(float(x), float(y)) for x, y in ring]
    if len(points) < 3:
        raise ValueError(f"a polygon of {len(points)} corners, and three are the least")
    for x, y in points:
        if not (abs(x) <= FURTHEST and abs(y) <= FURTHEST):
            raise ValueError(f"a corner at {x:g}, {y:g}, far outside the image")
    return points
