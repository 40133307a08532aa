"""Cells of padding, which windows add to grids that they do not divide: they are not listed and their activations not counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests import exports
from torch import nn
from torch.nn import functional as F

from netdissect.networks.load import open_network, wrap_module
from netdissect.networks.preprocess import Preprocess

CPU = torch.device("cpu")
WINDOW = 4


class Windows(nn.Module):
    """Attention within windows of 4 x 4 cells, channels last; the grid may be rolled before or after it is padded."""

    def __init__(self, order: str = "pad", before: int = 0):
        super().__init__()
        self.stem, self.order, self.before = nn.Conv2d(3, 8, 4, stride=4), order, before
        self.qkv, self.proj, self.mlp = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, image):
        x = self.stem(image).permute(0, 2, 3, 1)
        h, w = x.shape[1:3]
        if self.order == "roll, pad":
            x = x.roll((-2, -2), (1, 2))
        y = F.pad(x, (0, 0, self.before, -(w + self.before) % WINDOW, self.before, -(h + self.before) % WINDOW))
        if self.order == "pad, roll":
            y = y.roll((-2, -2), (1, 2))
        y = self.attend(y)
        if self.order == "pad, roll":
            y = y.roll((2, 2), (1, 2))
        y = y[:, self.before : self.before + h, self.before : self.before + w]
        x = x + y
        if self.order == "roll, pad":
            x = x.roll((2, 2), (1, 2))
        return self.mlp(x)

    def attend(self, x):
        b, h, w, c = x.shape
        x = x.view(b, h // WINDOW, WINDOW, w // WINDOW, WINDOW, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, WINDOW**2, c)
        q, k, v = self.qkv(x).chunk(3, -1)
        x = self.proj(torch.softmax(q @ k.transpose(1, 2), -1) @ v)
        x = x.view(b, h // WINDOW, w // WINDOW, WINDOW, WINDOW, c).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(b, h, w, c)


def list_layers(module, size):
    return {layer.name: layer for layer in wrap_module(module.eval()).layers(size)}


def draw_images(*size):
    return np.random.default_rng(0).integers(0, 256, size=(2, *size, 3)).astype(np.uint8)


def read(module, layer, images):
    source = wrap_module(module.eval()).probe([layer], images.shape[1:3], geometry="receptive-field", device=CPU)
    with source:
        return source.activations(images)[layer], source.layers[0]


@pytest.mark.parametrize("order", ["pad", "roll, pad", "pad, roll"])
def test_padding_of_windows_is_no_cell(order):
    module = Windows(order)
    layers = list_layers(module, (24, 40))  # 6 x 10 cells, padded to 8 x 12
    assert {name: layer.grid for name, layer in layers.items()} == dict.fromkeys(
        ("stem", "qkv", "proj:in", "proj", "mlp"), (6, 10)
    )
    assert layers["qkv"].field == layers["stem"].field
    assert layers["qkv"].note == "36 cells of padding left out"
    assert layers["proj"].note.startswith("36 cells of padding left out; a cell may depend on the whole image")
    assert layers["mlp"].note == "a cell may depend on the whole image and keeps its position"


@pytest.mark.parametrize("order", ["pad", "roll, pad", "pad, roll"])
def test_activations_of_padded_windows_are_those_of_the_cells(order):
    module, images = Windows(order).eval(), draw_images(24, 40)
    with torch.no_grad():
        stem = module.stem(Preprocess()(torch.from_numpy(images))).permute(0, 2, 3, 1)
        expected = module.qkv(stem)  # a linear layer, cell by cell: windows and rolls change nothing
    found, _ = read(module, "qkv", images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_in_padded_windows_gives_what_its_code_gives():
    module, images = Windows().eval(), draw_images(24, 40)
    with torch.no_grad():
        stem = module.stem(Preprocess()(torch.from_numpy(images))).permute(0, 2, 3, 1)
        expected = module.attend(F.pad(stem, (0, 0, 0, 2, 0, 2)))[:, :6, :10]
    found, _ = read(module, "proj", images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_padding_on_all_sides_is_cut_off():
    module, images = Windows(before=1).eval(), draw_images(24, 40)
    found, layer = read(module, "qkv", images)
    with torch.no_grad():
        stem = module.stem(Preprocess()(torch.from_numpy(images))).permute(0, 2, 3, 1)
    torch.testing.assert_close(found, module.qkv(stem).detach(), rtol=1e-4, atol=1e-5)
    assert (layer.grid, layer.field.offset, layer.note) == ((6, 10), (0, 0), "36 cells of padding left out")


@pytest.mark.parametrize("pad", [nn.ZeroPad2d((1, 2, 3, 4)), nn.ReflectionPad2d((1, 2, 3, 4))])
def test_a_padding_layer_has_the_grid_of_its_input(pad):
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), pad, nn.ReLU()).eval()
    images = draw_images(32, 32)
    expected, stem = read(module, "0", images)
    for name in ("1", "2"):
        found, layer = read(module, name, images)
        assert (layer.grid, layer.field, layer.note) == (
            (16, 16),
            stem.field,
            f"{23 * 19 - 256} cells of padding left out",
        )
        torch.testing.assert_close(found, expected if name == "1" else expected.relu())


@pytest.mark.parametrize("stride", [1, 2])
def test_padding_before_a_convolution_is_that_of_the_convolution(stride):
    own = nn.Sequential(nn.Conv2d(3, 4, 5, stride=stride, padding=2))
    apart = nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(3, 4, 5, stride=stride))
    expected, found = list_layers(own, (32, 32))["0"], list_layers(apart, (32, 32))["1"]
    assert (found.grid, found.field, found.geometry, found.note) == (
        expected.grid,
        expected.field,
        "receptive-field",
        "",
    )


def test_pieces_of_a_padded_grid_are_merged():
    class Merge(nn.Module):
        """Patch merging of a grid with an odd number of rows and columns."""

        def __init__(self):
            super().__init__()
            self.stem, self.reduce = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(16, 8)

        def forward(self, image):
            x = F.pad(self.stem(image).permute(0, 2, 3, 1), (0, 0, 0, 1, 0, 1))
            pieces = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
            return self.reduce(torch.cat(pieces, -1))

    layer = list_layers(Merge(), (28, 28))["reduce"]
    assert (layer.grid, layer.field.step, layer.geometry, layer.note) == ((4, 4), (8, 8), "receptive-field", "")


def test_a_window_transformer_lists_its_own_grid():
    timm = pytest.importorskip("timm")
    options = {"depths": (2, 1), "num_heads": (2, 2), "embed_dim": 8, "num_classes": 3}
    module = timm.create_model("swin_tiny_patch4_window7_224", img_size=(64, 96), **options)
    layers = list_layers(module, (64, 96))
    grids = {"layers.0": (16, 24), "layers.1": (8, 12)}
    inside = [layer for layer in layers.values() if ".attn" in layer.name]
    assert len(inside) == 12
    assert all(layer.grid == grids[layer.name[:8]] and "cells of padding left out" in layer.note for layer in inside)


@pytest.mark.parametrize("order", ["pad", "roll, pad", "pad, roll"])
def test_padded_windows_in_an_onnx_file_have_the_same_cells_and_activations(order, tmp_path):
    module, images = Windows(order).eval(), draw_images(24, 40)
    path = exports.write_onnx(tmp_path / "windows.onnx", module, legacy=True, fixed=True, x=torch.rand(2, 3, 24, 40))
    network = open_network(str(path))
    layers = [layer for layer in network.layers((24, 40)) if layer.note == "36 cells of padding left out"]
    assert {layer.grid for layer in layers} == {(6, 10)}
    (name,) = [layer.name for layer in layers if layer.units == 24 and layer.kind == "Add"]
    expected, like = read(module, "qkv", images)
    source = network.probe([name], (24, 40), geometry="receptive-field", device=CPU)
    with source:
        torch.testing.assert_close(source.activations(images)[name], expected, rtol=1e-4, atol=1e-5)
    assert source.layers[0].field == like.field
