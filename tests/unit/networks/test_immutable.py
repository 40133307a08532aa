"""No call changes a network or module of the caller's."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from tests import exports, nets, painter, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.networks.execution import Execution
from netdissect.networks.load import open_network, wrap_module
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.random_weights import make_random_weights
from netdissect.networks.units.generator import Generator
from netdissect.networks.units.projected_network import attach_projections
from netdissect.networks.units.rotation import rotate_units

KINDS = ("torch", "caffe", "projected", "rotated", "onnx")
OPTIONS = {"quantile": 0.1, "batch_size": 4, "images_per_unit": 3, "pictures": False}


def make_caffe_module():
    spec = make_net_spec("small", {"data": (1, 3, 32, 32)}, [
        make_caffe_layer("conv", "Convolution", "data", convolution_param={"num_output": 6, "kernel_size": 3, "stride": 2}),
        make_caffe_layer("bn", "BatchNorm", "conv", "conv"),
        make_caffe_layer("relu", "ReLU", "conv", "conv"),
    ])  # fmt: skip
    return CaffeNet(spec, make_random_weights(spec, 0))


@pytest.fixture
def make_network(tmp_path):
    """Return a network of a kind, and the layer to probe."""

    def make(kind):
        if kind == "onnx":
            pytest.importorskip("onnx")
            path = exports.write_onnx(tmp_path / "net.onnx", nets.make_small_net())
            network = open_network(str(path))
            return network, next(layer.name for layer in network.layers((32, 32)) if layer.grid != (1, 1))
        module = make_caffe_module() if kind == "caffe" else nets.make_small_net().train()
        network = wrap_module(module)
        layer = "conv" if kind == "caffe" else "conv2"
        if kind == "projected":
            projected, (name,) = attach_projections(network, [layer], nn.Linear(8, 3).train())
            return projected, name
        if kind == "rotated":
            rotated, (name,) = rotate_units(network, [layer], network.layers((32, 32)), seed=1, alphas=[0.5])
            return rotated, name
        return network, layer

    return make


def take_inventory(network):
    """Return everything that a call might change: attributes, and of every module its state, modes and hooks."""
    inventory = {
        "fingerprint": network.fingerprint(),
        "attributes": {one.name: getattr(network, one.name) for one in fields(network)},
    }
    modules = [value for value in inventory["attributes"].values() if isinstance(value, nn.Module)]
    if hasattr(network, "network"):
        inventory["network"] = take_inventory(network.network)
        modules += [one.module for _, one in network.projections]
    for position, module in enumerate(modules):
        inventory[position] = {
            "state": {name: (tensor.dtype, tensor.clone()) for name, tensor in module.state_dict().items()},
            "training": [part.training for part in module.modules()],
            "gradients": [parameter.requires_grad for parameter in module.parameters()],
            "hooks": [[*part._forward_hooks, *part._forward_pre_hooks] for part in module.modules()],
            "parts": [(name, id(part), sorted(vars(part))) for name, part in module.named_modules()],
        }
    return inventory


def assert_equal(before, after):
    assert before.keys() == after.keys()
    for key, value in before.items():
        if isinstance(value, dict):
            assert_equal(value, after[key])
        elif isinstance(value, tuple) and isinstance(value[-1], torch.Tensor):
            assert value[0] == after[key][0]
            assert torch.equal(value[1], after[key][1]), key
        else:
            assert value is after[key] or value == after[key], key


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_probe_set.write_probe_set(tmp_path_factory.mktemp("data") / "small", images=8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dissection_with_another_preprocessing_leaves_the_network_as_it_was(kind, make_network, data):
    network, layer = make_network(kind)
    own, other = network.preprocess, Preprocess(channels="bgr", note="another")
    before = take_inventory(network)
    result = nd.dissect(network, layer, data, preprocess=other, **OPTIONS)
    assert result.network.preprocessing == other.describe() != own.describe()
    assert network.preprocess is own
    assert_equal(before, take_inventory(network))


@pytest.mark.parametrize("kind", KINDS)
def test_another_preprocessing_changes_what_is_computed_and_shares_the_weights(kind, make_network):
    network, layer = make_network(kind)
    other = network.with_preprocess(Preprocess(rescale_factor=1.0, note="another"))
    assert type(other) is type(network)
    assert other.fingerprint() != network.fingerprint()
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    outputs = []
    for one in (network, other):
        with one.probe([layer], (32, 32), geometry="grid", device=torch.device("cpu")) as probe:
            outputs.append(probe.activations(images)[layer])
    assert not torch.equal(*outputs)
    if kind in ("torch", "caffe"):
        assert other.module is network.module


@pytest.mark.parametrize("kind", ["torch", "caffe", "projected"])
def test_precision_is_the_probes_not_the_networks(kind, make_network):
    network, layer = make_network(kind)
    before = take_inventory(network)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    outputs = []
    for execution in (Execution(), Execution(precision="bf16"), Execution()):
        probe = network.probe([layer], (32, 32), geometry="grid", device=torch.device("cpu"), execution=execution)
        with probe:
            outputs.append(probe.activations(images)[layer])
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[1])
    assert_equal(before, take_inventory(network))


@pytest.mark.parametrize("kind", [*KINDS, "generator"])
def test_no_attribute_of_a_network_can_be_assigned_or_deleted(kind, make_network):
    network = Generator(painter.Painter(), latent=(5,)) if kind == "generator" else make_network(kind)[0]
    for name in ("preprocess", "name", "source", "input_size", "batch", "something_new"):
        with pytest.raises(FrozenInstanceError):
            setattr(network, name, None)
    for attribute in fields(network):
        with pytest.raises(FrozenInstanceError):
            delattr(network, attribute.name)


def test_a_module_given_to_dissect_stays_as_it_was(data):
    module = nets.make_small_net().train()
    module.conv1.register_forward_hook(lambda *_: None)
    twin, inventory = copy.deepcopy(module), take_inventory(wrap_module(module))
    nd.dissect(module, "conv2", data, preprocess=Preprocess(), precision="bf16", **OPTIONS)
    assert_equal(inventory, take_inventory(wrap_module(module)) | {"attributes": inventory["attributes"]})
    assert all(torch.equal(one, other) for one, other in zip(module.parameters(), twin.parameters(), strict=True))
