"""Which categories an image has, and how its labeled pixels are counted."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine.tally import count_label_pixels, has_categories


@pytest.mark.parametrize(
    ("pixels", "has"),
    [
        ([0, 0, 0, 0], [False, False, False]),
        ([1, 0, 0, 0], [True, False, False]),  # one pixel is enough
        ([0, 0, 1, 0], [False, False, True]),
        ([0, 0, 0, 1], [True, False, False]),  # the fourth concept is of the first category again
        ([7, 2, 1, 1], [True, True, True]),
    ],
)
def test_an_image_has_a_category_from_one_labelled_pixel_on(pixels, has):
    vocabulary = fakes.make_vocabulary(4, categories=3)
    assert has_categories(np.array(pixels, np.int64), vocabulary).tolist() == has


def test_labeled_pixels_are_summed_over_planes_and_whole_image_labels():
    planes = np.array([[[1, 2, 0], [2, 2, 0]], [[3, 0, 0], [0, 0, 2]]], np.uint16)
    assert count_label_pixels(Labels(planes, np.array([1, 4])), 4).tolist() == [1 + 6, 4, 1, 6]
