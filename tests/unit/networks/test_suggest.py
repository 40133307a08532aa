"""Where to start: one layer per resolution, or blocks a quarter of the depth apart."""

from __future__ import annotations

import pytest

from netdissect.layers import FieldMap, Layer
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.suggest import suggest_layers

FIELD = FieldMap((0, 0), (8, 8), (8, 8))


def layer(name, side, kind="Conv2d", units=8):
    return Layer(name, units, (side, side), FIELD, "receptive-field", kind)


def test_the_last_layer_of_every_resolution_is_suggested():
    layers = [layer("conv1", 56), layer("relu1", 56, "ReLU"), layer("conv2", 28), layer("relu2", 28, "ReLU")]
    assert suggest_layers(layers) == ["relu1", "relu2"]


def test_poolings_borders_and_single_cells_are_not():
    layers = [
        layer("data", 64, "Input"), layer("pad", 66, "ZeroPad2d"), layer("conv", 56), layer("pool", 28, "MaxPool2d"),
        layer("fc", 1, "Linear"),
    ]  # fmt: skip
    assert suggest_layers(layers) == ["conv"]


def test_a_stage_goes_before_its_parts_and_by_its_shortest_name():
    parts = [
        layer(f"layer{n}.{block}.{part}", 32 // n) for n in (1, 2) for block in (0, 1) for part in ("conv1", "relu")
    ]
    stages = [layer("layer1.1", 32, "Block"), layer("layer1", 32, "Sequential")]
    ends = [layer("layer2.1", 16, "Block"), layer("layer2", 16, "Sequential")]
    assert suggest_layers([*parts[:4], *stages, *parts[4:], *ends]) == ["layer1", "layer2"]


def test_a_container_of_everything_is_no_stage():
    layers = [
        layer("body.0.conv", 32), layer("body.0", 32, "Stage"), layer("body.1.conv", 16), layer("body.1", 16, "Stage"),
        layer("body", 16, "Sequential"),
    ]  # fmt: skip
    assert suggest_layers(layers) == ["body.0", "body.1"]


def test_of_a_single_resolution_blocks_a_quarter_apart_and_the_last_ones_neurons_are():
    layers = [layer("embed", 14)]
    for block in range(8):
        layers += [layer(f"blocks.{block}.attn", 14), layer(f"blocks.{block}.mlp.act", 14, "GELU", 32)]
        layers += [layer(f"blocks.{block}.mlp", 14, "Mlp"), layer(f"blocks.{block}", 14, "Block")]
    assert suggest_layers([*layers, layer("norm", 14)]) == [
        "blocks.1",
        "blocks.3",
        "blocks.5",
        "blocks.7.mlp.act",
        "blocks.7",
    ]


def test_nothing_is_suggested_of_nothing():
    assert suggest_layers([]) == []
    assert suggest_layers([layer("fc", 1, "Linear")]) == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("timm:test_vit", ["blocks.1", "blocks.2", "blocks.4", "blocks.5.mlp.act", "blocks.5"]),
        ("timm:test_convnext", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("torchvision:squeezenet1_1", ["features.1", "features.4", "features.7", "features.12"]),
    ],
)
def test_real_networks_get_what_people_would_name(model, expected):
    pytest.importorskip(model.partition(":")[0])
    assert suggest_layers(open_network(model, LoadOptions(weights="random")).layers((160, 160))) == expected


def test_a_residual_network_gets_its_stages():
    models = pytest.importorskip("torchvision.models")
    layers = wrap_module(models.resnet18(weights=None)).layers((64, 64))
    assert suggest_layers(layers) == ["relu", "layer1", "layer2", "layer3", "layer4"]
