"""Where to start: one layer per resolution, or blocks a quarter of the depth apart."""

from __future__ import annotations

import pytest

from netdissect.layers import FieldMap, Layer
from netdissect.networks.load import LoadOptions, open_network, wrap_module
from netdissect.networks.suggest import suggest_layers

FIELD = FieldMap((0, 0), (8, 8), (8, 8))


def layer(name, side, kind="Conv2d", units=8, note=""):
    return Layer(name, units, (side, side), FIELD, "receptive-field", kind, note)


def block(name, side, parts=("conv1", "relu1", "conv2", "norm2", "relu2"), units=8, kind="Block"):
    """Return the layers of a block and its parts."""
    return [*(layer(f"{name}.{part}", side) for part in parts), layer(name, side, kind, units)]


def stage(name, side, blocks=2):
    """Return the layers of a stage of blocks."""
    return [*(one for n in range(blocks) for one in block(f"{name}.{n}", side)), layer(name, side, "Stage")]


def backbone(sides, name="stages"):
    """Return the layers of a stem and of a stage for every side."""
    return [layer("stem", 2 * sides[0]), *(one for n, side in enumerate(sides) for one in stage(f"{name}.{n}", side))]


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


def test_a_branch_coarser_than_its_block_is_not():
    squeezed = [layer("stages.1.2.gate.conv", 4, units=32), layer("stages.1.2.gate", 4, "Sequential", 32)]
    layers = [*backbone([32, 16])[:-1], *squeezed, *block("stages.1.2", 16), layer("stages.1", 16, "Stage")]
    assert suggest_layers(layers) == ["stem", "stages.0", "stages.1"]


def test_a_layer_finer_than_the_block_it_is_in_is_not():
    layers = [layer("stem.conv1", 64), layer("stem.conv2", 32), layer("stem", 32, "Stem"), *backbone([16, 8])[1:]]
    layers += [
        layer("last.expand", 8, units=32),
        layer("last.branch", 6),
        layer("last.conv", 4),
        layer("last", 4, "Block"),
    ]
    assert suggest_layers(layers) == ["stem", "stages.0", "stages.1", "last"]


def test_norms_dropouts_and_projections_after_the_last_block_are_not():
    ends = [layer("norm", 8, "LayerNorm"), layer("drop", 8, "Dropout2d"), layer("head.conv", 8, units=64)]
    ends += [layer("head.act", 8, "ReLU", 64), layer("head", 8, "Sequential", 64)]
    assert suggest_layers([*backbone([32, 16, 8]), *ends]) == ["stem", "stages.0", "stages.1", "stages.2"]


def test_pixels_that_are_only_arranged_differently_are_not():
    assert suggest_layers([layer("s2d", 64, "SpaceToDepth", 3), *backbone([16, 8])]) == ["stem", "stages.0", "stages.1"]


def test_of_a_stage_that_ends_with_a_coarser_grid_the_last_block_before_is():
    layers = [layer("embed", 32)]
    for n, side in enumerate((32, 16, 8)):
        layers += [one for k in (0, 1) for one in block(f"encoder.layers.{n}.blocks.{k}", side)]
        layers += [layer(f"encoder.layers.{n}.merge.linear", side // 2), layer(f"encoder.layers.{n}.merge", side // 2)]
        layers += [layer(f"encoder.layers.{n}", side // 2, "Stage"), layer(f"encoder.layers.{n}[1]", side, "Stage")]
    layers += [one for k in (0, 1) for one in block(f"encoder.layers.3.blocks.{k}", 4)]
    layers += [layer("encoder.layers.3", 4, "Stage"), layer("encoder", 4, "Encoder"), layer("norm", 4, "LayerNorm")]
    assert suggest_layers(layers) == [
        "encoder.layers.0.blocks.1",
        "encoder.layers.1.blocks.1",
        "encoder.layers.2.blocks.1",
        "encoder.layers.3",
    ]


def test_of_a_block_that_ends_with_a_pooling_the_layer_before_is():
    layers = []
    for n, side in ((1, 64), (2, 32), (3, 16)):
        layers += [layer(f"block{n}.0", side), layer(f"block{n}.1", side, "ReLU")]
        layers += [layer(f"block{n}.2", side // 2, "MaxPool2d"), layer(f"block{n}", side // 2, "Sequential")]
    assert suggest_layers(layers) == ["block1.1", "block2.1", "block3.1"]


def test_of_a_backbone_with_a_decoder_its_stages_and_the_decoders_last_output_are():
    decoder = [one for n, side in enumerate((8, 16, 32, 64)) for one in block(f"decoder.blocks.{n}", side)]
    layers = [*backbone([32, 16, 8, 4]), *decoder, layer("decoder", 64, "Decoder"), layer("head", 64, units=21)]
    assert suggest_layers(layers) == ["stages.0", "stages.1", "stages.2", "stages.3", "decoder.blocks.3"]


def test_of_a_backbone_with_a_pyramid_its_stages_and_the_pyramids_finest_output_are():
    pyramid = [layer(f"neck.{part}.{n}", 32 // 2**n) for n in (3, 2, 1, 0) for part in ("lateral", "output")]
    boxes = [layer("boxes", 2, units=4), layer("classes", 2, units=90)]
    layers = [*backbone([32, 16, 8, 4]), *pyramid, layer("extra.p6", 2), layer("extra.p7", 1), *boxes]
    assert suggest_layers(layers) == ["stages.0", "stages.1", "stages.2", "stages.3", "neck.output.0"]


def test_a_further_output_of_a_module_is_if_nothing_else_has_its_grid():
    layers = [layer("pyramid.conv", 32), layer("pyramid", 32, "Pyramid"), layer("pyramid[1]", 16, "Pyramid")]
    assert suggest_layers(layers) == ["pyramid", "pyramid[1]"]


def test_of_a_detector_the_heads_are_not():
    body = [one for n, side in enumerate((32, 16, 8, 4)) for one in stage(f"backbone.layer{n}", side)]
    levels = [layer(f"backbone.fpn.output.{n}.0", 32 // 2**n, units=16) for n in (3, 2, 1, 0)]
    outputs = [layer(f"backbone.fpn{key}", side, "FPN", 16) for key, side in (("", 32), ("[1]", 16), ("[2]", 8))]
    outputs += [layer("backbone", 32, "BackboneWithFPN", 16), layer("backbone[1]", 16, "BackboneWithFPN", 16)]
    heads = [
        layer("head.boxes.0", 32, units=24),
        layer("head.classes.0", 32, units=364),
        layer("head.classes.1", 2, units=546),
    ]
    assert suggest_layers([*body, *levels, *outputs, *heads]) == [
        "backbone.layer0",
        "backbone.layer1",
        "backbone.layer2",
        "backbone.layer3",
        "backbone.fpn",
    ]


def test_of_extra_layers_without_a_pyramid_no_head_is():
    heads = [layer(f"head.{part}.{n}", side, units=units) for part, units in (("boxes", 24), ("classes", 546))
             for n, side in enumerate((32, 16, 8))]  # fmt: skip
    assert suggest_layers([*backbone([32, 16, 8]), *heads]) == ["stem", "stages.0", "stages.1", "stages.2"]


def test_a_squeezing_branch_is_not_but_the_steps_of_a_decoder_are_its_own():
    pooled = [one for n in (1, 2) for one in block(f"decoder.pooled.{n}", n)]
    steps = [one for n, side in enumerate((8, 16, 32)) for one in block(f"decoder.steps.{n}", side)]
    layers = [*backbone([32, 16, 8, 4]), *pooled, *steps, layer("decoder", 32, "Decoder", 21), layer("input", 4)]
    assert suggest_layers(layers) == ["stages.0", "stages.1", "stages.2", "stages.3", "decoder"]


def test_a_backbone_that_returns_several_grids_has_all_its_stages():
    outputs = [
        layer("backbone", 32, "Backbone"),
        layer("backbone[1]", 16, "Backbone"),
        layer("backbone[2]", 8, "Backbone"),
    ]
    stages = [one for n, side in enumerate((32, 16, 8)) for one in stage(f"backbone.layer{n}", side)]
    encoder = [*block("encoder.layers.0", 8), *block("encoder.layers.1", 8)]
    assert suggest_layers([*stages, *outputs, *encoder]) == [
        "backbone.layer0",
        "backbone.layer1",
        "backbone.layer2",
        "encoder.layers.1",
    ]


def test_of_equal_blocks_before_a_decoder_the_quarters_and_the_decoders_last_output_are():
    parts = ("norm1", "attn.qkv", "attn.proj", "attn", "norm2", "fc1", "fc2")
    blocks = [one for n in range(8) for one in block(f"vit.layer.{n}", 14, parts)]
    neck = [layer(f"neck.resize.{n}", side) for n, side in enumerate((56, 28, 14, 7))]
    neck += [
        one
        for n, side in enumerate((14, 28, 56, 112))
        for one in block(f"neck.fusion.{n}", side, ("conv", "act"), kind="Fusion")
    ]
    layers = [layer("embed", 14), *blocks, *neck, layer("head.conv", 224, units=1), layer("head", 224, "Head", 1)]
    assert suggest_layers(layers) == ["vit.layer.1", "vit.layer.3", "vit.layer.5", "vit.layer.7", "neck.fusion.3"]


def test_of_a_generator_the_last_stages_are():
    layers = [one for n in range(6) for one in block(f"blocks.{n}", 4 * 2**n)]
    assert suggest_layers([*layers, layer("rgb", 128, units=3)]) == [f"blocks.{n}" for n in range(1, 6)]


def test_of_single_layers_with_parallel_branches_those_after_the_last_join_are():
    mixed = []
    for n, side in ((1, 16), (2, 8), (3, 4)):
        mixed += [layer(f"mixed{n}/{part}", side) for part in "ab"]
        mixed += [layer(f"mixed{n}/join", side, "Concat"), layer(f"mixed{n}/relu", side, "ReLU")]
        mixed += [layer(f"reduce{n}/a", side), layer(f"reduce{n}/a2", side // 2), layer(f"reduce{n}/b", side)]
        mixed += [layer(f"reduce{n}/b2", side // 2), layer(f"reduce{n}/join", side // 2, "Concat")]
    assert suggest_layers([layer("conv", 32), *mixed]) == [
        "conv",
        "mixed1/relu",
        "mixed2/relu",
        "mixed3/relu",
        "reduce3/join",
    ]


@pytest.mark.parametrize("first_is_listed", [False, True])
def test_blocks_whose_second_output_is_that_of_the_last_part_are_named_by_it(first_is_listed):
    layers = [layer("embed", 56, units=24)]
    for n in range(4):
        layers += [layer(f"blocks.{n}.pixels", 56, "Linear", 24)] * first_is_listed
        layers += [layer(f"blocks.{n}.mlp.fc1", 14, "Linear", 32), layer(f"blocks.{n}.mlp.act", 14, "GELU", 32)]
        layers += [layer(f"blocks.{n}.mlp", 14, "Mlp")]
        layers += [layer(f"blocks.{n}", 56, "Block", 24)] * first_is_listed + [layer(f"blocks.{n}[1]", 14, "Block")]
    assert suggest_layers(layers) == ["blocks.0[1]", "blocks.1[1]", "blocks.2[1]", "blocks.3.mlp.act", "blocks.3[1]"]


def test_neurons_are_those_of_the_activation_function_not_queries_keys_and_values():
    parts = [("attn.qkv", "Linear", 48), ("attn", "Attention", 8), ("mlp.fc1", "Linear", 32), ("mlp.act", "GELU", 32)]
    layers = []
    for n in range(4):
        layers += [layer(f"blocks.{n}.{name}", 14, kind, units) for name, kind, units in (*parts, ("mlp", "Mlp", 8))]
        layers += [layer(f"blocks.{n}", 14, "Block")]
    assert suggest_layers(layers)[-2:] == ["blocks.3.mlp.act", "blocks.3"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("timm:test_vit", ["blocks.1", "blocks.2", "blocks.4", "blocks.5.mlp.act", "blocks.5"]),
        ("timm:test_convnext", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("timm:test_resnet", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        ("timm:mobilenetv3_small_050", ["bn1", "blocks.0", "blocks.1", "blocks.3", "blocks.4"]),
        ("timm:edgenext_xx_small", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("timm:ghostnetv2_100", ["blocks.0", "blocks.2", "blocks.4", "blocks.6", "blocks.8"]),
        ("timm:pvt_v2_b0", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("timm:hgnetv2_b0", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("timm:mambaout_femto", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("torchvision:squeezenet1_1", ["features.1", "features.4", "features.7", "features.12"]),
        ("torchvision:shufflenet_v2_x0_5", ["conv1", "stage2", "stage3", "stage4"]),
        ("torchvision:mobilenet_v3_small", ["features.0", "features.1", "features.3", "features.8", "features.11"]),
    ],
)
def test_real_networks_get_what_people_would_name(model, expected):
    pytest.importorskip(model.partition(":")[0])
    assert suggest_layers(open_network(model, LoadOptions(weights="random")).layers((160, 160))) == expected


def test_a_residual_network_gets_its_stages():
    models = pytest.importorskip("torchvision.models")
    layers = wrap_module(models.resnet18(weights=None)).layers((64, 64))
    assert suggest_layers(layers) == ["relu", "layer1", "layer2", "layer3", "layer4"]
