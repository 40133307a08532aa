"""`python -m benchmarks geometry` finds where cells look: no mismatch in right geometries, the size of a known one in wrong ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from benchmarks.geometry import choice, measure, table
from torch import nn

from netdissect.layers import FieldMap
from netdissect.networks.load import wrap_module
from netdissect.networks.probe import ProbedLayer
from netdissect.networks.torch_network import TorchNetwork

SIZE = (64, 64)


def shift(field):
    """Return the field map of cells 6 pixels lower, and 3/2 of their steps apart along x."""
    return FieldMap((field.offset[0] + 6, field.offset[1]), field.size, (field.step[0], field.step[1] * 1.5))


def shift_one_cell(field):
    return FieldMap((field.offset[0], field.offset[1] + field.step[1]), field.size, field.step)


class Block(nn.Module):
    """Attention between tokens, then a layer on each alone, both beside the tokens as they were."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.mlp = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + ((q @ k.transpose(1, 2)) * 32**-0.5).softmax(-1) @ v
        return x + self.mlp(x)


class Tokens(nn.Module):
    """Patches as tokens, and two blocks."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.blocks = nn.ModuleList(Block() for _ in range(2))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x


class Pyramid(nn.Module):
    """A coarse map, scaled up and added to a fine one."""

    def __init__(self):
        super().__init__()
        self.fine = nn.Conv2d(3, 16, 3, 2, 1)
        self.coarse = nn.Conv2d(16, 16, 3, 2, 1)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.join = nn.Identity()

    def forward(self, x):
        fine = self.fine(x)
        return self.join(fine + self.up(self.coarse(fine)))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def make_network(module, change=lambda field: field):
    """Return a module as a network that changes the field maps that were traced."""

    class ChangedNetwork(TorchNetwork):
        def read_layer(self, name, info, input_size, geometry):
            entry = super().read_layer(name, info, input_size, geometry)
            assert isinstance(entry, ProbedLayer)
            return replace(entry, layer=replace(entry.layer, field=change(entry.layer.field)))

    wrapped = wrap_module(module.eval())
    return ChangedNetwork(wrapped.module, preprocess=wrapped.preprocess, name="net", source="net")


def make_convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(8, 8, (5, 1)),
        nn.Conv2d(8, 8, 3, dilation=2), nn.ReLU6(), nn.ConvTranspose2d(8, 8, 4, 2, 1),
    )  # fmt: skip


def measure_all(network):
    layers = [layer for layer in network.layers(SIZE) if layer.grid != (1, 1)]
    return {one.name: one for one in measure.measure_layers(network, layers, SIZE)}


def test_convolutions_look_where_they_are_traced():
    found = measure_all(make_network(make_convolutions()))
    assert set(found) == set("01234567")
    assert max(one.mismatch for one in found.values()) < 0.02
    assert found["3"].steps == pytest.approx((4, 4), abs=0.01)
    assert found["7"].steps == pytest.approx((2, 2), abs=0.01)


def test_a_known_shift_is_found_and_reported():
    found = measure_all(make_network(make_convolutions(), shift))
    assert all(one.is_wrong for one in found.values())
    assert found["0"].traced[0][0] - found["0"].measured[0][0] == pytest.approx(6, abs=0.01)
    assert found["5"].steps == pytest.approx((6, 4), abs=0.01)


def test_tokens_look_at_their_own_patches_behind_attention():
    found = measure_all(make_network(Tokens()))
    last = found["blocks.1"]
    assert last.standing == "position"
    assert last.mismatch < 0.1
    assert not last.is_wrong
    assert last.steps == pytest.approx((8, 8), abs=0.2)


def test_tokens_that_are_placed_wrong_are_found():
    last = measure_all(make_network(Tokens(), shift_one_cell))["blocks.1"]
    assert last.is_wrong
    assert last.mismatch == pytest.approx(1, abs=0.1)
    assert last.cells_off == 1


def test_what_the_direct_paths_see_is_measured_where_a_coarse_map_is_scaled_up():
    lower = FieldMap((-1 + 6, -1), (3, 3), (2, 2))
    found = measure_all(make_network(Pyramid(), lambda field: lower))["join"]
    assert found.direct_mismatch == pytest.approx(3, abs=0.05)
    assert found.mismatch != found.direct_mismatch


def test_the_law_of_steps_allows_one_step():
    network = make_network(make_convolutions())
    layers = {layer.name: layer for layer in network.layers(SIZE)}
    assert not choice.breaks_law(layers["3"], SIZE)
    halved = replace(layers["3"], field=layers["3"].field._replace(step=(2, 2)))
    assert choice.breaks_law(halved, SIZE)


def test_the_table_counts_networks_and_names_mismatches(capsys):
    layer = {"name": "blocks", "standing": "traced", "mismatch": 1.5, "direct_mismatch": None, "cells_off": None,
             "steps": [17.3, 32.0], "is_wrong": True}  # fmt: skip
    record = {"family": "timm", "name": "ghost", "seconds": {"dissect": 1.0}, "errors": {}, "suggested": ["blocks"],
              "layers": {"traced": 4, "position": 0, "even": 0, "single": 1}, "against_law": [], "measured": [layer]}  # fmt: skip
    broken = {"family": "timm", "name": "half", "seconds": {}, "errors": {"list": "AssertionError: "}}
    table.print_closing_table([record, broken])
    printed = capsys.readouterr().out
    assert "| tried | 2 | 2 |" in printed
    assert "| listed | 1 | 1 |" in printed
    assert "| networks with wrong suggested layers | 1 | 1 |" in printed
    assert "- timm:ghost blocks (suggested), traced: 1.50 steps off, step 17.3 for 32" in printed
    assert "- timm:half, list: AssertionError" in printed
