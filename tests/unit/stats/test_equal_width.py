"""The number of distinct concepts of n random units: exact mean and deviation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from netdissect.stats.equal_width import count_unique_at_width


@given(some.integers(1, 7), some.integers(0, 5), some.randoms())
def test_mean_and_deviation_are_those_over_all_selections(units, concepts, random):
    sees = np.array([[random.random() < 0.4 for _ in range(concepts)] for _ in range(units)], bool).reshape(
        units, concepts
    )
    for drawn in range(units + 1):
        found = [int(sees[list(part)].any(axis=0).sum()) for part in itertools.combinations(range(units), drawn)]
        mean, spread = count_unique_at_width(sees, drawn)
        assert mean == pytest.approx(np.mean(found), abs=1e-9)
        assert spread == pytest.approx(np.std(found), abs=1e-6)


def test_all_units_detect_all_concepts_without_deviation():
    sees = np.random.default_rng(0).random((2048, 300)) < 0.003
    mean, spread = count_unique_at_width(sees, 2048)
    assert mean == pytest.approx(sees.any(axis=0).sum())
    assert spread == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("drawn", [-1, 4])
def test_more_units_than_there_are_is_an_error(drawn):
    with pytest.raises(ValueError, match="expected 0 to 3 units, got"):
        count_unique_at_width(np.eye(3, dtype=bool), drawn)
