import itertools

import numpy as np
import pytest

from netdissect.stats.unit_assignment import assign_rows, correlate_rows


def test_correlations_are_numpys_and_constant_rows_have_none():
    random = np.random.default_rng(0)
    first, second = random.random((5, 12)), random.random((7, 12))
    expected = np.corrcoef(first, second)[:5, 5:]
    np.testing.assert_allclose(correlate_rows(first, second), expected, atol=1e-6)
    first[2] = 0.3
    assert (correlate_rows(first, second)[2] == 0).all()


@pytest.mark.parametrize("shape", [(5, 5), (4, 6), (6, 4)])
def test_no_other_pairs_are_more_alike_in_sum(shape):
    likeness = np.random.default_rng(1).random(shape)
    partner = assign_rows(likeness)
    matched = [(row, column) for row, column in enumerate(partner.tolist()) if column >= 0]
    assert len({column for _, column in matched}) == len(matched) == min(shape)
    few, many = sorted(range(2), key=lambda axis: shape[axis])
    turned = likeness if few == 0 else likeness.T
    best = max(sum(turned[row, column] for row, column in enumerate(order)) for order in itertools.permutations(range(shape[many]), shape[few]))  # fmt: skip
    assert sum(likeness[row, column] for row, column in matched) == pytest.approx(best)


def test_shuffled_units_find_themselves_again():
    random = np.random.default_rng(2)
    profiles, order = random.random((40, 30)), random.permutation(40)
    np.testing.assert_array_equal(order[assign_rows(correlate_rows(profiles, profiles[order]))], np.arange(40))
