"""Small torch networks for tests; the same weights at every call."""

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
    """Two convolutions with strides, and a linear layer at the end."""
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


class SlowNet(nn.Module):
    """The same network, taking its time."""

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
    """The same network, which leaves the program when it sees a batch of 4 images that are not empty."""

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
    """The same network, which kills worker processes that run it, as the system does when memory runs out."""

    def __init__(self, deaths: Path, times: int) -> None:
        super().__init__()
        self.deaths, self.times = deaths, times
        for name, part in make_small_net().named_children():
            setattr(self, name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if multiprocessing.parent_process() is not None and len(x) == 4:  # not the empty images of a trace
            number = len(list(self.deaths.iterdir()))
            if number < self.times:
                (self.deaths / str(number)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        for part in self.children():
            x = part(x)
        return x


def move_channels_first(activations):
    """Return activations (B, h, w, U) as torch's modules give them, (B, U, h, w)."""
    return {name: values.movedim(-1, 1) for name, values in activations.items()}
