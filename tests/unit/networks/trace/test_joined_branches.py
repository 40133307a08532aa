"""Where a cell looks in networks with gates, branches of several resolutions, attention and decoders, by gradients."""

from __future__ import annotations

import pytest
import torch
from tests.exports import write_onnx
from torch import nn
from torch.nn import functional as F

from netdissect.networks.load import open_network, wrap_module

SIDE = 64


def conv(inputs, outputs, kernel=3, stride=1, padding=None):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding)


class PooledGate(nn.Module):
    """Blocks whose gate is computed on a pooled grid and scaled back, as in GhostNetV2."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4, stride=2)
        self.blocks = nn.ModuleList(conv(4, 4) for _ in range(3))
        self.gates = nn.ModuleList(conv(4, 4, 5) for _ in range(3))
        self.down = conv(4, 4, stride=2)

    def forward(self, x):
        x = self.stem(x)
        for block, gate in zip(self.blocks, self.gates, strict=True):
            x = block(x) * F.interpolate(torch.sigmoid(gate(F.avg_pool2d(x, 2, 2))), x.shape[-2:], mode="nearest")
        return self.down(x)


class Exchange(nn.Module):
    """Two streams that exchange their outputs, block after block, as in HRNet; the fine one is returned.

    The branch that is scaled up has a small weight, since gradients show the mean of all paths.
    """

    def __init__(self):
        super().__init__()
        self.stem, self.split = conv(3, 4, stride=2), conv(4, 4, stride=2)
        self.down = nn.ModuleList(conv(4, 4, stride=2) for _ in range(3))
        self.up = nn.ModuleList(conv(4, 4, 1) for _ in range(3))

    def forward(self, x):
        fine = self.stem(x)
        coarse = self.split(fine)
        for down, up in zip(self.down, self.up, strict=True):
            fine, coarse = fine + 0.01 * F.interpolate(up(coarse), scale_factor=2, mode="nearest"), coarse + down(fine)
        return fine + 0.01 * F.interpolate(coarse, scale_factor=2, mode="bilinear")


class Pyramid(nn.Module):
    """Lateral convolutions and coarser levels scaled up, as in feature pyramids."""

    def __init__(self):
        super().__init__()
        self.levels = nn.ModuleList([conv(3, 4, stride=4), conv(4, 4, stride=2), conv(4, 4, stride=2)])
        self.laterals = nn.ModuleList(conv(4, 4, 1) for _ in range(3))
        self.smooth = conv(4, 4)

    def forward(self, x):
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        top = self.laterals[2](levels[2])
        for level, lateral in ((levels[1], self.laterals[1]), (levels[0], self.laterals[0])):
            top = lateral(level) + 0.01 * F.interpolate(top, size=level.shape[-2:], mode="nearest")
        return self.smooth(top)


class SkipConnection(nn.Module):
    """A decoder that concatenates the encoder's output, as U-Net does."""

    def __init__(self):
        super().__init__()
        self.stem, self.down, self.up = conv(3, 4, stride=2), conv(4, 4, stride=4), nn.ConvTranspose2d(4, 4, 4, 4)
        self.join = conv(8, 4)

    def forward(self, x):
        x = self.stem(x)
        return self.join(torch.cat([self.up(self.down(x)), x], 1))


class AlignedHead(nn.Module):
    """A head whose output is scaled up with aligned corners."""

    def __init__(self):
        super().__init__()
        self.body = conv(3, 4, stride=8)

    def forward(self, x):
        return F.interpolate(self.body(x), scale_factor=4, mode="bilinear", align_corners=True)


class PoolingPyramid(nn.Module):
    """Adaptive poolings of several sizes, scaled back and concatenated, as in PSPNet."""

    def __init__(self):
        super().__init__()
        self.body, self.join = conv(3, 4, stride=8), conv(16, 4)

    def forward(self, x):
        x = self.body(x)
        pooled = [F.adaptive_avg_pool2d(x, size) for size in (1, 3, 4)]
        return self.join(torch.cat([x, *(0.01 * F.interpolate(p, x.shape[-2:], mode="bilinear") for p in pooled)], 1))


class UnevenPools(nn.Module):
    """An adaptive pooling whose windows overlap."""

    def __init__(self):
        super().__init__()
        self.body = conv(3, 4, stride=9, padding=0, kernel=9)

    def forward(self, x):
        return F.adaptive_avg_pool2d(self.body(x), 3)


class SharedQueries(nn.Module):
    """Attention inside windows, with queries that were pooled over the image and shared by all windows, as in GCViT."""

    def __init__(self):
        super().__init__()
        self.stem, self.query, self.key = conv(3, 4, stride=4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.stem(x)
        n, c, h, w = x.shape
        pooled = F.max_pool2d(x, 4, 4).flatten(2).transpose(1, 2)
        windows = x.reshape(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        queries = self.query(pooled).repeat(1, (h // 4) * (w // 4), 1).reshape(-1, 16, c)
        windows = windows + 0.01 * F.scaled_dot_product_attention(queries, self.key(windows), windows)
        windows = windows.reshape(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4)
        return windows.reshape(n, c, h, w)


class LinearAttention(nn.Module):
    """Attention written as products of matrices, a residual path around it, and a convolution behind."""

    def __init__(self):
        super().__init__()
        self.stem, self.qkv, self.down = conv(3, 4, stride=4), conv(4, 12, 1), conv(4, 4, stride=2)

    def forward(self, x):
        x = self.stem(x)
        q, k, v = self.qkv(x).flatten(2).chunk(3, 1)
        mixed = (v @ k.transpose(1, 2)) @ q / 256
        return self.down(x + 0.01 * mixed.reshape(x.shape))


class PooledShortcut(nn.Module):
    """Stages whose shortcut is an average pooling and whose convolutions are centered elsewhere, as in ResNet-D."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = (
            nn.ModuleList([conv(3, 4, 5, 2), conv(4, 4, 5, 2)]),
            nn.ModuleList([conv(3, 4, 1), conv(4, 4, 1)]),
        )

    def forward(self, x):
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            x = wide(x) + narrow(F.avg_pool2d(x, 2))
        return x


class Corners(nn.Module):
    """Space to depth by slices, then a convolution, as in YOLO's Focus."""

    def __init__(self):
        super().__init__()
        self.conv = conv(12, 4)

    def forward(self, x):
        return self.conv(torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1))


class ValidConvolutions(nn.Module):
    """Convolutions without padding, which lose the border."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 4, 5, 2, 0), conv(4, 4, 3, 1, 0), conv(4, 4, 3, 2, 0))

    def forward(self, x):
        return self.body(x)


class Decoder(nn.Module):
    """Cells scaled up without a path that was never coarser: the first centers lie outside the image."""

    def __init__(self):
        super().__init__()
        self.stem, self.down = conv(3, 4, stride=2), conv(4, 4, stride=8)

    def forward(self, x):
        return F.interpolate(self.down(self.stem(x)), scale_factor=8, mode="bilinear")


class Flipped(nn.Module):
    """An operation that moves places, so that the receptive fields are lost."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4, stride=2)

    def forward(self, x):
        x = self.stem(x)
        return torch.cummax(x, 3).values.relu()


TRACED = [
    PooledGate, Exchange, Pyramid, SkipConnection, AlignedHead, PoolingPyramid, UnevenPools, PooledShortcut, Corners,
    ValidConvolutions,
]  # fmt: skip
PLACED = [SharedQueries, LinearAttention]
#: ONNX has no adaptive pooling with windows of unequal size.
UNEXPORTABLE = [PoolingPyramid, UnevenPools]


def make_positive(module):
    """Return a network in float64 with positive symmetric kernels, most of whose weight is in the middle."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            kernel = 0.1 * torch.rand(part.weight.shape, generator=generator)
            kernel = kernel + kernel.flip(2, 3)
            height, width = kernel.shape[2:]
            kernel[:, :, (height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1] = 1
            part.weight.data = kernel / kernel[0].sum()
    return module.double().eval()


def measure_center(module, cell):
    """Return the center of the gradient of a cell's units, (y, x), in input pixels."""
    image = torch.rand(
        1, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
    output = module(image)
    (gradient,) = torch.autograd.grad(output[0, :, cell[0], cell[1]].sum(), image)
    weight = gradient.abs().sum((0, 1))
    weight = (weight - weight.median()).clamp(min=0)  # without what attention takes from everywhere
    places = torch.arange(SIDE, dtype=torch.float64)
    return float((weight.sum(1) * places).sum() / weight.sum()), float((weight.sum(0) * places).sum() / weight.sum())


def list_output(network):
    return network.layers((SIDE, SIDE))[-1]


@pytest.mark.parametrize("kind", [*TRACED, *PLACED], ids=lambda kind: kind.__name__)
def test_a_cell_looks_where_the_gradients_say(kind):
    torch.manual_seed(0)
    module = kind()
    layer = list_output(wrap_module(module))
    assert layer.geometry == ("receptive-field" if kind in TRACED else "grid")
    assert kind in TRACED or "keeps its position" in layer.note
    module = make_positive(module)
    rows, columns = layer.grid
    field = layer.field
    for cell in ((rows // 2, columns // 2), (rows // 2 - 1, columns // 2), (rows // 2, columns // 4)):
        truth = measure_center(module, cell)
        for axis in (0, 1):
            center = field.offset[axis] + (field.size[axis] - 1) / 2 + cell[axis] * field.step[axis]
            assert abs(center - truth[axis]) <= field.step[axis] / 4, (cell, truth)


@pytest.mark.parametrize("kind", [Decoder, Flipped], ids=lambda kind: kind.__name__)
def test_an_even_grid_keeps_the_centers_of_the_cells_before(kind):
    layers = {layer.name: layer for layer in wrap_module(kind()).layers((SIDE, SIDE))}
    layer, stem = layers["output"], layers["stem"]
    assert layer.geometry == "grid"
    assert layer.note.endswith("an even grid")
    assert layer.grid == stem.grid
    for axis in (0, 1):
        assert (
            layer.field.offset[axis] + layer.field.size[axis] // 2
            == stem.field.offset[axis] + stem.field.size[axis] // 2
        )
    assert layer.field.step == stem.field.step == (2, 2)


def test_a_layer_is_placed_alike_whatever_else_is_probed():
    network = wrap_module(Decoder())
    (alone,) = network.probe(["output"], (SIDE, SIDE), geometry="receptive-field", device=torch.device("cpu")).layers
    assert alone == list_output(network)


@pytest.mark.parametrize(
    "kind", [kind for kind in (*TRACED, *PLACED, Decoder) if kind not in UNEXPORTABLE], ids=lambda kind: kind.__name__
)
def test_an_exported_network_is_placed_as_in_torch(kind, tmp_path):
    module = kind().eval()
    path = write_onnx(tmp_path / "net.onnx", module, legacy=True, x=torch.zeros(2, 3, SIDE, SIDE), fixed=True)
    exported, watched = list_output(open_network(str(path))), list_output(wrap_module(module))
    assert (exported.grid, exported.geometry) == (watched.grid, watched.geometry)
    for a, b in zip(exported.field, watched.field, strict=True):
        assert a == pytest.approx(b)
