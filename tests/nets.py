"""Small torch networks for tests."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path


def make_small_net(seed: int = 0) -> nn.Module:
    """Return two strided convolutions and a linear layer, with the same weights at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 5, 5, stride=2, padding=2),
                relu1=nn.ReLU(inplace=True),
                conv2=nn.Conv2d(5, 8, 3, stride=2, padding=1),
                relu2=nn.ReLU(),
                pool=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
                fc=nn.Linear(8, 6),
            )
        ).eval()


class TokenNet(nn.Module):
    """Sixteen tokens of an image of 16 x 16 pixels: attention, linear layers of its own and of torch, and a head."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.patches = nn.Conv2d(3, 32, 4, stride=4)
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
            self.weight = nn.Parameter(torch.randn(32, 32) / 6)
            self.head = nn.Linear(32, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = nn.functional.linear(x + self.mlp(x), self.weight)
        return self.head(x.mean(1))


class SlowNet(nn.Module):
    """The small network with a pause in its forward pass."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        for name, part in make_small_net().named_children():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.seconds)
        for part in self.children():
            x = part(x)
        return x


class ExitingNet(nn.Module):
    """The small network, which calls `sys.exit` for a batch of 4 images."""

    def __init__(self) -> None:
        super().__init__()
        for name, part in make_small_net().named_children():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) == 4:
            sys.exit(3)
        for part in self.children():
            x = part(x)
        return x


class WorkerKillingNet(nn.Module):
    """The small network, which kills the worker process that runs it, as the system does when memory runs out."""

    def __init__(self, deaths: Path, times: int) -> None:
        super().__init__()
        self.deaths, self.times = deaths, times
        for name, part in make_small_net().named_children():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if multiprocessing.parent_process() is not None and len(x) == 4:  # a trace has another batch size
            number = len(list(self.deaths.iterdir()))
            if number < self.times:
                (self.deaths / str(number)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        for part in self.children():
            x = part(x)
        return x


def move_channels_first(activations):
    """Return activations (B, h, w, U) as (B, U, h, w)."""
    return {name: values.movedim(-1, 1) for name, values in activations.items()}
