"""Units whose bound proved too high are scanned again: the result is the same, and the run says so."""

from __future__ import annotations

import numpy as np
from tests import small_runs

from netdissect.engine import calibrate


def test_a_short_tail_is_counted_noted_and_changes_nothing(data, monkeypatch):
    plain = small_runs.run(data, None)
    assert plain.journal["rescanned_units"] == {}
    monkeypatch.setattr(calibrate, "MARGIN", -1000.0)  # the most daring bounds there are
    daring = small_runs.run(data, None)
    again = daring.journal["rescanned_units"]
    assert again
    for name, units in again.items():
        assert f"{name}: {len(units)} unit(s) were scanned again" in "\n".join(daring.journal["notes"])
    for name in small_runs.LAYERS:
        np.testing.assert_array_equal(plain[name].thresholds, daring[name].thresholds)
        np.testing.assert_array_equal(plain[name].counts.I, daring[name].counts.I)
        np.testing.assert_array_equal(plain[name].counts.A, daring[name].counts.A)
        np.testing.assert_array_equal(plain[name].exemplars.grids, daring[name].exemplars.grids)
