"""Trace rules of ONNX's convolutions and poolings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace import resampling_rules, rules
from netdissect.networks.trace.block_rules import fold_windows
from netdissect.networks.trace.convolution_rules import WindowSpec, convolve
from netdissect.networks.trace.resampling import Resampling
from netdissect.networks.trace.tensor_trace import make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.trace.onnx_nodes import OnnxCall
    from netdissect.networks.trace.tensor_trace import TensorTrace


def make_convolution_rule(weight: int) -> Callable[[OnnxCall], TensorTrace]:
    """Return the rule of a convolution, given the position of its weights among the inputs."""

    def rule(call: OnnxCall) -> TensorTrace:
        kernel = _read_kernel(call, weight)
        return _slide(call, kernel, weight=call.trace(weight), groups=call.attributes.get("group", 1))

    return rule


def trace_transposed_convolution(call: OnnxCall) -> TensorTrace:
    """Return the trace of a transposed convolution."""
    return _slide(
        call, _read_kernel(call, 1), weight=call.trace(1), groups=call.attributes.get("group", 1), transposed=True
    )


def trace_deform_conv(call: OnnxCall) -> TensorTrace:
    """Return the trace of a deformable convolution, whose windows reach further than they are large."""
    return replace(_slide(call, _read_kernel(call, 1)), is_global=True)


def trace_pool(call: OnnxCall) -> TensorTrace:
    """Return the trace of a pooling."""
    kernel = call.attributes.get("kernel_shape") or ()
    return make_unknown_trace(call.shape) if call.index else _slide(call, kernel, groups=call.shape[1])


def trace_max_unpool(call: OnnxCall) -> TensorTrace:
    """Return the trace after values went back to where a maximum pooling took them from."""
    return replace(
        resampling_rules.resample_grid(call.first, call.shape, Resampling(1, "asymmetric", "floor")), is_global=True
    )


def trace_grid_sample(call: OnnxCall) -> TensorTrace:
    """Return the trace of samples at given positions."""
    trace = call.trace(0)
    return make_unknown_trace(call.shape) if trace is None else resampling_rules.sample_grid(trace, call.shape)


def trace_col2im(call: OnnxCall) -> TensorTrace:
    """Return the trace of windows that are added up to a grid."""
    kernel, (y, x) = call.numbers(2) or [], call.attributes.get("strides") or (1, 1)
    pads, (dy, dx) = call.attributes.get("pads") or [0] * 4, call.attributes.get("dilations") or (1, 1)
    if len(kernel) != 2 or pads[:2] != pads[2:]:
        return make_unknown_trace(call.shape)
    return fold_windows(
        call.first, call.shape, (kernel[0], kernel[1]), stride=(y, x), padding=(pads[0], pads[1]), dilation=(dy, dx)
    )


def trace_global_pool(call: OnnxCall) -> TensorTrace:
    """Return the trace of a global pooling."""
    return rules.reduce_dims(call.first, set(range(2, len(call.first.dims))), keep=True, shape=call.shape)


def _read_kernel(call: OnnxCall, weight: int) -> Sequence[int]:
    """Return the window's cells, which follow from the weights if they are not given."""
    shape = call.shape_of(weight)
    return call.attributes.get("kernel_shape") or (shape[2:] if shape is not None else ())


def _slide(
    call: OnnxCall, kernel: Sequence[int], *,
    weight: TensorTrace | None = None,
    groups: int = 1,
    transposed: bool = False,
) -> TensorTrace:  # fmt: skip
    trace, rank = call.trace(0), len(kernel)
    if trace is None or not len(call.shape) == len(trace.dims) == rank + 2:
        return make_unknown_trace(call.shape)
    stride = call.attributes.get("strides") or [1] * rank
    dilation = call.attributes.get("dilations") or [1] * rank
    pads = call.attributes.get("pads") or [0] * 2 * rank
    automatic = call.attributes.get("auto_pad", "NOTSET")
    if automatic == "VALID":
        pads = [0] * 2 * rank
    elif automatic.startswith("SAME") or (transposed and call.attributes.get("output_shape")):
        sides = [
            _compute_auto_pads(automatic, trace.shape[axis + 2], call.shape[axis + 2], stride[axis],
                               dilation[axis] * (kernel[axis] - 1) + 1, transposed=transposed)
            for axis in range(rank)
        ]  # fmt: skip
        pads = [before for before, _ in sides] + [after for _, after in sides]
    window = WindowSpec(kernel, stride, pads[:rank], pads[rank:], dilation, transposed, groups)
    return convolve(trace, weight, call.shape, window)


def _compute_auto_pads(rule: str, size: int, out: int, stride: int, reach: int, *, transposed: bool) -> tuple[int, int]:
    """Return the cells that ONNX's ``auto_pad`` adds before and after an axis."""
    if transposed:
        total = stride * (size - 1) + reach - out
        less_before = rule == "SAME_UPPER"
    else:
        total = max((out - 1) * stride + reach - size, 0)
        less_before = rule != "SAME_LOWER"
    half = total // 2
    return (half, total - half) if less_before else (total - half, half)
