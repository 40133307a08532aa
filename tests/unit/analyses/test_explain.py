"""Formulas of a run: from kept scans or another scan, saved and read back, for the units that are asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests import nets
from tests.small_runs import dissect_small, read_tables

import netdissect as nd
from netdissect.demo.world import write_probe_set
from netdissect.engine import dissect as engine
from netdissect.engine import tasks
from netdissect.errors import DataNotFoundError, RunError, SettingsError, UnknownLayerError
from netdissect.results.run_folder import WORK
from netdissect.run import finished_scans


@pytest.fixture(scope="module", autouse=True)
def small_calibration():
    """A calibration sample of 8 images, so that 44 images make several shards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "small"
    write_probe_set(folder, images=44, size=48, seed=0)
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run without its scans, and one that kept them."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("plain", "kept"):
        dissect_small(data, folder / name, keep=name == "kept")
    return folder


@pytest.fixture(scope="module")
def explained(finished):
    return nd.load(finished / "kept").explain()


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished / "plain", tmp_path / "run")
    return tmp_path / "run"


def list_formulas(result):
    return {name: layer.formulas.units for name, layer in result.layers.items()}


def test_the_best_single_concept_is_the_runs_label_and_a_formula_lies_between_it_and_the_ceiling(explained):
    for layer in explained.layers.values():
        assert len(layer.formulas.units) == layer.layer.units
        for channel, found in enumerate(layer.formulas.units):
            assert found.single == pytest.approx(layer.iou[channel].max(), abs=1e-12)
            assert found.single <= found.iou <= found.ceiling + 1e-12
            assert found.chance is not None
            assert 1 <= len(found.formula) <= 3


def test_another_scan_with_the_networks_thresholds_gives_the_formulas_of_kept_scans(explained, folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("thresholds are known")

    monkeypatch.setattr("netdissect.engine.tasks.calibrate_shard", refuse)
    again = nd.explain(folder, nets.make_small_net())
    assert list_formulas(again) == list_formulas(explained)
    assert not (folder / WORK).exists()


def test_kept_scans_need_no_network_and_stay(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "kept", tmp_path / "run")
    monkeypatch.setattr(finished_scans, "scan_again", None)
    nd.explain(tmp_path / "run", layers="conv2")
    assert list((tmp_path / "run" / WORK).glob("*/scan-*.arrays"))


def test_a_folder_gets_the_answer_and_a_result_does_not_change_it(explained, folder):
    before = read_tables(folder)
    result = nd.load(folder)
    answer = result.explain(nets.make_small_net(), layers=["conv1"])
    assert result["conv1"].formulas is None
    assert read_tables(folder) == before
    answer.save(folder)
    assert nd.load(folder)["conv1"].formulas.units == explained["conv1"].formulas.units
    assert nd.load(folder)["conv2"].formulas is None
    after = read_tables(folder)
    assert {name: after[name] for name in before} == before
    assert sorted(set(after) - set(before)) == ["conv1-formulas.csv", "conv1-formulas.parquet"]


def test_units_are_searched_alone_and_others_keep_what_they_had(explained, folder):
    network = nets.make_small_net()
    some = nd.explain(folder, network, layers="conv1", units=[4, 2, 4])["conv1"].formulas
    truth = explained["conv1"].formulas
    assert [found is not None for found in some.units] == [False, True, False, True, False]
    assert (some.units[1], some.units[3]) == (truth.units[1], truth.units[3])
    more = nd.explain(folder, network, layers="conv1", units=[1])["conv1"].formulas
    assert more.units == (truth.units[0], truth.units[1], None, truth.units[3], None)
    other = nd.explain(folder, network, layers="conv1", units=[1], length=1)["conv1"].formulas
    assert (other.length, other.shifts) == (1, 5)
    assert [found is not None for found in other.units] == [True, False, False, False, False]
    assert len(other.units[0].formula) == 1


def test_without_shifts_chance_is_not_measured_and_every_gain_counts(finished):
    for found in nd.load(finished / "kept").explain(shifts=0)["conv1"].formulas.units:
        assert found.chance is None
        assert found.is_beyond_chance == (len(found.formula) > 1)


def test_an_interrupted_scan_is_continued_by_the_same_call(explained, folder, monkeypatch):
    keep, scanned = tasks.store_scan, []

    def stop(store, shard, found, kind="scan"):
        if len(scanned) == 2:
            raise KeyboardInterrupt
        scanned.append(shard.number)
        return keep(store, shard, found, kind)

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "store_scan", stop)
        with pytest.raises(KeyboardInterrupt, match="the same command continues from there"):
            nd.explain(folder, nets.make_small_net())
    assert nd.load(folder)["conv1"].formulas is None
    again = []

    def record(store, shard, found, kind="scan"):
        again.append(shard.number)
        return keep(store, shard, found, kind)

    monkeypatch.setattr(tasks, "store_scan", record)
    assert list_formulas(nd.explain(folder, nets.make_small_net())) == list_formulas(explained)
    assert not set(again) & set(scanned)
    assert not (folder / WORK).exists()


@pytest.mark.processes
def test_workers_give_the_same_formulas(explained, folder):
    network = nd.load_network("python:tests.nets:make_small_net")
    assert list_formulas(nd.explain(folder, network, workers=2)) == list_formulas(explained)


def test_blocks_of_units_give_the_same_formulas(explained, finished, monkeypatch):
    monkeypatch.setattr("netdissect.analyses.unit_formulas._UNIT_BYTES", 2**60)
    assert list_formulas(nd.load(finished / "kept").explain()) == list_formulas(explained)


def test_a_report_is_drawn_again_with_formulas(finished, tmp_path):
    shutil.copytree(finished / "kept", tmp_path / "run")
    nd.load(tmp_path / "run").write_report(tmp_path / "run")
    page = tmp_path / "run" / "html" / "index.html"
    before = page.stat().st_mtime_ns
    nd.explain(tmp_path / "run", layers="conv1")
    assert page.stat().st_mtime_ns > before


def test_another_network_is_refused(folder):
    with pytest.raises(SettingsError, match="is not the network of this run, .*: its weights or its structure differ"):
        nd.explain(folder, nets.make_small_net(seed=1))
    with pytest.raises(SettingsError, match="which network"):
        nd.explain(folder)


def test_counts_that_are_not_the_runs_are_refused(finished, data, monkeypatch):
    run = nd.load(finished / "kept")
    layer = run["conv1"]
    higher = np.nextafter(layer.thresholds, np.float32(np.inf)) + np.float32(0.05)
    with pytest.raises(
        RunError, match=r"unit \d of conv1 has other masks than in the run, by up to [\d,]+ of [\d,]+ pixels"
    ):
        replace(run, layers={**run.layers, "conv1": replace(layer, thresholds=higher)}).explain()
    G = layer.counts.G.copy()
    G[1] += 1
    changed = replace(layer, counts=replace(layer.counts, G=G))
    with pytest.raises(
        RunError, match=f"the labels of the probe set have changed since the run, those of {layer.vocabulary.names[1]}"
    ):
        replace(run, layers={**run.layers, "conv1": changed}).explain(layers="conv1")


def test_a_probe_set_that_is_gone_must_be_named(finished, data):
    run = nd.load(finished / "kept")
    gone = replace(
        run, analyses=run.analyses, presenter=replace(run.presenter, images=type(run.presenter.images)(lambda: None))
    )
    with pytest.raises(DataNotFoundError, match="name it with --data"):
        gone.explain()
    assert gone.explain(data=data, layers="conv1", units=[1])["conv1"].formulas.units[0] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length"), ({"length": 6}, "length"), ({"shifts": -1}, "shifts"), ({"units": [0]}, "units 1 to 5"),
        ({"workers": 0}, "workers"), ({"units": ["2"]}, "units 1 to 5"), ({"units": []}, "no unit was named"),
    ],
)  # fmt: skip
def test_impossible_arguments_are_refused_before_anything_is_computed(folder, options, message):
    with pytest.raises(SettingsError, match=message):
        nd.explain(folder, nets.make_small_net(), layers="conv1", **options)


def test_a_layer_that_the_run_lacks_is_refused(folder):
    with pytest.raises(UnknownLayerError, match="this run has no layer 'conv3'"):
        nd.explain(folder, nets.make_small_net(), layers="conv3")
