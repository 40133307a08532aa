"""A small network with many kinds of operations, and functions that export networks to files."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F


class ChannelGate(nn.Module):
    """Channels multiplied by a gate of their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class DilatedBlock(nn.Module):
    """A residual block with a dilated depthwise convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, groups=channels)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(x + self.relu(self.bn(self.conv(x))))


class Attention(nn.Module):
    """Self-attention with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return self.proj((q @ k.transpose(-1, -2) / 2).softmax(-1) @ v)


class StandardizedConvolution(nn.Module):
    """A convolution with standardized weights, as in BiT networks."""

    class Conv(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = F.batch_norm(self.weight.reshape(1, 4, -1), None, None, training=True, momentum=0.0)
            return F.conv2d(x, weight.reshape_as(self.weight))

    def __init__(self) -> None:
        super().__init__()
        self.conv = StandardizedConvolution.Conv(3, 4, 3, bias=False)
        nn.init.trunc_normal_(self.conv.weight, generator=torch.Generator().manual_seed(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).relu()


class VariedNetwork(nn.Module):
    """A small network with convolutions, upsampling, a gate and attention, for 32 x 32 images."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 5, stride=2, padding=2)
        self.block = DilatedBlock(8)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.gate = ChannelGate(8)
        self.up = nn.Upsample(scale_factor=2)
        self.join = nn.Conv2d(16, 6, 3)
        self.average = nn.AvgPool2d(2)
        self.deconv = nn.ConvTranspose2d(6, 5, 4, stride=2, padding=1)
        self.patches = nn.Conv2d(5, 12, 4, stride=4)
        self.norm = nn.LayerNorm(12)
        self.attention = Attention(12)
        self.mlp = nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12))
        self.head = nn.Linear(12, 7)
        self.cls = nn.Parameter(torch.randn(1, 1, 12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block(F.relu(self.stem(x)))
        y = self.up(self.gate(self.pool(x)))
        x = self.join(F.pad(torch.cat([x, y], 1), (0, 2, 1, 1)))
        x = self.patches(self.deconv(self.average(x)))
        tokens = torch.cat([self.cls.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], 1)
        tokens = tokens + self.attention(self.norm(tokens))
        tokens = tokens + self.mlp(tokens)
        return self.head(tokens[:, 0])


def make_varied_network(seed: int = 0) -> VariedNetwork:
    """Return a network with the same weights and statistics at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = VariedNetwork()
        module.block.bn.running_mean.uniform_(-1, 1)
        module.block.bn.running_var.uniform_(0.5, 2)
        return module.eval()


def make_input(images: int = 2, size: tuple[int, int] = (32, 32), dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(images, 3, *size, dtype=dtype)


def write_onnx(path: Path, module: nn.Module, *, legacy: bool = False, fixed: bool = False, x=None) -> Path:
    """Export a network to ONNX with torch's exporter or its legacy one; the batch size is dynamic or fixed."""
    x = make_input() if x is None else x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if legacy:
            axes = {} if fixed else {"x": {0: "n"}, "y": {0: "n"}}
            torch.onnx.export(
                module, (x,), str(path), dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes
            )
        else:
            shapes = None if fixed else ({0: torch.export.Dim.DYNAMIC},)
            torch.onnx.export(module, (x,), str(path), dynamo=True, dynamic_shapes=shapes, external_data=False,
                              verbose=False)  # fmt: skip
    return path


def write_pt2(path: Path, module: nn.Module, *, fixed: bool = False, shapes=None, x=None) -> Path:
    """Export a network with torch.export; the batch size is dynamic or fixed."""
    x = make_input() if x is None else x
    shapes = shapes or (None if fixed else ({0: torch.export.Dim.DYNAMIC},))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(module, (x,), dynamic_shapes=shapes), path)
    return path


def write_torchscript(path: Path, module: nn.Module) -> Path:
    """Trace a network and save it as TorchScript."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, make_input()), path)
    return path
