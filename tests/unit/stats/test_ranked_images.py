"""Images by value: ties, and draws in proportion to weights."""

from __future__ import annotations

import numpy as np

from netdissect.stats.ranked_images import RankedImages, draw_values
from netdissect.stats.top_images import NO_IMAGE


def test_of_equal_values_the_lower_image_number_wins():
    ranked = RankedImages.empty(2, 3)
    ranked.update(np.array([0, 0, 0, 0, 1]), np.array([9, 4, 7, 2, 5]), np.array([1.0, 3.0, 1.0, 1.0, -8.0]))
    assert ranked.images.tolist() == [[4, 2, 7], [5, NO_IMAGE, NO_IMAGE]]
    assert ranked.values.tolist() == [[3, 1, 1], [-8, -np.inf, -np.inf]]


def test_the_first_image_drawn_is_one_in_proportion_to_the_weights():
    weights, seeds = np.array([1, 2, 5, 12]), 20_000
    units, images = np.zeros(4, np.int64), np.arange(4)
    first = np.bincount([draw_values(seed, units, images, weights).argmax() for seed in range(seeds)], minlength=4)
    expected = seeds * weights / weights.sum()
    assert (abs(first - expected) < 4.5 * np.sqrt(expected)).all()


def test_the_second_image_drawn_is_one_of_the_others_in_proportion_to_their_weights():
    weights, units = np.array([1, 1, 2]), 40_000
    every, images = np.repeat(np.arange(units), 3), np.tile(np.arange(3), units)
    ranked = RankedImages.empty(units, 2)
    ranked.update(every, images, draw_values(3, every, images, np.tile(weights, units)))
    pairs = np.bincount(3 * ranked.images[:, 0] + ranked.images[:, 1], minlength=9).reshape(3, 3) / units
    expected = np.array([[0, 1 / 12, 2 / 12], [1 / 12, 0, 2 / 12], [1 / 4, 1 / 4, 0]])  # w / 4 · v / (4 - w)
    np.testing.assert_allclose(pairs, expected, atol=0.01)


def test_a_draw_depends_on_seed_unit_image_and_weight_alone():
    one = draw_values(5, np.array([3, 8]), np.array([40, 40]), np.array([6, 6]))
    other = draw_values(5, np.array([8]), np.array([40]), np.array([6]))
    assert one[1] == other[0] != one[0]
    assert draw_values(6, np.array([8]), np.array([40]), np.array([6]))[0] != other[0]
    assert draw_values(5, np.array([8]), np.array([40]), np.array([3]))[0] == 2 * other[0]
