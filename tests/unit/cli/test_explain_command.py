"""netdissect explain: the bundled network needs no MODEL, and what was found is printed, written and read back."""

from __future__ import annotations

import csv

import pytest
from tests import nets
from tests.small_runs import dissect_small
from tests.unit.cli.test_cli import run

import netdissect as nd
from netdissect.demo import network
from netdissect.demo.world import write_probe_set


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "world"
    write_probe_set(folder, images=44, size=56, seed=0)
    return folder


def test_a_run_of_the_bundled_network_is_explained_without_naming_it(capsys, data, tmp_path):
    nd.dissect(network.load_trained_network(), ["conv1", "conv3"], data, out=tmp_path / "run", pictures=False)
    code, out, err = run(capsys, "explain", tmp_path / "run", "--layers", "conv3", "--units", "3", "7", "--quiet")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("conv3: formulas of up to 3 concepts: ")
    assert lines[0].endswith(" of 2 units gain more than by chance (5 shifts)")
    assert lines[-1] == f"results: {tmp_path / 'run'}"
    with (tmp_path / "run/conv3-formulas.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    loaded = nd.load(tmp_path / "run")
    assert [row["unit"] for row in rows] == ["3", "7"]
    for row in rows:
        found = loaded["conv3"].unit(int(row["unit"])).formula
        assert row["formula"] == found.formula.describe(loaded.probe_set.vocabulary.names)
        assert float(row["iou"]) == found.single
        if found.is_beyond_chance:
            assert f"  unit {row['unit']}: " in out
    assert loaded["conv1"].formulas is None


def test_another_network_is_named_with_the_options_it_was_loaded_with(capsys, data, tmp_path):
    model = ["python:tests.nets:make_small_net", "--mean", "0.5", "--std", "0.5"]
    network = nd.load_network(model[0], mean=0.5, std=0.5)
    dissect_small(data, tmp_path / "run", network=network, layers=["conv1"])
    code, _, err = run(capsys, "explain", tmp_path / "run", model[0], "--quiet")
    assert code == 2
    assert "its images are prepared as" in err
    code, out, err = run(capsys, "explain", tmp_path / "run", *model, "--length", "2", "--shifts", "0", "--quiet")
    assert code == 0, err
    assert out.startswith("conv1: formulas of up to 2 concepts: ")
    assert "chance was not measured" in out
    assert max(len(found.formula) for found in nd.load(tmp_path / "run")["conv1"].formulas.units) <= 2


def test_a_kept_run_needs_no_network(capsys, data, tmp_path):
    dissect_small(data, tmp_path / "run", network=nets.make_small_net(), layers=["conv1"], keep=True)
    code, out, err = run(capsys, "explain", tmp_path / "run", "--quiet")
    assert code == 0, err
    assert "conv1: formulas of up to 3 concepts: " in out


def test_a_folder_without_a_run_is_one_sentence(capsys, tmp_path):
    code, _, err = run(capsys, "explain", tmp_path / "nothing")
    assert code == 2
    assert err.count("\n") == 1
    assert "does not exist" in err
    assert not (tmp_path / "nothing").exists()
