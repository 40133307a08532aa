"""A random kill; the measurement that does it fifty times is ``python -m benchmarks faults``."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import faults, probe_sets


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_a_run_killed_at_a_random_moment_ends_with_the_same_tables(tmp_path, monkeypatch):
    monkeypatch.setattr(probe_sets, "CACHE", tmp_path / "sets")
    tally = faults.kill_runs(kills=1, images=70, workers=[2], seed=1)
    assert sum(tally.kills.values()) == 1
    assert tally.finished >= 1
    assert tally.different == []
