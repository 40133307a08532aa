"""Masks at further quantiles are those of a run at that quantile, and ranges add up, from one scan."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes
from tests.oracle import dissection as oracle
from tests.oracle.test_engine_equals_oracle import activations_of
from tests.unit.engine.test_activation_tasks import make_case

from netdissect.engine.plan import Plan
from netdissect.results.counts import compute_f1

IMAGES = 60
PLAN = Plan(IMAGES, 4, 16, 16, 0)


def dissect(kind="normal", **options):
    activations, entries, vocabulary, field, input_size, *_ = make_case(IMAGES)
    activations = activations_of(kind, np.random.default_rng(3), activations.shape, PLAN)
    source = fakes.ArraySource((fakes.make_layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size)
    outcome = fakes.dissect_arrays(source, concepts, plan=PLAN, images_per_unit=2, null=0, resamples=0, **options)
    labels = [(entry.planes, entry.whole) for entry in entries]

    def naive(quantile):
        return oracle.dissect(
            activations, labels, vocabulary.primary, len(vocabulary.categories), field, input_size, quantile, k=2
        )

    return outcome, naive, source


@pytest.mark.parametrize("kind", ["normal", "relu", "ties", "one image", "loud sample", "constant"])
def test_masks_at_every_quantile_equal_the_oracles(kind):
    outcome, naive, source = dissect(kind, quantile=0.02, quantiles=(0.01, 0.05, 0.2))
    layer = outcome.layers["l"]
    for quantile, found in (("0.02", layer), *((str(q), layer.at_quantile(q)) for q in (0.01, 0.05, 0.2))):
        truth = naive(quantile)
        np.testing.assert_array_equal(found.thresholds, truth.thresholds)
        np.testing.assert_array_equal(found.counts.I, truth.I)
        np.testing.assert_array_equal(found.counts.A, truth.A)
        np.testing.assert_array_equal(found.iou, truth.iou)
    if not outcome.rescanned:
        assert len(source.images_seen) == IMAGES  # the network ran once


def test_ranges_add_up_to_the_mask_at_the_largest_quantile():
    outcome, naive, _ = dissect(quantile=0.02, quantiles=(0.2,), ranges=4)
    layer = outcome.layers["l"]
    assert [(found.first, found.last) for found in layer.ranges] == [
        (0, 0.2), (0, 0.05), (0.05, 0.1), (0.1, 0.15), (0.15, 0.2)
    ]  # fmt: skip
    parts = [layer.in_range(first, first + 0.05).counts for first in (0, 0.05, 0.1, 0.15)]
    whole = naive("0.2")
    np.testing.assert_array_equal(sum(part.I for part in parts), whole.I)
    np.testing.assert_array_equal(sum(part.A for part in parts), whole.A)
    second = layer.ranges[2]
    np.testing.assert_array_equal(second.counts.I, naive("0.1").I - naive("0.05").I)
    np.testing.assert_array_equal(second.high, naive("0.05").thresholds)
    np.testing.assert_array_equal(second.low, naive("0.1").thresholds)


def test_further_quantiles_change_nothing_else():
    plain, more = (
        dissect(quantile=0.02, **options)[0].layers["l"] for options in ({}, {"quantiles": (0.2,), "ranges": 3})
    )
    np.testing.assert_array_equal(plain.thresholds, more.thresholds)
    np.testing.assert_array_equal(plain.counts.I, more.counts.I)
    np.testing.assert_array_equal(plain.exemplars.grids, more.exemplars.grids)
    assert plain.ranges == ()


def test_ranges_have_the_runs_score_if_it_is_one_of_masks():
    by_f1 = dissect(quantile=0.02, quantiles=(0.2,), score="f1")[0].layers["l"].at_quantile(0.2)
    np.testing.assert_array_equal(by_f1.scores, compute_f1(by_f1.counts))
    assert by_f1.score_title == "F1"
    by_pearson = dissect(quantile=0.02, quantiles=(0.2,), score="pearson")[0].layers["l"].at_quantile(0.2)
    np.testing.assert_array_equal(by_pearson.scores, by_pearson.iou)
    np.testing.assert_array_equal(by_pearson.counts.I, by_f1.counts.I)
