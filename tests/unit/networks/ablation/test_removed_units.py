"""Units are removed from a network itself while a block runs, and it is as it was afterwards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.nets import TokenNet, make_small_net
from torch import nn

import netdissect as nd
from netdissect.demo.network import load_trained_network
from netdissect.errors import ModelError, SettingsError, UnknownLayerError
from netdissect.networks.load import wrap_module


@pytest.fixture
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_the_units_are_zero_inside_the_block_and_the_weights_stay(images):
    module = make_small_net()
    before, state = module(images), {name: one.clone() for name, one in module.state_dict().items()}
    with nd.remove_units(module, "relu2", [2, 5]) as network:
        activations = module[:4](images)
        assert network.module is module
        assert not torch.equal(module(images), before)
    assert activations[:, [1, 4]].abs().max() == 0
    assert (activations[:, [0, 2, 3, 5, 6, 7]].amax((0, 2, 3)) > 0).any()
    assert torch.equal(module(images), before)
    assert all(torch.equal(one, state[name]) for name, one in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


@torch.no_grad()
def test_images_may_have_another_size_than_the_layer_was_looked_at(images):
    module = make_small_net()
    with wrap_module(module).without("conv2", 3, input_size=(20, 24)):
        for side in (16, 32, 41):
            inside = module[:3](images[:, :, :side, :side] if side < 32 else torch.rand(1, 3, side, side))
            assert inside[:, 2].abs().max() == 0
            assert inside[:, 3].abs().min() > 0


@torch.no_grad()
def test_numbers_take_the_place_of_activations(images):
    module = make_small_net()
    values = np.arange(8) - 2.5
    with wrap_module(module).without("relu2", range(1, 9), values):
        found = module(images)
    expected = module.fc(torch.tensor(values, dtype=torch.float32))
    torch.testing.assert_close(found, expected.expand(3, 6))


@torch.no_grad()
def test_tokens_lose_their_units_in_every_token():
    module = TokenNet().eval()
    x = torch.rand(2, 3, 16, 16)
    with wrap_module(module).without("mlp", [1, 32], input_size=(16, 16)):
        with_hook = module.mlp(torch.rand(2, 16, 32))
        removed = module(x)
    assert with_hook[..., [0, 31]].abs().max() == 0
    assert with_hook[..., 1:31].abs().min() > 0
    module.mlp[2].weight[[0, 31]] = 0
    module.mlp[2].bias[[0, 31]] = 0
    torch.testing.assert_close(module(x), removed)


def test_gradients_pass_the_units_that_are_left(images):
    module = make_small_net()
    with nd.remove_units(module, "conv2", 1):
        module(images).sum().backward()
    assert module.conv2.weight.grad[0].abs().max() == 0
    assert module.conv2.weight.grad[1:].abs().max() > 0


@torch.no_grad()
def test_only_the_last_output_of_a_layer_that_runs_twice_loses_units(images):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.second = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)
            self.seen = []

        def forward(self, x):
            first = self.act(self.first(x))
            second = self.act(self.second(first))
            self.seen = [first, second]
            return second.mean((2, 3))

    module = Twice()
    with nd.remove_units(module, "act", [1, 2, 3, 4]):
        for _ in range(2):
            assert module(images).abs().max() == 0
            assert module.seen[0].abs().max() > 0


@torch.no_grad()
def test_blobs_of_a_caffe_network_lose_units_and_come_back():
    network = load_trained_network()
    x = network.preprocess(torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8))
    before = network.module(x)
    with network.without("conv5", [7, 128]):
        inside = network.module(x, blobs=["conv5", "prob"])
    assert inside["conv5"][:, [6, 127]].abs().max() == 0
    assert not torch.equal(inside["prob"], before)
    assert torch.equal(network.module(x), before)


@torch.no_grad()
def test_an_error_in_the_block_leaves_the_network_as_it_was(images):
    module = make_small_net()
    with pytest.raises(KeyError), nd.remove_units(module, "relu1", 1):
        raise KeyError
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


@pytest.mark.parametrize(
    ("units", "to", "kind", "sentence"),
    [
        (0, "zero", SettingsError, "layer conv2 has the units 1 to 8, got 0: units are numbered from 1"),
        ([3, 9], "zero", SettingsError, "layer conv2 has the units 1 to 8, got 9"),
        (["3"], "zero", SettingsError, "1 to 8, got '3'"),
        (1, "mean", SettingsError, "to must be \"zero\" or 8 finite numbers.*mean activations, not 'mean'"),
        (1, [0.5, 1], SettingsError, r"not an array of shape \(2,\)"),
        (1, [np.nan] * 8, SettingsError, "finite"),
    ],
)
def test_what_is_no_unit_and_no_value_is_one_sentence(units, to, kind, sentence):
    with pytest.raises(kind, match=sentence), nd.remove_units(make_small_net(), "conv2", units, to):
        pass


def test_an_unknown_layer_and_a_closed_network_are_one_sentence(tmp_path):
    with pytest.raises(UnknownLayerError, match="has no layer 'conv9'"), nd.remove_units(make_small_net(), "conv9", 1):
        pass
    program = torch.export.export(make_small_net(), (torch.rand(2, 3, 32, 32),))
    with pytest.raises(
        ModelError, match="units of .* cannot be removed: nothing inside a ExportedNetwork can be exchanged"
    ):
        wrap_module(program).without("conv2", 1)
