"""Names of a module's outputs: every name leads back to exactly the tensor it names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netdissect.layers import check_file_stems
from netdissect.networks.layer_names import LayerSelector, name_outputs, parse_layer_name

MODULES = {"", "net", "net.body", "net.a", "net.0"}


class Pair(NamedTuple):
    left: object
    right: object


class Color(Enum):
    RED = 1


class Word(StrEnum):
    ONE = "one"


@dataclass
class Outcome:
    first: object
    second: object


KEYS = [
    "0", 0, 1, "1", "a", "a.b", "a.b.c", "b", "c", "x y", "[0]", "a[0]", Color.RED, Word.ONE, (1, 2), "", ".", "a.", "-1", -1,
    True, None, 1.5, "é", "$x", '"q"', "feat-a", "body", "body.x", "x:in", "a/b", "a\nb",
]  # fmt: skip
LEAVES = st.builds(torch.zeros, st.just(1))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        st.lists(inner, max_size=3),
        st.builds(Pair, inner, inner),
        st.builds(Outcome, inner, inner),
    ),
    max_leaves=12,
)


def list_tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Outcome):
        value = [value.first, value.second]
    return [tensor for part in (value.values() if isinstance(value, dict) else value) for tensor in list_tensors(part)]


@given(VALUES, st.sampled_from(["net", "output"]))
def test_every_tensor_of_any_output_has_a_name_that_leads_back_to_it(value, name):
    found = name_outputs(name, value, MODULES)
    assert [id(tensor) for tensor in found.values()] == [id(tensor) for tensor in list_tensors(value)]
    for written, tensor in found.items():
        selector = parse_layer_name(written, MODULES)
        assert selector.module == ("" if name == "output" else "net")
        assert selector.pick(value) is tensor
        assert not set(written) & set(" \t\n\"'$`\\*?!#;&|<>(){}~,=+:/")  # for shells, tables and names of files
        check_file_stems([written])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (lambda t: {"0": t(), "1": t(), "pool": t()}, ["net", "net.1", "net.pool"]),
        (lambda t: {"out": t(), "feat-a": t(), "layer4.1.relu": t()}, ["net", "net.feat-a", "net.layer4.1.relu"]),
        (lambda t: {2: t(), 3: t()}, ["net", "net.3"]),
        (lambda t: {"x": t(), 0: t(), "0": t()}, ["net", "net[1]", "net[2]"]),  # the module net.0 has this name
        (lambda t: {"x": t(), 7: t(), "7": t()}, ["net", "net.7", "net[2]"]),
        (lambda t: {"x": t(), "body": t()}, ["net", "net[1]"]),  # the module net.body has this name
        (lambda t: {"x": t(), "a b": t(), (1, 2): t(), Color.RED: t()}, ["net", "net[1]", "net[2]", "net[3]"]),
        (lambda t: {"x": t(), "y": {"z.w": t()}, "y.z": {"w": t()}}, ["net", "net.y.z.w", "net[2][0]"]),
        (lambda t: [t(), {"z": [t(), t()]}], ["net", "net[1].z[0]", "net[1].z[1]"]),
        (lambda t: Pair(t(), t()), ["net", "net[1]"]),
        (lambda t: Outcome(t(), t()), ["net", "net.second"]),
        (lambda t: (t(), None, "text", torch.zeros(1, dtype=torch.int64), t()), ["net", "net[4]"]),
    ],
)
def test_a_part_is_named_by_its_key_if_the_key_tells_it_apart_else_by_its_position(value, names):
    assert list(name_outputs("net", value(lambda: torch.zeros(1)), MODULES)) == names


def test_a_part_can_also_be_selected_by_position_field_or_attribute():
    a, b = torch.zeros(1), torch.ones(1)

    class Holder:
        tensors = None

    holder = Holder()
    holder.tensors = b
    assert LayerSelector("net", "[1]").pick({"x": a, "y": b}) is b
    assert LayerSelector("net", ".right").pick(Pair(a, b)) is b
    assert LayerSelector("net", ".tensors").pick(holder) is b
    assert LayerSelector("net", ".y[0]").pick({"x": a, "y": b}) is None
    assert LayerSelector("net", ".T").pick(a) is None


def test_a_nested_or_sparse_tensor_has_no_name():
    sparse = torch.ones(2, 2).to_sparse()
    assert list(name_outputs("net", [sparse, torch.zeros(1)], MODULES)) == ["net"]
    assert name_outputs("net", [sparse], MODULES) == {}


@pytest.mark.parametrize("name", ["netx.y", "net.a b", "net[x]", "net[1", "net[-1]", "net..a", "other", "other.x", ""])
def test_a_name_that_cannot_be_one_is_none(name):
    assert parse_layer_name(name, MODULES) is None
