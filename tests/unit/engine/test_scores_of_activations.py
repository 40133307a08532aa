"""Pearson's correlation and the cosine label units, and are measured by chance and on resamples like any score."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes
from tests.oracle.correlations import correlate
from tests.unit.engine.test_activation_tasks import make_case

from netdissect.engine.comparison_plan import FOLDS
from netdissect.engine.pairing import assign_folds, pair_images
from netdissect.engine.plan import Plan
from netdissect.results.counts import find_best_concepts

IMAGES = 60
PLAN = Plan(IMAGES, 4, 16, 16, 0)


def dissect(score, *, plan=PLAN, **options):
    activations, entries, vocabulary, field, input_size, *_ = make_case(IMAGES)
    source = fakes.ArraySource((fakes.make_layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size, **options.pop("of_concepts", {}))
    chosen = {
        "quantile": 0.1,
        "images_per_unit": 2,
        "null": 10,
        "resamples": 20,
        "score": score,
        "group_by": None,
    } | options
    return fakes.dissect_arrays(source, concepts, plan=plan, **chosen), source


def expect(score, lender=None):
    activations, entries, vocabulary, field, input_size, *_ = make_case(IMAGES)
    labels = [(entry.planes, entry.whole) for entry in entries]
    return correlate(activations, labels, vocabulary.primary, field, input_size, lender)[score]


@pytest.mark.parametrize("score", ["pearson", "cosine"])
def test_the_score_labels_units_and_is_measured_by_chance(score):
    outcome, source = dissect(score)
    layer, plain = outcome.layers["l"], dissect("iou")[0].layers["l"]
    truth = expect(score)
    np.testing.assert_allclose(layer.scores, truth, atol=1e-9)
    assert layer.score_title == score.title()
    np.testing.assert_array_equal(layer.counts.I, plain.counts.I)
    np.testing.assert_array_equal(layer.thresholds, plain.thresholds)
    assert sorted(source.images_seen) == sorted([*range(IMAGES)] * 2)
    order = np.concatenate([shard.images for shard in PLAN.shards])
    pairing = pair_images(order, None, np.zeros(IMAGES, np.int64), 10, 0)
    by_chance = np.stack([expect(score, lender).max(axis=1) for lender in pairing.lenders])
    chance = layer.trust.chance
    np.testing.assert_allclose(chance.score, by_chance, atol=1e-6)
    np.testing.assert_allclose(chance.observed, truth.max(axis=1), atol=1e-6)
    assert plain.trust.chance.score.shape == chance.score.shape


@pytest.mark.parametrize("score", ["pearson", "cosine"])
def test_honest_scores_are_those_of_the_half_that_did_not_choose_the_label(score):
    layer = dissect(score)[0].layers["l"]
    order = np.concatenate([shard.images for shard in PLAN.shards])
    fold = assign_folds(order, np.arange(IMAGES), FOLDS)
    of_half = [expect(score, np.where((fold < FOLDS // 2) == half, np.arange(IMAGES), -1)) for half in (True, False)]
    vocabulary, units = layer.vocabulary, np.arange(layer.layer.units)
    held_out = np.zeros(units.size)
    for choosing, other in (of_half, of_half[::-1]):
        best = find_best_concepts(choosing, vocabulary)
        column = best.column[units, best.category]
        held_out += np.where(best.category < 0, 0, other[units, column]) / 2
    np.testing.assert_allclose(layer.trust.spread.honest, held_out, atol=1e-6)
    assert layer.trust.spread.score.shape == (20, units.size, len(vocabulary.categories))


@pytest.mark.parametrize("score", ["pearson", "f1"])
@pytest.mark.parametrize("change", [{"plan": Plan(IMAGES, 4, 28, 16, 0)}, {"threads": 3}, {"table_memory": 2000}])
def test_shards_threads_and_memory_change_no_bit(score, change):
    expected, found = (dissect(score, **more)[0].layers["l"] for more in ({}, change))
    for one, other in (
        (expected.scores, found.scores),
        (expected.trust.chance.score, found.trust.chance.score),
        (expected.trust.chance.label, found.trust.chance.label),
        (expected.trust.spread.score, found.trust.spread.score),
        (expected.trust.spread.error, found.trust.spread.error),
        (expected.trust.spread.honest, found.trust.spread.honest),
    ):
        np.testing.assert_array_equal(one, other)


def test_skipped_images_take_no_part():
    unreadable = frozenset(int(image) for image in PLAN.shards[2].images[:3])
    layer = dissect("pearson", of_concepts={"unreadable": unreadable}, on_error="skip")[0].layers["l"]
    read = np.where([image in unreadable for image in range(IMAGES)], -1, np.arange(IMAGES))
    np.testing.assert_allclose(layer.scores, expect("pearson", read), atol=1e-9)


def test_without_shifts_and_resamples_there_are_no_trust_tables():
    layer = dissect("cosine", null=0, resamples=0)[0].layers["l"]
    np.testing.assert_allclose(layer.scores, expect("cosine"), atol=1e-9)
    assert layer.trust is None
