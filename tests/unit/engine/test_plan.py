"""The order of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import fakes

from netdissect.config import Settings
from netdissect.engine.dissect import make_plan
from netdissect.engine.layer_scans import scan_missing
from netdissect.engine.plan import Plan
from netdissect.layers import FieldMap
from netdissect.protocols import NullProgress


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 80), st.integers(1, 80), st.integers(0, 9))
def test_every_image_is_scanned_once(images, batch, shard, sample, seed):
    plan = Plan(images, batch, shard, sample, seed)
    seen = np.concatenate([part.images for part in plan.shards])
    assert sorted(seen.tolist()) == list(range(images))
    assert [part.number for part in plan.shards] == list(range(len(plan.shards)))


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 80), st.integers(1, 80))
def test_batches_do_not_depend_on_the_shard_size(images, batch, shard, other):
    def batches(size):
        return [b.tolist() for part in Plan(images, batch, size, 7, 3).shards for b in part.batches]

    assert batches(shard) == batches(other)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_calibration_sample_is_a_random_one(seed):
    first = Plan(1000, 10, 100, 50, seed).shards[0].images
    assert len(first) == 50
    assert abs(first.mean() - 500) < 150
    assert not (np.diff(first) > 0).all()


def test_the_seed_decides_the_order():
    def order(seed):
        return np.concatenate([shard.images for shard in Plan(1000, 10, 100, 50, seed).shards]).tolist()

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert len(set(order(0)[:50]) & set(order(1)[:50])) < 25  # the calibration sample is another one too


@pytest.mark.parametrize(
    ("shard_size", "calibration_size", "sizes"),
    [
        (20, 20, [24, 24, 24, 24, 4]),
        (24, 8, [8, 24, 24, 24, 20]),
        (25, 1, [8, 32, 32, 28]),
        (1, 1, [8] * 12 + [4]),
        (200, 17, [24, 76]),
        (10, 200, [100]),
    ],
)
def test_the_sample_and_every_shard_are_rounded_up_to_whole_batches(shard_size, calibration_size, sizes):
    plan = Plan(100, 8, shard_size, calibration_size, 0)
    assert [shard.images.size for shard in plan.shards] == sizes
    assert {batch.size for shard in plan.shards for batch in shard.batches} <= {8, 4}


class InterruptedRuntime:
    """A runtime that is interrupted after some shards."""

    def __init__(self, after):
        self.after = after

    def map(self, task, shards):
        for count, shard in enumerate(shards):
            if count == self.after:
                raise KeyboardInterrupt
            yield task(None, shard)


@pytest.mark.parametrize(("had", "after"), [(0, 0), (2, 1), (1, 3)])
def test_an_interrupted_run_counts_the_calibration_and_every_scanned_shard(had, after):
    shards = Plan(50, 4, 8, 8, 0).shards
    receipts = {part.number: "receipt" if part.number < had else None for part in shards}
    with pytest.raises(
        KeyboardInterrupt, match=rf"^interrupted after {had + after + 1} of {len(shards) + 1} shards; the same"
    ):
        scan_missing(InterruptedRuntime(after), lambda _, shard: shard, shards, receipts, NullProgress())
    assert sum(receipt is not None for receipt in receipts.values()) == had + after


@pytest.mark.parametrize(
    ("batch", "asked", "images"), [(8, None, 256), (32, None, 256), (128, None, 1024), (128, 64, 64)]
)
def test_a_shard_holds_enough_batches_to_keep_a_gpu_busy(batch, asked, images):
    layers = (fakes.make_layer("l", np.zeros((1, 2, 3, 3), np.float32), FieldMap((0, 0), (4, 4), (4, 4))),)
    plan = make_plan(layers, 5000, Settings(batch_size=batch, shard_size=asked))
    assert plan.shard_size == images
    assert {len(shard.batches) for shard in plan.shards[1:-1]} == {max(1, images // batch)}
