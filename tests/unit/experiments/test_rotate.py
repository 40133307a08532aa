"""Turned units are dissected as if the network had them, all steps in one forward pass."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from tests import folders, nets
from torch import nn

import netdissect as nd
from netdissect.errors import SettingsError, UnknownLayerError
from netdissect.experiments.rotation_curve import rotate
from netdissect.networks.load import wrap_module
from netdissect.networks.units.rotation import Rotation
from netdissect.stats.random_rotation import RotationPowers, align_to_axes, draw_rotation

OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


class Turned(nn.Module):
    """The small network with a 1 x 1 convolution by Q behind a layer: what a rotation must equal."""

    def __init__(self, matrix):
        super().__init__()
        self.net = nets.small()
        self.turn = nn.Conv2d(8, 8, 1, bias=False)
        self.turn.weight.data = torch.as_tensor(matrix, dtype=torch.float32)[..., None, None]

    def forward(self, x):
        return self.turn(self.net.conv2(self.net.relu1(self.net.conv1(x))))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "small", images=12)


@pytest.mark.parametrize("near", [False, True])
def test_every_step_is_what_a_network_with_these_units_would_give(data, near):
    turned = rotate(nets.small(), "conv2", data, alphas=(0, 0.3, 1), rotation_seed=5, near_axes=near, **OPTIONS)
    drawn = draw_rotation(8, 5)
    powers = RotationPowers.of(align_to_axes(drawn) if near else drawn)
    assert list(turned.result.layers) == ["conv2", "conv2+rotation-0.3", "conv2+rotation-1"]
    for alpha, name in turned.names["conv2"].items():
        whole = nd.dissect(Turned(powers(alpha)), ["turn"], data, **OPTIONS)
        np.testing.assert_allclose(turned.result[name].thresholds, whole["turn"].thresholds, rtol=1e-4, atol=1e-5)
        assert [unit.label for unit in turned.result[name].units] == [unit.label for unit in whole["turn"].units]
    assert np.abs(powers(1) - (align_to_axes(drawn) if near else drawn)).max() < 1e-9


def test_the_network_is_run_once_for_all_steps(data, monkeypatch):
    seen = []
    network = wrap_module(nets.small(), None)
    probe = type(network).probe

    def counted(self, *args, **kwargs):
        source = probe(self, *args, **kwargs)
        run = source.activations
        source.activations = lambda pictures: (seen.append(len(pictures)), run(pictures))[1]
        return source

    monkeypatch.setattr(type(network), "probe", counted)
    rotate(network, ["conv1", "conv2"], data, **OPTIONS)
    assert sum(seen) == 12


def test_layers_and_steps_that_make_no_sense_are_refused(data):
    with pytest.raises(UnknownLayerError, match="there is no layer 'conv9': did you mean conv"):
        rotate(nets.small(), "conv9", data, **OPTIONS)
    for alphas, told in (((), "takes numbers"), ((0, float("nan")), "takes numbers"), ((1, 1), "twice")):
        with pytest.raises(SettingsError, match=told):
            rotate(nets.small(), "conv2", data, alphas=alphas, **OPTIONS)


def test_the_graph_has_its_numbers_beside_it(data, tmp_path):
    turned = rotate(nets.small(), ["conv1", "conv2"], data, alphas=(0, 0.5), **OPTIONS)
    turned.write_figure(tmp_path / "rotation.svg")
    assert (tmp_path / "rotation.png").stat().st_size > 2000
    with (tmp_path / "rotation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["alpha"]) for row in rows] == [
        ("conv1", "0"), ("conv1", "0.5"), ("conv2", "0"), ("conv2", "0.5"),
    ]  # fmt: skip
    found = turned.detectors()["conv2"][1][1]
    assert (int(rows[3]["detectors"]), int(rows[3]["unique"])) == (found.units, found.unique)


def test_a_rotation_turns_units_cell_by_cell():
    q = draw_rotation(6, 0)
    units = torch.randn(2, 3, 4, 6)
    turned = Rotation(q, 0)(units)
    np.testing.assert_allclose(turned[1, 2, 3].numpy(), q @ units[1, 2, 3].numpy().astype(float), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(turned.norm(dim=-1), units.norm(dim=-1), rtol=1e-5)
