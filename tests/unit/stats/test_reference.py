from __future__ import annotations

import numpy as np
import pytest

from netdissect.stats.reference import compare_with_references

UNITS, CONCEPTS = 128, 60


def draw_untrained(rng, units=UNITS, typical=None):
    """Scores of an untrained network: a spread of its own for every concept, and heavy tails, as in the demo's control."""
    typical = np.linspace(0.002, 0.02, CONCEPTS) if typical is None else typical
    return typical * rng.lognormal(0, 0.6, (units, CONCEPTS))


def compare_naively(scores, references):
    def measure(unit, others):
        return max(unit[c] - max(row[c] for other in others for row in other) for c in range(scores.shape[1]))

    sets = [[other for number, other in enumerate(references) if number != left] for left in range(len(references))]
    null = [measure(unit, others) for left, others in zip(references, sets, strict=True) for unit in left]
    excess = [float(np.mean([measure(unit, others) for others in sets])) for unit in scores]
    p = [(1 + sum(value >= one for value in null)) / (1 + len(null)) for one in excess]
    return excess, [1.0 if unit.max() == 0 else one for unit, one in zip(scores, p, strict=True)]


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_figures_are_those_of_their_definition(seeds):
    rng = np.random.default_rng(seeds)
    references = [rng.choice([0, 0.01, 0.02, 0.03], (7, 4)) for _ in range(seeds)]
    scores = np.vstack([rng.choice([0, 0.01, 0.04], (6, 4)), np.zeros((1, 4))])
    excess, p = compare_with_references(scores, references)
    expected, expected_p = compare_naively(scores, references)
    np.testing.assert_allclose(excess, expected, atol=1e-15)
    np.testing.assert_allclose(p, expected_p, atol=1e-15)


def test_units_of_another_untrained_network_are_not_called_better():
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        _, p = compare_with_references(draw_untrained(rng), [draw_untrained(rng) for _ in range(3)])
        shares.append((p <= 0.05).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)


def test_the_score_of_the_label_alone_would_call_most_units_of_an_untrained_network_better():
    """The forbidden recipe: a label is chosen by its score, so its own concept must not be the test."""
    rng = np.random.default_rng(0)
    references = np.stack([draw_untrained(rng) for _ in range(3)])
    scores = draw_untrained(rng)
    label = scores.argmax(axis=1)
    null = references.reshape(-1, CONCEPTS)
    p = np.array([(1 + (null[:, c] >= scores[unit, c]).sum()) / (1 + len(null)) for unit, c in enumerate(label)])
    assert (p <= 0.05).mean() > 0.5
    assert (compare_with_references(scores, list(references))[1] <= 0.05).mean() < 0.1


def test_a_rare_concept_counts_although_its_score_is_low():
    """A statistic of the best score alone would not see it."""
    rng = np.random.default_rng(1)
    references = [draw_untrained(rng) for _ in range(3)]
    scores = draw_untrained(rng)
    scores[0, 0] = np.max([reference[:, 0].max() for reference in references]) + 0.05
    assert scores[0].max() < np.max(references)
    assert compare_with_references(scores, references)[1][0] < 0.01


def test_the_order_of_networks_and_concepts_does_not_matter():
    rng = np.random.default_rng(2)
    references = [draw_untrained(rng) for _ in range(3)]
    scores = draw_untrained(rng, 9)
    excess, p = compare_with_references(scores, references)
    columns = rng.permutation(CONCEPTS)
    again, p_again = compare_with_references(scores[:, columns], [one[:, columns] for one in references[::-1]])
    np.testing.assert_allclose(again, excess, rtol=1e-12)
    np.testing.assert_array_equal(p_again, p)


def test_units_and_concepts_may_be_missing():
    assert compare_with_references(np.zeros((0, 3)), [np.zeros((2, 3))] * 2)[1].shape == (0,)
    assert compare_with_references(np.zeros((2, 0)), [np.zeros((2, 0))] * 2)[1].tolist() == [1, 1]
