"""Polygons as COCO's API draws them; of overlapping shapes the one with fewer pixels is on top."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.probe_sets.importers import painting

# Masks that pycocotools 2.0.11 gives (frPyObjects, then decode), row by row.
KNOWN = [
    ([1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0], ["000000", "011100", "011100", "000000"]),
    ([0.5, 0.5, 5.0, 2.0, 1.0, 4.0], ["000000", "011100", "011100", "010000"]),
    ([-3.0, -3.0, 9.0, 1.0, 2.0, 9.0], ["111111", "111111", "111111", "111111"]),
    ([2.0, 0.0, 2.0, 3.0, 5.0, 3.0, 5.0, 0.0, 0.5, 1.6], ["010010", "001110", "001110", "000000"]),
]
SIZE = (4, 6)


def whole(patch, size):
    plane = np.zeros(size, bool)
    plane[patch.top : patch.top + patch.mask.shape[0], patch.left : patch.left + patch.mask.shape[1]] = patch.mask
    return ["".join("01"[pixel] for pixel in row) for row in plane.astype(int)]


@pytest.mark.parametrize(("ring", "rows"), KNOWN)
def test_polygons_are_the_masks_that_cocos_api_gives(ring, rows):
    assert whole(painting.draw_polygons([ring], SIZE), SIZE) == rows


def test_several_polygons_are_one_mask_and_a_box_is_its_four_corners():
    left, right = [0, 0, 2, 0, 2, 4, 0, 4], [4, 0, 6, 0, 6, 4, 4, 4]
    assert whole(painting.draw_polygons([left, right], SIZE), SIZE) == ["110011"] * 4
    assert whole(painting.draw_box([1, 1, 3, 2], SIZE), SIZE) == KNOWN[0][1]
    assert painting.draw_polygons([[9, 9, 11, 9, 11, 11]], SIZE).mask.sum() == 0


def test_the_smaller_is_on_top_whatever_the_order_and_of_equals_the_later():
    large, small = [[0, 0, 6, 0, 6, 4, 0, 4]], [[1, 1, 4, 1, 4, 3, 1, 3]]

    def patch_of(rings):
        return painting.draw_polygons(rings, SIZE)

    for shapes in ([(1, large), (2, small)], [(2, small), (1, large)]):
        plane = painting.paint_smallest_on_top(shapes, SIZE, patch_of)
        assert (plane == 2).sum() == 6
        assert (plane == 1).sum() == 18
    assert set(np.unique(painting.paint_smallest_on_top([(1, small), (3, small)], SIZE, patch_of))) == {0, 3}


@pytest.mark.parametrize(
    ("ring", "told"),
    [
        ([float("nan"), 1, 2, 1, 2, 2], "nan is not a coordinate"),
        ([float("inf"), 1, 2, 1, 2, 2], "inf is not a coordinate"),
        ([1e30, 1, 2, 1, 2, 2], "a corner is at .* far outside of the image of 6 x 4"),
        ([10**400, 1, 2, 1, 2, 2], "a number of many digits is not a coordinate"),
        ([-500, 1, 2, 1, 2, 2], "far outside"),
        (["1", 1, 2, 1, 2, 2], "expected a number, got '1'"),
        ([True, 1, 2, 1, 2, 2], "expected a number, got True"),
        ([None, 1, 2, 1, 2, 2], "expected a number, got None"),
        ([1, 1, 2, 2], "at least 3 corners x, y, got 4 coordinates"),
        ([1, 1, 2, 2, 3, 3, 4], "at least 3 corners x, y, got 7 coordinates"),
        (10, "expected a polygon as a list x, y, x, y, …, got 10"),
    ],
)
def test_coordinates_that_are_none_are_reported_before_anything_is_drawn(ring, told):
    with pytest.raises(ValueError, match=told):
        painting.draw_polygons([ring], SIZE)


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ([0, 0, -3, 2], "sides -3 and 2, and none can be negative"),
        ([0, 0, 3], "a box of 4 numbers"),
        (None, "a box of 4"),
    ],
)
def test_boxes_that_are_none_are_reported(box, told):
    with pytest.raises(ValueError, match=told):
        painting.draw_box(box, SIZE)
