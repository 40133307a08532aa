"""The number of distinct concepts of n random units: exact mean and deviation."""

import itertools
from fractions import Fraction
from math import comb, isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from netdissect.stats.equal_width import count_unique_at_widths


@given(some.integers(1, 7), some.integers(0, 5), some.randoms())
def test_mean_and_deviation_are_those_over_all_selections(units, concepts, random):
    sees = np.array([[random.random() < 0.4 for _ in range(concepts)] for _ in range(units)], bool).reshape(
        units, concepts
    )
    for drawn, (mean, spread) in enumerate(count_unique_at_widths(sees, range(units + 1))):
        found = [int(sees[list(part)].any(axis=0).sum()) for part in itertools.combinations(range(units), drawn)]
        assert mean == pytest.approx(np.mean(found), abs=1e-9)
        assert spread == pytest.approx(np.std(found), abs=1e-6)


@pytest.mark.parametrize("per_unit", [1, 4])
@pytest.mark.parametrize("drawn", [1, 777, 5000, 9999])
def test_mean_and_deviation_of_10_000_units_equal_those_in_exact_fractions(per_unit, drawn):
    """By label a unit detects at most one concept, by category several."""
    random = np.random.default_rng(0)
    sees = np.zeros((10_000, 30), bool)
    for part in np.array_split(np.arange(30), per_unit):
        weights = np.arange(1, len(part) + 1)
        liked = random.choice(part, 10_000, p=weights / weights.sum())
        detecting = random.random(10_000) < random.choice([0.002, 0.05, 0.6])
        sees[np.flatnonzero(detecting), liked[detecting]] = True

    whole = comb(10_000, drawn)

    def miss(size):
        return Fraction(comb(10_000 - size, drawn), whole)

    each = sees.sum(axis=0).tolist()
    missed = {size: miss(size) for size in set(each)}
    variance = Fraction(0)
    for one, other in itertools.product(range(30), repeat=2):
        variance += miss(int((sees[:, one] | sees[:, other]).sum())) - missed[each[one]] * missed[each[other]]
    ((mean, spread),) = count_unique_at_widths(sees, [drawn])
    assert mean == pytest.approx(float(30 - sum(missed[size] for size in each)), abs=1e-9)
    assert spread == pytest.approx(isqrt(int(variance * 10**40)) / 10**20, abs=1e-9)


def test_all_units_detect_all_concepts_without_deviation():
    sees = np.random.default_rng(0).random((2048, 300)) < 0.003
    ((mean, spread),) = count_unique_at_widths(sees, [2048])
    assert mean == sees.any(axis=0).sum()
    assert spread == 0


def test_a_layer_without_detectors_or_concepts_finds_nothing():
    assert count_unique_at_widths(np.zeros((5, 3), bool), [0, 2, 5]) == [(0, 0)] * 3
    assert count_unique_at_widths(np.zeros((5, 0), bool), [0, 5]) == [(0, 0)] * 2


@pytest.mark.parametrize("drawn", [-1, 4])
def test_more_units_than_there_are_is_an_error(drawn):
    with pytest.raises(ValueError, match="expected 0 to 3 units, got"):
        count_unique_at_widths(np.eye(3, dtype=bool), [drawn])
