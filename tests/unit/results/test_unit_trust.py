"""How far labels and counts can be trusted, from trust tables of known content."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

from netdissect.results.counts import Counts
from netdissect.results.findings import (
    describe_findings,
    describe_unconvincing,
    describe_unit_trust,
    warn_of_small_set,
)
from netdissect.results.trust import Chance, Reference, Spread, Trust, UnitTrust, Within

WORDS = made_up_runs.make_vocabulary(4, ("object", "scene"))  # cow and car are objects, sheep and flower scenes
SHIFTS, RESAMPLES = 20, 40


def make_layer(trust, scores=(0.5, 0.3, 0.1, 0)):
    """Return a layer whose units have these IoUs with cow, a little less with sheep, and none with others."""
    units = len(scores)
    blank = made_up_runs.make_layer("conv", units, WORDS)
    I = np.zeros((units, 4), np.int64)
    I[:, 0] = [round(score * 1000) for score in scores]
    I[:, 2] = I[:, 0] * 9 // 10
    return replace(blank, counts=Counts(I, I, np.full(4, 1000)), trust=trust)


def make_chance(exact=False):
    """Return shifts of three units about 0.02; the third unit's are about 0.1, and the last is dead."""
    random = np.random.default_rng(0)
    score = np.exp(random.normal(np.log([0.02, 0.02, 0.1, 1e-30]), 0.2, (SHIFTS, 4)))
    score[:, 3] = 0
    label = np.where(score > 0, 1, -1).astype(np.int32)
    return Chance(score.astype(np.float32), label, np.array([0.5, 0.3, 0.1, 0], np.float32), 0, exact)


def make_spread(loyal=(1, 0.75, 0.5, 0), width=0.0):
    """Return resamples that give cow to a share of the resamples of every unit, and sheep to the others."""
    score, column = np.zeros((RESAMPLES, 4, 2), np.float32), np.full((RESAMPLES, 4, 2), -1, np.int32)
    for unit, share in enumerate(loyal[:3]):
        score[:, unit], column[:, unit] = (0.3, 0.2), (0, 2)
        score[round(share * RESAMPLES) :, unit] = (0.2, 0.3)
    error = np.array([width, width, width, np.nan])
    return Spread(score, column, error, np.array([0.4, 0.3, 0.1, 0], np.float32), folds=20)


def test_a_layer_without_trust_tables_has_no_figures():
    layer = make_layer(None)
    assert (layer.unit_trust, layer.count_spread(), layer.summarize_trust()) == ((), None, None)
    assert layer.units[0].trust is None
    assert "q" not in layer.units[0].as_dict()
    assert describe_findings(layer) == layer.detectors().describe()
    assert describe_unconvincing(layer) is warn_of_small_set(layer, 10) is None


def test_labels_are_compared_with_chance():
    layer = make_layer(Trust(make_chance()))
    strong, _, weak, dead = layer.unit_trust
    null = layer.trust.chance.score
    assert strong.chance == pytest.approx(np.exp(np.log(null[:, 0]).mean()), rel=1e-6)
    assert strong.lift == pytest.approx(0.5 / strong.chance)
    assert strong.p == pytest.approx(1 / (1 + SHIFTS * 3))  # units whose shifts differ share their shifts
    assert strong.p_own == pytest.approx(1 / (1 + SHIFTS))
    assert strong.q == pytest.approx(strong.p * 3 / 2)  # two of the three units with a label are as far from chance
    assert weak.q == weak.p > 0.3
    assert weak.lift == pytest.approx(1, abs=0.15)
    assert (dead.p, dead.p_own, dead.q, dead.chance, dead.cut, dead.lift) == (1, 1, None, None, None, None)
    assert strong.low is strong.keep is strong.p_within is strong.q_reference is None
    assert strong.labels == ()


def test_exact_q_is_that_of_own_shifts():
    layer = make_layer(Trust(make_chance(exact=True)))
    assert layer.unit_trust[0].q == pytest.approx(1 / 21 * 3 / 2)


def test_within_scenes_only_units_that_it_applies_to_are_compared():
    chance = make_chance()
    applies = np.array([True, False, True, True])
    layer = make_layer(Trust(chance, Within("scene", chance.score, chance.observed, applies)))
    strong, whole, weak, dead = layer.unit_trust
    assert strong.p_within == pytest.approx(1 / (1 + SHIFTS * 2))
    assert strong.q_within == pytest.approx(2 * strong.p_within)
    assert weak.p_within > 0.3
    assert whole.p_within is whole.q_within is dead.p_within is dead.q_within is None


def test_within_scenes_may_apply_to_no_unit():
    chance = make_chance()
    layer = make_layer(Trust(chance, Within("scene", chance.score, chance.observed, np.zeros(4, bool))))
    assert {unit.p_within for unit in layer.unit_trust} == {None}


def test_spread_gives_intervals_and_label_sets():
    layer = make_layer(Trust(spread=make_spread(width=0.2)))
    first, second, third, dead = layer.unit_trust
    assert [unit.keep for unit in (first, second, third)] == [1, 0.75, 0.5]
    assert [unit.labels for unit in (first, second, third)] == [("cow",), ("cow", "sheep"), ("cow", "sheep")]
    assert first.honest == pytest.approx(0.4)
    reach = 2.0930 * 0.2  # Student's quantile with 19 degrees of freedom
    assert np.log(second.high / (1 - second.high)) == pytest.approx(np.log(0.3 / 0.7) + reach, abs=1e-4)
    assert np.log(second.low / (1 - second.low)) == pytest.approx(np.log(0.3 / 0.7) - reach, abs=1e-4)
    assert dead == UnitTrust()
    assert first.p is first.q is None


def test_beyond_untrained_networks_is_a_q_of_its_own():
    reference = Reference(np.zeros(4, np.float32), np.array([0.001, 0.5, 0.9, 1.0]), ("seed-1", "seed-2"))
    layer = make_layer(Trust(reference=reference))
    assert [unit.q_reference for unit in layer.unit_trust] == pytest.approx([0.003, 0.75, 0.9, None])
    summary = layer.summarize_trust()
    assert (summary.reference_runs, summary.beyond_reference) == (("seed-1", "seed-2"), 1)
    assert summary.beyond is summary.times is None
    assert describe_findings(layer).endswith("; 1 beyond untrained networks (2 seeds)")


def test_rows_of_the_table_hold_their_units_trust():
    layer = make_layer(Trust(make_chance(), spread=make_spread()))
    for row in layer.units:
        assert row.trust == layer.unit_trust[row.channel]
        assert row["q"] == row.trust.q
        assert row["labels"] == row.trust.labels


def test_counts_vary_as_resamples_do():
    layer = make_layer(Trust(spread=make_spread()))
    counts = layer.count_spread(0.04)
    assert (counts.units_sd, counts.units_low, counts.units_high) == (0, 3, 3)
    unique = np.array([1] * 20 + [2] * 20)  # cow alone while all units keep it
    assert counts.unique_sd == pytest.approx(unique.std(ddof=1))
    assert layer.count_spread(0.31).units_high == 0
    assert layer.count_spread(0.25, "category").units_low == 3


def test_the_summary_counts_what_is_beyond_chance():
    layer = make_layer(Trust(make_chance(), spread=make_spread()))
    summary = layer.summarize_trust()
    assert (summary.detectors, summary.beyond, summary.unconvincing) == (3, 2, 1)
    assert (summary.shifts, summary.resamples, summary.folds) == (SHIFTS, RESAMPLES, 20)
    null = np.log(layer.trust.chance.score[:, :3]).mean(axis=0)
    assert summary.times == pytest.approx(np.exp((np.log([0.5, 0.3, 0.1]) - null).mean()), rel=1e-5)
    assert (
        summary.times_low == summary.times_high == pytest.approx(summary.times)
    )  # best scores are 0.3 in all resamples
    assert layer.summarize_trust(0.2).detectors == layer.summarize_trust(0.2).beyond == 2


def test_a_dead_unit_is_not_unconvincing_and_one_without_label_is():
    layer = make_layer(Trust(make_chance()))
    assert layer.summarize_trust().unconvincing == 1
    A = layer.counts.A.copy()
    A[3] = 5  # a mask that meets no label
    assert replace(layer, counts=Counts(layer.counts.I, A, layer.counts.G)).summarize_trust().unconvincing == 2


def test_findings_are_said_in_one_line():
    layer = make_layer(Trust(make_chance(), spread=make_spread()))
    times = layer.summarize_trust().times
    assert describe_findings(layer) == (
        "3 ± 0 of 4 units detect 1 ± 0.5 unique concepts (IoU ≥ 0.04, by label); 2 beyond chance (q < 0.05, 20 shifts); "
        f"{times:.1f} times chance"
    )
    assert describe_unconvincing(layer).startswith("1 of 4 units: no concept beats chance (Storey's estimate")


def test_a_small_probe_set_is_warned_of_with_a_number():
    layer = make_layer(Trust(make_chance(), spread=make_spread()))
    assert warn_of_small_set(layer, 1250) == (
        "conv: 1,250 images are few for these counts: 1 unique concept is uncertain by ± 0.5; more images would narrow this"
    )
    sure = make_layer(Trust(make_chance(), spread=make_spread(loyal=(1, 1, 1))))
    assert warn_of_small_set(sure, 1250) is None
    chance = make_chance()
    chance.score[:, 1] = chance.score[:, 2]
    weak = make_layer(Trust(replace(chance, observed=np.array([0.5, 0.1, 0.1, 0], np.float32))), (0.5, 0.1, 0.1, 0))
    assert "only 1 of 3 detectors is beyond chance (q < 0.05)" in warn_of_small_set(weak, 50)
    assert warn_of_small_set(weak, 50, threshold=0.9) is None  # no detector, no claim


def test_a_units_trust_is_said_in_words():
    unit = UnitTrust(0.1, 0.2, 0.03, 0.05, 4.5, 0.001, 0.05, 0.0004, keep=0.75, labels=("cow", "door-s"))
    assert describe_unit_trust(unit) == (
        "95 % interval 0.100 to 0.200; chance 0.030; q < 0.001; 75% of resamples keep the label (cow, door)"
    )
    assert describe_unit_trust(UnitTrust(q=0.05)) == "q 0.050, no better than chance"
    assert describe_unit_trust(UnitTrust()) == describe_unit_trust(None) == ""


def test_a_layer_of_dead_units_has_no_nan_in_its_record():
    nothing = np.zeros((SHIFTS, 4), np.float32)
    chance = Chance(nothing, np.full((SHIFTS, 4), -1, np.int32), np.zeros(4, np.float32))
    empty = np.zeros((RESAMPLES, 4, 2), np.float32)
    missing = np.full(4, np.nan)
    spread = Spread(empty, np.full((RESAMPLES, 4, 2), -1, np.int32), missing, np.zeros(4, np.float32), 20)
    layer = make_layer(
        Trust(chance, Within("scene", nothing, chance.observed, np.zeros(4, bool)), spread), (0, 0, 0, 0)
    )
    summary = layer.summarize_trust()
    assert (summary.times, summary.times_low, summary.cut, summary.null_share) == (None, None, None, None)
    assert (summary.detectors, summary.beyond, summary.unconvincing) == (0, 0, 0)
    json.dumps([dataclasses.asdict(summary), *(unit.as_dict() for unit in layer.unit_trust)], allow_nan=False)
    assert layer.unit_trust == (UnitTrust(p=1.0, p_own=1.0),) * 4
    assert describe_findings(layer) == (
        "0 ± 0 of 4 units detect 0 ± 0 unique concepts (IoU ≥ 0.04, by label); 0 beyond chance (q < 0.05, 20 shifts)"
    )
    assert describe_unconvincing(layer) is warn_of_small_set(layer, 10) is None


def test_no_detector_beyond_chance_is_said_so():
    chance = make_chance()
    layer = make_layer(
        Trust(replace(chance, observed=np.array([0.02, 0.02, 0.1, 0], np.float32))), (0.05, 0.06, 0.1, 0)
    )
    assert "no detector is beyond chance (q < 0.05)" in warn_of_small_set(layer, 50)


def test_a_layer_of_one_unit_falls_back_to_its_own_shifts():
    chance = make_chance()
    one = Chance(chance.score[:, :1], chance.label[:, :1], chance.observed[:1])
    layer = make_layer(Trust(one), (0.5,))
    assert layer.unit_trust[0].p == layer.unit_trust[0].p_own == layer.unit_trust[0].q == pytest.approx(1 / 21)
