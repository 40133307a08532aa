"""Trace rules of torch's convolutions, poolings, interpolations and borders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netdissect.networks.trace import block_rules, resampling_rules
from netdissect.networks.trace.border_rules import pad_border
from netdissect.networks.trace.convolution_rules import WindowSpec, convolve
from netdissect.networks.trace.resampling import Resampling
from netdissect.networks.trace.tensor_trace import TensorTrace, make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.trace.calls import TorchCall


def _to_numbers(value: Any, default: Sequence[int]) -> list[int]:
    """Return one number per dimension of the default; a single number stands for all."""
    if isinstance(value, int):
        return [value] * len(default)
    numbers = list(value or default)
    return numbers * len(default) if len(numbers) == 1 else numbers


def _to_pair(value: Any, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    first, second = _to_numbers(value, default)
    return first, second


def trace_convolution(call: TorchCall) -> TensorTrace:
    """Return the trace of a convolution of any number of dimensions."""
    x, weight, _, stride, padding, dilation, transposed = call.args[:7]
    trace = call.get_trace(x)
    if trace is None or isinstance(padding, str):
        return make_unknown_trace(call.shape)
    kernel = tuple(weight.shape[2:])
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    window = WindowSpec(
        kernel, _to_numbers(stride, ones), _to_numbers(padding, zeros), None, _to_numbers(dilation, ones), transposed,
        call.argument(8, "groups", 1),
    )  # fmt: skip
    return convolve(trace, call.get_trace(weight), call.shape, window)


def trace_deformable_convolution(call: TorchCall) -> TensorTrace:
    """Return the trace of torchvision's deformable convolution, whose windows reach further than they are large."""
    x, weight = call.args[:2]
    trace, (sy, sx, py, px, dy, dx) = call.get_trace(x), call.args[5:11]
    if trace is None:
        return make_unknown_trace(call.shape)
    window = WindowSpec(tuple(weight.shape[2:]), (sy, sx), (py, px), None, (dy, dx))
    return replace(convolve(trace, None, call.shape, window), is_global=True)


def trace_max_pool(call: TorchCall) -> TensorTrace:
    """Return the trace of a maximum pooling."""
    return _pool(call, dilation=4)


def trace_average_pool(call: TorchCall) -> TensorTrace:
    """Return the trace of an average pooling."""
    return _pool(call)


def _pool(call: TorchCall, dilation: int | None = None) -> TensorTrace:
    rank = len(call.shape) - 2
    ones, zeros = (1,) * rank, (0,) * rank
    if rank not in (2, 3):
        return make_unknown_trace(call.shape)
    kernel = _to_numbers(call.args[1], ones)
    apart = ones if dilation is None else _to_numbers(call.argument(dilation, "dilation"), ones)
    window = WindowSpec(
        kernel, _to_numbers(call.argument(2, "stride"), kernel), _to_numbers(call.argument(3, "padding"), zeros), None, apart,
        groups=call.shape[1],
    )  # fmt: skip
    return convolve(call.first, None, call.shape, window)


def trace_unpooling(call: TorchCall) -> TensorTrace:
    """Return the trace after values went back to where a maximum pooling took them from."""
    trace = resampling_rules.resample_grid(call.first, call.shape, Resampling(1, "asymmetric", "floor"))
    return replace(trace, is_global=True)


def trace_adaptive_pool(call: TorchCall) -> TensorTrace:
    """Return the trace of a pooling to a given number of cells."""
    return resampling_rules.pool_adaptively(call.first, call.shape)


def trace_sampling(call: TorchCall) -> TensorTrace:
    """Return the trace of samples at given positions."""
    trace = call.get_trace(call.args[0])
    return make_unknown_trace(call.shape) if trace is None else resampling_rules.sample_grid(trace, call.shape)


def trace_padding(call: TorchCall) -> TensorTrace:
    """Return the trace after padding, whatever it is filled with."""
    numbers, rank = list(call.args[1]), len(call.first.dims)
    widths = [(0, 0)] * rank
    for position in range(0, len(numbers), 2):
        widths[rank - 1 - position // 2] = (numbers[position], numbers[position + 1])
    return pad_border(call.first, widths, call.shape)


def trace_nearest(call: TorchCall) -> TensorTrace:
    """Return the trace of an interpolation by the nearest cell before."""
    return resampling_rules.resample_grid(
        call.first, call.shape, Resampling(1, "asymmetric", "floor"), _read_ratios(call, 2)
    )


def trace_nearest_exact(call: TorchCall) -> TensorTrace:
    """Return the trace of an interpolation by the nearest cell."""
    return resampling_rules.resample_grid(
        call.first, call.shape, Resampling(1, "half_pixel", "round_prefer_ceil"), _read_ratios(call, 2)
    )


def make_interpolation_rule(reach: int) -> Callable[[TorchCall], TensorTrace]:
    """Return the rule of an interpolation between as many cells per axis."""

    def rule(call: TorchCall) -> TensorTrace:
        kernel = Resampling(reach, "align_corners" if call.argument(2, "align_corners") else "half_pixel")
        return resampling_rules.resample_grid(call.first, call.shape, kernel, _read_ratios(call, 3))

    return rule


def _read_ratios(call: TorchCall, position: int) -> tuple[float | None, float | None]:
    """Return the input cells per output cell along y and x that an interpolation was given as scale factors."""
    factors = call.argument(position, "scale_factors")
    if not isinstance(factors, (list, tuple)):
        factors = (call.argument(position, "scales_h"), call.argument(position + 1, "scales_w"))
    y, x = (1 / factor if factor else None for factor in factors)
    return y, x


def trace_shuffle(call: TorchCall) -> TensorTrace:
    """Return the trace of a pixel shuffle."""
    return block_rules.shuffle_pixels(call.first, (call.args[1],) * 2, call.shape)


def trace_unshuffle(call: TorchCall) -> TensorTrace:
    """Return the trace of a pixel unshuffle."""
    return block_rules.gather_pixels(call.first, (call.args[1],) * 2, call.shape)


def trace_unfolding(call: TorchCall) -> TensorTrace:
    """Return the trace of windows whose cells become channels."""
    kernel, dilation, padding, stride = map(_to_pair, call.args[1:5])
    return block_rules.unfold_windows(call.first, call.shape, kernel, stride=stride, padding=padding, dilation=dilation)


def trace_folding(call: TorchCall) -> TensorTrace:
    """Return the trace of windows that are added up to a grid."""
    kernel, dilation, padding, stride = map(_to_pair, call.args[2:6])
    return block_rules.fold_windows(call.first, call.shape, kernel, stride=stride, padding=padding, dilation=dilation)


def trace_axis_unfolding(call: TorchCall) -> TensorTrace:
    """Return the trace of windows along one dimension."""
    _, axis, size, step = call.args
    return block_rules.unfold_axis(call.first, axis % len(call.first.dims), size, step, call.shape)
