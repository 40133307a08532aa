"""A training of seconds: a small network with dropout and batch normalization, and a probe set of a few images."""

from __future__ import annotations

import random

import numpy as np
import torch
from tests import small_runs
from torch import nn
from torch.nn import functional as F

LAYERS = ["conv", "last"]
OPTIONS = {**small_runs.OPTIONS, "null": 0, "resamples": 0}


class SmallLearner(nn.Module):
    """A classifier of three classes whose training draws random numbers and changes statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 5, 2, 2)
        self.norm = nn.BatchNorm2d(5)
        self.drop = nn.Dropout2d(0.3)
        self.last = nn.Conv2d(5, 6, 3, 2, 1)
        self.frozen = nn.BatchNorm2d(6).eval()
        self.fc = nn.Linear(6, 3)
        self.conv.bias.requires_grad = False

    def forward(self, x):
        x = F.relu(self.last(self.drop(F.relu(self.norm(self.conv(x))))))
        return self.fc(self.frozen(x).amax((2, 3)))


def make_learner(seed: int = 0) -> SmallLearner:
    torch.manual_seed(seed)
    return SmallLearner()


def draw_batch(size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch that all three global generators decide."""
    shift = random.random() + np.random.random()
    return torch.randn(size, 3, 32, 32) + shift, torch.randint(0, 3, (size,))


def seed_all() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def train_plain(watch=None, steps: int = 6, wrap=lambda module: module, start: int = 0, per_epoch: int = 3):
    """Train in a plain loop, and return the network."""
    module = make_learner()
    seed_all()
    model = wrap(module)
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.05, momentum=0.9)
    if watch is not None:
        watch.start(model, at=start)
    for step in range(start, steps):
        images, labels = draw_batch()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        if watch is not None:
            watch.step(model)
            if (step + 1) % per_epoch == 0:
                watch.epoch(model)
    if watch is not None:
        watch.finish(model)
    return module


def require_equal(ours: nn.Module, theirs: nn.Module) -> None:
    """Check that two networks have the same weights and statistics, bit for bit."""
    first, second = ours.state_dict(), theirs.state_dict()
    assert list(first) == list(second)
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
