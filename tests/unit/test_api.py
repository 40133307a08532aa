"""The public functions: their arguments, checks and messages."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from tests import nets, small_probe_set

import netdissect as nd
from netdissect.networks.preprocess import Preprocess, make_caffe_preprocess


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=6)


def test_an_assumed_preprocessing_is_logged(data, caplog):
    options = {"quantile": 0.05, "pictures": False}
    with caplog.at_level(logging.WARNING, logger="netdissect"):
        nd.dissect(nets.make_small_net(), ["conv1"], data, **options)
        assert [record.name for record in caplog.records] == ["netdissect"]
        assert "assumed: ImageNet statistics); pass preprocess=" in caplog.text
        caplog.clear()
        nd.dissect(nets.make_small_net(), ["conv1"], data, preprocess=Preprocess(), **options)
        assert not caplog.records


def test_preprocessing_is_described_with_every_digit():
    assert make_caffe_preprocess().describe() == "BGR, mean 109.5388 118.6897 124.6901"
    assert Preprocess().describe() == "RGB, 0 to 1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225"


QUICK = {"quantile": 0.1, "pictures": False, "preprocess": Preprocess()}


def test_split_and_limit_narrow_a_broden(data, tmp_path):
    opened = nd.Broden(data)
    by_path = nd.dissect(nets.make_small_net(), "conv1", data, limit=2, split="val", **QUICK)
    by_object = nd.dissect(nets.make_small_net(), "conv1", opened, limit=2, split="val", out=tmp_path / "run", **QUICK)
    assert by_object.probe_set.images == by_path.probe_set.images == 2
    assert (by_object["conv1"].counts.I == by_path["conv1"].counts.I).all()
    assert by_object.probe_set.fingerprint == by_path.probe_set.fingerprint
    assert len(opened) == 6  # the one that was given is as it was
    recorded = nd.load(tmp_path / "run")
    assert (recorded.settings.limit, recorded.settings.split, recorded.probe_set.images) == (2, "val", 2)


def test_a_brodens_own_split_and_limit_are_recorded(data):
    narrow = nd.Broden(data, split="val", limit=2)
    result = nd.dissect(nets.make_small_net(), "conv1", narrow, limit=5, **QUICK)
    assert (result.settings.limit, result.settings.split, result.probe_set.images) == (2, "val", 2)
    with pytest.raises(
        nd.NetdissectError, match="split='train' was requested, but the probe set was opened with split='val'"
    ):
        nd.dissect(nets.make_small_net(), "conv1", narrow, split="train", **QUICK)


def test_split_and_limit_are_refused_for_a_users_own_probe_set(data):
    class Own(nd.Broden):
        """A user's own probe set."""

    assert nd.dissect(nets.make_small_net(), "conv1", Own(data), **QUICK).probe_set.images == 6
    for setting in ({"limit": 2}, {"split": "val"}):
        with pytest.raises(nd.NetdissectError, match=r"cannot be applied to a probe set of your own \(Own\)"):
            nd.dissect(nets.make_small_net(), "conv1", Own(data), **setting, **QUICK)


@pytest.mark.parametrize("given", [5, None, nd.Broden], ids=lambda given: type(given).__name__)
def test_anything_but_a_probe_set_is_refused_by_its_type(given):
    with pytest.raises(nd.NetdissectError, match="data= takes a folder in Broden's format"):
        nd.dissect(nets.make_small_net(), "conv1", given, **QUICK)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], r"data\[0\]: expected a pair of an image and its masks"),
        ({"a": 1}, "which columns hold images and masks"),
        (lambda: None, "data= is function, which cannot be iterated"),
    ],
)
def test_what_holds_no_images_and_masks_is_refused(given, words):
    with pytest.raises(nd.NetdissectError, match=words):
        nd.dissect(nets.make_small_net(), "conv1", given, **QUICK)


def test_a_module_of_the_network_is_a_layer(data):
    network = nets.make_small_net()
    result = nd.dissect(network, [network.conv2, "conv1", network.conv2], data, **QUICK)
    assert list(result) == ["conv2", "conv1"]
    assert (result[0].name, result[-1].name, result["conv1"].name) == ("conv2", "conv1", "conv1")
    assert list(nd.dissect(network, network.conv1, data, **QUICK)) == ["conv1"]
    for wrong, expected in (
        (2, "so none at position 2"),
        (-3, "so none at position -3"),
        ("conv", "did you mean conv"),
    ):
        with pytest.raises(nd.NetdissectError, match=expected):
            result[wrong]


@pytest.mark.parametrize("layers", [[], (), [None]], ids=str)
def test_no_layers_is_an_error(data, layers):
    with pytest.raises(nd.NetdissectError, match="no layer was named"):
        nd.dissect(nets.make_small_net(), layers, data, **QUICK)


def test_without_layers_the_suggested_ones_are_dissected_and_said(data, caplog):
    net = nets.make_small_net()
    result = nd.dissect(net, None, data, **QUICK)
    suggested = [row.name for row in nd.list_layers(net) if row.name in result.layers]
    assert list(result.layers) == suggested
    assert (
        f"no layers were named: the suggested ones of {result.network.name} are taken, {', '.join(suggested)}"
        in caplog.messages
    )


def test_progress_is_shown_on_a_terminal_unless_it_is_false(data, monkeypatch):
    from netdissect import consoles, progress_bars

    started = []
    monkeypatch.setattr(consoles, "is_terminal", lambda: True)
    monkeypatch.setattr(progress_bars.ProgressBars, "start", lambda self, task, total: started.append((task, total)))
    nd.dissect(nets.make_small_net(), "conv1", data, **QUICK)
    assert ("scan", 6) in started
    started.clear()
    for silent in (False, None):
        nd.dissect(nets.make_small_net(), "conv1", data, progress=silent, **QUICK)
    assert not started


def test_everything_cheap_is_checked_before_a_network_is_loaded(data, tmp_path, monkeypatch):
    from netdissect import model_loading

    monkeypatch.setattr(model_loading, "load_network", lambda *_, **__: pytest.fail("the network was loaded"))
    (tmp_path / "file").touch()
    for wrong in (
        {"quantile": 5}, {"device": "cuda:77"}, {"progress": 3}, {"preprocess": 3}, {"split": "trian"}, {"data": "nowhere"},
        {"out": tmp_path / "file"}, {"out": tmp_path / "file" / "below"}, {"out": 5}, {"settings": {}}, {"limt": 3}, {"keep": True},
    ):  # fmt: skip
        given = {"data": data} | wrong
        with pytest.raises((nd.NetdissectError, FileExistsError)):
            nd.dissect("torchvision:resnet18", "layer4", **given)


def test_the_shell_checks_everything_cheap_before_a_network_is_loaded(data, tmp_path, monkeypatch, capsys):
    from netdissect import model_loading
    from netdissect.cli import main

    monkeypatch.setattr(model_loading, "load_network", lambda *_, **__: pytest.fail("the network was loaded"))
    (tmp_path / "file").touch()
    for command in ("run", "rotate"):
        for words in (
            ["--quantile", "7"], ["--device", "mps"], ["--data", tmp_path], ["--split", "trian"], ["--out", tmp_path / "file"],
            ["--mean", "1", "2"], ["--colordepth", "2"], ["--scale", "0"], ["--memory", "much"],
        ):  # fmt: skip
            given = [] if "--data" in words else ["--data", data]
            with pytest.raises(SystemExit) as leave:
                main([command, "torchvision:resnet18", "--layers", "layer4", *map(str, [*given, *words])])
            assert leave.value.code == 2, capsys.readouterr()


def test_a_network_with_a_fixed_batch_size_notes_it(data):
    from netdissect.networks.load import wrap_module

    network = replace(wrap_module(nets.make_small_net()), batch=2)
    result = nd.dissect(network, "conv1", data, batch_size=4, quantile=0.1, preprocess=Preprocess())
    assert "Sequential takes 2 image(s) at a time, whatever the batch size" in result.journal["notes"]
