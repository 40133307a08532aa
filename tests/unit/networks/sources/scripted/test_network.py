"""A TorchScript module is dissected like the module it was made of."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from tests import exports, folders
from torch import nn

import netdissect as nd
from netdissect.errors import ModelError, UnknownLayerError
from netdissect.networks.load import LoadOptions, open_network, wrap_module

CPU = torch.device("cpu")
LAYERS = ["stem", "block", "gate", "attention", "mlp.1", "head"]
OPTIONS = {"quantile": 0.05, "batch_size": 4, "images_per_unit": 3, "pictures": False}


@pytest.fixture(scope="module")
def module():
    return exports.varied()


@pytest.fixture(scope="module", params=["traced", "compiled"])
def written(request, module, tmp_path_factory):
    path = tmp_path_factory.mktemp("scripted") / f"{request.param}.pt"
    return exports.write_torchscript(path, module, traced=request.param == "traced")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "small", images=10)


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, size=(5, 32, 32, 3)).astype(np.uint8)


def activations(network, layers, pictures):
    with network.probe(layers, pictures.shape[1:3], geometry="receptive-field", device=CPU) as source:
        source.activations(pictures)
        return source.activations(pictures)  # the second run is an optimized one


def test_every_layer_is_what_and_where_it_was(written, module):
    assert open_network(str(written)).layers((32, 32)) == wrap_module(module).layers((32, 32))


@pytest.mark.parametrize("layers", [["stem"], ["block.relu", "block"], LAYERS, ["attention.proj:in", "block.conv"]])
def test_any_layers_are_what_torch_computes(written, module, pictures, layers):
    ours, theirs = (activations(one, layers, pictures) for one in (open_network(str(written)), wrap_module(module)))
    for name in layers:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_a_dissection_finds_what_one_in_torch_finds(written, module, data):
    ours, theirs = (nd.dissect(model, LAYERS, data, **OPTIONS) for model in (str(written), module))
    for name in LAYERS:
        np.testing.assert_array_equal(ours[name].counts.G, theirs[name].counts.G)
        np.testing.assert_allclose(ours[name].thresholds, theirs[name].thresholds, rtol=1e-4, atol=1e-5)
        # A pixel whose value meets the threshold to its last digits may fall on either side of it.
        np.testing.assert_allclose(ours[name].counts.I, theirs[name].counts.I, atol=3)
        np.testing.assert_allclose(ours[name].iou, theirs[name].iou, atol=5e-3)
    assert "a TorchScript file states none" in ours.network.preprocessing


def test_two_parts_of_one_type_are_told_apart(tmp_path, pictures):
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = exports.Block(3).eval(), exports.Block(3).eval()

        def forward(self, x):
            return self.second(self.first(x))

    twins = Twins()
    layers = ["first.conv", "second.conv", "second"]
    path = exports.write_torchscript(tmp_path / "twins.pt", twins, traced=False)
    ours, theirs = (activations(one, layers, pictures) for one in (open_network(str(path)), wrap_module(twins)))
    for name in layers:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_one_of_several_outputs_may_be_probed(tmp_path, pictures):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.conv(x), x, x.shape[0]

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, x):
            return self.pair(x)[0].relu()

    whole = Whole()
    path = exports.write_torchscript(tmp_path / "pair.pt", whole, traced=False)
    ours, theirs = (
        activations(one, ["pair", "pair[1]"], pictures) for one in (open_network(str(path)), wrap_module(whole))
    )
    for name in ("pair", "pair[1]"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_layers_in_branches_and_loops_are_seen(tmp_path, pictures):
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)])
            self.other = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            for part in self.parts:
                x = part(x)
            if x.shape[0] > 0:
                x = self.other(x)
            return self.helped(x)

        def helped(self, x):
            return self.parts[1](x)

    module = Branching().eval()
    path = exports.write_torchscript(tmp_path / "branching.pt", module, traced=False)
    layers = ["parts.0", "parts.1", "other"]
    ours, theirs = (activations(one, layers, pictures) for one in (open_network(str(path)), wrap_module(module)))
    for name in layers:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_in_a_frozen_module_the_values_of_its_graph_are_layers(tmp_path, module, pictures):
    network = open_network(str(exports.write_torchscript(tmp_path / "frozen.pt", module, frozen=True)))
    found = network.layers((32, 32))
    first = next(layer for layer in found if layer.kind == "relu")
    theirs = activations(wrap_module(nn.Sequential(module.stem, nn.ReLU())), ["1"], pictures)["1"]
    torch.testing.assert_close(activations(network, [first.name], pictures)[first.name], theirs, rtol=1e-4, atol=1e-5)
    assert (first.units, first.grid, first.field.size) == (8, (16, 16), (5, 5))


def test_a_module_traced_for_one_picture_is_given_one_at_a_time(tmp_path, pictures):
    class Rigid(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4 * 900, 2)

        def forward(self, x):
            return self.fc(self.conv(x).reshape(1, 4 * 900))

    rigid = Rigid().eval()
    network = open_network(str(exports.write_torchscript(tmp_path / "rigid.pt", rigid, x=exports.example(1))))
    found = activations(network, ["conv", "fc"], pictures)
    assert network.batch == 1
    conv = rigid.conv(network.preprocess(torch.from_numpy(pictures)))
    torch.testing.assert_close(found["conv"], conv.detach(), rtol=1e-4, atol=1e-5)
    assert found["fc"].shape == (5, 2, 1, 1)


def test_a_norm_without_statistics_is_no_sign_of_training(tmp_path, pictures):
    path = exports.write_torchscript(tmp_path / "standardized.pt", exports.Standardized().eval())
    ours, theirs = (
        activations(one, ["conv"], pictures)["conv"]
        for one in (open_network(str(path)), wrap_module(exports.Standardized()))
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_picture_it_cannot_take_is_told_in_a_line(written):
    with pytest.raises(ModelError, match=r"does not run on a 2 x 2 picture with 3 channels: \w.*; try another"):
        open_network(str(written)).layers((2, 2))


def test_what_a_module_asserts_is_told_in_a_line(tmp_path):
    class Asserts(nn.Module):
        def forward(self, x):
            assert x.shape[2] == 40, f"wants 40 rows, not {x.shape[2]}"
            return x

    path = exports.write_torchscript(tmp_path / "asserts.pt", Asserts(), traced=False)
    with pytest.raises(ModelError, match=r"3 channels: AssertionError: wants 40 rows, not 32; try another"):
        open_network(str(path)).layers((32, 32))


def test_a_misspelt_layer_gets_the_nearest_names(written):
    with pytest.raises(UnknownLayerError, match=r"has no layer 'blok': did you mean block"):
        open_network(str(written)).probe(["blok"], (32, 32), geometry="grid", device=CPU)


def test_preprocessing_that_was_said_takes_the_place_of_the_assumed(written):
    network = open_network(str(written), LoadOptions(mean=["0.5"], std=["0.25"], channels="bgr"))
    assert network.preprocess.describe().startswith("BGR, 0 to 1, mean 0.5 0.5 0.5, std 0.25 0.25 0.25")


def test_a_module_at_hand_needs_no_file(written, module, pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_hand = torch.jit.load(written)
    ours, theirs = (activations(wrap_module(one), ["block", "head"], pictures) for one in (at_hand, module))
    for name in ("block", "head"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


def test_it_is_sent_to_workers_as_its_bytes(written, pictures):
    network = open_network(str(written))
    sent = pickle.loads(pickle.dumps(network))
    assert sent.fingerprint() == network.fingerprint()
    assert torch.equal(*(activations(one, ["block"], pictures)["block"] for one in (network, sent)))


def test_the_fingerprint_changes_with_weights_and_preprocessing(written, tmp_path):
    before = open_network(str(written)).fingerprint()
    assert open_network(str(written), LoadOptions(mean=["0"])).fingerprint() != before
    other = exports.write_torchscript(tmp_path / "other.pt", exports.varied(seed=1))
    assert open_network(str(other)).fingerprint() != before
