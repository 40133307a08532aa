"""Layers by pattern: what matches, what is left out, and names that look like patterns."""

import pytest
import torch
from tests import nets
from torch import nn

from netdissect.errors import UnknownLayerError
from netdissect.networks.layer_patterns import expand_layer_patterns
from netdissect.networks.load import wrap_module


class Parts(nn.Module):
    """Returns two tensors, so that its outputs are named with brackets, beside blocks with such numbers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.pair = _Pair()
        self.blocks = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(12))
        self.unused = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x, _ = self.pair(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return x


class _Pair(nn.Module):
    def forward(self, x):
        return x, torch.relu(x)


def expand(words, module=None):
    return expand_layer_patterns(wrap_module(module or Parts()), words, lambda: (16, 16))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("blocks.1[01]", ["blocks.10", "blocks.11"]),
        ("blocks.?", [f"blocks.{n}" for n in range(10)]),
        ("pair[1]", ["pair[1]"]),
        ("pair*", ["pair[1]"]),
        ("*tem", ["stem"]),
        ("last", ["blocks.11"]),
        ("stem", ["stem"]),
    ],
)
def test_a_pattern_stands_for_the_layers_that_it_matches(word, expected):
    assert expand([word]) == expected


def test_each_layer_is_named_once_in_the_order_of_the_words():
    assert expand(["blocks.1", "blocks.[012]"]) == ["blocks.1", "blocks.0", "blocks.2"]


def test_modules_that_match_and_are_no_layers_are_left_out_and_said(caplog):
    assert "unused" not in expand(["*"])
    assert "* leaves out modules that netdissect layers does not list: pair, blocks, unused" in caplog.messages


def test_a_pattern_without_a_layer_says_what_is_nearest():
    with pytest.raises(UnknownLayerError, match=r"no layer that 'blcks.1\*' matches: did you mean blocks.1"):
        expand(["blcks.1*"])
    with pytest.raises(
        UnknownLayerError, match=r"matches no layer of Parts, only modules that netdissect layers does not list: unused"
    ):
        expand(["unus*"])


def test_a_layer_called_last_is_meant_first():
    class Called(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.end = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 3)

        def forward(self, x):
            return self.end(self.last(x))

    assert expand(["last"], Called()) == ["last"]


def test_names_without_a_pattern_do_not_run_the_network():
    def fail():
        pytest.fail("the network was run")

    assert expand_layer_patterns(wrap_module(nets.make_small_net()), ["conv1", "x"], fail) == ["conv1", "x"]
