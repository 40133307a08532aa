"""The positions of a layer's cells on the label grid, at any resolution of the network's input."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.geometry.fieldmap import divide_into_whole_steps, make_window_field
from netdissect.geometry.upsample import compute_anchors, compute_reduction, make_image_axes, make_label_axes, upsample
from netdissect.layers import FieldMap


@pytest.mark.parametrize(("image", "labels", "whole"), [(227, 113, 2), (224, 112, 2), (384, 192, 2), (96, 96, 1), (300, 100, 3)])  # fmt: skip
def test_probe_sets_as_the_released_code_makes_them_have_a_whole_reduction(image, labels, whole):
    assert compute_reduction(image, labels) == whole
    found = compute_anchors(-60, 155, 16, 13, whole)
    assert found.tolist() == [(-60 + 77) // whole + i * (16 / whole) for i in range(13)]


@pytest.mark.parametrize("resolution", [28, 56, 112, 128, 160, 192, 224, 256, 299, 384, 448])
@pytest.mark.parametrize("labels", [56, 112, 113])
def test_a_mask_covers_its_share_of_the_label_grid_at_any_resolution(resolution, labels):
    """The lower half of the cells marks the lower half of the labels."""
    cells = resolution // 4
    field = make_window_field((4, 4), stride=(4, 4))
    grid = np.zeros((cells, cells), np.float32)
    grid[cells // 2 :] = 1
    rows, columns = make_label_axes(field, (cells, cells), (resolution, resolution), (labels, labels))
    mask = upsample(grid, rows, columns) > 0.5
    first = mask.any(axis=1).argmax()
    pixel = labels / cells  # how many label pixels a cell covers
    assert mask[first:].all()
    assert abs(first - labels * (cells // 2) / cells) <= max(1.5, 0.6 * pixel)


def test_another_resolution_along_each_axis_is_another_reduction():
    rows, columns = make_label_axes(divide_into_whole_steps((256, 224), (8, 7)), (8, 7), (256, 224), (112, 112))
    assert np.diff(rows.start[1:-1]).tolist() == pytest.approx([14] * 7, abs=1)
    assert np.diff(columns.start[1:-1]).tolist() == [16] * 6


def test_on_an_image_of_the_inputs_size_cells_lie_as_on_labels_of_that_size():
    field = FieldMap((-3, 2), (9, 4), (6, 5))
    pictures = make_image_axes(field, (4, 7), (26, 37), (26, 37))
    labels = make_label_axes(field, (4, 7), (26, 37), (26, 37))
    for one, other in zip(pictures, labels, strict=True):
        np.testing.assert_array_equal(one.start, other.start)
        np.testing.assert_array_equal(one.fraction, other.fraction)


def test_on_an_image_of_another_size_a_cell_lies_at_its_own_share_of_it():
    field = FieldMap((0, 0), (4, 2), (4, 2))  # centers at 2, 6, … along y, at 1, 3, … along x
    rows, columns = make_image_axes(field, (2, 4), (8, 8), (4, 16))  # half as high, twice as broad
    assert rows.start.tolist() == [0, 1, 3, 4]  # pixels lie at 0, 2, 4, 6
    assert rows.fraction.tolist() == [0, 0, 0.5, 0]
    assert columns.start.tolist() == [0, 2, 6, 10, 14, 16]  # at 0, 0.5, 1, …
    assert columns.fraction.tolist() == [0, 0, *[0, 0.25, 0.5, 0.75] * 3, 0, 0]
    assert (columns.lower.tolist()[:8], columns.upper.tolist()[-3:]) == ([0, 0, 0, 0, 0, 0, 1, 1], [3, 3, 3])
