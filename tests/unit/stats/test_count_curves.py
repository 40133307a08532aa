"""Counts of resampled images against counts made one by one."""

import numpy as np
import pytest

from netdissect.stats import count_curves

CUTS = np.array([0.0, 0.04, 0.0625, 0.1, 0.25, 0.5, 1.0])


@pytest.fixture
def tables():
    """Scores that often equal one another and the thresholds, and units without any concept."""
    random = np.random.default_rng(3)
    score = random.choice([0, 0.0625, 0.1, 0.25, 0.3, 0.5], (6, 40, 3)).astype(np.float32)
    column = np.where(score > 0, random.integers(0, 4, score.shape) + 4 * np.arange(3), -1).astype(np.int32)
    return score, column


def count_one_by_one(score, column, cut, definition):
    """Return the number of detectors and the set of concepts of one resample, by the definitions' words."""
    units, concepts = 0, []
    for scores, columns in zip(score, column, strict=True):
        pairs = [(value, place) for value, place in zip(scores, columns, strict=True) if place >= 0]
        if definition == "label":
            best = max((value for value, _ in pairs), default=-1)
            found = [place for value, place in pairs if value == best][-1:] if best >= np.float32(cut) else []
        else:
            found = [place for value, place in pairs if value > np.float32(cut)]
        units += bool(found)
        concepts += found
    return units, concepts


@pytest.mark.parametrize("definition", ["label", "category"])
def test_curves_are_the_counts_of_every_resample_at_every_threshold(tables, definition):
    score, column = tables
    curves = count_curves.compute_count_curves(score, column, CUTS, definition)
    for resample in range(len(score)):
        for at, cut in enumerate(CUTS):
            units, concepts = count_one_by_one(score[resample], column[resample], cut, definition)
            counted = curves.units[resample, at], curves.unique[resample, at]
            assert counted == (units, len(set(concepts))), (resample, cut)


@pytest.mark.parametrize("definition", ["label", "category"])
def test_units_per_concept_are_those_of_every_resample(tables, definition):
    score, column = tables
    counts = count_curves.count_units_per_concept(score, column, 0.1, definition, 12)
    for resample in range(len(score)):
        _, concepts = count_one_by_one(score[resample], column[resample], 0.1, definition)
        assert counts[resample].tolist() == np.bincount(concepts, minlength=12).tolist()


@pytest.mark.parametrize("shape", [(0, 5, 2), (3, 0, 2), (3, 5, 0)])
def test_no_resamples_units_or_categories_give_no_detectors(shape):
    score, column = np.zeros(shape, np.float32), np.full(shape, -1, np.int32)
    for definition in ("label", "category"):
        curves = count_curves.compute_count_curves(score, column, CUTS, definition)
        assert curves.units.shape == curves.unique.shape == (shape[0], CUTS.size)
        assert not curves.units.any()
        assert not curves.unique.any()
        assert not count_curves.count_units_per_concept(score, column, 0.04, definition, 3).any()
