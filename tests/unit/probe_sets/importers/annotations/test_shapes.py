"""Shapes that are empty, outside of the image, or rotated: what they cover, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.probe_sets.importers.annotations.bitmaps import RunLengthMask, place_mask
from netdissect.probe_sets.importers.annotations.shapes import Ellipse, Line, Polygon, make_box, make_rotated_box

SIZE = (8, 10)


def full(patch):
    whole = np.zeros(SIZE, bool)
    whole[patch.top : patch.top + patch.mask.shape[0], patch.left : patch.left + patch.mask.shape[1]] = patch.mask
    return whole


@pytest.mark.parametrize(
    "shape",
    [
        Ellipse(4, 4, 0, 0), Ellipse(4, 4, 3, 0), Ellipse(-20, 4, 3, 3), Ellipse(4, 30, 3, 3), make_box(2, 2, 2, 6),
        make_box(12, 2, 15, 6), Polygon(((1, 1), (5, 5), (3, 3))), Polygon(((0, 0), (0, 8), (10, 8), (10, 0)), (((0, 0), (0, 8), (10, 8), (10, 0)),)),
        RunLengthMask((0, 4), 20, 20, 2, 2), RunLengthMask((), 3, 3, 0, 0), RunLengthMask((), 3, 3, 0, 0, pairs=True), make_rotated_box(20, 20, 2, 2, 45, (20, 20)),
    ],
)  # fmt: skip
def test_what_has_no_inside_in_the_image_covers_nothing(shape):
    assert not full(shape.draw_mask(SIZE)).any()


def test_a_rotation_by_nothing_or_a_full_circle_changes_nothing():
    straight = full(make_box(2, 1, 7, 5).draw_mask(SIZE))
    assert straight.sum() == 20
    for degrees in (0, 360):
        assert np.array_equal(full(make_rotated_box(2, 1, 5, 4, degrees, (2, 1)).draw_mask(SIZE)), straight)
    half = full(make_rotated_box(2, 1, 5, 4, 180, (4.5, 3)).draw_mask(SIZE))
    assert np.array_equal(half, straight)


def test_a_box_may_be_drawn_from_any_of_its_corners():
    assert make_box(7, 5, 2, 1) == make_box(2, 1, 7, 5)


def test_masks_are_cut_on_every_side():
    mask = np.arange(200).reshape(20, 10) % 3 == 0
    assert np.array_equal(full(place_mask(mask, -5, 0, SIZE)), mask[5:13])
    assert np.array_equal(full(place_mask(mask.T, 2, -4, SIZE))[2:], mask.T[:6, 4:14])


def test_a_line_needs_two_points_and_radii_are_not_negative():
    with pytest.raises(ValueError, match="a line has 1 points, and at least two are needed"):
        Line(((1, 1),), 3).draw_mask(SIZE)
    with pytest.raises(ValueError, match="none can be negative"):
        Ellipse(1, 1, -1, 2).draw_mask(SIZE)
