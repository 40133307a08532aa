"""Margins, balanced accuracy, halves and intervals of ablations against numbers worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.stats import removals


def test_margins_equal_those_found_image_by_image():
    random = np.random.default_rng(0)
    outputs, label = random.normal(size=(3, 40, 7)).astype(np.float32), random.integers(0, 7, 40)
    found = removals.compute_margins(outputs, label)
    for k in range(3):
        for image, own in enumerate(label):
            others = np.delete(outputs[k, image], own)
            assert found[k, image] == pytest.approx(float(outputs[k, image, own]) - float(others.max()), abs=1e-6)


def test_a_margin_is_negative_exactly_where_another_class_is_recognized():
    random = np.random.default_rng(1)
    outputs, label = random.normal(size=(200, 5)), random.integers(0, 5, 200)
    assert ((removals.compute_margins(outputs, label) < 0) == (outputs.argmax(1) != label)).all()


def test_each_half_has_half_of_every_class_and_unlabeled_images_are_in_none():
    label = np.repeat([-1, 0, 1, 2], [5, 10, 7, 1])
    first = removals.split_halves(label, seed=3)
    assert [first[label == which].sum() for which in (-1, 0, 1, 2)] == [0, 5, 3, 0]
    assert (first == removals.split_halves(label, seed=3)).all()
    assert (first != removals.split_halves(label, seed=4)).any()


def test_balanced_accuracy_equals_its_definition():
    random = np.random.default_rng(2)
    label, predicted = random.integers(0, 4, 300), random.integers(0, 4, 300)
    hits = np.bincount(label[label == predicted], minlength=4)
    found = removals.compute_balanced_accuracy(
        hits, np.bincount(predicted, minlength=4), np.bincount(label, minlength=4)
    )
    for which in range(4):
        sensitivity = (predicted[label == which] == which).mean()
        specificity = (predicted[label != which] != which).mean()
        assert found[which] == pytest.approx((sensitivity + specificity) / 2)


def test_a_class_without_images_or_without_others_has_no_balanced_accuracy():
    none = removals.compute_balanced_accuracy(np.array([3, 0]), np.array([3, 1]), np.array([4, 0]))
    assert np.isnan(none).all()


def test_units_are_ranked_by_what_a_class_loses_and_ties_by_number():
    accuracy = np.array([[0.9, 0.5], [0.4, 0.5], [0.9, 0.7], [0.6, 0.1]])
    assert removals.rank_units(accuracy, 3).tolist() == [[1, 3, 0], [3, 0, 1]]
    assert removals.rank_units(accuracy, 20).shape == (2, 4)


def test_random_sets_have_their_size_and_are_drawn_by_the_seed():
    sets = removals.draw_random_sets(30, 4, 10, seed=0)
    assert sets.shape == (10, 30)
    assert (sets.sum(axis=1) == 4).all()
    assert (sets == removals.draw_random_sets(30, 4, 10, seed=0)).all()
    assert (removals.draw_random_sets(3, 20, 2, seed=0)).all()


def test_p_counts_the_sets_that_lose_as_much():
    matched = -np.arange(99.0)
    assert removals.measure_loss(-98.5, matched) == 0.01
    assert removals.measure_loss(-98.0, matched) == 0.02
    assert removals.measure_loss(1.0, matched) == 1.0


def test_intervals_hold_the_mean_in_95_of_100_samples():
    random = np.random.default_rng(0)
    inside = []
    for _ in range(1000):
        change = random.exponential(1, 200) - 1
        low, high = removals.make_change_interval(change, np.arange(200) % 20)
        inside.append(low <= 0 <= high)
    assert 0.925 <= np.mean(inside) <= 0.97


def test_images_that_belong_together_widen_the_interval_if_they_are_one_fold():
    change = np.repeat(np.random.default_rng(0).normal(size=50), 4)  # four copies of every image
    low, high = removals.make_change_interval(change, np.repeat(np.arange(50) % 20, 4))
    naive_low, naive_high = removals.make_change_interval(change, np.arange(200) % 20)
    assert (high - low) > 1.5 * (naive_high - naive_low)


def test_folds_that_do_not_differ_leave_no_interval():
    assert removals.make_change_interval(np.full(60, -0.5), np.arange(60) % 20) == (-0.5, -0.5)


def test_matched_sets_are_different_sets_of_other_units_with_near_means():
    mean = np.random.default_rng(0).random(100)
    removed = np.array([3, 50, 51])
    sets = removals.draw_matched_sets(mean, removed, 200, seed=0, nearest=20)
    assert len(np.unique(sets, axis=0)) == len(sets) == 200
    assert (sets.sum(axis=1) == 3).all()
    assert not sets[:, removed].any()
    others = np.setdiff1d(np.arange(100), removed)
    reach = max(np.sort(np.abs(mean[others] - mean[unit]))[22] for unit in removed)
    for drawn in sets:
        assert min(np.abs(mean[np.flatnonzero(drawn)] - mean[3])) <= reach


def test_a_single_unit_is_compared_with_each_other_unit_once():
    mean = np.random.default_rng(0).random(30)
    sets = removals.draw_matched_sets(mean, np.array([4]), 200, seed=0)
    assert len(sets) == 29
    assert (sets.sum(axis=0) == np.where(np.arange(30) == 4, 0, 1)).all()
    nearest = removals.draw_matched_sets(mean, np.array([4]), 5, seed=0)
    distance = np.abs(mean - mean[4])
    assert set(np.flatnonzero(nearest.any(axis=0))) == set(np.argsort(distance)[1:6])


def test_a_set_of_more_than_half_of_the_units_has_no_matched_sets():
    assert removals.draw_matched_sets(np.arange(6.0), np.arange(4), 200, seed=0).shape == (0, 6)
    assert len(removals.draw_matched_sets(np.arange(6.0), np.arange(3), 200, seed=0)) == 1


def test_p_of_random_sets_is_not_too_small_at_any_level():
    """Sets drawn at random are no different from matched ones, and p says so at small levels too."""
    random = np.random.default_rng(0)
    importance, mean = random.exponential(1, 128), random.random(128)
    p = []
    for seed in range(600):
        removed = random.choice(128, int(random.integers(1, 4)), replace=False)
        sets = removals.draw_matched_sets(mean, removed, 200, seed)
        p.append(removals.measure_loss(-importance[removed].sum(), -(sets @ importance)))
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.08
    assert np.mean(np.array(p) <= 0.01) <= 0.025


def test_few_neighbors_make_p_of_random_sets_too_small():
    """The most important of 20 neighbors has the smallest p there is, in 5 of 100 cases and not in 1 of 200."""
    random = np.random.default_rng(0)
    importance, mean = random.exponential(1, 128), random.random(128)
    p = []
    for seed in range(400):
        removed = random.choice(128, 2, replace=False)
        sets = removals.draw_matched_sets(mean, removed, 200, seed, nearest=20)
        p.append(removals.measure_loss(-importance[removed].sum(), -(sets @ importance)))
    assert np.mean(np.array(p) <= 0.01) > 0.025
