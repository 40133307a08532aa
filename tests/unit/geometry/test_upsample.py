"""Where a layer's cells lie on the label grid, whatever the resolution of the network's input."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.geometry.fieldmap import even_grid, window
from netdissect.geometry.upsample import anchors, label_axes, reduction_of, upsample


@pytest.mark.parametrize(("image", "labels", "whole"), [(227, 113, 2), (224, 112, 2), (384, 192, 2), (96, 96, 1), (300, 100, 3)])  # fmt: skip
def test_probe_sets_as_the_released_code_makes_them_have_a_whole_reduction(image, labels, whole):
    assert reduction_of(image, labels) == whole
    found = anchors(-60, 155, 16, 13, whole)
    assert found.tolist() == [(-60 + 77) // whole + i * (16 / whole) for i in range(13)]


@pytest.mark.parametrize("resolution", [28, 56, 112, 128, 160, 192, 224, 256, 299, 384, 448])
@pytest.mark.parametrize("labels", [56, 112, 113])
def test_a_mask_covers_its_share_of_the_label_grid_at_any_resolution(resolution, labels):
    """The lower half of the cells marks the lower half of the labels."""
    cells = resolution // 4
    field = window((4, 4), stride=(4, 4))
    grid = np.zeros((cells, cells), np.float32)
    grid[cells // 2 :] = 1
    rows, columns = label_axes(field, (cells, cells), (resolution, resolution), (labels, labels))
    mask = upsample(grid, rows, columns) > 0.5
    first = mask.any(axis=1).argmax()
    pixel = labels / cells  # how many label pixels a cell covers
    assert mask[first:].all()
    assert abs(first - labels * (cells // 2) / cells) <= max(1.5, 0.6 * pixel)


def test_another_resolution_along_each_axis_is_another_reduction():
    rows, columns = label_axes(even_grid((256, 224), (8, 7)), (8, 7), (256, 224), (112, 112))
    assert np.diff(rows.start[1:-1]).tolist() == pytest.approx([14] * 7, abs=1)
    assert np.diff(columns.start[1:-1]).tolist() == [16] * 6
