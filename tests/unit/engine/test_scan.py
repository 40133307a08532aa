"""Scans over several batches and shards: maxima, skipped images, progress."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine.dissect import _make_exemplars
from netdissect.engine.plan import Plan
from netdissect.errors import DataError
from netdissect.layers import FieldMap
from netdissect.stats.top_images import TopImages

FIELD = FieldMap((0, 0), (4, 4), (4, 4))


def case(activations, unreadable=()):
    entries = [
        Labels(np.full((1, 16, 16), 1 + n % 3, np.uint16), np.zeros(0, np.int64)) for n in range(len(activations))
    ]
    source = fakes.ArraySource((fakes.make_layer("l", activations, FIELD),), {"l": activations}, (16, 16))
    return source, fakes.ArrayConcepts(fakes.make_vocabulary(3), entries, (16, 16), unreadable=frozenset(unreadable))


def make_short_tail():
    """Return a plan and activations whose unit 1 has its only large values in the calibration sample."""
    plan = Plan(40, 4, 8, 8, 0)
    activations = np.random.default_rng(1).normal(size=(40, 3, 4, 4)).astype(np.float32)
    activations[plan.shards[0].images, 1] += 100
    return plan, activations


@pytest.mark.parametrize("largest", [0, 13, 39])
@pytest.mark.parametrize("sample", [8, 40])  # several shards, and one
def test_the_maximum_of_a_unit_is_that_of_all_images(largest, sample):
    plan = Plan(40, 4, 12, sample, 0)
    activations = np.random.default_rng(2).normal(size=(40, 3, 4, 4)).astype(np.float32)
    activations[np.concatenate([shard.images for shard in plan.shards])[largest], 1, 3, 2] = 50
    found = fakes.dissect_arrays(*case(activations), plan=plan, quantile=0.05, image_maxima=True).layers["l"]
    np.testing.assert_array_equal(found.activity.maximum, activations.max(axis=(0, 2, 3)))
    np.testing.assert_array_equal(found.image_maxima, activations.max(axis=(2, 3)))


def test_a_unit_is_scanned_again_although_an_image_is_skipped():
    plan, activations = make_short_tail()
    missing = int(plan.shards[2].images[3])
    outcome = fakes.dissect_arrays(*case(activations, {missing}), plan=plan, quantile=0.4, on_error="skip")
    assert outcome.rescanned == {"l": [1]}
    assert outcome.images == 39
    assert list(outcome.skipped) == [missing]
    left = np.delete(activations, missing, axis=0)
    truth = -np.sort(-left.transpose(1, 0, 2, 3).reshape(3, -1), axis=1)[:, int(0.4 * 39 * 16)]
    np.testing.assert_array_equal(outcome.layers["l"].thresholds, truth)
    with pytest.raises(DataError, match=rf"image{missing}\.png"):
        fakes.dissect_arrays(*case(activations, {missing}), plan=plan, quantile=0.4)


def test_a_resumed_run_knows_why_images_were_skipped(tmp_path):
    activations = np.random.default_rng(3).normal(size=(20, 2, 4, 4)).astype(np.float32)
    plan = Plan(20, 4, 8, 8, 0)
    missing = [int(plan.shards[0].images[1]), int(plan.shards[1].images[2])]
    source, concepts = case(activations, missing)
    reasons = {n: fakes.describe_unreadable(n) for n in missing}
    first = fakes.dissect_arrays(source, concepts, plan=plan, on_error="skip", folder=tmp_path)
    seen = len(source.images_seen)
    again = fakes.dissect_arrays(source, concepts, plan=plan, on_error="skip", folder=tmp_path)
    assert first.skipped == again.skipped == reasons
    assert (first.resumed, again.resumed) == (0, 2)
    assert len(source.images_seen) == seen == 18


def test_progress_counts_every_image_once_in_the_scan_once_in_the_tally_and_once_for_exemplars():
    steps = []
    activations = np.random.default_rng(4).normal(size=(30, 2, 4, 4)).astype(np.float32)
    fakes.dissect_arrays(*case(activations), plan=Plan(30, 4, 8, 8, 0), advance=steps.append)
    assert sum(steps) == 3 * 30
    assert steps[:2] == [4, 4]  # the batches of the calibration sample
    plan, activations = make_short_tail()
    steps.clear()
    fakes.dissect_arrays(*case(activations), plan=plan, quantile=0.4, advance=steps.append)
    assert sum(steps) == 4 * 40  # scanned, scanned again, counted, looked at for exemplars


def test_a_shard_without_a_readable_image_counts_nothing():
    plan = Plan(24, 4, 8, 8, 0)
    activations = np.random.default_rng(5).normal(size=(24, 2, 4, 4)).astype(np.float32)
    missing = frozenset(plan.shards[1].images.tolist())
    outcome = fakes.dissect_arrays(*case(activations, missing), plan=plan, quantile=0.1, on_error="skip")
    assert (outcome.images, set(outcome.skipped)) == (16, missing)
    labeled = [sum(256 for n in range(24) if n % 3 == concept and n not in missing) for concept in range(3)]
    assert outcome.layers["l"].counts.G.tolist() == labeled
    with pytest.raises(DataError, match="none of the first 8 images could be read: images/image"):
        fakes.dissect_arrays(*case(activations, set(plan.shards[0].images.tolist())), plan=plan, on_error="skip")


def test_with_fewer_images_than_exemplars_the_rest_are_empty():
    empty = TopImages.empty(2, 3, (1, 1))
    found = _make_exemplars(empty, np.array([1, 2], np.float32), lambda number: number)
    assert found.images.tolist() == [[-1] * 3] * 2
    assert found.maxima.tolist() == [[0] * 3] * 2
    assert not found.grids.any()
