"""A run that was written before scores could be chosen loads, and its tables are written unchanged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import netdissect as nd

EARLIER = Path(__file__).with_name("earlier-run")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EARLIER, tmp_path / "earlier"))


def test_an_earlier_run_loads_with_its_results(folder):
    run = nd.load(folder)
    assert (run.settings.score, run.score_title, run.settings.quantile) == ("iou", "IoU", 0.05)
    assert [(row.unit, row.label, round(row.score, 4)) for row in run["conv1"].units] == [
        (5, "dotted", 0.0703), (1, "sky", 0.0653), (2, "dotted", 0.0547), (4, "sky", 0.0544), (3, "tree", 0.0541),
    ]  # fmt: skip
    assert run["conv1"].image_maxima.shape == (6, 5)
    assert repr(run).splitlines()[1] == ("  conv1: 5 of 5 units detect 3 unique concepts (IoU ≥ 0.04, by label)")


def test_it_has_no_trust_tables_and_says_so(folder):
    run = nd.load(folder)
    assert run["conv1"].trust is run["conv1"].summarize_trust() is run["conv1"].units[0].trust is None
    assert run["conv1"].unit_trust == ()
    assert "this run has no trust tables" in run.journal["notes"][-1]
    assert (run.settings.null, run.settings.resamples, run.settings.within) == (0, 0, "none")


def test_its_tables_are_written_unchanged(folder, tmp_path):
    run = nd.load(folder)
    run.save(tmp_path / "again")
    table = "conv1-result.csv"
    assert (tmp_path / "again" / table).read_bytes() == (folder / table).read_bytes()
    again = nd.load(tmp_path / "again")["conv1"]
    np.testing.assert_array_equal(again.counts.I, run["conv1"].counts.I)
    np.testing.assert_array_equal(again.exemplars.grids, run["conv1"].exemplars.grids)
