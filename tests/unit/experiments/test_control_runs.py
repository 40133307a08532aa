from __future__ import annotations

import logging

import pytest
import torch
from tests import nets, small_probe_set, small_runs

import netdissect as nd
from netdissect.errors import FolderTakenError, ModelError, SettingsError, UnknownLayerError
from netdissect.networks.untrained import draw_module
from netdissect.probe_sets.broden.reader import Broden

MODEL = "python:tests.nets:make_small_net"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "set", images=12)


def control(model, data, out=None, **options):
    return nd.control(model, small_runs.LAYERS, data, out=out, **{**small_runs.OPTIONS, "seeds": 2, **options})


def tables(runs):
    return {
        name: [(layer.counts.I.tolist(), layer.thresholds.tolist()) for layer in run.layers.values()]
        for name, run in runs.items()
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("control")
    return control(MODEL, data, folder), folder


def test_every_seed_gets_its_run(runs, data):
    found, folder = runs
    assert list(found) == ["seed-1", "seed-2"]
    assert sorted(path.name for path in folder.iterdir()) == ["seed-1", "seed-2"]
    assert len({run.network.fingerprint for run in found.values()}) == 2
    assert found["seed-2"].network.source == f"{MODEL}, random weights of seed 2"
    module = draw_module(nets.make_small_net(), 2, "net")
    alone = small_runs.dissect_small(data, None, network=module)
    assert tables({"": alone})[""] == tables(found)["seed-2"]


def test_a_module_and_a_function_of_the_seed_give_the_same_runs(runs, data):
    found, _ = runs
    assert tables(control(nets.make_small_net(9), data)) == tables(found)
    drawn = control(lambda seed: draw_module(nets.make_small_net(), seed, "net"), data)
    assert tables(drawn) == tables(found)


def test_a_function_is_called_with_torchs_numbers_seeded(data):
    seen = []

    def make(seed):
        seen.append((seed, torch.rand(1).item()))
        return nets.make_small_net(seed)

    control(make, data)
    control(make, data)
    assert [seed for seed, _ in seen] == [1, 2, 1, 2]
    assert seen[:2] == seen[2:]
    assert seen[0][1] != seen[1][1]


def test_layers_may_be_modules_of_the_network(data, runs):
    module = nets.make_small_net()
    found = nd.control(module, module.conv1, data, seeds=1, **small_runs.OPTIONS)
    assert list(found["seed-1"].layers) == ["conv1"]


def test_finished_runs_are_not_computed_again(runs, data, caplog):
    caplog.set_level(logging.INFO, "netdissect")
    _, folder = runs
    control(MODEL, data, folder, seeds=3)
    assert caplog.text.count("nothing is computed again") == 2
    assert "seed-3 (3 of 3)" in caplog.text


def test_images_and_labels_are_decoded_once(data, monkeypatch):
    read: list[tuple[str, int]] = []
    for name in ("read_image", "read_labels"):
        plain = getattr(Broden, name)

        def count(self, index, *size, plain=plain, name=name):
            read.append((name, index))
            return plain(self, index, *size)

        monkeypatch.setattr(Broden, name, count)
    control(MODEL, data)
    assert len(read) == len(set(read)) == 24


@pytest.mark.parametrize(
    ("change", "error", "expected"),
    [
        ({"seeds": 0}, SettingsError, "--seeds must be at least 1, not 0"),
        ({"seeds": 2.5}, SettingsError, "--seeds"),
        ({"model": 5}, SettingsError, "control takes MODEL as the shell does"),
        ({"model": torch.nn.ReLU()}, ModelError, "it has no weights"),
        ({"layers": "conv9"}, UnknownLayerError, "conv9"),
        ({"layers": torch.nn.ReLU()}, SettingsError, "is not a module of make_small_net"),
    ],
)
def test_mistakes_are_one_sentence_and_write_nothing(data, tmp_path, change, error, expected):
    arguments = {
        "model": MODEL,
        "layers": "conv1",
        "seeds": 2,
        "data": data,
        "out": tmp_path,
        **small_runs.OPTIONS,
    } | change
    with pytest.raises(error, match=expected):
        nd.control(arguments.pop("model"), arguments.pop("layers"), arguments.pop("data"), **arguments)
    assert not list(tmp_path.rglob("run.json"))


def test_the_folder_of_a_run_is_refused(runs, data):
    with pytest.raises(FolderTakenError, match="several networks get one run folder each"):
        control(MODEL, data, runs[1] / "seed-1")
