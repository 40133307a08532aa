"""Thresholds are exact, also where a tail is too short to prove one."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tests import fakes
from tests.oracle import dissection as oracle

from netdissect.concepts import Labels
from netdissect.config import Settings
from netdissect.engine.calibrate import Bounds, calibrate
from netdissect.engine.candidates import Candidates
from netdissect.engine.plan import Plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.thresholds import count_allowed_above, find_thresholds
from netdissect.errors import ActivationError
from netdissect.layers import FieldMap

FIELD = FieldMap((0, 0), (4, 4), (4, 4))


def case(activations, seed=0):
    rng = np.random.default_rng(seed)
    entries = [
        Labels(rng.integers(0, 4, size=(1, 16, 16)).astype(np.uint16), np.zeros(0, np.int64)) for _ in activations
    ]
    source = fakes.ArraySource((fakes.make_layer("l", activations, FIELD),), {"l": activations}, (16, 16))
    return source, fakes.ArrayConcepts(fakes.make_vocabulary(3), entries, (16, 16))


def check(activations, *, plan=None, quantile=0.01):
    source, concepts = case(activations)
    outcome = fakes.dissect_arrays(source, concepts, plan=plan, quantile=quantile, images_per_unit=2)
    truth = oracle.dissect(
        activations, [(e.planes, e.whole) for e in concepts.entries], concepts.vocabulary.primary, 3, FIELD, (16, 16),
        str(quantile),
    )  # fmt: skip
    np.testing.assert_array_equal(outcome.layers["l"].thresholds, truth.thresholds)
    np.testing.assert_array_equal(outcome.layers["l"].counts.I, truth.I)
    np.testing.assert_array_equal(outcome.layers["l"].counts.A, truth.A)
    return source, outcome


def test_a_quantile_is_the_decimal_number_that_was_given():
    assert Settings(quantile=0.005).exact_quantile == Fraction(1, 200)
    assert count_allowed_above(Settings(quantile=0.3).exact_quantile, 10) == 3
    assert count_allowed_above(Fraction(1, 200), 151931) == 759


def scan_of(values, bound):
    """Return a scan of some units' values, shape (U, n), of which those above the bound are candidates."""
    kept = [row[row > low] for row, low in zip(values, bound, strict=True)]
    equal = (values == bound[:, None]).sum(axis=1)
    start = np.cumsum([0, *map(len, kept)])
    units = np.arange(len(values), dtype=np.int32)
    cells = np.zeros(start[-1], np.uint16)
    candidates = Candidates(
        len(values), units, np.zeros_like(units), start, cells, np.concatenate(kept).astype(np.float32)
    )
    return SimpleNamespace(bounds=Bounds(bound, units), equal=equal, candidates=candidates)


FLOATS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1.0, np.float32(1 + 2**-23), 3.0, 2.0**100]),
)


@given(
    values=npst.arrays(np.float32, st.tuples(st.just(3), st.integers(1, 60)), elements=FLOATS),
    cut=st.integers(0, 60),
    quantile=st.fractions(0, Fraction(99, 100)),
    bound=npst.arrays(np.float32, 3, elements=st.one_of(FLOATS, st.just(-np.inf))),
    most=st.sampled_from([0, 1, 5, 2**22]),
)
@settings(max_examples=300, deadline=None)
def test_thresholds_equal_those_of_sorting_in_any_number_of_rounds(values, cut, quantile, bound, most):
    scans = [scan_of(part, bound) for part in (values[:, :cut], values[:, cut:])]
    allowed = count_allowed_above(quantile, values.shape[1])
    found = find_thresholds(lambda: iter(scans), 3, allowed, most=most)
    truth = -np.sort(-values, axis=1)[:, allowed]
    short = truth < bound
    np.testing.assert_array_equal(np.flatnonzero(short), found.short)
    np.testing.assert_array_equal(found.value[~short], truth[~short])
    assert np.isnan(found.value[found.short]).all()


def test_units_whose_threshold_is_known_early_do_not_disturb_the_others():
    values = np.full((2, 100), 0.75, np.float32)  # the first unit's is known after three rounds
    values[1, :18] = 1.001 + np.arange(18) * 0.001
    values[1, 18:23] = 1.0002 + np.arange(5) * 2.0**-23  # the second's lies among neighboring floats
    values[1, 23:] = 0.9
    scans = [scan_of(values[:, ::2], bound := np.array([0.7, 0], np.float32)), scan_of(values[:, 1::2], bound)]
    found = find_thresholds(lambda: iter(scans), 2, 20, most=10)
    np.testing.assert_array_equal(found.value, -np.sort(-values, axis=1)[:, 20])


def test_a_unit_whose_bound_was_too_high_is_scanned_again_and_exact():
    # The first shard holds the only large values: its bound lies far above the true threshold.
    order = np.random.default_rng(0).permutation(40)
    activations = np.random.default_rng(1).normal(size=(40, 3, 4, 4)).astype(np.float32)
    activations[order[:8], 1] += 100
    plan = Plan(40, 4, 8, 8, 0)
    source, outcome = check(activations, plan=plan, quantile=0.4)
    assert outcome.rescanned == {"l": [1]}
    assert len(source.images_seen) == 80  # once for all, once more for that unit


def test_no_image_runs_twice_when_the_bounds_hold():
    activations = np.random.default_rng(2).normal(size=(300, 4, 4, 4)).astype(np.float32)
    source, outcome = check(activations)
    assert outcome.rescanned == {}
    assert sorted(source.images_seen) == list(range(300))


def test_a_probe_set_sorted_by_class_is_scanned_once():
    activations = np.random.default_rng(3).normal(size=(400, 3, 4, 4)).astype(np.float32)
    activations[:, 0] = np.maximum(activations[:, 0], 0)
    activations += np.linspace(0, 6, 400, dtype=np.float32)[:, None, None, None]
    _, outcome = check(activations, plan=Plan(400, 16, 64, 128, 0))
    assert outcome.rescanned == {}


@pytest.mark.parametrize(
    ("name", "activations"),
    [
        ("heavy ties", np.round(np.random.default_rng(4).normal(size=(30, 2, 4, 4))).astype(np.float32)),
        ("constant", np.full((30, 2, 4, 4), 2.5, np.float32)),
        ("dead", np.zeros((30, 2, 4, 4), np.float32)),
        ("one cell alive", np.eye(1, 30 * 32, dtype=np.float32).reshape(30, 2, 4, 4)),
        ("rarely positive", np.maximum(np.random.default_rng(5).normal(size=(60, 2, 4, 4)) - 3, 0).astype(np.float32)),
        ("negative", -np.random.default_rng(6).random(size=(30, 2, 4, 4)).astype(np.float32)),
        ("one image", np.random.default_rng(7).normal(size=(1, 2, 4, 4)).astype(np.float32)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_thresholds_of_awkward_units_are_exact(name, activations):
    check(activations)
    check(activations, plan=Plan(len(activations), 3, 6, 5, 1))


@pytest.mark.parametrize("where", ["sample", "later"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_activations_that_are_not_finite_are_an_error_with_layer_unit_and_image(where, value):
    activations = np.random.default_rng(8).normal(size=(20, 3, 4, 4)).astype(np.float32)
    plan = Plan(20, 4, 8, 8, 0)
    image = int(plan.shards[0 if where == "sample" else 1].images[5])
    activations[image, 1, 2, 3] = value
    source, concepts = case(activations)
    with pytest.raises(ActivationError, match=rf"layer l, unit 2: .* on image image{image}\.png"):
        fakes.dissect_arrays(source, concepts, plan=plan)


def test_a_dead_unit_has_an_empty_mask_and_no_label():
    activations = np.random.default_rng(9).normal(size=(20, 2, 4, 4)).astype(np.float32)
    activations[:, 1] = 0
    source, concepts = case(activations)
    row = next(row for row in fakes.dissect_arrays(source, concepts, quantile=0.1).layers["l"].units if row.unit == 2)
    assert (row.label, row.category, row.score) == ("", "", 0.0)


def units_last(sample):
    return torch.from_numpy(sample).permute(0, 2, 3, 1).contiguous().split(64)


def test_the_bound_of_a_sample_of_everything_is_the_threshold():
    sample = np.random.default_rng(10).normal(size=(50, 2, 4, 4)).astype(np.float32)
    bounds, _ = calibrate(units_last(sample), Fraction(1, 100), 50, RowThreads(1))
    truth = [oracle.threshold(sample[:, unit].ravel(), "0.01") for unit in range(2)]
    np.testing.assert_array_equal(bounds.bound, truth)


def test_the_bound_of_a_unit_with_clustered_activations_has_a_wider_margin():
    rng = np.random.default_rng(11)
    spread = rng.normal(size=(100, 1, 4, 4)).astype(np.float32)
    clustered = np.sort(spread.ravel()).reshape(spread.shape).astype(np.float32)  # same values, all high ones together
    even, uneven = (
        calibrate(units_last(s), Fraction(5, 100), 10_000, RowThreads(1))[0].bound for s in (spread, clustered)
    )
    assert uneven < even


def test_bounds_hold_on_nearly_every_unit_of_a_random_sample():
    rng = np.random.default_rng(14)
    loud = rng.gamma(0.3, size=(2000, 200, 1)) * rng.normal(size=(2000, 200, 16))  # few images hold the high cells
    activations = loud.reshape(2000, 200, 4, 4).astype(np.float32)
    bound = calibrate(units_last(activations[:256]), Fraction(1, 100), 2000, RowThreads(1))[0].bound
    above = (activations > bound[:, None, None]).sum(axis=(0, 2, 3))
    assert (above > 0.01 * 2000 * 16).mean() >= 0.99


def test_several_layers_share_one_forward_pass():
    a = np.random.default_rng(12).normal(size=(40, 3, 4, 4)).astype(np.float32)
    b = np.random.default_rng(13).normal(size=(40, 2, 2, 2)).astype(np.float32)
    _, concepts = case(a)
    both = fakes.ArraySource(
        (fakes.make_layer("a", a, FIELD), fakes.make_layer("b", b, FIELD)), {"a": a, "b": b}, (16, 16)
    )
    together = fakes.dissect_arrays(both, concepts, quantile=0.05)
    assert sorted(both.images_seen) == list(range(40))
    for name, array in (("a", a), ("b", b)):
        alone = fakes.ArraySource((fakes.make_layer(name, array, FIELD),), {name: array}, (16, 16))
        one = fakes.dissect_arrays(alone, concepts, quantile=0.05).layers[name]
        np.testing.assert_array_equal(together.layers[name].counts.I, one.counts.I)
        np.testing.assert_array_equal(together.layers[name].thresholds, one.thresholds)
