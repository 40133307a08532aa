import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from netdissect.demo.world.raster import FINE, fill_polygons

corner = st.tuples(st.integers(-40, 200), st.integers(-40, 200))
polygon = st.lists(corner, min_size=3, max_size=8)


def filled(polygons, side=10):
    ids = np.full((side, side), -1, np.int32)
    corners = np.array([c for p in polygons for c in p], np.int64).reshape(-1, 2)
    fill_polygons(ids, corners, np.cumsum([len(p) for p in polygons], dtype=np.int64))
    return ids


def winding(p, x, y):
    """How often a polygon winds around a point: crossings of the ray to the left, the upper end of an edge counts."""
    total = 0
    for (x0, y0), (x1, y1) in zip(p, (*p[1:], p[0]), strict=True):
        if (y0 <= y) != (y1 <= y):
            # The crossing lies left of the point, or on it.
            side = (x0 - x) * (y1 - y0) + (y - y0) * (x1 - x0)
            if side * (1 if y1 > y0 else -1) <= 0:
                total += 1 if y1 > y0 else -1
    return total


@settings(deadline=None, max_examples=150)
@given(polygon)
def test_a_pixel_is_filled_exactly_where_the_outline_winds_around_its_centre(p):
    ids = filled([p])
    for row in range(10):
        for column in range(10):
            around = winding(p, column * FINE + FINE // 2, row * FINE + FINE // 2)
            assert (ids[row, column] == 0) == (around != 0), (row, column)


@settings(deadline=None, max_examples=50)
@given(st.lists(polygon, min_size=2, max_size=4))
def test_later_polygons_lie_on_top(polygons):
    expected = np.full((10, 10), -1, np.int32)
    for number, p in enumerate(polygons):
        expected[filled([p]) == 0] = number
    np.testing.assert_array_equal(filled(polygons), expected)


def test_neighbours_share_no_pixel_and_leave_none():
    left = [(0, 0), (77, 0), (51, 160), (0, 160)]
    right = [(77, 0), (160, 0), (160, 160), (51, 160)]
    assert (filled([left]) == 0).sum() + (filled([right]) == 0).sum() == 100
    assert (filled([left, right]) >= 0).all()
