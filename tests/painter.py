"""A tiny generator whose units draw squares of known colors, and a function that labels them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

CLASSES = ["red", "green", "blue"]


class Painter(nn.Module):
    """Draws a red, a green and a blue square on a dark image; unit k of ``canvas`` draws the k-th."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.place = nn.Linear(5, 3 * 4 * 4)
        self.grow = nn.Upsample(scale_factor=2)
        self.canvas = nn.Hardtanh(0.0, 1.0)
        self.finish = nn.Upsample(scale_factor=4)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.place(z).reshape(-1, 3, 16)
        best = (x >= x.amax(-1, keepdim=True)).float() * (1 + 0.1 * x.sigmoid())
        canvas = self.canvas(self.grow(best.reshape(-1, 3, 4, 4)) - 0.1)
        return self.finish(canvas) * 2 - 1


def label_squares(picture: np.ndarray) -> np.ndarray:
    """Return one label plane per color, because squares may overlap."""
    return np.stack([np.where(picture[..., color] > 128, color + 1, 0) for color in range(3)]).astype(np.uint8)
