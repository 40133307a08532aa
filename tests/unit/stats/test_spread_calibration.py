"""The bootstrap of folds says how far other images would lead: errors, coverage and stability against a known population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.simulated_units import RivalUnits

from netdissect.stats.spread import (
    compute_honest,
    compute_keep,
    compute_logit_error,
    count_spread,
    draw_weights,
    find_label_set,
    find_resampled_labels,
    make_intervals,
    resample_best,
)

FOLDS, SAMPLES, UNITS = 20, 60, 120
PRIMARY = np.zeros(60, np.int64)


@dataclass
class SampleFigures:
    """What one sample of 500 images says; truth is that of 30,000."""

    units: int
    unique: int
    bootstrap: tuple[float, float]
    jackknife: tuple[float, float]
    covered: float
    keep: np.ndarray
    right: np.ndarray
    in_set: float
    set_size: float
    excess: float
    honest_excess: float


def count_detectors(score, column):
    """Return the numbers of detectors and unique detectors on every resample."""
    best, label = find_resampled_labels(score, column)
    detects = best >= np.float32(0.04)
    return detects.sum(axis=1), np.array([np.unique(names[on]).size for names, on in zip(label, detects, strict=True)])


def estimate_by_jackknife(counts):
    """Return the standard error of a count from the folds left out one by one."""
    return ((FOLDS - 1) / FOLDS * ((counts - counts.mean()) ** 2).sum()) ** 0.5


def dissect_sample(tables, iou, seed):
    nothing = np.full(UNITS, -1)
    whole = resample_best(*tables, PRIMARY, np.ones((1, FOLDS), int), nothing)[:2]
    best, label = (part[0] for part in find_resampled_labels(*whole))
    score, column, of_label = resample_best(*tables, PRIMARY, draw_weights(200, FOLDS, seed), label)
    labels = find_resampled_labels(score, column)[1]
    without_one = resample_best(*tables, PRIMARY, 1 - np.eye(FOLDS, dtype=int), nothing)[:2]
    spread = count_spread(score, column, 0.04)
    truth = iou[np.arange(UNITS), label]
    low, high = make_intervals(best, compute_logit_error(of_label, FOLDS), FOLDS)
    sets = [find_label_set(labels[:, unit]) for unit in range(UNITS)]
    population = iou.argmax(axis=1)
    return SampleFigures(
        *(int(count[0]) for count in count_detectors(*whole)),
        (spread.units_sd, spread.unique_sd),
        tuple(estimate_by_jackknife(counts) for counts in count_detectors(*without_one)),
        ((low <= truth) & (truth <= high)).mean(),
        compute_keep(labels, label),
        label == population,
        np.mean([name in names for name, names in zip(population, sets, strict=True)]),
        np.mean([len(names) for names in sets]),
        (best - truth).mean(),
        (compute_honest(*tables, PRIMARY) - truth).mean(),
    )


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    units = RivalUnits.draw(rng, units=UNITS, hit=0.2)
    iou = units.compute_population_iou(rng)
    return [dissect_sample(units.draw_folds(rng, 500, FOLDS), iou, seed) for seed in range(SAMPLES)]


def test_intervals_cover_the_populations_score_of_their_label(samples):
    assert 0.92 <= np.mean([sample.covered for sample in samples]) <= 0.98


def test_the_error_of_counts_is_that_of_other_samples_and_not_the_jackknifes(samples):
    """A count is not smooth: leaving out one fold at a time moves it by whole detectors, which the jackknife multiplies."""
    for which, counts in enumerate(([s.units for s in samples], [s.unique for s in samples])):
        truth = np.std(counts, ddof=1)  # ± 9 %
        assert np.mean([sample.bootstrap[which] for sample in samples]) == pytest.approx(truth, rel=0.3)
        assert np.mean([sample.jackknife[which] for sample in samples]) > 1.5 * truth


@pytest.mark.parametrize(("least", "most"), [(0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)])
def test_labels_are_right_as_often_as_resamples_keep_them(samples, least, most):
    keep = np.concatenate([sample.keep for sample in samples])
    right = np.concatenate([sample.right for sample in samples])
    these = (keep >= least) & (keep < most)
    assert these.sum() > 100
    assert right[these].mean() == pytest.approx(keep[these].mean(), abs=0.08 if least == 0 else 0.05)


def test_label_sets_hold_the_populations_label_and_are_small(samples):
    assert np.mean([sample.in_set for sample in samples]) > 0.87
    assert np.mean([sample.set_size for sample in samples]) < 2.2


def test_a_score_is_too_high_for_the_images_that_chose_its_label_and_the_honest_one_is_not(samples):
    assert np.mean([sample.excess for sample in samples]) > 0.002
    assert np.mean([sample.honest_excess for sample in samples]) < 0
