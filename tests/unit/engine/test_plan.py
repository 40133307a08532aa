"""The order of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdissect.engine.plan import Plan


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 80), st.integers(1, 80), st.integers(0, 9))
def test_every_image_is_scanned_once(images, batch, shard, sample, seed):
    plan = Plan(images, batch, shard, sample, seed)
    seen = np.concatenate([part.images for part in plan.shards])
    assert sorted(seen.tolist()) == list(range(images))
    assert [part.number for part in plan.shards] == list(range(len(plan.shards)))


@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 80), st.integers(1, 80))
def test_batches_do_not_depend_on_how_the_work_is_divided(images, batch, shard, other):
    def batches(size):
        return [b.tolist() for part in Plan(images, batch, size, 7, 3).shards for b in part.batches]

    assert batches(shard) == batches(other)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_calibration_sample_is_a_random_one(seed):
    first = Plan(1000, 10, 100, 50, seed).shards[0].images
    assert len(first) == 50
    assert abs(first.mean() - 500) < 150
    assert not (np.diff(first) > 0).all()
