"""Packed weights: the bits of convolutions, the values of linear layers, who is packed, and what falls back."""

from __future__ import annotations

import itertools
import platform
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests import nets
from torch import nn

from netdissect.config import Settings
from netdissect.errors import SettingsError
from netdissect.networks import packed_linear, packed_weights
from netdissect.networks.execution import Execution
from netdissect.networks.load import wrap_module
from netdissect.networks.packed_linear import LinearCall, LinearRecorder, PackedLinear, measure_speedup
from netdissect.networks.packed_weights import PackedConvolution
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.caffe import caffe_network
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
from netdissect.networks.sources.caffe.random_weights import make_random_weights
from netdissect.networks.torch_network import TorchNetwork

CPU = torch.device("cpu")
needs_packing = pytest.mark.skipif(
    bool(packed_weights.find_obstacle(Execution(), CPU)), reason="this torch or processor packs no weights"
)


def images(count, side=16):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def compute(module, layer, count=5, linear="torch"):
    """Return a layer's activations and how its linear layers ran."""
    network = module if isinstance(module, TorchNetwork) else wrap_module(module, Preprocess())
    source = network.probe([layer], (16, 16), geometry="grid", device=CPU, execution=Execution(linear=linear))
    with source:
        return source.activations(images(count))[layer].clone(), source.execution.linear


@needs_packing
@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("groups", [1, 8])
def test_packed_convolutions_give_the_bits_of_torchs(kernel, groups):
    torch.manual_seed(0)
    plain = nn.Conv2d(16, 24, kernel, 2 if kernel == 7 else 1, kernel // 2, groups=groups)
    plain.to(memory_format=torch.channels_last)
    packed = nn.Sequential(nn.Conv2d(16, 24, kernel, plain.stride, kernel // 2, groups=groups)).to(
        memory_format=torch.channels_last
    )
    packed[0].load_state_dict(plain.state_dict())
    packed_weights.pack_convolutions(packed, Execution())
    assert type(packed[0]) is packed_weights.PackedConv2d
    for count, side in itertools.product((8, 1, 3, 17), (7, 32)):
        x = torch.randn(count, 16, side, side).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            one, other = plain(x), packed(x)
        assert torch.equal(one, other)
        assert one.stride() == other.stride()
    assert packed[0]._convolve._packed is not None


@needs_packing
def test_a_weight_that_changes_is_packed_again():
    module = nn.Sequential(nn.Conv2d(4, 8, 3)).to(memory_format=torch.channels_last)
    packed_weights.pack_convolutions(module, Execution())
    x, rows = torch.randn(4, 4, 9, 9).to(memory_format=torch.channels_last), torch.randn(64, 8)
    weight, mode = nn.Parameter(torch.randn(8, 8)), PackedLinear()
    with torch.no_grad():
        for _ in range(2):
            expected = nn.functional.conv2d(x, module[0].weight, module[0].bias)
            assert torch.equal(module(x), expected)
            with mode:
                found = nn.functional.linear(rows, weight)
            torch.testing.assert_close(found, rows @ weight.T)
            module[0].weight.mul_(2)
            weight.mul_(-3)
        module[0].weight = nn.Parameter(module[0].weight.clone() + 1)
        assert torch.equal(module(x), nn.functional.conv2d(x, module[0].weight, module[0].bias))


@needs_packing
def test_the_networks_own_convolutions_stay_convolutions():
    module = nets.make_small_net()
    network = wrap_module(module, Preprocess())
    source = network.probe(["conv2"], (16, 16), geometry="grid", device=CPU)
    with source:
        source.activations(images(4))
        assert {type(part).__name__ for part in module.modules()} == {
            "Sequential", "Conv2d", "ReLU", "AdaptiveAvgPool2d", "Flatten", "Linear",
        }  # fmt: skip


@needs_packing
@pytest.mark.parametrize("layer", ["mlp", "mlp.0", "mlp:in", "attention", "attention.out_proj:in"])
def test_packed_linear_layers_give_torchs_values_in_every_hook(layer):
    plain, linear = compute(nets.TokenNet(), layer)
    assert linear == "torch"
    packed, linear = compute(nets.TokenNet(), layer, linear="packed")
    assert linear == "packed"
    torch.testing.assert_close(packed, plain, rtol=1e-4, atol=1e-5)


@needs_packing
def test_every_linear_layer_with_enough_rows_runs_packed_whoever_calls_it(monkeypatch):
    module, x, weights = nets.TokenNet().eval(), torch.randn(5, 3, 16, 16), []
    pack = packed_linear.pack_linear
    monkeypatch.setattr(
        packed_linear, "pack_linear", lambda weight: weights.append(tuple(weight.shape)) or pack(weight)
    )
    with torch.inference_mode():
        plain, mode = module(x), PackedLinear()
        for _ in range(2):
            with mode:
                packed = module(x)
    torch.testing.assert_close(packed, plain, rtol=1e-4, atol=1e-5)
    # The projections of attention, the two of the mlp and the functional one; the head has five rows.
    assert weights == [(96, 32), (32, 32), (64, 32), (32, 64), (32, 32)]


def test_products_are_counted_up_to_the_last_probed_layer():
    network = wrap_module(nets.TokenNet(), Preprocess())

    def count(layer):
        source = network.probe([layer], (16, 16), geometry="grid", device=CPU)
        return network.count_linear_calls(source._probed, (16, 16))

    assert count("patches") == {}
    assert count("attention") == {LinearCall(32, 32, 96): 1, LinearCall(32, 32, 32): 1}
    assert count("mlp") == count("attention") | {LinearCall(32, 32, 64): 1, LinearCall(32, 64, 32): 1}


def test_a_network_whose_linear_layers_come_later_is_not_measured(monkeypatch):
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda _: pytest.fail("measured"))
    assert compute(nets.TokenNet(), "patches", linear="auto")[1] == "torch"
    assert compute(nets.make_small_net(), "conv2", linear="auto")[1] == "torch"


@needs_packing
@pytest.mark.parametrize(("speedup", "linear"), [(2.0, "packed"), (1.06, "packed"), (1.04, "torch"), (0.5, "torch")])
def test_packed_is_chosen_where_it_is_quicker(monkeypatch, speedup, linear):
    measured = []
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda calls: measured.append(dict(calls)) or speedup)
    assert compute(nets.TokenNet(), "mlp", linear="auto")[1] == linear
    assert len(measured[0]) == 4


@needs_packing
def test_the_least_times_of_the_largest_products_are_compared(monkeypatch):
    monkeypatch.setattr(packed_linear, "MIN_WORK", 0)
    seconds = iter([9, 5, 3, 4, 3, 2, 8, 8, 30, 10, 30, 10, 30, 10, 30, 10])
    ticks = itertools.chain.from_iterable((100.0 * i, 100.0 * i + s) for i, s in enumerate(seconds))
    calls = {LinearCall(64, 8, 8): 4, LinearCall(64, 32, 32): 1, LinearCall(64, 4, 4): 9}
    # The product of 32 x 32 has the most work: least 30 and 10, once. Then that of 8 x 8: 3 and 2, four times.
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert measure_speedup(calls, lambda: next(ticks)) == (3 * 4 + 30) / (2 * 4 + 10)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@needs_packing
def test_little_work_is_not_measured():
    calls = {LinearCall(64, 64, 64): 63}
    assert measure_speedup(calls, lambda: pytest.fail("measured")) == 1.0


def break_platform(patch):
    patch.setattr(platform, "machine", lambda: "aarch64")


def switch_off(patch):
    patch.setattr(torch._C, "_get_mkldnn_enabled", lambda: False)


def build_without(patch):
    patch.setattr(torch.backends.mkldnn, "is_available", lambda: False)


def remove_operators(patch):
    patch.setattr(torch.ops, "mkldnn", object())


def change_signature(patch):
    class Other:
        def __getattr__(self, name):
            return lambda: pytest.fail("a call without arguments")

    patch.setattr(torch.ops, "mkldnn", Other())


def change_values(patch):
    class Other:
        _reorder_convolution_weight = _reorder_linear_weight = staticmethod(lambda weight, *_: weight)
        _convolution_pointwise = staticmethod(lambda x, *_: x)
        _linear_pointwise = staticmethod(lambda x, *_: x)

    patch.setattr(torch.ops, "mkldnn", Other())


@pytest.mark.parametrize(
    ("pretend", "reason"),
    [
        (break_platform, "the processor is aarch64, not x86_64"),
        (switch_off, "torch's oneDNN is missing or switched off"),
        (build_without, "torch's oneDNN is missing or switched off"),
        (remove_operators, "has no operators for it"),
        (change_signature, "has no operators for it"),
        (change_values, "has no operators for it"),
    ],
)
def test_where_packing_is_not_to_be_had_torch_runs_alone_and_says_so_when_asked(pretend, reason, monkeypatch):
    expected = compute(nets.TokenNet(), "mlp")[0]
    monkeypatch.setattr(packed_linear, "measure_speedup", lambda _: pytest.fail("measured"))
    pretend(monkeypatch)
    found, linear = compute(nets.TokenNet(), "mlp", linear="auto")
    assert linear == "torch"
    assert torch.equal(found, expected)
    module = nets.make_small_net()
    packed_weights.pack_convolutions(module, Execution())
    assert type(module.conv1) is nn.Conv2d
    with pytest.raises(SettingsError, match=rf"^--linear packed: .*{reason}\): leave --linear out$"):
        compute(nets.TokenNet(), "mlp", linear="packed")


@pytest.mark.parametrize(
    ("execution", "device", "reason"),
    [
        (Execution("bf16", linear="packed"), CPU, "the network runs with --precision bf16"),
        (Execution(compile=True, linear="packed"), CPU, "the network runs with --compile"),
        (Execution(linear="packed"), torch.device("cuda"), "the network runs on cuda"),
        (Execution(linear="packed"), CPU, "up to the last probed layer, none runs in fp32 on 32 rows or more"),
    ],
)
@needs_packing
def test_packing_that_cannot_apply_is_refused(execution, device, reason):
    with pytest.raises(SettingsError, match=rf"^--linear packed: linear layers cannot be packed here \({reason}\)"):
        packed_linear.choose_linear(execution, device, dict)
    auto = Execution(execution.precision, execution.compile, "auto")
    assert packed_linear.choose_linear(auto, device, dict) == "torch"


def test_half_precision_and_gradients_run_as_torch_runs_them():
    recorder, weight = LinearRecorder(), nn.Parameter(torch.randn(8, 8))
    with recorder, torch.no_grad():
        nn.functional.linear(torch.zeros(64, 8, dtype=torch.float64), weight.double())
        nn.functional.linear(torch.zeros(31, 8), weight)
        nn.functional.linear(torch.zeros(64, 8), weight * 2)
    with recorder:
        nn.functional.linear(torch.zeros(64, 8), weight).sum().backward()
    assert not recorder.calls
    assert weight.grad is not None


def test_a_network_that_runs_as_its_file_says_runs_torchs():
    @dataclass(frozen=True, eq=False, repr=False)
    class FixedNetwork(TorchNetwork):
        takes_execution = False

    fixed = FixedNetwork(nets.TokenNet(), preprocess=Preprocess(), name="fixed", source="fixed")
    assert compute(fixed, "mlp", linear="auto")[1] == "torch"
    with pytest.raises(SettingsError, match="--linear packed: fixed always runs as its file says"):
        compute(fixed, "mlp", linear="packed")


def test_the_choice_is_part_of_the_method_only_where_it_is_packed():
    plain = Settings().as_method_dict()
    assert "linear" not in plain
    assert Settings(linear="torch").as_method_dict() == plain
    assert Settings(linear="packed").as_method_dict() == plain | {"linear": "packed"}
    with pytest.raises(SettingsError, match="--linear must be auto or torch or packed, not 'mkl'"):
        Settings(linear="mkl")


@needs_packing
def test_caffes_convolutions_give_the_same_bits_packed(monkeypatch):
    spec = make_net_spec("small", {"data": (1, 3, 16, 16)}, [
        make_caffe_layer("conv1", "Convolution", "data", convolution_param={"num_output": 8, "kernel_size": 3}),
        make_caffe_layer("relu", "ReLU", "conv1", "conv1"),
        make_caffe_layer("conv2", "Convolution", "conv1", convolution_param={"num_output": 6, "kernel_size": 3, "stride": 2}),
    ])  # fmt: skip
    network = wrap_module(CaffeNet(spec, make_random_weights(spec, 0)), Preprocess())
    calls, run = [], PackedConvolution.__call__
    monkeypatch.setattr(PackedConvolution, "__call__", lambda self, *given: calls.append(self) or run(self, *given))

    def compute_twice():
        source = network.probe(["conv2"], (16, 16), geometry="grid", device=CPU)
        with source:
            return [source.activations(images(count))["conv2"].clone() for count in (5, 3)]

    packed = compute_twice()
    assert calls == [calls[0], *calls[-2:], *calls[-2:]]  # on trial, then two convolutions in two batches
    assert all(one._packed is not None for one in calls)
    monkeypatch.setattr(caffe_network, "find_obstacle", lambda *_: "pretended")
    assert all(torch.equal(*pair) for pair in zip(packed, compute_twice(), strict=True))
    assert len(calls) == 5
    assert not any("convolve" in vars(part) for part in network.module.modules())
