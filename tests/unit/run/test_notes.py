"""Notes of a run: units that were scanned again, which changes nothing, and bf16, which changes labels."""

from __future__ import annotations

import numpy as np
import pytest
from tests import small_runs

from netdissect.engine import calibrate
from netdissect.networks.preprocess import Preprocess


def test_a_short_tail_is_counted_noted_and_changes_nothing(data, monkeypatch):
    plain = small_runs.dissect_small(data, None)
    assert plain.journal["rescanned_units"] == {}
    monkeypatch.setattr(calibrate, "MARGIN", -1000.0)  # the most daring bounds there are
    daring = small_runs.dissect_small(data, None)
    again = daring.journal["rescanned_units"]
    assert again
    for name, units in again.items():
        assert f"{name}: {len(units)} unit(s) were scanned again" in "\n".join(daring.journal["notes"])
    for name in small_runs.LAYERS:
        np.testing.assert_array_equal(plain[name].thresholds, daring[name].thresholds)
        np.testing.assert_array_equal(plain[name].counts.I, daring[name].counts.I)
        np.testing.assert_array_equal(plain[name].counts.A, daring[name].counts.A)
        np.testing.assert_array_equal(plain[name].exemplars.grids, daring[name].exemplars.grids)


def test_a_run_in_bf16_says_so(data):
    result = small_runs.dissect_small(data, None, precision="bf16")
    assert "the network ran in bf16, which changes some labels" in result.journal["notes"]
    assert result.settings.precision == "bf16"


@pytest.mark.parametrize(
    ("note", "words"), [("", "as its preprocessing says"), ("my transform", "as my transform does")]
)
def test_a_size_that_the_preprocessing_asks_for_is_noted(data, note, words):
    prepare = Preprocess(input_size=(32, 48), note=note)
    notes = small_runs.dissect_small(data, None, preprocess=prepare).journal["notes"]
    assert any(f"are scaled to 48 x 32, {words}; labels stay as they are" in one for one in notes)
