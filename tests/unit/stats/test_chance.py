"""p, q, cuts and times chance: equal to their definitions, calibrated where no unit has an effect and where some have."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as some
from tests.simulated_units import draw_layer

from netdissect.stats.chance import (
    adjust_p,
    compute_own_p,
    compute_pooled_p,
    compute_times_chance,
    describe_null,
    estimate_null_share,
    find_layer_cut,
)

SIZES = {"shifts": some.integers(10, 30), "units": some.integers(2, 12), "seed": some.integers(0, 10**6)}


def make_layer(shifts, units, seed, null_share=0.5):
    return draw_layer(np.random.default_rng(seed), units=units, shifts=shifts, null_share=null_share)


def compute_p_by_definition(observed, null):
    """Leave every shift out in turn."""
    x, shifts = np.log(np.maximum(null, 1e-5)), len(null)
    pool = []
    for unit in range(null.shape[1]):
        for left_out in range(shifts):
            others = np.delete(x[:, unit], left_out)
            pool.append((x[left_out, unit] - others.mean()) / (others.std(ddof=1) * (1 + 1 / (shifts - 1)) ** 0.5))
    z = (np.log(observed) - x.mean(0)) / (x.std(0, ddof=1) * (1 + 1 / shifts) ** 0.5)
    return np.array([(1 + sum(other >= mine for other in pool)) / (1 + len(pool)) for mine in z])


@given(**SIZES)
def test_pooled_p_equals_its_definition(shifts, units, seed):
    observed, null, _ = make_layer(shifts, units, seed)
    np.testing.assert_allclose(compute_pooled_p(observed, null), compute_p_by_definition(observed, null), rtol=1e-12)


@given(**SIZES)
def test_order_of_shifts_and_units_and_a_common_factor_change_no_p(shifts, units, seed):
    rng = np.random.default_rng(seed)
    observed, null, _ = make_layer(shifts, units, seed)
    p, places = compute_pooled_p(observed, null), rng.permutation(units)
    np.testing.assert_array_equal(compute_pooled_p(observed[places], rng.permuted(null, axis=0)[:, places]), p[places])
    factor = rng.uniform(0.3, 1, units)
    np.testing.assert_array_equal(compute_pooled_p(observed * factor, null * factor), p)


@given(**SIZES)
def test_a_higher_score_has_no_larger_p_and_p_lies_between_its_bounds(shifts, units, seed):
    observed, null, _ = make_layer(shifts, units, seed)
    p = compute_pooled_p(observed, null)
    assert ((p >= 1 / (1 + shifts * units)) & (p <= 1)).all()
    assert (compute_pooled_p(observed * 1.5, null) <= p).all()
    assert (compute_pooled_p(np.full(units, 1.1), null) <= p).all()


@given(**SIZES)
def test_own_p_is_the_rank_of_the_observed_among_the_units_shifts(shifts, units, seed):
    observed, null, _ = make_layer(shifts, units, seed)
    ranks = [sorted([*null[:, unit], observed[unit]], reverse=True).index(observed[unit]) + 1 for unit in range(units)]
    np.testing.assert_allclose(compute_own_p(observed, null), np.array(ranks) / (1 + shifts))


@given(**SIZES)
def test_float32_tables_give_the_p_of_their_values(shifts, units, seed):
    observed, null, _ = (part.astype(np.float32) for part in make_layer(shifts, units, seed))
    np.testing.assert_array_equal(
        compute_pooled_p(observed, null), compute_pooled_p(observed.astype(np.float64), null.astype(np.float64))
    )


def test_a_unit_without_a_mask_has_p_1_and_leaves_the_p_of_the_others():
    observed, null, _ = make_layer(20, 8, 1)
    p = compute_pooled_p(observed, null)
    dead = np.zeros((20, 1))
    with_dead = compute_pooled_p(np.r_[0.0, observed], np.hstack([dead, null]))
    assert with_dead[0] == 1
    np.testing.assert_array_equal(with_dead[1:], p)


def test_a_unit_that_scores_0_has_p_1_even_where_its_shifts_do_not():
    observed, null, _ = make_layer(20, 8, 2)
    observed[3] = 0
    assert compute_pooled_p(observed, null)[3] == 1


def test_a_unit_whose_shifts_are_all_equal_has_its_rank_as_p():
    observed, null, _ = make_layer(20, 8, 3)
    null[:, :2] = 0.1
    observed[:2] = 0.2, 0.1
    p = compute_pooled_p(observed, null)
    assert p[:2].tolist() == [1 / 21, 1]
    np.testing.assert_array_equal(p[2:], compute_pooled_p(observed[2:], null[:, 2:]))


def test_the_only_unit_of_a_layer_has_its_own_p():
    observed, null, _ = make_layer(20, 1, 4)
    np.testing.assert_array_equal(compute_pooled_p(observed, null), compute_own_p(observed, null))
    beside_dead = compute_pooled_p(np.r_[observed, 0], np.hstack([null, np.zeros((20, 1))]))
    assert beside_dead.tolist() == [*compute_own_p(observed, null), 1]


def test_a_unit_with_one_shift_unlike_the_others_has_finite_p_without_a_warning():
    null = np.full((20, 3), 0.02)
    null[4, :] = 0.03, 0.01, 0.5
    p = compute_pooled_p([0.04, 0.02, 0.6], null)
    assert np.isfinite(p).all()
    assert (p > 0).all()


@given(some.lists(some.floats(1e-6, 1), min_size=1, max_size=40), some.integers(0, 10**6))
def test_q_is_scipys_among_those_that_take_part(p, seed):
    p = np.array(p)
    taking_part = np.random.default_rng(seed).random(p.size) < 0.7
    q = adjust_p(p, taking_part)
    assert np.isnan(q[~taking_part]).all()
    if taking_part.any():
        np.testing.assert_allclose(q[taking_part], scipy.stats.false_discovery_control(p[taking_part]), rtol=1e-12)


def test_the_share_without_effect_is_found_at_most_1_and_1_without_units():
    rng = np.random.default_rng(0)
    p = np.r_[rng.random(6_000), rng.random(4_000) * 1e-3]
    assert estimate_null_share(p) == pytest.approx(0.6, abs=0.02)
    assert estimate_null_share([0.9] * 10) == 1
    assert estimate_null_share([]) == 1


@given(shifts=some.integers(19, 30), units=SIZES["units"], seed=SIZES["seed"])
def test_p_is_at_most_5_percent_if_and_only_if_the_score_exceeds_the_cut(shifts, units, seed):
    _, null, _ = make_layer(shifts, units, seed)
    null[:, 0] = 0.05  # all equal: the cut is that score
    for part in (null, null[:, 1:2]):  # also a single unit
        _, cut = describe_null(part)
        assert (compute_pooled_p(cut * (1 + 1e-9), part) <= 0.05).all()
        assert (compute_pooled_p(cut * (1 - 1e-9), part) > 0.05).all()


def test_chance_is_the_geometric_mean_and_a_layer_has_as_many_cuts_as_units():
    chance, cut = describe_null([[0.1, 0.02], [0.4, 0.02], [0.2, 0.02]])
    np.testing.assert_allclose(chance, [0.2, 0.02])
    assert cut.shape == (2,)
    assert cut[1] == pytest.approx(0.02)


@given(**SIZES)
def test_the_layer_cut_is_the_smallest_observed_score_that_few_units_reach_by_chance(shifts, units, seed):
    observed, null, _ = make_layer(shifts, units, seed)
    fine = [t for t in sorted(observed) if (null >= t).sum() / shifts <= 0.05 * (observed >= t).sum()]
    assert find_layer_cut(observed, null) == (fine[0] if fine else None)


def test_scores_no_better_than_chance_have_no_layer_cut():
    assert find_layer_cut([0.01, 0.02], np.full((20, 2), 0.03)) is None
    assert find_layer_cut([0.0, 0.0], np.zeros((20, 2))) is None


@given(**SIZES, factor=some.floats(1.1, 3))
def test_times_chance_grows_with_the_scores_and_is_1_for_the_geometric_mean(shifts, units, seed, factor):
    _, null, _ = make_layer(shifts, units, seed)
    chance, _ = describe_null(null)
    assert compute_times_chance(chance, null) == pytest.approx(1)
    assert compute_times_chance(chance * factor, null) == pytest.approx(factor)
    dead = np.hstack([null, np.zeros((shifts, 1))])
    assert compute_times_chance(np.r_[chance * factor, 0], dead) == pytest.approx(factor)


def test_times_chance_of_a_layer_without_masks_is_not_a_number():
    assert np.isnan(compute_times_chance([0, 0], np.zeros((20, 2))))


def test_a_shift_in_the_place_of_the_data_is_1_times_chance():
    rng = np.random.default_rng(0)
    found = [compute_times_chance(*draw_layer(rng)[:2]) for _ in range(200)]
    assert np.exp(np.mean(np.log(found))) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shifts", [10, 20, 40])
@pytest.mark.parametrize("null_share", [0.3, 0.7, 0.95, 1.0])
def test_p_of_units_without_effect_is_uniform_and_q_holds_its_rate(shifts, null_share):
    """200 layers of 128 units; bounds are two standard errors wide, those of P(p < x) ± a fifth of x."""
    rng = np.random.default_rng(shifts)
    levels = np.array([0.05, 0.2, 0.5, 0.8])
    below, very_small, false, any_false = [], [], [], []
    for _ in range(200):
        observed, null, empty = draw_layer(rng, shifts=shifts, null_share=null_share)
        p = compute_pooled_p(observed, null)
        found = adjust_p(p, np.ones(p.size, bool)) < 0.05
        below.append((p[empty][:, None] < levels).mean(axis=0))
        very_small.append((p[empty] < 0.01).mean())
        false.append((found & empty).sum() / max(1, found.sum()))
        any_false.append((found & empty).any())
    assert (np.abs(np.mean(below, axis=0) / levels - 1) < 0.2).all()
    assert 0.006 < np.mean(very_small) < 0.0125
    assert np.mean(false) <= 0.05 * null_share + 2 * np.std(false) / 200**0.5
    if null_share == 1:
        assert np.mean(any_false) <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


@pytest.mark.parametrize("scoring", [0.05, 0.2, 0.5])
def test_units_that_score_in_few_shifts_do_not_raise_the_false_discovery_rate(scoring):
    """A third of the units have small masks and score 0 in most shifts, so their shifts have another distribution."""
    rng, false, below = np.random.default_rng(0), [], []
    for _ in range(200):
        observed, null, empty = draw_layer(rng, null_share=0.3)
        scores = np.vstack([observed, null])
        sparse = np.arange(128) < 40
        scores[:, sparse] = np.where(rng.random((21, 40)) < scoring, np.exp(rng.normal(-4, 0.5, (21, 40))), 0)
        empty |= sparse
        p = compute_pooled_p(scores[0], scores[1:])
        found = np.nan_to_num(adjust_p(p, scores[0] > 0), nan=1) < 0.05
        false.append((found & empty).sum() / max(1, found.sum()))
        below.append((p[empty] < 0.05).mean())
    assert np.mean(false) <= 0.05
    assert np.mean(below) <= 0.06
