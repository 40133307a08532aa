"""The forward pass that a dissection is compared with computes the network's layers, and no more of it."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
import torch
from benchmarks import baseline
from benchmarks.baseline import LAYOUTS, Combination, PackedConvolution, PackedLinear, TorchPass
from torch import nn

IMAGES = np.random.default_rng(0).integers(0, 256, size=(5, 20, 20, 3)).astype(np.uint8)
PLAIN = Combination("default layout", packed=False, batch=2)


class Network(nn.Module):
    """Convolutions with a batch norm, and a linear layer on every cell."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)
        self.mix = nn.Linear(8, 6)
        self.last = nn.Conv2d(6, 4, 3, padding="same")
        self.calls = []

    def forward(self, x):
        x = self.norm(self.conv(x)).relu()
        x = self.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.last(x)


def preprocess(images):
    return images.permute(0, 3, 1, 2).float() / 255


def run_all(prepared):
    parts = [prepared.run(IMAGES[start : start + prepared.batch]) for start in range(0, len(IMAGES), prepared.batch)]
    return {name: torch.cat([part[name].contiguous() for part in parts]) for name in parts[0]}


@pytest.mark.parametrize(("layout", "packed"), list(itertools.product(LAYOUTS, (False, True))))
def test_every_combination_computes_what_the_network_does(layout, packed):
    network = Network().eval()
    with torch.no_grad():
        x = preprocess(torch.from_numpy(IMAGES))
        mixed = network.mix(network.norm(network.conv(x)).relu().permute(0, 2, 3, 1))
        expected = {"norm": network.norm(network.conv(x)), "mix": mixed}
    found = run_all(TorchPass(network, ("norm", "mix"), Combination(layout, packed, 2), preprocess, (20, 20)))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    assert type(network.conv) is nn.Conv2d  # the network itself has not changed
    assert type(network.norm) is nn.BatchNorm2d


def test_batch_norms_are_folded_and_layers_packed():
    network = Network().eval()
    baseline.fold_batch_norms(network)
    assert type(network.norm) is nn.Identity
    assert network.conv.bias is not None
    baseline.pack_layers(network, preprocess(torch.from_numpy(IMAGES)))
    assert [type(part) for part in (network.conv, network.mix, network.last)] == [
        PackedConvolution, PackedLinear, nn.Conv2d,
    ]  # fmt: skip


def test_a_pass_ends_after_its_last_layer():
    network = Network().eval()
    ran = []
    prepared = TorchPass(network, ("mix",), PLAIN, preprocess, (20, 20))
    prepared._module.last.register_forward_hook(lambda *_: ran.append("last"))
    assert prepared.run(IMAGES[:2])["mix"].shape == (2, 10, 10, 6)
    assert ran == []
    whole = TorchPass(network, (), PLAIN, preprocess, (20, 20))
    whole._module.last.register_forward_hook(lambda *_: ran.append("last"))
    assert whole.run(IMAGES[:2]) == {}
    assert ran == ["last"]


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_decoding_ahead_gives_every_image_once_in_order(batch):
    read, seen = [], []
    guard = threading.Lock()

    def decode(index):
        with guard:
            read.append(index)
        return np.full((4, 4, 3), index, np.uint8)

    prepared = TorchPass(nn.Identity(), (), Combination("channels last", packed=False, batch=batch), preprocess, (4, 4))
    prepared.run = lambda images: seen.extend(images[:, 0, 0, 0].tolist())
    baseline.run_decoding(prepared, decode, 53, threads=3)
    assert seen == list(range(53))
    assert sorted(read) == seen


def test_the_best_combination_is_the_quickest(monkeypatch):
    ways = [Combination("channels last", packed, batch) for packed in (False, True) for batch in (1, 2, 4)]
    seconds = {way: 5.0 + number for number, way in enumerate(ways)}
    seconds[ways[4]] = 1.0
    monkeypatch.setattr(TorchPass, "__init__", lambda self, _module, _layers, way, *_: setattr(self, "way", way))
    monkeypatch.setattr(baseline, "run_decoded", lambda *_: None)
    monkeypatch.setattr(baseline, "_time_pass", lambda prepared, _: seconds[prepared.way])
    assert baseline.find_best(nn.Identity(), (), IMAGES, preprocess, ways) == ways[4]
