"""The benchmark of controls: its rows say what the runs say, and controls that look trained end it with an error."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import controls
from tests import made_up_runs

from netdissect.results.trust import Reference

LAYER = "block1/conv"


@pytest.fixture(scope="module")
def runs():
    run = made_up_runs.make_run((24,), trusted=True)[0]
    untrained = made_up_runs.make_run((24,), trusted=True, seed=5)[0]
    return {controls.TRAINED: run, controls.SHORT: run, controls.SHUFFLED: untrained, "untrained, seed-1": untrained}


def test_a_row_has_the_figures_of_the_layer(runs):
    run = runs[controls.TRAINED]
    layer, trust, spread = run[LAYER], run[LAYER].summarize_trust(), run[LAYER].count_spread()
    found = layer.detectors()
    row = controls.make_row("x", run, LAYER)
    assert len(row) == len(controls.HEADER)
    assert row[0] == "x"
    assert row[1] == f"{sum(unit.q is not None and unit.q < 0.05 for unit in layer.unit_trust)} of 24"
    assert row[2] == f"{found.units} ± {spread.units_sd:.0f}"
    assert row[3] == f"{found.unique} ± {spread.unique_sd:.0f}"
    assert row[4] == f"{trust.beyond} of {found.units}"
    assert row[6] == f"{trust.times:.1f} ({trust.times_low:.1f}–{trust.times_high:.1f})"


def test_the_text_has_a_row_of_every_network_and_says_what_q_does_not(runs):
    text = controls.format_text(runs, Namespace(layer=LAYER, images=60, rounds=2, epochs=1))
    assert all(f"| {name} |" in text for name in runs)
    assert "228 images" in text
    assert "q does not tell these networks apart" in text


def test_controls_that_look_trained_are_reported(runs):
    trained, other = runs[controls.TRAINED], runs[controls.SHUFFLED]
    expected = {
        f"{name} has {a[LAYER].detectors().unique} unique concepts, and {control} has {b[LAYER].detectors().unique}"
        for name, a in list(runs.items())[:2]
        for control, b in list(runs.items())[2:]
        if a[LAYER].detectors().unique <= b[LAYER].detectors().unique
    }
    broken = controls.find_broken(runs, LAYER)
    assert {line for line in broken if "unique concepts" in line} == expected
    same = runs | {"untrained, seed-1": trained, controls.SHUFFLED: other}
    times = trained[LAYER].summarize_trust().times
    assert (
        f"{controls.TRAINED} has {times:.3g} times chance, and untrained, seed-1 has {times:.3g}"
        in controls.find_broken(same, LAYER)
    )


def test_a_trained_network_that_does_not_exceed_untrained_ones_is_reported(runs):
    layer = runs[controls.TRAINED][LAYER]
    results = {}
    for p in (1.0, 1e-6):
        trust = replace(layer.trust, reference=Reference(np.zeros(24, np.float32), np.full(24, p), ("a", "b")))
        changed = replace(runs[controls.TRAINED], layers={LAYER: replace(layer, trust=trust)})
        results[p] = controls.find_broken(runs | {controls.TRAINED: changed}, LAYER)
    assert any("beyond untrained networks" in line for line in results[1.0])
    assert not any("beyond untrained networks" in line for line in results[1e-6])
