"""The calibration sample: cells above a level, and the distribution of a unit's activations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from netdissect.engine.calibrate import _sample_values, calibrate, count_above, count_above_with_torch
from netdissect.engine.row_threads import RowThreads


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_and_the_kernel_count_the_same_cells_above_a_level(threads):
    sample = np.round(np.random.default_rng(0).normal(size=(7, 3, 4, 5)), 1).astype(np.float32)
    levels = np.array([[-1, 0, 0.3, 1, 9], [-2, -0.0, 0.1, 0.9, -9]], np.float32)
    truth = np.stack([(sample > level).sum(axis=(1, 2)) for level in levels])
    batches = torch.from_numpy(sample).split(3)
    with RowThreads(threads) as pool:
        counts = count_above(batches, levels, pool)
        assert count_above(batches, levels[:0], pool).shape == (0, 7, 5)
    assert counts.tolist() == truth.tolist()
    by_torch = [count_above_with_torch(batch, levels) for batch in batches]
    assert np.concatenate(by_torch, axis=1).tolist() == truth.tolist()
    assert counts.dtype == by_torch[0].dtype == np.int32


def test_activity_describes_the_distribution_of_the_sample():
    sample = np.random.default_rng(1).gamma(2, size=(6, 3, 3, 3)).astype(np.float32)
    sample[..., 1] = 2.5
    with RowThreads(1) as pool:
        _, found = calibrate(torch.from_numpy(sample).split(4), Fraction(1, 20), 100, pool)
    cells = sample.reshape(-1, 3)
    assert found.histogram.shape == (3, 48)
    for unit in (0, 2):
        low, high = cells[:, unit].min(), cells[:, unit].max()
        truth, _ = np.histogram(cells[:, unit], bins=48, range=(low, high))
        assert np.abs(found.histogram[unit] - truth).sum() <= 2  # a value at the edge of two bins may be in either
        assert found.histogram[unit, [0, -1]].tolist() == truth[[0, -1]].tolist()  # the lowest and the highest
        assert (found.low[unit], found.minimum[unit], found.high[unit], found.maximum[unit]) == (low, low, high, high)
    assert found.histogram[1].tolist() == [54, *[0] * 47]  # a constant lies in the first bin
    np.testing.assert_allclose(found.mean, cells.mean(axis=0, dtype=np.float64), rtol=1e-12)


def test_of_a_large_sample_only_a_random_part_is_sorted(monkeypatch):
    monkeypatch.setattr("netdissect.engine.calibrate._VALUES_EACH", 10)
    monkeypatch.setattr("netdissect.engine.calibrate._VALUES", 30)
    sample = torch.arange(2 * 40 * 3, dtype=torch.float32).reshape(8, 2, 5, 3)
    values = _sample_values(sample.split(3))
    np.testing.assert_array_equal(values, _sample_values([sample]))  # however it is cut into batches
    assert values.shape == (3, 10)
    assert all(
        set(row) <= set(column) for row, column in zip(values.tolist(), sample.reshape(-1, 3).T.tolist(), strict=True)
    )
    assert (np.diff(values, axis=1) > 0).all()
    assert _sample_values([sample[:1]]).tolist() == sample[0].reshape(-1, 3).T.tolist()


def test_both_zeros_are_one_value_of_the_sample():
    values = _sample_values([torch.tensor([-0.0, 0.0, -0.0, 1, -1]).reshape(1, 1, 5, 1)])
    assert np.signbit(values).tolist() == [[True, False, False, False, False]]
