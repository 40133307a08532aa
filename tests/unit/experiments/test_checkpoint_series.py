from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests import nets, small_probe_set, small_runs

import netdissect as nd
from netdissect.errors import FolderTakenError, ModelError, SettingsError
from netdissect.probe_sets.broden.reader import Broden

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module", autouse=True)
def _four_shards():
    from netdissect.engine import dissect as engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=30)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for number in (1, 2, 10):
        torch.save(nets.make_small_net(number).state_dict(), folder / f"epoch_{number}.ckpt")
    return folder


@pytest.fixture(scope="module")
def apart(tmp_path_factory, data, checkpoints):
    """Dissect every checkpoint in a run of its own."""
    folder = tmp_path_factory.mktemp("apart")
    for number in (1, 2, 10):
        network = nd.load_network(MODEL, weights=checkpoints / f"epoch_{number}.ckpt")
        small_runs.dissect_small(data, folder / f"epoch_{number}", network=network, pictures=True)
    return folder


@pytest.fixture(scope="module")
def tables(tmp_path_factory, data, checkpoints):
    """The tables of every checkpoint's own run, without pictures."""
    folder = tmp_path_factory.mktemp("tables")
    for number in (1, 2, 10):
        network = nd.load_network(MODEL, weights=checkpoints / f"epoch_{number}.ckpt")
        small_runs.dissect_small(data, folder / f"epoch_{number}", network=network)
    return {name: small_runs.read_tables(folder / name) for name in ("epoch_1", "epoch_2", "epoch_10")}


def dissect_series(data, checkpoints, folder, **options):
    return nd.dissect_series(
        MODEL, f"{checkpoints}/*.ckpt", small_runs.LAYERS, data, out=folder, **{**small_runs.OPTIONS, **options}
    )


def read_run(folder: Path) -> dict[str, object]:
    """Return the bytes of every file of a run; of ``run.json`` its content without times, of its list of files the lines."""
    found: dict[str, object] = {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    record = json.loads((folder / "run.json").read_text())
    del record["finished"], record["seconds"]
    return found | {"run.json": record, "files.txt": sorted((folder / "files.txt").read_text().splitlines())}


def require_equal(folder, apart):
    for number in (1, 2, 10):
        assert read_run(folder / f"epoch_{number}") == read_run(apart / f"epoch_{number}")


def test_a_series_writes_the_bytes_of_separate_runs(data, checkpoints, apart, tmp_path):
    results = dissect_series(data, checkpoints, tmp_path / "series", pictures=True)
    assert list(results) == ["epoch_1", "epoch_2", "epoch_10"]
    assert sorted(path.name for path in (tmp_path / "series").iterdir()) == sorted(results)
    require_equal(tmp_path / "series", apart)


@pytest.mark.parametrize("memory", [0, 20_000])
def test_a_series_in_little_memory_writes_the_tables_of_separate_runs(data, checkpoints, tables, tmp_path, memory):
    assert list(dissect_series(data, checkpoints, tmp_path, memory=memory)) == list(tables)
    for name, expected in tables.items():
        assert small_runs.read_tables(tmp_path / name) == expected


def test_images_and_labels_are_decoded_once(data, checkpoints, tmp_path, monkeypatch):
    read: list[tuple[str, int]] = []
    for name in ("read_image", "read_labels"):
        plain = getattr(Broden, name)

        def count(self, index, *size, plain=plain, name=name):
            read.append((name, index))
            return plain(self, index, *size)

        monkeypatch.setattr(Broden, name, count)
    dissect_series(data, checkpoints, None)
    assert len(read) == len(set(read)) == 60


def test_a_series_and_separate_runs_recognize_each_other(data, checkpoints, apart, tmp_path, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    dissect_series(data, checkpoints, apart, pictures=True)
    assert caplog.text.count("nothing is computed again") == 3
    assert "epoch_10 (3 of 3)" in caplog.text
    caplog.clear()
    dissect_series(data, checkpoints, tmp_path)
    network = nd.load_network(MODEL, weights=checkpoints / "epoch_2.ckpt")
    small_runs.dissect_small(data, tmp_path / "epoch_2", network=network)
    assert caplog.text.count("nothing is computed again") == 1
    caplog.clear()
    dissect_series(data, checkpoints, tmp_path, fresh=True)
    assert "nothing is computed again" not in caplog.text


def test_an_interrupted_series_continues_where_it_was(data, checkpoints, tables, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    from netdissect.engine import tasks

    keep, stored = tasks.store_scan, []

    def stop(store, shard, found, kind="scan"):
        if len(stored) == 6:  # of four shards each
            raise KeyboardInterrupt
        stored.append(shard)
        return keep(store, shard, found, kind)

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "store_scan", stop)
        expected = "interrupted at epoch_2; finished networks: 1 of 3; the same command continues from there"
        with pytest.raises(KeyboardInterrupt, match=expected):
            dissect_series(data, checkpoints, tmp_path)
    assert [(tmp_path / f"epoch_{n}" / "run.json").exists() for n in (1, 2, 10)] == [True, False, False]
    dissect_series(data, checkpoints, tmp_path)
    assert "resuming: an earlier run finished 2 of 4 shards" in caplog.text
    for name, expected in tables.items():
        assert small_runs.read_tables(tmp_path / name) == expected


@pytest.mark.processes
def test_a_killed_series_continues_where_it_was(data, checkpoints, tables, tmp_path):
    script = f"""
import os, signal
import netdissect as nd
from netdissect.engine import dissect, tasks
from tests import small_runs
dissect.CALIBRATION_IMAGES = 8
keep, stored = tasks.store_scan, []
def stop(*words):
    if len(stored) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    stored.append(words)
    return keep(*words)
tasks.store_scan = stop
nd.dissect_series({MODEL!r}, {f"{checkpoints}/*.ckpt"!r}, small_runs.LAYERS, {str(data)!r}, out={str(tmp_path)!r}, **small_runs.OPTIONS)
"""
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run([sys.executable, "-c", script], check=False, env=env, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1", "epoch_2"]
    results = dissect_series(data, checkpoints, tmp_path)
    assert [run.journal["resumed_shards"] for run in results.values()] == [0, 1, 0]
    for name, expected in tables.items():
        assert small_runs.read_tables(tmp_path / name) == expected


def test_modules_and_functions_take_the_place_of_a_name(data, checkpoints, tmp_path):
    options = {**small_runs.OPTIONS, "preprocess": nd.Preprocess()}
    paths = [checkpoints / "epoch_1.ckpt", checkpoints / "epoch_2.ckpt"]
    module = nets.make_small_net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    def load(path):
        network = nets.make_small_net()
        network.load_state_dict(torch.load(path))
        return network

    def train():
        for number in (1, 2):
            module.load_state_dict(load(paths[number - 1]).state_dict())
            yield f"epoch_{number}", module

    given = nd.dissect_series(load, paths, "conv1", data, out=tmp_path / "function", **options)
    filled = nd.dissect_series(module, paths, ["conv1"], data, out=tmp_path / "module", **options)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    trained = nd.dissect_series(train(), None, ["conv1"], data, out=tmp_path / "loop", **options)
    assert list(given) == list(filled) == list(trained) == ["epoch_1", "epoch_2"]
    for name in given:
        tables = [small_runs.read_tables(tmp_path / kind / name) for kind in ("function", "module", "loop")]
        assert tables[0] == tables[1] == tables[2] != {}
    assert given["epoch_1"]["conv1"].thresholds.tolist() != given["epoch_2"]["conv1"].thresholds.tolist()


def test_without_a_folder_nothing_is_written_and_results_can_be_displayed(data, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = dissect_series(data, checkpoints, None)
    assert list(tmp_path.iterdir()) == []
    assert "<img" in results["epoch_10"]["conv1"]._repr_html_()


def test_the_curve_is_drawn_from_the_folder_of_a_series(data, checkpoints, tmp_path):
    dissect_series(data, checkpoints, tmp_path / "series")
    comparison = nd.compare(tmp_path / "series", threshold=0.01)
    steps = {entry.network: entry.step for entry in comparison.entries}
    assert list(steps.items()) == [("epoch_1", 1.0), ("epoch_2", 2.0), ("epoch_10", 10.0)]
    written = comparison.write_figures(tmp_path / "c.svg", figures=["curve"])
    assert [path.name for path in written] == ["c-curve.svg"]


def test_a_checkpoint_that_does_not_fit_stops_the_series_before_any_work(data, checkpoints, tmp_path):
    torch.save({"conv1.weight": torch.zeros(5, 3, 5, 5)}, tmp_path / "epoch_11.ckpt")
    weights = [f"{checkpoints}/*.ckpt", tmp_path / "epoch_11.ckpt"]
    with pytest.raises(ModelError, match=r"epoch_11\.ckpt does not hold the weights of"):
        nd.dissect_series(MODEL, weights, ["conv1"], data, out=tmp_path / "s", **small_runs.OPTIONS)
    assert list((tmp_path / "s").iterdir()) == []


def test_folders_that_hold_something_else_are_refused_before_any_work(data, checkpoints, apart, tmp_path):
    with pytest.raises(FolderTakenError, match="holds a run, and several networks get one run folder each"):
        dissect_series(data, checkpoints, apart / "epoch_1")
    (tmp_path / "epoch_10").mkdir()
    (tmp_path / "epoch_10" / "thesis.txt").touch()
    with pytest.raises(FolderTakenError, match=r"thesis\.txt"):
        dissect_series(data, checkpoints, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_10"]
    with pytest.raises(SettingsError, match="out= takes the folder of the series, not 5"):
        dissect_series(data, checkpoints, 5)


@pytest.mark.parametrize(
    ("model", "weights", "expected"),
    [
        (5, "*.ckpt", "takes MODEL as the shell does, a torch.nn.Module or a function that returns one, not 5"),
        (5, None, "without weights=, dissect_series takes pairs of a name and a network, not 5"),
        (MODEL, None, "without weights=, dissect_series takes pairs of a name and a network, not 'python:"),
        ([nets.make_small_net()], None, r"pairs of a name and a network, such as \('epoch_1', model\), not"),
        ([("a", nets.make_small_net()), ("A", nets.make_small_net())], None, "would get the run folder A"),
        (MODEL, "*.none", "no file matches this pattern"),
    ],
)
def test_wrong_models_and_weights_are_refused(data, checkpoints, monkeypatch, model, weights, expected):
    monkeypatch.chdir(checkpoints)
    with pytest.raises(SettingsError, match=expected):
        nd.dissect_series(model, weights, ["conv1"], data, preprocess=nd.Preprocess(), **small_runs.OPTIONS)


@pytest.mark.processes
def test_files_of_weights_take_their_architecture_as_in_dissect(data, checkpoints, apart):
    found = nd.dissect_series(
        str(checkpoints / "epoch_*.ckpt"),
        None,
        "conv2",
        data,
        arch=MODEL,
        progress=False,
        settings=nd.load(apart / "epoch_1").settings,
    )
    assert [run.network.fingerprint for run in found.values()] == [
        nd.load(apart / name).network.fingerprint for name in found
    ]
    with pytest.raises(
        SettingsError, match="arch= is the architecture of files of weights that are given as the model"
    ):
        nd.dissect_series(MODEL, str(checkpoints), "conv2", data, arch=MODEL)


def test_workers_decode_for_themselves_and_say_so(data, checkpoints, apart, tmp_path, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    nd.dissect_series(
        MODEL, checkpoints / "epoch_2.ckpt", small_runs.LAYERS, data, out=tmp_path, workers=2, **small_runs.OPTIONS
    )
    assert "workers decode images anew for every network" in caplog.text
    assert small_runs.read_tables(tmp_path / "epoch_2") == small_runs.read_tables(apart / "epoch_2")
