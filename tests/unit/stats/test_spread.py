"""Intervals, stability and the error of counts: equal to their definitions, and 0 where folds do not differ."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as some

from netdissect.concepts import Concept, Vocabulary
from netdissect.results.counts import Counts, compute_iou, find_best_concepts
from netdissect.stats.spread import (
    compute_honest,
    compute_keep,
    compute_logit_error,
    count_spread,
    draw_weights,
    find_label_set,
    find_resampled_labels,
    make_intervals,
    make_ratio_interval,
    resample_best,
)

SEEDS = some.integers(0, 10**6)


def draw_tables(seed, *, folds=5, units=4, concepts=7, categories=3, largest=9):
    """Return I, A, G, primary and a vocabulary; counts are small, so that scores tie."""
    rng = np.random.default_rng(seed)
    primary = rng.integers(0, categories, concepts)
    I = rng.integers(0, largest, (folds, units, concepts)) * (rng.random((folds, units, concepts)) < 0.6)
    A = rng.integers(0, largest, (folds, units, categories)) + np.max(I, axis=(1, 2), keepdims=True)
    G = rng.integers(0, largest, (folds, concepts)) + np.max(I, axis=1)
    names = tuple(f"k{k}" for k in range(categories))
    vocabulary = Vocabulary(names, tuple(Concept(c + 1, f"c{c}", names[k]) for c, k in enumerate(primary)))
    return I, A, G, primary, vocabulary


def compute_f1(counts):
    total = counts.A + counts.G
    return np.where(total > 0, 2 * counts.I / np.maximum(total, 1), 0)


@given(SEEDS, some.sampled_from([("iou", compute_iou), ("f1", compute_f1)]))
def test_a_resample_has_the_best_concepts_of_its_weighted_counts(seed, measure):
    I, A, G, primary, vocabulary = draw_tables(seed)
    name, compute = measure
    weights = draw_weights(6, 5, seed)
    label = np.random.default_rng(seed).integers(-1, 7, 4)
    score, column, of_label = resample_best(I, A, G, primary, weights, label, name)
    best, labels = find_resampled_labels(score, column)
    for b, weight in enumerate(weights):
        counts = Counts(np.tensordot(weight, I, 1), np.tensordot(weight, A, 1)[:, primary], weight @ G)
        values = compute(counts)
        expected = find_best_concepts(values, vocabulary)
        np.testing.assert_array_equal(column[b], expected.column)
        np.testing.assert_array_equal(score[b], expected.score.astype(np.float32))
        np.testing.assert_array_equal(of_label[b], np.where(label < 0, np.nan, values[range(4), label]))
        np.testing.assert_array_equal(best[b], expected.score.max(axis=1).astype(np.float32))
        chosen = np.where(expected.category < 0, -1, expected.column[range(4), expected.category])
        np.testing.assert_array_equal(labels[b], chosen)


@given(SEEDS)
def test_the_order_of_folds_and_their_integers_do_not_matter(seed):
    I, A, G, primary, _ = draw_tables(seed)
    weights, label = draw_weights(6, 5, seed), np.array([0, 3, -1, 6])
    expected = resample_best(I, A, G, primary, weights, label)
    order = np.random.default_rng(seed).permutation(5)
    for found in (
        resample_best(I[order], A[order], G[order], primary, weights[:, order], label),
        resample_best(I.astype(np.int32), A.astype(np.int32), G.astype(np.int32), primary, weights, label),
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@given(SEEDS)
def test_iou_and_f1_give_the_same_labels(seed):
    I, A, G, primary, _ = draw_tables(seed, largest=1000)
    weights, nothing = draw_weights(6, 5, seed), np.full(4, -1)
    by_iou, by_f1 = (resample_best(I, A, G, primary, weights, nothing, name) for name in ("iou", "f1"))
    np.testing.assert_array_equal(by_iou[1], by_f1[1])
    np.testing.assert_allclose(by_f1[0], 2 * by_iou[0] / (1 + by_iou[0]), rtol=1e-6)


def test_pixel_counts_beyond_2_to_the_32_are_added_exactly():
    I = np.full((20, 1, 1), 2**40 + 1)
    score, _, of_label = resample_best(
        I, I, np.full((20, 1), 3 * 2**40), np.zeros(1, int), np.full((1, 20), 1), np.array([0])
    )
    exact = 20 * (2**40 + 1) / (20 * 3 * 2**40)
    assert of_label[0, 0] == exact
    assert score[0, 0, 0] == np.float32(exact)


@given(SEEDS)
def test_folds_that_are_all_alike_have_no_spread(seed):
    one = draw_tables(seed, folds=1)
    I, A, G = (np.repeat(table, 20, axis=0) for table in one[:3])
    primary, weights = one[3], draw_weights(30, 20, seed)
    whole, column, _ = resample_best(I, A, G, primary, np.ones((1, 20), int), np.full(4, -1))
    best, label = (part[0] for part in find_resampled_labels(whole, column))
    score, column, of_label = resample_best(I, A, G, primary, weights, label)
    found = count_spread(score, column, 0.04)
    assert found.units_sd == found.unique_sd == 0
    assert found.units_low == found.units_high == (best >= np.float32(0.04)).sum()
    labeled = label >= 0
    error = compute_logit_error(of_label, 20)
    np.testing.assert_array_equal(error, np.where(labeled, 0, np.nan))
    low, high = make_intervals(best, error, 20)
    np.testing.assert_array_equal(low[labeled], best[labeled])
    np.testing.assert_array_equal(high[labeled], best[labeled])
    labels = find_resampled_labels(score, column)[1]
    np.testing.assert_array_equal(compute_keep(labels, label), np.where(labeled, 1, np.nan))
    np.testing.assert_array_equal(compute_honest(I, A, G, primary), best)


def test_weights_draw_every_resample_anew_as_often_as_there_are_folds():
    weights = draw_weights(20_000, 20, 3)
    assert (weights.sum(axis=1) == 20).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(weights.var(axis=0), 19 / 20, atol=0.04)
    np.testing.assert_array_equal(weights, draw_weights(20_000, 20, 3))
    assert (weights != draw_weights(20_000, 20, 4)).any()
    assert draw_weights(0, 20, 3).shape == (0, 20)


@given(SEEDS)
def test_honest_is_the_score_of_the_label_that_the_other_half_chose(seed):
    I, A, G, primary, vocabulary = draw_tables(seed, folds=6)
    ious = [
        compute_iou(Counts(I[half].sum(0), A[half].sum(0)[:, primary], G[half].sum(0)))
        for half in (slice(3), slice(3, 6))
    ]
    expected = np.zeros(4)
    for choosing, other in (ious, ious[::-1]):
        best = find_best_concepts(choosing, vocabulary)
        for unit in range(4):
            if best.category[unit] >= 0:
                expected[unit] += other[unit, best.column[unit, best.category[unit]]] / 2
    np.testing.assert_array_equal(compute_honest(I, A, G, primary), expected.astype(np.float32))


def test_a_concept_of_one_half_alone_has_no_honest_score():
    I, A, G = np.zeros((4, 1, 1), int), np.ones((4, 1, 1), int), np.ones((4, 1), int)
    I[0] = 1
    assert compute_honest(I, A, G, np.zeros(1, int)).tolist() == [0]


def test_the_error_is_the_deviation_of_logits_corrected_for_the_number_of_folds():
    of_label = np.random.default_rng(0).uniform(0.05, 0.2, (200, 3))
    expected = np.log(of_label / (1 - of_label)).std(axis=0, ddof=1) * (20 / 19) ** 0.5
    np.testing.assert_allclose(compute_logit_error(of_label, 20), expected)
    assert np.isnan(compute_logit_error(of_label, 1)).all()


def test_a_label_that_some_resamples_lack_has_a_large_finite_error():
    error = compute_logit_error(np.array([[0.1], [0.0], [0.1], [0.0]]), 20)
    assert 5 < error[0] < 10


@pytest.mark.parametrize("folds", [2, 5, 20, 100])
def test_intervals_are_students_on_the_logit(folds):
    low, high = make_intervals([0.1], [0.2], folds)
    reach = scipy.stats.t.ppf(0.975, folds - 1) * 0.2
    for end, sign in ((low, -1), (high, 1)):
        np.testing.assert_allclose(np.log(end / (1 - end)), np.log(0.1 / 0.9) + sign * reach)


@given(some.floats(0, 1, allow_subnormal=False), some.floats(0, 50))
def test_an_interval_holds_its_score_and_lies_between_0_and_1(score, error):
    low, high = make_intervals([score], [error], 20)
    assert 0 <= low[0] <= score * (1 + 1e-9)
    assert score * (1 - 1e-9) <= high[0] <= 1


def test_a_unit_without_a_label_has_no_interval():
    low, high = make_intervals([0.0], [np.nan], 20)
    assert np.isnan([low, high]).all()


def test_the_interval_of_a_ratio_lies_around_it_even_where_every_resample_is_above():
    low, high = make_ratio_interval(2.0, [2.1, 2.2, 2.3], 20)
    reach = scipy.stats.t.ppf(0.975, 19) * np.log([2.1, 2.2, 2.3]).std(ddof=1) * (20 / 19) ** 0.5
    assert (low, high) == pytest.approx((2 * np.exp(-reach), 2 * np.exp(reach)))


@given(some.lists(some.integers(-1, 5), min_size=1, max_size=60))
def test_the_label_set_is_the_smallest_that_90_percent_of_resamples_name(labels):
    found = find_label_set(np.array(labels))
    times = Counter(label for label in labels if label >= 0)
    named = sum(times.values())
    counts = [times[label] for label in found]
    assert counts == sorted(counts, reverse=True)
    assert 10 * sum(counts) >= 9 * named
    if found:
        assert 10 * sum(counts[:-1]) < 9 * named
        assert max(times.values()) == counts[0]


def test_of_equal_labels_the_first_column_comes_first():
    assert find_label_set(np.array([4, 1, 4, 1])) == [1, 4]


def test_keep_counts_the_resamples_that_name_the_label():
    labels = np.array([[1, 5, -1], [1, 4, 2], [0, 4, -1], [1, -1, 2]])
    np.testing.assert_array_equal(compute_keep(labels, np.array([1, 4, -1])), [0.75, 0.5, np.nan])


@given(SEEDS, some.sampled_from(["label", "category"]), some.floats(0, 0.5))
def test_the_spread_of_counts_is_that_of_every_resamples_detectors(seed, definition, threshold):
    I, A, G, primary, vocabulary = draw_tables(seed)
    weights = draw_weights(20, 5, seed)
    score, column, _ = resample_best(I, A, G, primary, weights, np.full(4, -1))
    units, unique = [], []
    for weight in weights:
        counts = Counts(np.tensordot(weight, I, 1), np.tensordot(weight, A, 1)[:, primary], weight @ G)
        best = find_best_concepts(compute_iou(counts), vocabulary)
        seen = set()
        detecting = 0
        for unit in range(4):
            if definition == "label":
                k = best.category[unit]
                names = [best.column[unit, k]] if k >= 0 and best.score[unit, k] >= threshold else []
            else:
                names = [
                    c for c, s in zip(best.column[unit], best.score[unit], strict=True) if c >= 0 and s > threshold
                ]
            detecting += bool(names)
            seen.update(names)
        units.append(detecting)
        unique.append(len(seen))
    found = count_spread(score, column, threshold, definition)
    assert found.units_sd == pytest.approx(np.std(units, ddof=1))
    assert found.unique_sd == pytest.approx(np.std(unique, ddof=1))
    assert (found.units_low, found.units_high) == (min(units), max(units))  # 2.5 % of 20 is less than one
    assert (found.unique_low, found.unique_high) == (min(unique), max(unique))


def test_a_score_at_the_threshold_counts_by_label_and_not_by_category():
    """1 / 25 is less than 0.04 once both are rounded to float32 and compared with a float64."""
    score, column = np.full((3, 1, 1), 1 / 25, np.float32), np.zeros((3, 1, 1), np.int32)
    assert count_spread(score, column, 0.04, "label").units_low == 1
    assert count_spread(score, column, 0.04, "category").units_high == 0


def test_percentiles_leave_out_2_and_a_half_percent_on_either_side():
    score = np.zeros((200, 100, 1), np.float32)
    for b in range(200):
        score[b, : b // 2] = 0.5  # 0 0 1 1 2 2 … 99 99 units
    found = count_spread(score, np.zeros(score.shape, np.int32), 0.04)
    assert (found.units_low, found.units_high) == (2, 97)
    assert (found.unique_low, found.unique_high) == (1, 1)


def test_a_layer_without_categories_has_no_labels():
    best, label = find_resampled_labels(np.zeros((3, 2, 0), np.float32), np.zeros((3, 2, 0), np.int32))
    assert best.tolist() == [[0, 0]] * 3
    assert label.tolist() == [[-1, -1]] * 3
