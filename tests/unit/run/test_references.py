from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs, nets, small_probe_set, small_runs

import netdissect as nd
from netdissect.errors import RunNotFoundError, SettingsError
from netdissect.results.controls import UNTRAINED, ControlRun
from netdissect.run import open_references
from netdissect.stats.reference import compare_with_references

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=12)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("control")
    return nd.control(MODEL, small_runs.LAYERS, data, seeds=3, out=folder, **small_runs.OPTIONS), folder


@pytest.fixture(scope="module")
def run(data):
    return small_runs.dissect_small(data, None)


def test_the_table_is_that_of_the_layers_scores(run, untrained):
    tested = nd.add_reference(run, untrained[1])
    for name, layer in tested.layers.items():
        found = layer.trust.reference
        excess, p = compare_with_references(layer.scores, [other[name].scores for other in untrained[0].values()])
        np.testing.assert_array_equal(found.excess, excess.astype(np.float32))
        np.testing.assert_array_equal(found.p, p)
        assert found.runs == ("seed-1", "seed-2", "seed-3")
        assert any(unit.q_reference is not None for unit in layer.unit_trust)
    assert run.layers["conv1"].trust is None or run.layers["conv1"].trust.reference is None


def test_the_controls_are_the_runs(run, untrained):
    shuffled = ControlRun("shuffled", "shuffled labels", "c", 0.04, {})
    tested = nd.add_reference(replace(run, controls=(shuffled,)), untrained[0])
    assert [(one.name, one.kind) for one in tested.controls] == [
        ("shuffled", "shuffled labels"), *((name, UNTRAINED) for name in untrained[0])
    ]  # fmt: skip
    for control, other in zip(tested.controls[1:], untrained[0].values(), strict=True):
        assert control.fingerprint == other.network.fingerprint
        for name, layer in control.layers.items():
            found = other[name].detectors()
            assert (layer.units, layer.total, layer.unique) == (found.units, found.total, found.unique)
    assert nd.add_reference(tested, untrained[1]).controls == tested.controls


def test_ways_to_name_the_runs_agree(untrained):
    runs, folder = untrained
    words = [[f"a={folder / 'seed-1'}", folder / "seed-2"], {"a": runs["seed-1"], "seed-2": runs["seed-2"]}]
    assert [list(open_references(word).runs) for word in words] == [["a", "seed-2"]] * 2
    assert list(open_references(str(folder)).runs) == list(runs)
    sources = list(open_references(list(runs.values())).runs)
    assert sources == [f"{MODEL}, random weights of seed {seed}" for seed in (1, 2, 3)]


def test_a_dissection_is_tested_as_a_finished_run_is(data, run, untrained, tmp_path, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    after = nd.add_reference(run, untrained[1])
    small_runs.dissect_small(data, tmp_path)
    plain = small_runs.read_tables(tmp_path)
    found = small_runs.dissect_small(data, tmp_path, reference=untrained[1])
    assert caplog.text.count("nothing is computed again") == 1
    assert found.controls == after.controls
    loaded = nd.load(tmp_path)
    assert loaded.controls == after.controls
    for name, layer in after.layers.items():
        np.testing.assert_array_equal(loaded[name].trust.reference.p, layer.trust.reference.p)
        assert loaded[name].trust.reference.runs == ("seed-1", "seed-2", "seed-3")
        np.testing.assert_array_equal(found[name].trust.reference.p, layer.trust.reference.p)
    tables = small_runs.read_tables(tmp_path)
    assert {name: tables[name] for name in plain if "-trust" not in name} == {
        name: data for name, data in plain.items() if "-trust" not in name
    }
    again = small_runs.dissect_small(data, tmp_path)  # the reference is no part of the run's key
    assert again.controls == after.controls


def test_the_report_is_drawn_again_with_new_controls(data, untrained, tmp_path):
    small_runs.dissect_small(data, tmp_path, pictures=True)
    page = tmp_path / "html" / "index.html"
    page.write_text("old")
    small_runs.dissect_small(data, tmp_path, pictures=True)
    assert page.read_text() == "old"
    small_runs.dissect_small(data, tmp_path, pictures=True, reference=untrained[1])
    assert page.read_text() != "old"
    page.write_text("old")
    small_runs.dissect_small(data, tmp_path, pictures=True, reference=untrained[1])
    assert page.read_text() == "old"


def test_a_layer_without_a_reference_stays_as_it_is(run, untrained):
    only = {name: replace(other, layers={"conv2": other["conv2"]}) for name, other in untrained[0].items()}
    tested = nd.add_reference(run, only)
    assert tested["conv1"] is run["conv1"]
    assert tested["conv2"].trust.reference is not None
    assert list(tested.controls[0].layers) == ["conv2"]


def change_run(run, **changes):
    return replace(run, **{name: replace(getattr(run, name), **values) for name, values in changes.items()})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda runs: runs[:1], "at least 2 runs of untrained networks, not 1"),
        (lambda runs: [runs[0], runs[0]], "runs of one network"),
        (lambda runs: [*runs[1:], change_run(runs[0], probe_set={"fingerprint": "other"})], "over another probe set"),
        (lambda runs: [*runs[1:], change_run(runs[0], settings={"quantile": 0.1})], "--quantile 0.1, and this run 0.05"),
        (lambda runs: [replace(runs[0], layers={}), replace(runs[1], layers={})], r"one of this run's layers \(conv1, conv2\)"),
        (lambda runs: [runs[0], replace(runs[1], layers={})], "only one --reference run has the layer conv1"),
        (lambda _: 5, "runs of untrained networks, not"),
        (lambda _: [5, 6], "folders of runs or results, not"),
    ],
)  # fmt: skip
def test_references_that_do_not_fit_are_refused_in_one_sentence(run, untrained, change, expected):
    runs = list(untrained[0].values())
    with pytest.raises(SettingsError, match=expected) as error:
        nd.add_reference(run, change(runs))
    assert "\n" not in str(error.value)


def test_the_network_itself_is_no_reference(run, untrained):
    with pytest.raises(SettingsError, match="is a run of the network itself"):
        nd.add_reference(run, [run, *untrained[0].values()])


def test_another_number_of_units_is_refused(run, untrained):
    wide, words = made_up_runs.make_layer, run["conv1"].vocabulary
    other = replace(untrained[0]["seed-1"], layers={"conv1": wide("conv1", 7, words)})
    with pytest.raises(SettingsError, match="has 7 units in conv1, and this run 5: they must be of one architecture"):
        nd.add_reference(run, [other, untrained[0]["seed-2"]])


def test_a_reference_is_checked_before_the_work(data, untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(nets, "make_small_net", None)
    with pytest.raises(SettingsError, match="--quantile"):
        nd.dissect(MODEL, "conv1", data, out=tmp_path, quantile=0.2, reference=untrained[1])
    with pytest.raises(RunNotFoundError):
        nd.dissect(MODEL, "conv1", data, out=tmp_path, reference=tmp_path)
    assert not list(tmp_path.iterdir())
