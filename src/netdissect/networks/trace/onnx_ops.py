"""The trace rule of each of ONNX's operators.

Traces are derived from the nodes alone. Shapes, and numbers that the graph computes itself (axes of a reduction, ends of
a slice), come from one run on a blank input.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.networks.trace import matrix_rules, rules, slice_rules
from netdissect.networks.trace.calls import (
    trace_expansion,
    trace_normalization,
    trace_pointwise,
    trace_unknown,
    trace_view,
)
from netdissect.networks.trace.grid_centers import remember_centers
from netdissect.networks.trace.onnx_nodes import CONTROL_INPUTS, OnnxCall, SliceSpec, read_attribute
from netdissect.networks.trace.onnx_windows import (
    make_convolution_rule,
    trace_global_pool,
    trace_pool,
    trace_transposed_convolution,
)
from netdissect.networks.trace.resampling import Resampling
from netdissect.networks.trace.tensor_trace import TensorTrace, collect_meanings, make_unknown_trace, regroup_dims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

from netdissect.networks.trace.onnx_nodes import GraphTensors


def trace_onnx_node(tensors: GraphTensors, node: Any) -> None:
    """Derive the traces of one node's outputs from those of its inputs."""
    if not any(name in tensors.traces for name in node.input if name) or node.op_type in ("Shape", "Size"):
        return
    attributes = {entry.name: read_attribute(entry) for entry in node.attribute}
    for index, name in enumerate(node.output):
        if name in tensors.shapes:
            call = OnnxCall(tensors, node, attributes, index)
            trace = RULES.get(node.op_type, trace_unknown)(call)
            tensors.traces[name] = remember_centers(trace, [source for source, _ in call.parts])


def _trace_reduction(call: OnnxCall) -> TensorTrace:
    rank = len(call.first.dims)
    keep = bool(call.attributes.get("keepdims", 1))
    if call.node.op_type.startswith("Arg"):
        axes: list[int] | None = [call.attributes.get("axis", 0)]
    else:
        axes = call.numbers(1, "axes")
    if not axes:
        if call.attributes.get("noop_with_empty_axes"):
            return trace_pointwise(call)
        if len(call.node.input) > 1 and call.node.input[1] and axes is None:
            return make_unknown_trace(call.shape)
        axes = list(range(rank))
    return rules.reduce_dims(call.first, {axis % rank for axis in axes}, keep=keep, shape=call.shape)


def _trace_concatenation(call: OnnxCall) -> TensorTrace:
    axis = call.attributes.get("axis", 1) % len(call.shape)
    names = [name for name in call.node.input if math.prod(call.tensors.shapes.get(name, (1,)))]
    roll = _find_roll(call, names, axis)
    if roll is not None:
        return roll
    parts = []
    for name in names:
        shape = call.tensors.shapes.get(name)
        if shape is None:
            return make_unknown_trace(call.shape)
        parts.append((call.tensors.traces.get(name), shape))
    return slice_rules.concatenate_traces(parts, axis, call.shape)


def _find_roll(call: OnnxCall, names: Sequence[str], axis: int) -> TensorTrace | None:
    """Return the trace of a roll: a tensor's end concatenated with its beginning. None for anything else."""
    if len(names) != 2:
        return None
    end, begin = (call.tensors.slices.get(name) for name in names)
    if end is None or begin is None:
        return None
    whole = call.tensors.shapes[end.source][axis] if end.axis == axis else -1
    if (begin.source, begin.axis) != (end.source, axis) or begin.start or begin.length != end.start:
        return None
    if end.start + end.length != whole:
        return None
    return rules.roll_grid(call.tensors.traces[end.source], {axis: end.length})


def _trace_transposition(call: OnnxCall) -> TensorTrace:
    rank = len(call.first.dims)
    return rules.permute_dims(call.first, call.attributes.get("perm") or list(range(rank))[::-1])


def _trace_unsqueeze(call: OnnxCall) -> TensorTrace:
    axes = call.numbers(1, "axes")
    trace = call.first
    if axes is None:
        return regroup_dims(trace, call.shape)
    for axis in sorted(axis % len(call.shape) for axis in axes):
        trace = rules.insert_dim(trace, axis)
    return trace


def _trace_tile(call: OnnxCall) -> TensorTrace:
    trace, times = call.first, call.numbers(1)
    if times is None or any(many > 1 and size > 1 for many, size in zip(times, trace.shape, strict=False)):
        return make_unknown_trace(call.shape)
    return rules.expand_dims(trace, call.shape)


def _trace_slice(call: OnnxCall) -> TensorTrace:
    trace = call.first
    starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
    if starts is None or ends is None:
        return make_unknown_trace(call.shape)
    axes = call.numbers(3, "axes") or list(range(len(starts)))
    steps = call.numbers(4, "steps") or [1] * len(starts)
    moved = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        position = axis % len(trace.dims)
        length = trace.shape[position]
        begin, stop, _ = slice(start, end, step).indices(length)
        taken = len(range(begin, stop, step))
        if step < 0 and not collect_meanings(trace.dims[position]) <= {"c", "?"}:
            return make_unknown_trace(call.shape)
        if taken != length:
            moved.append(SliceSpec(call.node.input[0], position, begin, taken))
        shape = (*trace.shape[:position], taken, *trace.shape[position + 1 :])
        trace = slice_rules.take_slice(trace, position, begin, abs(step), shape)
    if len(moved) == 1 and all(step == 1 for step in steps):
        call.tensors.slices[call.output] = moved[0]
    return trace


def _trace_split(call: OnnxCall) -> TensorTrace:
    axis = call.attributes.get("axis", 0) % len(call.first.dims)
    names = call.node.output[: call.index]
    start = sum(call.tensors.shapes[name][axis] for name in names if name in call.tensors.shapes)
    return (
        slice_rules.take_slice(call.first, axis, start, 1, call.shape) if all(names) else make_unknown_trace(call.shape)
    )


def _trace_gather(call: OnnxCall) -> TensorTrace:
    trace, indices = call.trace(0), call.tensors.values.get(call.node.input[1])
    if trace is None or call.trace(1) is not None:
        return make_unknown_trace(call.shape)
    axis = call.attributes.get("axis", 0) % len(trace.dims)
    if indices is None:
        return make_unknown_trace(call.shape)
    if indices.ndim == 0:
        return slice_rules.select_index(trace, axis, call.shape)
    if np.array_equal(indices.reshape(-1), np.arange(trace.shape[axis])):
        return regroup_dims(trace, call.shape)  # all of it, in order
    if indices.ndim != 1:
        return make_unknown_trace(call.shape)
    if collect_meanings(trace.dims[axis]) <= {"c"}:
        return rules.resize_dims(trace, call.shape, trace.path)
    numbers = [int(number) % trace.shape[axis] for number in indices]
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step < 1 or numbers != list(range(numbers[0], numbers[0] + step * len(numbers), step)):
        return make_unknown_trace(call.shape)
    return slice_rules.take_slice(trace, axis, numbers[0], step, call.shape)


def _trace_padding(call: OnnxCall) -> TensorTrace:
    rank = len(call.first.dims)
    numbers = call.numbers(1, "pads" if "pads" in call.attributes else "paddings")
    axes = call.numbers(3) if len(call.node.input) > 3 and call.node.input[3] else list(range(rank))
    if numbers is None or axes is None:
        return make_unknown_trace(call.shape)
    widths = [(0, 0)] * rank
    for position, axis in enumerate(axes):
        widths[axis % rank] = (numbers[position], numbers[position + len(axes)])
    return rules.pad_border(call.first, widths, call.shape)


def _trace_resize(call: OnnxCall) -> TensorTrace:
    is_resize = call.node.op_type == "Resize"
    mode = call.attributes.get("coordinate_transformation_mode", "half_pixel" if is_resize else "asymmetric")
    if mode.startswith("tf_"):
        return rules.keep_shape(call.parts, call.shape)
    coordinates = mode if mode in ("align_corners", "asymmetric") else "half_pixel"
    kind = call.attributes.get("mode", "nearest")
    reach = {"nearest": 1, "linear": 2, "cubic": 4}.get(kind, 4)
    rounding = call.attributes.get("nearest_mode", "round_prefer_floor" if is_resize else "floor")
    scales = call.values(2 if is_resize else 1)
    ratios = (1 / scales[2], 1 / scales[3]) if scales is not None and len(scales) == 4 else (None, None)
    kernel = Resampling(reach, coordinates, rounding if kind == "nearest" else "")
    return rules.resample_grid(call.first, call.shape, kernel, ratios)


def _trace_space_to_depth(call: OnnxCall) -> TensorTrace:
    block, trace = call.attributes["blocksize"], call.first
    if len(trace.dims) != 4:
        return make_unknown_trace(call.shape)
    n, c, h, w = trace.shape
    cut = regroup_dims(trace, (n, c, h // block, block, w // block, block))
    return regroup_dims(rules.permute_dims(cut, (0, 3, 5, 1, 2, 4)), call.shape)


def _trace_depth_to_space(call: OnnxCall) -> TensorTrace:
    """Return the trace after channels became the cells of a block, each with the field of the cell it comes from."""
    trace = call.first
    kernel = Resampling(1, "asymmetric", "floor")
    return rules.resample_grid(trace, call.shape, kernel) if trace.is_image else make_unknown_trace(call.shape)


def _make_matrix_product_rule(right: int) -> Callable[[OnnxCall], TensorTrace]:
    return lambda call: matrix_rules.multiply_matrices(call.trace(0), call.trace(right), call.shape)


def _trace_linear(call: OnnxCall) -> TensorTrace:
    """Return the trace of ``alpha·A·B + beta·C``, where A or B may be transposed."""
    sides = []
    for position, attribute in ((0, "transA"), (1, "transB")):
        trace = call.trace(position)
        sides.append(
            rules.permute_dims(trace, (1, 0)) if trace is not None and call.attributes.get(attribute) else trace
        )
    left, right = sides
    if left is None and right is None:
        return trace_unknown(call)
    return matrix_rules.multiply_matrices(left, right, call.shape)


def _trace_softmax(call: OnnxCall) -> TensorTrace:
    """Return the trace of a softmax along one dimension; before opset 13, along that one and all after it."""
    axis = call.attributes.get("axis", -1 if call.tensors.opset >= 13 else 1) % len(call.shape)
    if call.tensors.opset < 13 and math.prod(call.shape[axis + 1 :]) > 1:
        return replace(call.first, is_global=True)
    return rules.normalize_along(call.first, axis, call.shape)


def _trace_attention(call: OnnxCall) -> TensorTrace:
    query, value = call.trace(0), call.trace(2)
    if query is None or value is None or len(value.dims) != len(call.shape):
        return trace_unknown(call)
    return matrix_rules.apply_attention(query, value, call.shape) if call.index == 0 else make_unknown_trace(call.shape)


_NAMES: Mapping[Callable[[OnnxCall], TensorTrace], str] = {
    trace_pointwise: "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor "
    "Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear Div Dropout Elu Equal Erf Exp Floor Gelu Greater "
    "GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LRN LeakyRelu Less LessOrEqual Log Max Mean Min Mish "
    "Mod Mul Neg Not Or PRelu Pow QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus "
    "Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor "
    "BiasGelu FastGelu QuickGelu QLinearAdd QLinearMul QLinearSigmoid QLinearLeakyRelu",
    trace_normalization: "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization "
    "SimplifiedLayerNormalization SkipLayerNormalization MeanVarianceNormalization LpNormalization "
    "DynamicQuantizeLinear",
    make_convolution_rule(1): "Conv ConvInteger FusedConv",
    make_convolution_rule(3): "QLinearConv",
    trace_transposed_convolution: "ConvTranspose",
    trace_pool: "MaxPool AveragePool LpPool",
    trace_global_pool: "GlobalAveragePool GlobalMaxPool GlobalLpPool QLinearGlobalAveragePool",
    _trace_reduction: " ".join(name for name in CONTROL_INPUTS if name.startswith("Reduce")) + " ArgMax ArgMin",
    _trace_concatenation: "Concat",
    _trace_transposition: "Transpose",
    trace_view: "Reshape Flatten Squeeze",
    _trace_unsqueeze: "Unsqueeze",
    trace_expansion: "Expand",
    _trace_tile: "Tile",
    _trace_slice: "Slice",
    _trace_split: "Split",
    _trace_gather: "Gather",
    _trace_padding: "Pad",
    _trace_resize: "Resize Upsample",
    _trace_space_to_depth: "SpaceToDepth",
    _trace_depth_to_space: "DepthToSpace",
    _make_matrix_product_rule(1): "MatMul MatMulInteger",
    _make_matrix_product_rule(3): "QLinearMatMul",
    _trace_linear: "Gemm",
    _trace_softmax: "Softmax LogSoftmax Hardmax",
    _trace_attention: "Attention MultiHeadAttention",
}

#: Rules by the operator's name; any other operator may mix positions.
RULES: Mapping[str, Callable[[OnnxCall], TensorTrace]] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
