"""Fill polygons in integer arithmetic, so that an image is the same on every machine.

Corners are in sixteenths of a pixel. A pixel belongs to a polygon whose outline winds around its center (non-zero rule). A
center exactly on an outline is inside on the polygon's left and upper sides only.
"""

from __future__ import annotations

import numpy as np

from netdissect.compiled import cached_njit

#: Parts of a pixel that corners are rounded to.
FINE = 16


@cached_njit()
def fill_polygons(ids, corners, ends):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the number of each polygon, from 0, into the pixels it covers; later polygons are on top.

    Args:
        ids: the array that is written to, int32, shape (height, width).
        corners: x, y of all polygons' corners one after the other, int64, shape (corners, 2).
        ends: where each polygon's corners end, int64, shape (polygons,).
    """
    start = 0
    for number in range(ends.size):
        _fill_polygon(ids, corners[start : ends[number]], number)
        start = ends[number]


@cached_njit()
def _fill_polygon(ids, corners, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    height, width = ids.shape
    count = corners.shape[0]
    top = max(_find_first_pixel(corners[:, 1].min(), 1), 0)
    bottom = min(_find_first_pixel(corners[:, 1].max(), 1), height)
    crossing = np.empty(count, np.int64)  # first pixel right of each crossing
    winding = np.empty(count, np.int64)
    for row in range(top, bottom):
        y = row * FINE + FINE // 2
        found = 0
        for i in range(count):
            x0, y0 = corners[i]
            x1, y1 = corners[i + 1 if i + 1 < count else 0]
            turn = 1
            if y0 > y1:
                x0, y0, x1, y1, turn = x1, y1, x0, y0, -1
            if not y0 <= y < y1:
                continue
            at = _find_first_pixel(x0 * (y1 - y0) + (y - y0) * (x1 - x0), y1 - y0)
            place = found
            while place > 0 and crossing[place - 1] > at:
                crossing[place], winding[place] = crossing[place - 1], winding[place - 1]
                place -= 1
            crossing[place], winding[place] = at, turn
            found += 1
        inside = 0
        for k in range(found - 1):
            inside += winding[k]
            if inside != 0:
                for column in range(max(crossing[k], 0), min(crossing[k + 1], width)):
                    ids[row, column] = number


@cached_njit()
def _find_first_pixel(over, under):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the first pixel whose center is at or after the coordinate over / under, in sixteenths of a pixel."""
    return -((FINE // 2 * under - over) // (FINE * under))
