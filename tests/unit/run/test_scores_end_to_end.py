"""Pearson's correlation, further quantiles and ranges through a whole run: workers, files, the shell."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from tests import small_probe_set, small_runs

import netdissect as nd

OPTIONS = {
    "score": "pearson",
    "quantiles": (0.1, 0.2),
    "ranges": 2,
    "null": 10,
    "resamples": 20,
    "within": "scene",
    "threads": 1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=48)


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    small_runs.dissect_small(data, folder, **OPTIONS)
    return folder


@pytest.mark.processes
def test_workers_write_the_same_tables(data, folder, tmp_path):
    small_runs.dissect_small(data, tmp_path / "run", workers=2, **OPTIONS)
    expected, found = small_runs.read_tables(folder), small_runs.read_tables(tmp_path / "run")
    assert {"conv1-quantiles.csv", "conv1-quantiles.parquet", "conv1-trust.csv"} <= set(expected)
    assert found == expected


def test_an_interrupted_run_writes_the_same_tables(data, folder, tmp_path):
    small_runs.interrupt_run(data, tmp_path / "run", 3, **OPTIONS)
    small_runs.dissect_small(data, tmp_path / "run", **OPTIONS)
    assert small_runs.read_tables(tmp_path / "run") == small_runs.read_tables(folder)


def test_a_loaded_run_has_the_scores_and_ranges(folder):
    layer = nd.load(folder)["conv2"]
    assert (layer.score_title, layer.at_quantile(0.2).score_title) == ("Pearson", "IoU")
    assert [(found.first, found.last) for found in layer.ranges] == [(0, 0.1), (0, 0.2), (0.1, 0.2)]
    parts = layer.in_range(0, 0.1).counts.I + layer.in_range(0.1, 0.2).counts.I
    np.testing.assert_array_equal(parts, layer.at_quantile(0.2).counts.I)
    assert layer.trust.within.score.shape == (10, layer.layer.units)
    assert all(0 < row.trust.p <= 1 for row in layer.units if row.label)


def test_the_shell_takes_several_quantiles_and_ranges(data, tmp_path, monkeypatch, capsys):
    from netdissect.cli import main

    monkeypatch.chdir(tmp_path)
    words = (
        f"run python:tests.nets:make_small_net --layers conv1 --data {data} --out run --quantile 0.05 --quantiles 0.1 0.2 "
        f"--ranges 2 --score cosine --null 0 --resamples 0 --no-pictures"
    )
    with pytest.raises(SystemExit) as leave:
        main(words.split())
    printed = capsys.readouterr()
    assert leave.value.code == 0, printed.err
    assert "Cosine" in printed.out
    with (tmp_path / "run/conv1-quantiles.csv").open(newline="") as file:
        spans = {(row["from"], row["to"]) for row in csv.DictReader(file)}
    assert spans == {("0.0", "0.1"), ("0.0", "0.2"), ("0.1", "0.2")}
