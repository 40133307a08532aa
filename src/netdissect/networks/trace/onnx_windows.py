"""Trace rules of ONNX's convolutions and poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.networks.trace import rules
from netdissect.networks.trace.tensor_trace import make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.trace.onnx_nodes import OnnxCall
    from netdissect.networks.trace.tensor_trace import TensorTrace


def make_convolution_rule(weight: int) -> Callable[[OnnxCall], TensorTrace]:
    """Return the rule of a convolution, given the position of its weights among the inputs."""

    def rule(call: OnnxCall) -> TensorTrace:
        shape = call.shape_of(weight)
        kernel = call.attributes.get("kernel_shape") or (shape[2:] if shape is not None else ())
        return make_unknown_trace(call.shape) if call.trace(weight) is not None else _slide(call, kernel)

    return rule


def trace_transposed_convolution(call: OnnxCall) -> TensorTrace:
    """Return the trace of a transposed convolution."""
    shape = call.shape_of(1)
    kernel = call.attributes.get("kernel_shape") or (shape[2:] if shape is not None else ())
    return _slide(call, kernel, transposed=True)


def trace_pool(call: OnnxCall) -> TensorTrace:
    """Return the trace of a pooling."""
    return (
        _slide(call, call.attributes.get("kernel_shape") or ()) if call.index == 0 else make_unknown_trace(call.shape)
    )


def trace_global_pool(call: OnnxCall) -> TensorTrace:
    """Return the trace of a global pooling."""
    return rules.reduce_dims(call.first, set(range(2, len(call.first.dims))), keep=True, shape=call.shape)


def _slide(call: OnnxCall, kernel: Sequence[int], *, transposed: bool = False) -> TensorTrace:
    trace = call.first
    if len(kernel) != 2 or len(call.shape) != 4 or len(trace.dims) != 4:
        return make_unknown_trace(call.shape)
    stride = call.attributes.get("strides") or [1, 1]
    dilation = call.attributes.get("dilations") or [1, 1]
    pads = call.attributes.get("pads") or [0, 0, 0, 0]
    automatic = call.attributes.get("auto_pad", "NOTSET")
    if automatic == "VALID":
        pads = [0, 0, 0, 0]
    elif automatic.startswith("SAME") or (transposed and call.attributes.get("output_shape")):
        sides = [
            _compute_auto_pads(automatic, trace.shape[axis + 2], call.shape[axis + 2], stride[axis],
                               dilation[axis] * (kernel[axis] - 1) + 1, transposed=transposed)
            for axis in (0, 1)
        ]  # fmt: skip
        pads = [before for before, _ in sides] + [after for _, after in sides]
    return rules.slide_window(
        trace, call.shape, (kernel[0], kernel[1]), stride=(stride[0], stride[1]), padding=(pads[0], pads[1]),
        padding_after=(pads[2], pads[3]), dilation=(dilation[0], dilation[1]), transposed=transposed,
    )  # fmt: skip


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
