"""bfloat16 and compiled networks: what changes, what stays, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from netdissect.config import Settings
from netdissect.errors import SettingsError
from netdissect.networks.execution import Execution
from netdissect.networks.load import wrap_module
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.torch_network import TorchNetwork
from netdissect.networks.units.projected_network import attach_projections

#: torch's compiler still uses what torch calls outdated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 2, 1)
    )


def activations(given, images, layers=("1", "3"), **execution):
    source = given.probe(
        layers, (16, 16), geometry="grid", device=torch.device("cpu"), execution=Execution(**execution)
    )
    with source:
        return [{name: out.clone() for name, out in source.activations(batch).items()} for batch in images]


def batches(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size=(n, 16, 16, 3), dtype=np.uint8) for n in sizes]


def test_both_decide_what_is_found_and_are_part_of_the_hash():
    plain = Settings().as_method_dict()
    assert plain["precision"] == "fp32"
    assert not plain["compile"]
    assert Settings(precision="bf16").as_method_dict() != plain
    assert Settings(compile=True).as_method_dict() != plain
    with pytest.raises(SettingsError, match="--precision must be fp32 or bf16, not 'fp16'"):
        Settings(precision="fp16")


def test_bf16_is_near_not_the_same_and_handed_over_in_fp32():
    given = wrap_module(network())
    one = activations(given, batches(5))[0]
    other = activations(given, batches(5), precision="bf16")[0]
    for name in one:
        assert other[name].dtype == torch.float32
        assert not torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], other[name], rtol=0.05, atol=0.05)
    assert torch.equal(activations(given, batches(5))[0]["3"], one["3"])  # the network is as it was


def test_a_compiled_network_gives_the_same_for_whole_and_for_smaller_batches(monkeypatch):
    # Traced as ever, but not made into C++, which takes a minute; benchmarks/precision.py does that too.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    given = wrap_module(network())
    plain = activations(given, batches(4, 4, 3))
    quick = activations(given, batches(4, 4, 3), compile=True)
    for one, other in zip(plain, quick, strict=True):
        for name in one:
            assert one[name].shape == other[name].shape
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)


def test_where_no_compiler_is_at_hand_it_is_said(monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    torch._dynamo.reset()
    with pytest.raises(SettingsError, match=r"--compile: torch cannot compile this network here .* C\+\+ compiler"):
        activations(wrap_module(network().append(nn.Sigmoid())), batches(2), layers=("5",), compile=True)


def test_a_projected_network_is_run_as_the_network_below_it():
    given = wrap_module(network())
    projected, names = attach_projections(given, ["1"], nn.Linear(8, 3))
    assert names == ["1+Linear"]
    half, full = (
        activations(projected, batches(3), names, precision=precision)[0]["1+Linear"] for precision in ("bf16", "fp32")
    )
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("option", "execution"), [("--precision bf16", {"precision": "bf16"}), ("--compile", {"compile": True})]
)
def test_a_network_that_runs_as_its_file_says_refuses_another_execution(option, execution):
    @dataclass(frozen=True, eq=False, repr=False)
    class FixedNetwork(TorchNetwork):
        takes_execution = False

    fixed = FixedNetwork(network(), preprocess=Preprocess(), name="fixed", source="fixed")
    with pytest.raises(SettingsError, match=rf"{option}: fixed always runs as its file says \(FixedNetwork\)"):
        activations(fixed, batches(1), **execution)
    assert activations(fixed, batches(1))
