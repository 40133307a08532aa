"""The script for a GPU works, as far as a CPU shows it, and notices what differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks import gpu, gpu_stages, machine, probe_sets
from tests import nets, small_probe_set
from tests.small_runs import dissect_small

from netdissect.engine import batch_scan, scan
from netdissect.networks.load import wrap_module
from netdissect.results.counts import Counts

CPU = torch.device("cpu")


@pytest.fixture
def places(monkeypatch, tmp_path):
    monkeypatch.setattr(probe_sets, "CACHE", tmp_path / "sets")
    monkeypatch.setattr(machine, "FIGURES", tmp_path / "figures.json")


def test_the_script_runs_without_a_gpu(places, monkeypatch, capsys):
    net = replace(wrap_module(nets.make_small_net().eval()), input_size=(32, 32))
    monkeypatch.setattr(gpu, "make_network", lambda _: net)
    monkeypatch.setattr(gpu, "SPEED", (("small", "conv2", "fp32"), ("small", "conv2", "bf16")))
    monkeypatch.setattr(gpu, "NETWORKS", (("small network", lambda: net, ["conv1", "conv2"], "noise"),))
    scanned = []
    dissect = gpu.nd.dissect

    def note_and_dissect(*arguments, **settings):
        scanned.append("kernels" if scan.scan_batch is batch_scan.scan_batch else "torch")
        return dissect(*arguments, **settings)

    monkeypatch.setattr(gpu.nd, "dissect", note_and_dissect)
    gpu.main(["--device", "cpu", "--images", "24", "--compared", "12", "--batch", "8", "--times", "1"])
    printed = capsys.readouterr().out
    assert "A dry run on a CPU" in printed
    assert "everything agrees within the tolerances" in printed
    assert printed.count("small conv2, bf16") == 3
    row = next(line for line in printed.splitlines() if line.startswith("| small conv2, fp32 |"))
    assert min(float(cell) for cell in row.split("|")[2:5]) > 0
    assert row.count("not measured") == 2
    assert (
        "| ms per image | reading | host-to-device copy | network | scan | copy back | tally | first bottleneck |"
        in printed
    )
    assert "| small network conv1 | 0.0e+00 | 0.0e+00 | 0.0e+00 | 0.0e+00 |" in printed
    assert scanned[:2] == ["kernels", "torch"]
    assert scan.scan_batch is batch_scan.scan_batch
    assert machine.read_figures() == {}


def test_the_script_says_that_there_is_no_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main([])
    assert "torch sees no CUDA device here: nothing was measured" in capsys.readouterr().out


def test_torch_and_the_kernels_find_the_same_in_a_batch(monkeypatch):
    assert gpu.compare_scans(CPU) == []
    mark = batch_scan._mark_neighbors
    monkeypatch.setattr(batch_scan, "_mark_neighbors", lambda marked: mark(marked).roll(1, 0))
    assert "scan: cells of the candidates differs" in gpu.compare_scans(CPU)


def test_differences_of_results_are_measured(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "data", images=20)
    here = dissect_small(data, None)["conv1"]
    assert gpu.find_differences(here, here) == [0.0] * 4
    largest, top = here.activity.maximum, here.exemplars
    counts = Counts(here.counts.I.copy(), here.counts.A, here.counts.G)
    counts.I[0, 0] += here.counts.I.sum() // 10
    counts.I[1] = 0
    thresholds = here.thresholds.copy()
    thresholds[2] += 0.5 * largest[2]
    images = top.images.copy()
    images[0, 0] = 999
    there = replace(here, thresholds=thresholds, counts=counts, exemplars=replace(top, images=images))
    threshold, count, labels, tops = gpu.find_differences(here, there)
    assert threshold == pytest.approx(0.5, rel=1e-5)
    moved = counts.I[0, 0] - here.counts.I[0, 0] + here.counts.I[1].sum()
    assert count == pytest.approx(moved / here.counts.I.sum())
    assert labels >= 1 / len(largest)
    assert tops == pytest.approx(1 / images.size)


def test_the_slowest_stage_is_the_bottleneck_and_spans_are_counted_once():
    assert gpu_stages.name_bottleneck({"reading": 0.2, "network": 0.7, "tally": 0.3}) == "network"
    assert gpu_stages.join_spans([(5, 6), (0, 2), (1, 3), (1, 1.5), (6, 6)]) == 4
    assert gpu_stages.measure_busy_share(lambda: None, CPU) is None
    with gpu_stages.sample_utilization(CPU) as found:
        assert found == []


def test_bounds_of_the_stages_leave_as_many_cells_as_a_calibration():
    output = torch.from_numpy(np.random.default_rng(0).normal(size=(10, 20, 20, 3)).astype(np.float32))
    above = (output > torch.from_numpy(gpu_stages._make_bounds(output).bound)).float().mean(dim=(0, 1, 2))
    torch.testing.assert_close(above, torch.full((3,), gpu_stages.ABOVE), rtol=0, atol=1e-3)
