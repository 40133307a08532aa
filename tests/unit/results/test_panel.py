"""The panel of scores, by hand and by its laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import made_up_runs

from netdissect.results.counts import Counts
from netdissect.results.panel import PANEL_SCORES, ScorePanel


def one(I, A, G, P=None):
    counts = Counts(np.array([[I]]), np.array([[A]]), np.array([G]))
    panel = ScorePanel(counts, None if P is None else np.array([P]))
    return panel.select(0, 0)


def test_scores_of_a_mask_of_forty_pixels_and_a_concept_of_a_hundred():
    assert one(30, 40, 100, 1000) == pytest.approx({
        "iou": 30 / 110, "f1": 60 / 140, "precision": 0.75, "recall": 0.3, "attainable": 0.4, "attained": 30 / 44,
        "independence": 7.5,
    })  # fmt: skip


def test_without_the_pixels_of_its_images_independence_is_unknown():
    assert one(30, 40, 100)["independence"] is None


@pytest.mark.parametrize(("I", "A", "G"), [(0, 0, 0), (0, 0, 9), (0, 9, 0), (0, 9, 9)])
def test_what_does_not_meet_scores_0(I, A, G):
    found = one(I, A, G, 100)
    assert {found[name] for name in PANEL_SCORES if name != "attainable"} == {0.0}
    assert found["attainable"] == float(A == G == 9)


@given(st.data())
def test_laws_of_the_panel(data):
    A, G = data.draw(st.integers(1, 10**6)), data.draw(st.integers(1, 10**6))
    I, P = data.draw(st.integers(0, min(A, G))), data.draw(st.integers(A + G, 10**7))
    found = one(I, A, G, P)
    assert all(0 <= found[name] <= 1 + 1e-12 for name in PANEL_SCORES if name != "independence")
    assert found["f1"] == pytest.approx(2 * found["iou"] / (1 + found["iou"]))
    harmonic = 2 * found["precision"] * found["recall"]
    assert found["f1"] * (found["precision"] + found["recall"]) == pytest.approx(harmonic)
    assert found["iou"] <= found["attainable"] * (1 + 1e-12)
    assert found["iou"] <= min(found["precision"], found["recall"]) + 1e-12
    assert found["independence"] == pytest.approx(found["precision"] / (G / P))


def test_a_layers_panel_has_every_unit_and_concept():
    run, _ = made_up_runs.make_run((5,), 12, trusted=True)
    layer = replace(run[0], category_pixels=np.arange(1, 7) * 10**6)
    panel, counts = layer.panel, layer.counts
    np.testing.assert_array_equal(panel.iou, layer.iou)
    np.testing.assert_allclose(panel.precision, counts.I / counts.A)
    np.testing.assert_allclose(panel.recall, counts.I / counts.G)
    P = np.array([(layer.vocabulary.categories.index(c.category) + 1) * 10**6 for c in layer.vocabulary.concepts])
    np.testing.assert_allclose(panel.independence, counts.I * P / counts.A / counts.G)


def test_a_units_panel_is_that_of_its_label_with_its_lift():
    run, _ = made_up_runs.make_run((5,), 12, trusted=True)
    unit = run[0].unit(3)
    column = run[0].vocabulary.names.index(unit.row.label)
    assert unit.panel["iou"] == unit.row.score
    assert unit.panel["recall"] == run[0].panel.recall[2, column]
    assert unit.panel["lift"] == unit.trust.lift > 0
    assert unit.trust is run[0].unit_trust[2]
    assert repr(unit).splitlines()[0].endswith(f"IoU {unit.row.score:.4f}, q {unit.trust.q:.4f}")


def test_a_unit_without_a_label_has_no_panel():
    run, _ = made_up_runs.make_run((5,), 12)
    none = Counts(np.zeros((5, 12), np.int64), run[0].counts.A, run[0].counts.G)
    unit = replace(run[0], counts=none).unit(3)
    assert (unit.panel, unit.trust) == ({}, None)
