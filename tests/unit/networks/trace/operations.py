"""Small networks with one operation each, most of them between a stem of step 2 and a convolution, and what must be traced."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

#: Height and width of the images.
SIZE = (24, 32)


class Around(nn.Module):
    """A function between two convolutions; without a stem it is applied to the images."""

    def __init__(self, function: Callable[..., torch.Tensor], *, stem: int = 4, head: int = 0, **parts) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, stem, 3, stride=2, padding=1) if stem else nn.Identity()
        self.head = nn.Conv2d(head, 2, 3, padding=1) if head else nn.Identity()
        self.function, self.parts = function, copy.deepcopy(nn.ModuleDict(parts))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.function(self.stem(x), **self.parts))


@dataclass(frozen=True)
class Case:
    """A network and what must be traced.

    Attributes:
        make: makes the network.
        cells: ``exact`` (each cell's pixels are those of the field map), ``centered`` (so on average: cells that were scaled
            up), ``placed`` (likewise, but a cell may depend on more: position only) or ``unknown``.
        exporter: ``legacy``, ``new`` or why it cannot be exported to ONNX.
    """

    make: Callable[[], nn.Module]
    cells: str = "exact"
    exporter: str = "legacy"


def around(function: Callable[..., torch.Tensor], cells: str = "exact", exporter: str = "legacy", **options) -> Case:
    return Case(lambda: Around(function, **options), cells, exporter)


def write_images(x, channels=4, height=40, width=40):
    """Copy each image into a tensor of zeros, as torchvision's detectors do."""
    images = [F.interpolate(image[None] - 0.5, scale_factor=1.0, recompute_scale_factor=True)[0] for image in x]
    batch = images[0].new_full((len(images), channels, height, width), 0)
    for i, image in enumerate(images):
        batch[i, : image.shape[0], : image.shape[1], : image.shape[2]].copy_(image)
    return batch


def write_channels(x):
    out = torch.zeros(x.shape[0], 6, *SIZE, dtype=x.dtype)
    out[:, :3] = x
    out[:, 3:] = x * 2
    return out


def shift_channels(x):
    out = torch.zeros_like(x)
    out[:, :2] = x[:, :2]
    out[:, 2:, :, 1:] = x[:, 2:, :, :-1]
    return out


RGB = {"stem": 0, "head": 3}
COLORS = {
    "flipped colors": around(lambda x: x.flip(1), **RGB),
    "colors by a list": around(lambda x: x[:, [2, 1, 0]], **RGB),
    "colors selected": around(lambda x: x.index_select(1, torch.tensor([2, 1, 0])), **RGB),
    "colors gathered": around(lambda x: x.gather(1, torch.tensor([2, 1, 0]).view(1, 3, 1, 1).expand(x.shape)), **RGB),
    "colors taken along": around(
        lambda x: torch.take_along_dim(x, torch.tensor([2, 0]).view(1, 2, 1, 1), 1), exporter="new", stem=0, head=2
    ),
    "colors repeated": around(lambda x: x.repeat(1, 3, 1, 1), stem=0, head=9),
    "colors repeated one by one": around(lambda x: x.repeat_interleave(2, 1), stem=0, head=6),
    "colors tiled": around(lambda x: torch.tile(x, (1, 2, 1, 1)), exporter="new", stem=0, head=6),
    "gray by a mean": around(lambda x: x.mean(1, keepdim=True).expand(-1, 3, -1, -1), **RGB),
    "gray by a sum": around(lambda x: x.sum(1).unsqueeze(1).repeat(1, 3, 1, 1), **RGB),
    "gray by a product": around(
        lambda x: (x * torch.tensor([0.3, 0.6, 0.1]).view(1, 3, 1, 1)).sum(1, True), stem=0, head=1
    ),
    "one color again and again": around(lambda x: x[:, :1].expand(-1, 3, -1, -1), **RGB),
    "colors apart and together": around(lambda x: torch.stack(x.unbind(1)[::-1], 1), **RGB),
    "colors normalized by hand": around(
        lambda x: torch.cat([(x[:, i].unsqueeze(1) * 2 + i) for i in range(3)], 1), **RGB
    ),
    "chunks of colors": around(lambda x: torch.cat(x.chunk(3, 1)[::-1], 1), **RGB),
    "colors last by a list": around(lambda x: x.permute(0, 2, 3, 1)[..., [2, 1, 0]].permute(0, 3, 1, 2), **RGB),
    "a mask by channels": around(lambda x: x[:, torch.tensor([True, False, True, True])], head=3),
    "images in order": around(lambda x: x[torch.arange(x.shape[0])], **RGB),
    "rows and columns by a list": around(lambda x: x[:, :, list(range(1, 12, 2))][..., torch.arange(0, 16, 2)], head=4),
    "flipped images": around(lambda x: x.flip(3), "unknown", head=4),
    "images apart and together": around(lambda x: torch.stack(list(x.unbind(0)), 0), **RGB),
    "images one by one": around(lambda x: torch.cat([x[i][None] * 2 for i in range(len(x))], 0), **RGB),
}
BLOCKS = {
    "pixel shuffle": around(lambda x: F.pixel_shuffle(x, 2), "centered"),
    "pixel shuffle by views": around(
        lambda x: x.view(x.shape[0], 1, 2, 2, 12, 16).permute(0, 1, 4, 2, 5, 3).reshape(x.shape[0], 1, 24, 32), "centered"
    ),
    "patches spread, channels last": around(
        lambda x: x.permute(0, 2, 3, 1).reshape(-1, 12, 16, 2, 2, 3).permute(0, 1, 3, 2, 4, 5).reshape(-1, 24, 32, 3).permute(0, 3, 1, 2),
        "centered", stem=12,
    ),
    "pixel unshuffle": around(lambda x: F.pixel_unshuffle(x, 2), head=16),
    "pixel shuffle and back": around(lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), "centered", head=4),
    "rows repeated": around(lambda x: x.repeat_interleave(2, 2), "centered"),
    "patches by unfolding": around(lambda x: F.unfold(x, 4, stride=4), stem=0),
    "overlapping patches by unfolding": around(
        lambda x, fc: fc(F.unfold(x, 7, stride=4, padding=2).transpose(1, 2)), stem=0, fc=nn.Linear(147, 4)
    ),
    "dilated patches by unfolding": around(lambda x: F.unfold(x, 3, dilation=2, padding=2)),
    "patches and a convolution of tokens": around(
        lambda x, fc: fc(F.unfold(x, 4, stride=4)), stem=0, fc=nn.Conv1d(48, 4, 1)
    ),
    "unfolded rows and columns": around(
        lambda x, fc: fc(x.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).flatten(3)), exporter="new", stem=0, fc=nn.Linear(48, 4)
    ),
    "unfolded and folded": around(lambda x: F.fold(F.unfold(x, 2, stride=2), (12, 16), 2, stride=2), head=4),
    "unfolded, mixed and folded": around(
        lambda x, fc: F.fold(fc(F.unfold(x, 2, stride=2)), (12, 16), 2, stride=2), "centered", fc=nn.Conv1d(16, 16, 1)
    ),
    "outlooks": around(
        lambda x: F.fold(F.unfold(x, 3, padding=1).softmax(1), (12, 16), 3, padding=1)
    ),
}  # fmt: skip
BORDERS = {
    "wrapped": around(lambda x: F.pad(x, (1, 1, 2, 2), mode="circular"), head=4),
    "wrapped by hand": around(
        lambda x: torch.cat([x[..., -1:], x, x[..., :1]], 3), head=4
    ),
    "wrapped convolution": Case(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"))),
    "reflected": around(lambda x: F.pad(x, (1, 1, 2, 2), mode="reflect"), head=4),
    "replicated": around(lambda x: F.pad(x, (1, 0, 2, 1), mode="replicate"), head=4),
    "cropped": around(lambda x: F.pad(x, (-1, -2, -1, 0)), head=4),
    "border of channels last": around(
        lambda x: F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2, 0, 1)).permute(0, 3, 1, 2), head=4
    ),
    "border of tokens": around(lambda x: F.pad(x.flatten(2).transpose(1, 2), (0, 0, 1, 0))[:, 1:] * 2),
    "border of channels": around(lambda x: F.pad(x.flatten(2), (0, 0, 1, 1)) * 2),
    "rolled and back": around(lambda x: x.roll((2, 3), (2, 3)).relu().roll((-2, -3), (2, 3)), head=4),
    "rolled by hand and back": around(
        lambda x: torch.cat([(y := torch.cat([x[:, :, 3:], x[:, :, :3]], 2) * 2)[:, :, -3:], y[:, :, :-3]], 2), head=4
    ),
    "into a larger tensor": around(write_images, stem=0, head=4),
    "channels one after the other": around(write_channels, stem=0, head=6),
    "shifted in place": around(shift_channels, head=4),
}  # fmt: skip


class Recurrence(nn.Module):
    """A recurrent layer along every row of cells, as in Sequencer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 3, batch_first=True, bidirectional=True)

    def forward(self, x):
        n, _, h, w = x.shape
        return self.layer(x.permute(0, 2, 3, 1).reshape(n * h, w, 4))[0].reshape(n, h, w, 6)


def transform_blocks(x, rows, columns):
    """Transform rows and columns of every block of four by four pixels, as a cosine transform of JPEG does."""
    n, c, h, w = x.shape
    x = columns(x.view(n, c, h // 4, 4, w // 4, 4).transpose(3, 4))
    x = rows(x.transpose(4, 5))
    return x.permute(0, 1, 4, 5, 2, 3).reshape(n, -1, h // 4, w // 4)


class Mixture(nn.Module):
    """A convolution whose weights are mixed for every image, as in CondConv."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.experts, self.gate = nn.Parameter(torch.rand(3, 8 * 4 * 9)), nn.Linear(4, 3)

    def forward(self, x):
        weights = torch.matmul(torch.sigmoid(self.gate(x.mean((2, 3)))), self.experts)
        n, c, h, w = x.shape
        out = F.conv2d(x.reshape(1, n * c, h, w), weights.view(n * 8, c, 3, 3), None, self.stride, 1, groups=n)
        return out.permute(1, 0, 2, 3).view(n, 8, out.shape[-2], out.shape[-1])


class Hypernetwork(nn.Module):
    """A linear map whose matrix follows from the mean of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 4 * 6)

    def forward(self, x):
        matrix = self.gate(x.mean((2, 3))).view(-1, 4, 6)
        return x.flatten(2).transpose(1, 2) @ matrix


class Filter(nn.Module):
    """A filter in frequency space, as in GFNet."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 12, 9, 2))

    def forward(self, x):
        x = torch.fft.rfft2(x, norm="ortho") * torch.view_as_complex(self.weight)
        return torch.fft.irfft2(x, s=(12, 16), norm="ortho")


class FourierUnit(nn.Module):
    """A convolution in frequency space, as in fast Fourier convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        x = torch.stack((x.real, x.imag), dim=-1).permute(0, 1, 4, 2, 3).reshape(-1, 8, 12, 9)
        x = self.conv(x).view(-1, 4, 2, 12, 9).permute(0, 1, 3, 4, 2)
        return torch.fft.irfftn(torch.complex(x[..., 0], x[..., 1]), s=(12, 16), dim=(-2, -1), norm="ortho")


CONVOLUTIONS = {
    "mixed weights": Case(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), Mixture()), exporter="legacy"),
    "mixed weights with a stride": Case(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), Mixture(2))),
    "mixed matrix": around(lambda x, gated: gated(x), gated=Hypernetwork()),
    "convolution of tokens": around(lambda x, conv: conv(x.flatten(2)), conv=nn.Conv1d(4, 5, 1)),
    "convolution along tokens": around(lambda x, conv: conv(x.flatten(2)), "placed", conv=nn.Conv1d(4, 5, 3, padding=1)),
    "convolution of volumes": around(lambda x, conv: conv(x.unsqueeze(2)).squeeze(2), conv=nn.Conv3d(4, 5, (1, 3, 3), padding=(0, 1, 1))),
    "convolution of two frames": around(
        lambda x, conv: conv(x.unsqueeze(2).repeat(1, 1, 2, 1, 1)).flatten(2), stem=0, conv=nn.Conv3d(3, 5, (2, 4, 4), stride=(2, 4, 4))
    ),
    "recurrence along rows": around(lambda x, layer: layer(x), "placed", layer=Recurrence()),
    "transformed blocks": around(
        transform_blocks, stem=0, head=48, rows=nn.Linear(4, 4), columns=nn.Linear(4, 4)
    ),
    "convolution within windows": around(
        lambda x, conv: conv(x.view(-1, 4, 2, 6, 2, 8).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, 6, 8)).view(
            -1, 2, 2, 4, 6, 8).permute(0, 3, 1, 4, 2, 5).reshape(-1, 4, 12, 16),
        "placed", conv=nn.Conv2d(4, 4, 3, padding=1)
    ),
    "response normalization": around(lambda x: F.local_response_norm(x, 3), head=4),
    "images scaled up": around(lambda x: F.interpolate(x, scale_factor=4, mode="bilinear"), "centered", stem=0, head=3),
    "sampled": around(lambda x: F.grid_sample(x, F.affine_grid(torch.eye(2, 3, dtype=x.dtype).expand(len(x), 2, 3), x.shape, align_corners=False), align_corners=False), "placed", "the exporter has no grid of affine maps"),
    "unpooled": around(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), "placed", "the exporter needs indices of another kind"),
    "power means": around(lambda x: F.lp_pool2d(x, 2, 2), head=4),
    "filtered by frequency": around(lambda x, op: x + op(x), "placed", "new", op=Filter()),
    "filtered by frequency alone": around(lambda x, op: op(x), "placed", "new", op=Filter()),
    "Fourier unit": around(lambda x, op: x + op(x), "placed", "new", op=FourierUnit()),
}  # fmt: skip
ELEMENTWISE = {
    "where": around(lambda x: torch.where(x > 0.1, x, 2 * x), head=4),
    "masked": around(lambda x: x.masked_fill(x < 0, 1.0), head=4),
    "clamped": around(lambda x: x.clamp(-9, 9), head=4),
    "lerp": around(lambda x: torch.lerp(x, x * 2, 0.3), head=4),
    "addcmul": around(lambda x: torch.addcmul(x, x, x), head=4),
    "an einsum over channels": around(lambda x: torch.einsum("nchw,oc->nohw", x, torch.ones(5, 4, dtype=x.dtype)), head=5),
    "an einsum of heads": around(
        lambda x: torch.einsum("bhcn,hcd->bhdn", x.reshape(-1, 2, 2, 192), torch.ones(2, 2, 3, dtype=x.dtype)).reshape(-1, 6, 12, 16),
        head=6,
    ),
    "shuffled channels": around(lambda x: x.view(-1, 2, 2, 12, 16).transpose(1, 2).reshape(-1, 4, 12, 16), head=4),
    "groups normalized": around(lambda x: F.normalize(F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2)), head=4),
    "cumulated channels": around(lambda x: x.cumsum(1), head=4),
    "highest channel": around(lambda x: x.max(1, keepdim=True)[0] + x.amin(1, True), head=1),
}  # fmt: skip
CASES = {**COLORS, **BLOCKS, **BORDERS, **CONVOLUTIONS, **ELEMENTWISE}
