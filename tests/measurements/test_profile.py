"""The phases of a profile are where it looks for them, and their times add up; overhead measures every network."""

from __future__ import annotations

import pytest
import torch
from benchmarks import machine, overhead, probe_sets, profile
from tests import nets, small_probe_set
from tests.small_runs import dissect_small

from netdissect.engine import tasks
from netdissect.networks.load import wrap_module


def test_every_phase_of_a_dissection_is_timed(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=40)
    with profile.time_phases() as taken:
        dissect_small(data, None)
    assert taken.keys() == profile.PHASES.keys()
    assert min(taken.values()) > 0
    assert profile.find_phases()["store scans"] == (tasks, "store_scan")


def test_a_phase_that_is_gone_is_named(monkeypatch):
    monkeypatch.setitem(profile.PHASES, "tally", "engine.tally:MaskCounts.count_everything")
    monkeypatch.setitem(profile.PHASES, "labels", "engine.tally_tasks:TallyTask.__call__")
    with pytest.raises(
        SystemExit, match="'tally' at netdissect.engine.tally:MaskCounts.count_everything, and it is gone"
    ):
        profile.find_phases()


def test_overhead_compares_a_dissection_with_the_best_pass(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(probe_sets, "CACHE", tmp_path / "sets")
    monkeypatch.setattr(machine, "CACHE", tmp_path)
    monkeypatch.setattr(machine, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(overhead, "BATCHES", (1, 4))
    monkeypatch.setattr(overhead.baseline, "BATCHES", (1, 4))
    monkeypatch.setattr(overhead, "CASES", {"small": overhead.Case("small", ("conv2",), 1.5)})
    monkeypatch.setattr(overhead, "make_network", lambda _: wrap_module(nets.make_small_net().eval()))
    threads = torch.get_num_threads()
    overhead.main(["--images", "9", "--times", "2"])
    assert torch.get_num_threads() == threads
    printed = capsys.readouterr().out
    assert "min: small" in printed
    assert "| small |" in printed
    figures = machine.read_figures()
    assert [(name.partition(",")[0], figure["target"]) for name, figure in figures.items()] == [
        ("dissection ÷ torch's best pass to the layer with decoding", "≤ 1.5"), ("dissection ÷ bare forward", "≤ 1.05"),
    ]  # fmt: skip
    (row,) = [line for line in printed.splitlines() if line.startswith("| small |")]
    assert min(float(cell) for cell in row.split("|")[2:12]) > 0
    overhead.main(["--images", "9", "--estimate"])
    assert "| small |" not in capsys.readouterr().out
