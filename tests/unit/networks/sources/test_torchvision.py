"""Architectures of torchvision: weights, preprocessing, layers and a dissection, all without a download."""

from __future__ import annotations

import re
import urllib.error

import numpy as np
import pytest
import torch
from tests import nets, small_probe_set
from torch import nn

import netdissect as nd
from netdissect.errors import ModelFileError, ModelNotFoundError
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources import torchvision as builder
from netdissect.networks.torch_network import TorchNetwork

torchvision = pytest.importorskip("torchvision")

CPU = torch.device("cpu")
RANDOM = LoadOptions(weights="random")


@pytest.fixture
def offline(monkeypatch):
    """A machine without a connection and with an empty cache."""

    def unreachable(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    for module in vars(torchvision.models).values():
        if hasattr(module, "load_state_dict_from_url"):
            monkeypatch.setattr(module, "load_state_dict_from_url", unreachable)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", unreachable)


def test_random_weights_are_those_of_the_seed_and_leave_other_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = open_network("torchvision:squeezenet1_1", RANDOM).fingerprint()
    assert torch.equal(torch.rand(3), expected)
    assert first == open_network("torchvision:squeezenet1_1", RANDOM).fingerprint()
    assert first != open_network("torchvision:squeezenet1_1", LoadOptions(weights="random", seed=1)).fingerprint()


def test_a_misspelt_architecture_gets_the_nearest():
    with pytest.raises(ModelNotFoundError, match="torchvision has no model 'resnet19': did you mean resnet18"):
        open_network("torchvision:resnet19")


def test_weights_are_fetched_by_name_and_what_to_do_without_a_connection_is_reported(offline):
    for weights in (None, "IMAGENET1K_V1"):
        with pytest.raises(ModelNotFoundError, match="could not be downloaded .*--weights FILE, or --weights random"):
            open_network("torchvision:squeezenet1_1", LoadOptions(weights=weights))


def test_a_misspelt_name_of_weights_gets_those_there_are():
    with pytest.raises(ModelNotFoundError, match=r"no weights file IMAGENET; its own weights are IMAGENET1K_V1"):
        open_network("torchvision:squeezenet1_1", LoadOptions(weights="IMAGENET"))


def test_a_backbone_is_not_fetched_when_all_weights_are_random(offline):
    network = open_network("torchvision:lraspp_mobilenet_v3_large", RANDOM)
    assert network.input_size == (520, 520)


def test_preprocessing_is_that_of_the_weights(monkeypatch):
    monkeypatch.setattr(torchvision.models, "get_model", lambda *_, **__: nets.make_small_net())
    module, preprocess, size = builder.build_torchvision("vit_b_16", "IMAGENET1K_SWAG_E2E_V1", 0)
    assert isinstance(module, nn.Module)
    assert size == (384, 384)
    np.testing.assert_allclose(preprocess.mean, [0.485, 0.456, 0.406])
    assert preprocess.note == "torchvision ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1"
    _, preprocess, _ = builder.build_torchvision("ssd300_vgg16", "random", 0)
    assert (preprocess.mean.tolist(), preprocess.std.tolist()) == ([0] * 3, [1] * 3)  # it normalizes by itself


def test_weights_from_a_file_bring_their_number_of_classes(tmp_path):
    trained = torchvision.models.squeezenet1_1(num_classes=7)
    state = {f"module.{name}": tensor for name, tensor in trained.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 9}, tmp_path / "mine.pth.tar")
    network = open_network(str(tmp_path / "mine.pth.tar"), LoadOptions(arch="torchvision:squeezenet1_1"))
    assert network.module.classifier[1].out_channels == 7
    assert torch.equal(network.module.classifier[1].weight, trained.classifier[1].weight)
    assert network.name == "mine"
    with pytest.raises(ModelFileError, match="does not hold the weights of torchvision's alexnet"):
        open_network(str(tmp_path / "mine.pth.tar"), LoadOptions(arch="torchvision:alexnet"))


def test_auxiliary_heads_may_be_missing_from_a_file(tmp_path):
    trained = builder._build_random(torchvision.models, "googlenet", 0, aux_logits=False)
    torch.save(trained.state_dict(), tmp_path / "g.pth")
    network = open_network("torchvision:googlenet", LoadOptions(weights=str(tmp_path / "g.pth")))
    assert network.module.aux1 is None


def test_a_network_of_torchvision_is_dissected(tmp_path):
    data = small_probe_set.write_probe_set(tmp_path / "set", images=6, size=(64, 64), labels=(32, 32))
    network = open_network("torchvision:squeezenet1_1", RANDOM)
    result = nd.dissect(
        network, ["features.3", "features.12"], data, quantile=0.05, null=0, resamples=0, pictures=False, out=tmp_path / "r"
    )  # fmt: skip
    assert result["features.12"].layer.geometry == "receptive-field"
    assert result["features.3"].layer.grid == (15, 15)
    assert result.network.source == "torchvision:squeezenet1_1 --weights random"
    assert "torchvision SqueezeNet1_1_Weights.IMAGENET1K_V1" in result.network.preprocessing
    assert result.journal["notes"] == ["squeezenet1_1 was made for 224 x 224 and sees 64 x 64"]
    assert nd.load(tmp_path / "r").journal["notes"] == result.journal["notes"]
    assert nd.load(tmp_path / "r")["features.3"].layer.shape == (128, 15, 15)


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    module = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=4, hidden_dim=16, mlp_dim=24
    )
    return TorchNetwork(module.eval(), preprocess=Preprocess(), name="vit", source="vit", input_size=(32, 32))


IMAGES = np.random.default_rng(0).integers(0, 256, size=(3, 32, 32, 3)).astype(np.uint8)


def activations(network, *layers, images=IMAGES):
    source = network.probe(layers, images.shape[1:3], geometry="receptive-field", device=CPU)
    with source:
        return nets.move_channels_first(source.activations(images))


def test_heads_of_torchs_own_attention_go_into_its_projection(vit):
    attention = vit.module.encoder.layers.encoder_layer_1.self_attention
    name = "encoder.layers.encoder_layer_1.self_attention"
    found = activations(vit, f"{name}.out_proj:in", name)
    heads, mixed = found[f"{name}.out_proj:in"], found[name]
    projected = torch.einsum("bchw,oc->bohw", heads, attention.out_proj.weight) + attention.out_proj.bias[:, None, None]
    torch.testing.assert_close(projected, mixed, rtol=1e-4, atol=1e-5)
    (layer,) = (one for one in vit.layers((32, 32)) if one.name == f"{name}.out_proj:in")
    assert layer.note.startswith("outputs of 4 attention heads, 4 units each; class token left out")


def test_patches_lie_where_they_were_cut_out(vit):
    images = np.zeros((1, 32, 32, 3), np.uint8)
    images[0, 8:16, 16:24] = 255  # row 1, column 2
    found = activations(vit, "encoder.dropout", images=images)["encoder.dropout"]
    black = activations(vit, "encoder.dropout", images=np.zeros_like(images))["encoder.dropout"]
    assert ((found - black).abs().sum(1)[0] > 1e-6).nonzero().tolist() == [[1, 2]]


def test_a_network_that_takes_no_other_size_gets_its_own(vit, tmp_path):
    assert vit.size_for((48, 40)) == (32, 32)
    data = small_probe_set.write_probe_set(tmp_path / "set", images=4, size=(48, 40), labels=(24, 20))
    result = nd.dissect(vit, "encoder.layers.encoder_layer_0", data, quantile=0.1)
    assert result.network.input_size == (32, 32)
    assert re.search("of 40 x 48 .* to 32 x 32, the only size vit takes", result.journal["notes"][0])
    assert result.journal["notes"][1].startswith("encoder.layers.encoder_layer_0: class token left out")


def test_linear_layers_after_pooling_are_maps_of_one_cell():
    network = wrap_module(torchvision.models.resnet18(weights=None).eval())
    layer = {layer.name: layer for layer in network.layers((32, 32))}["fc"]
    assert (layer.units, layer.grid, layer.shape) == (1000, (1, 1), (1000,))


@pytest.mark.parametrize(
    ("name", "weights", "first"),
    [
        ("resnet18", None, "tench"),
        ("resnet18", "IMAGENET1K_V1", "tench"),
        ("resnet18", "random", None),
        ("fcn_resnet50", None, None),
        ("ssd300_vgg16", None, None),
    ],
)
def test_class_names_are_known_of_its_own_classifiers_only(name, weights, first):
    classes = builder.read_torchvision_classes(name, weights)
    assert (None if classes is None else classes[0]) == first
    assert classes is None or len(classes) == 1000
