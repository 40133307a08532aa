"""Units of libraries' networks: what many sets at once give is what hooks on the network itself give for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netdissect.networks.load import LoadOptions, open_network, wrap_module

CPU = torch.device("cpu")


def give_values(module):
    """Fill parameters that are drawn as zero, which would hide what lies before them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for values in module.parameters():
            if values.abs().max() <= 1e-3:
                values.add_(torch.randn(values.shape, generator=generator) / 10)
    return module


def check_layer(network, layer, size, restart):
    give_values(network.module).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    with network.open_ablation(layer, size, device=CPU) as source:
        removed = np.random.default_rng(1).random((3, source.layer.units)) < 0.4
        found = source.remove(images, removed, np.zeros(source.layer.units, np.float32))
        intact, means = source.measure(images)
        assert source.note.endswith(restart)
        assert bool(source.note) == bool(restart)
    with network.probe([layer], size, geometry="grid", device=CPU) as probe:
        np.testing.assert_allclose(means, probe.activations(images)[layer].mean((1, 2)), rtol=1e-3, atol=1e-3)
    largest = np.abs(intact).max()
    x = network.preprocess(torch.from_numpy(images))
    for one, outputs in zip(removed, found, strict=True):
        with torch.inference_mode(), network.without(layer, np.flatnonzero(one) + 1, input_size=size):
            returned = network.call(network.module, x)
        expected = getattr(returned, "logits", returned).numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-4 * largest)
        assert np.abs(outputs - intact).max() > 1e-3 * largest


@pytest.mark.parametrize(
    ("model", "layer", "size", "restart"),
    [
        ("torchvision:resnet18", "layer3", (64, 64), ""),
        ("torchvision:resnet18", "layer4.1.conv1", (64, 64), "the input of layer4.1"),
        ("torchvision:resnet18", "layer4.1.bn2", (64, 64), ""),  # pooled
        (
            "torchvision:densenet121",
            "features.denseblock4.denselayer9.conv2",
            (64, 64),
            "the input of features.denseblock4",
        ),
        ("torchvision:inception_v3", "Mixed_6c.branch1x1", (96, 96), "the input of Mixed_6c"),
        ("torchvision:swin_t", "features.3.1.attn", (64, 64), "the input of features.3.1"),
        ("torchvision:swin_t", "features.5", (64, 64), ""),
    ],
)
def test_units_of_networks_of_torchvision(model, layer, size, restart):
    pytest.importorskip("torchvision")
    check_layer(open_network(model, LoadOptions(weights="random")), layer, size, restart)


@pytest.mark.parametrize(
    ("model", "layer", "size", "restart"),
    [
        ("timm:vit_tiny_patch16_224", "blocks.6", (224, 224), ""),
        ("timm:vit_tiny_patch16_224", "blocks.6.attn.proj:in", (224, 224), "the input of blocks.6"),
        ("timm:vit_tiny_patch16_224", "blocks.6.mlp.act", (224, 224), "the input of blocks.6"),
        ("timm:resnext50_32x4d", "layer4.2.conv2", (64, 64), "the input of layer4.2"),
        ("timm:coat_lite_tiny", "serial_blocks3.1", (224, 224), "the images"),
    ],
)
def test_units_of_networks_of_timm(model, layer, size, restart):
    pytest.importorskip("timm")
    check_layer(open_network(model, LoadOptions(weights="random")), layer, size, restart)


def test_units_of_networks_of_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=32, patch_size=8,
        num_labels=5,
    )  # fmt: skip
    network = wrap_module(transformers.ViTForImageClassification(config))
    names = [layer.name for layer in network.layers((32, 32))]
    inner = next(
        name for name in names if name.endswith((".0.mlp.fc1", ".0.intermediate.dense"))
    )  # as the version has it
    block = inner.partition(".0.")[0] + ".0"
    check_layer(network, block, (32, 32), "")
    check_layer(network, inner, (32, 32), f"the input of {block}")
