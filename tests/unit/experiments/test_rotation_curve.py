"""Rotated units are dissected as if the network had them, all steps in one forward pass."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from tests import nets, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import SettingsError, UnknownLayerError
from netdissect.experiments.rotation_curve import rotate
from netdissect.networks.load import wrap_module
from netdissect.networks.units.rotation import Rotation
from netdissect.stats.random_rotation import RotationPowers, align_to_axes, draw_rotation

OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


class RotatedNetwork(nn.Module):
    """The small network with a 1 x 1 convolution by Q after a layer, which a rotation must equal."""

    def __init__(self, matrix):
        super().__init__()
        self.net = nets.make_small_net()
        self.rotation = nn.Conv2d(8, 8, 1, bias=False)
        self.rotation.weight.data = torch.as_tensor(matrix, dtype=torch.float32)[..., None, None]

    def forward(self, x):
        return self.rotation(self.net.conv2(self.net.relu1(self.net.conv1(x))))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=12)


@pytest.mark.parametrize("near", [False, True])
def test_every_step_equals_a_network_with_the_rotated_units(data, near):
    rotated = rotate(
        nets.make_small_net(), "conv2", data, alphas=(0, 0.3, 1), rotation_seed=5, near_axes=near, **OPTIONS
    )
    q = draw_rotation(8, 5)
    powers = RotationPowers.decompose(align_to_axes(q) if near else q)
    assert list(rotated.result.layers) == ["conv2", "conv2+rotation-0.3", "conv2+rotation-1"]
    for alpha, name in rotated.names["conv2"].items():
        whole = nd.dissect(RotatedNetwork(powers(alpha)), ["rotation"], data, **OPTIONS)
        np.testing.assert_allclose(rotated.result[name].thresholds, whole["rotation"].thresholds, rtol=1e-4, atol=1e-5)
        assert [unit.label for unit in rotated.result[name].units] == [unit.label for unit in whole["rotation"].units]
    assert np.abs(powers(1) - (align_to_axes(q) if near else q)).max() < 1e-9


def test_the_network_is_run_once_for_all_steps(data, monkeypatch):
    seen = []
    network = wrap_module(nets.make_small_net(), None)
    probe = type(network).probe

    def counted(self, *args, **kwargs):
        source = probe(self, *args, **kwargs)
        run = source.activations
        source.activations = lambda images: (seen.append(len(images)), run(images))[1]
        return source

    monkeypatch.setattr(type(network), "probe", counted)
    rotate(network, ["conv1", "conv2"], data, **OPTIONS)
    assert sum(seen) == 12


def test_unknown_layers_and_invalid_steps_are_refused(data):
    with pytest.raises(UnknownLayerError, match="there is no layer 'conv9': did you mean conv"):
        rotate(nets.make_small_net(), "conv9", data, **OPTIONS)
    for alphas, told in (((), "takes numbers"), ((0, float("nan")), "takes numbers"), ((1, 1), "twice")):
        with pytest.raises(SettingsError, match=told):
            rotate(nets.make_small_net(), "conv2", data, alphas=alphas, **OPTIONS)


@pytest.mark.usefixtures("real_figures")
def test_the_figure_has_its_numbers_as_csv(data, tmp_path):
    rotated = rotate(nets.make_small_net(), ["conv1", "conv2"], data, alphas=(0, 0.5), **OPTIONS)
    rotated.write_figure(tmp_path / "rotation.svg")
    assert (tmp_path / "rotation.png").stat().st_size > 2000
    with (tmp_path / "rotation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["alpha"]) for row in rows] == [
        ("conv1", "0"), ("conv1", "0.5"), ("conv2", "0"), ("conv2", "0.5"),
    ]  # fmt: skip
    found = rotated.detectors()["conv2"][1][1]
    assert (int(rows[3]["detectors"]), int(rows[3]["unique"])) == (found.units, found.unique)


def test_units_are_rotated_cell_by_cell():
    q = draw_rotation(6, 0)
    units = torch.randn(2, 3, 4, 6)
    rotated = Rotation(q, 0)(units)
    np.testing.assert_allclose(rotated[1, 2, 3].numpy(), q @ units[1, 2, 3].numpy().astype(float), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rotated.norm(dim=-1), units.norm(dim=-1), rtol=1e-5)
