"""Ablation of a finished run: what is removed, measured, saved, continued and refused."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from tests import nets, small_probe_set
from tests.small_runs import dissect_small, read_tables

import netdissect as nd
from netdissect.analyses import ablate as ablate_module
from netdissect.analyses.ablation_targets import NO_CHANCE_NOTE
from netdissect.cli.app import main
from netdissect.engine import dissect as engine
from netdissect.errors import SettingsError, UnknownLayerError
from netdissect.model_loading import as_network
from netdissect.networks.ablation.ablated_network import AblatedNetwork
from netdissect.results.run_folder import WORK
from netdissect.stats.removals import compute_margins

#: Classes of the images, in the order of the network's outputs: five concepts of the probe set, and one that is none.
CLASSES = ["dotted", "leaf", "red", "sky", "street", "tree"]


@pytest.fixture(scope="module", autouse=True)
def small_calibration():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "CALIBRATION_IMAGES", 8)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    data = small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=44)
    folder = tmp_path_factory.mktemp("runs") / "run"
    dissect_small(data, folder, null=0, resamples=0, threshold=0.0)
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve images of noise around a color of every class."""
    root, random = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (root / name).mkdir()
        for at in range(12):
            color = np.array([40 * number, 255 - 40 * number, 90])
            pixels = (color + random.normal(0, 40, (32, 32, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{at}.png")
    return root


@pytest.fixture(scope="module")
def ablated(finished, images):
    return nd.load(finished).ablate(nets.make_small_net(), images, layers="*")


def run_command(words):
    with pytest.raises(SystemExit) as done:
        main(words)
    return done.value.code


@contextlib.contextmanager
def remove_by_hand(module, units):
    """Set units of the second convolution to 0."""

    def clear(_, __, output):
        output[:, [unit - 1 for unit in units]] = 0
        return output

    hook = module.conv2.register_forward_hook(clear)
    yield
    hook.remove()


def read_inputs(images, network, of_class):
    pixels = np.stack([np.asarray(Image.open(path)) for path in sorted((images / of_class).glob("*.png"))])
    return network.preprocess(torch.from_numpy(pixels))


def test_every_concept_of_a_detector_is_removed_on_images_of_its_class_or_left_out_with_a_reason(ablated):
    for layer in ablated.layers.values():
        found = layer.ablation
        labels = {layer.vocabulary.names[column]: set() for column in layer.labels if column >= 0}
        for channel, column in enumerate(layer.labels):
            if column >= 0:
                labels[layer.vocabulary.names[column]].add(channel + 1)
        assert {row.concept for row in found.concepts} | set(found.left_out) == set(labels)
        for row in found.concepts:
            assert set(row.units) == labels[row.concept]
            assert row.class_name == row.concept.removesuffix("-c").removesuffix("-s")
            assert row.share is None and row.images == 12
        assert NO_CHANCE_NOTE in found.notes
        assert found.images == 72 and found.classes == 6


def test_margins_and_accuracies_are_those_of_the_network_without_the_units(ablated, images):
    network = as_network(nets.make_small_net())
    row = ablated["conv2"].ablation.concepts[0]
    of_class = CLASSES.index(row.class_name)
    inputs, label = read_inputs(images, network, row.class_name), np.full(12, of_class)
    with torch.no_grad():
        whole = network.module(inputs).numpy()
        with remove_by_hand(network.module, row.units):
            without = network.module(inputs).numpy()
    change = compute_margins(without, label) - compute_margins(whole, label)
    assert row.margin == pytest.approx(change.mean(), abs=1e-4)
    assert row.accuracy == pytest.approx((without.argmax(1) == label).mean() - (whole.argmax(1) == label).mean())
    assert row.low <= row.margin <= row.high


def test_p_counts_matched_units_that_cost_as_much(ablated, images):
    network = as_network(nets.make_small_net())
    single = [row for row in ablated["conv2"].ablation.concepts if len(row.units) == 1]
    for row in single:
        inputs, label = read_inputs(images, network, row.class_name), np.full(12, CLASSES.index(row.class_name))
        losses = {}
        for unit in range(1, 9):
            with remove_by_hand(network.module, [unit]), torch.no_grad():
                losses[unit] = compute_margins(network.module(inputs).numpy(), label).mean()
        own = losses.pop(row.units[0])
        assert row.matched_sets == 7
        assert row.p == pytest.approx((1 + sum(loss <= own for loss in losses.values())) / 8)
    assert single, "some concept has one unit"


def test_curves_are_of_the_half_that_did_not_choose_the_units(ablated):
    curves = ablated["conv2"].ablation.curves
    assert [curve.class_name for curve in curves] == CLASSES
    for curve in curves:
        assert curve.images == 6
        assert set(curve.removed) == set(curve.random) == {1, 4}
        assert len(curve.units) == 4
        assert all(0 <= value <= 1 for value in (curve.intact, curve.only, *curve.removed.values()))


def test_a_run_that_was_given_by_its_folder_is_saved_with_the_answer_and_nothing_else_changes(ablated, folder, images):
    before = read_tables(folder)
    nd.ablate(folder, nets.make_small_net(), images, layers="conv*")
    after = read_tables(folder)
    assert {name: after[name] for name in before} == before
    again = nd.load(folder)
    for name, layer in ablated.layers.items():
        assert asdict(again[name].ablation) == asdict(layer.ablation)
    assert not (folder / WORK).exists()


def test_an_interrupted_ablation_continues(ablated, folder, images, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ablate_module, "measure_curves", stop)
        with pytest.raises(KeyboardInterrupt):
            nd.ablate(folder, nets.make_small_net(), images, layers="conv2")
    assert nd.load(folder)["conv2"].ablation is None
    assert list((folder / WORK).glob("ablation-*/concept-*.arrays"))
    passed = []
    with monkeypatch.context() as patch:
        patch.setattr(AblatedNetwork, "measure", lambda *_: passed.append(1))
        nd.ablate(folder, nets.make_small_net(), images, layers="conv2")
    assert not passed, "the pass of the whole network is not run again"
    assert asdict(nd.load(folder)["conv2"].ablation) == asdict(ablated["conv2"].ablation)
    assert not (folder / WORK).exists()


def test_means_in_the_place_of_zeros_give_other_losses(ablated, finished, images):
    other = nd.load(finished).ablate(nets.make_small_net(), images, to="mean", layers=["conv1"], curve=False)
    assert other["conv2"].ablation is None
    assert other["conv1"].ablation.replacement == "mean"
    assert other["conv1"].ablation.curves == ()
    pairs = zip(other["conv1"].ablation.concepts, ablated["conv1"].ablation.concepts, strict=True)
    assert any(ours.margin != theirs.margin for ours, theirs in pairs)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"to": "noise"}, "to"),
        ({"matched": 5}, "matched"),
        ({"layers": "conv9"}, "this run has no layer 'conv9'"),
        ({"classes": ["a", "b"]}, "none of its 6 labels"),
        ({"classes": [*CLASSES, "barn"]}, "the network has 6 class outputs, and 7 classes are known"),
    ],
)
def test_a_wrong_argument_is_one_sentence(finished, images, options, sentence):
    with pytest.raises(nd.NetdissectError, match=sentence) as caught:
        nd.load(finished).ablate(nets.make_small_net(), images, **options)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UnknownLayerError) or options["layers"]


def test_without_layers_the_last_one_is_ablated(finished, images):
    found = nd.load(finished).ablate(nets.make_small_net(), images, curve=False, matched=20)
    assert [layer.ablation is None for layer in found.layers.values()] == [True, False]


def test_another_network_is_refused(finished, images):
    with pytest.raises(SettingsError, match="is not the network of this run"):
        nd.load(finished).ablate(nets.make_small_net(seed=1), images)


def test_a_probe_set_without_enough_classes_is_refused(finished):
    with pytest.raises(SettingsError, match="the network has 6 class outputs, and 2 classes are known"):
        nd.load(finished).ablate(nets.make_small_net())


def test_the_command_saves_tables_and_says_what_was_lost(folder, images, capsys):
    code = run_command(
        [
            "ablate",
            str(folder),
            "python:tests.nets:make_small_net",
            "--data",
            str(images),
            "--layers",
            "conv2",
            "--quiet",
        ]
    )
    out = capsys.readouterr().out
    assert code == 0
    assert "conv2: 0 of" in out or "remove the" in out
    assert "balanced accuracy of one class among all" in out
    assert f"results: {folder}" in out
    record = json.loads((folder / "conv2-ablation.json").read_text())
    assert record["classes"] == 6
    assert {"conv2-ablation.svg", "conv2-ablation.png"} <= set((folder / "files.txt").read_text().splitlines())


def test_the_command_refuses_images_without_classes_in_one_sentence(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    code = run_command(
        ["ablate", str(folder), "python:tests.nets:make_small_net", "--data", str(tmp_path / "empty"), "--quiet"]
    )
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("netdissect: ") and said.count("\n") == 1
