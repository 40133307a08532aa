"""The trace rule of each of ONNX's operators.

Traces are derived from the nodes alone. Shapes, and numbers that the graph computes itself (axes of a reduction, ends of
a slice), come from one run on a blank input.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netdissect.networks.trace import frequency_rules, index_rules, matrix_rules, onnx_slices, resampling_rules, rules
from netdissect.networks.trace.calls import (
    trace_expansion,
    trace_normalization,
    trace_pointwise,
    trace_unknown,
    trace_view,
)
from netdissect.networks.trace.einsum_rules import multiply_by_equation
from netdissect.networks.trace.grid_centers import remember_centers
from netdissect.networks.trace.image_rules import keep_image
from netdissect.networks.trace.onnx_nodes import CONTROL_INPUTS, OnnxCall, read_attribute
from netdissect.networks.trace.onnx_windows import (
    make_convolution_rule,
    trace_col2im,
    trace_deform_conv,
    trace_global_pool,
    trace_grid_sample,
    trace_max_unpool,
    trace_pool,
    trace_transposed_convolution,
)
from netdissect.networks.trace.resampling import Resampling
from netdissect.networks.trace.tensor_trace import TensorTrace, make_channels, make_unknown_trace, regroup_dims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

from netdissect.networks.trace.onnx_nodes import GraphTensors


def trace_onnx_node(tensors: GraphTensors, node: Any) -> None:
    """Derive the traces of one node's outputs from those of its inputs."""
    if not any(name in tensors.traces for name in node.input if name) or node.op_type in ("Shape", "Size"):
        return
    attributes = {entry.name: read_attribute(entry) for entry in node.attribute}
    for index, name in enumerate(node.output):
        if name in tensors.shapes:
            call = OnnxCall(tensors, node, attributes, index)
            inputs = [source for source, _ in call.parts]
            trace = keep_image(RULES.get(node.op_type, trace_unknown)(call), inputs)
            tensors.traces[name] = remember_centers(trace, inputs)


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
    return resampling_rules.resample_grid(call.first, call.shape, kernel, ratios)


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


def _trace_recurrence(call: OnnxCall) -> TensorTrace:
    """Return the trace of a recurrent layer's outputs: (steps, directions, sequences, channels)."""
    trace = call.trace(0)
    if trace is None or call.index or call.attributes.get("layout"):
        return make_unknown_trace(call.shape)
    steps, directions, sequences, size = call.shape
    result = matrix_rules.apply_recurrence(trace, (steps, sequences, size))
    return replace(result, dims=(result.dims[0], make_channels(directions), *result.dims[1:]))


def _trace_fourier(call: OnnxCall) -> TensorTrace:
    """Return the trace of a Fourier transform; the last dimension holds real and imaginary parts."""
    axes = call.numbers(2) if len(call.node.input) > 2 else [call.attributes.get("axis", 1)]
    if axes is None:
        return make_unknown_trace(call.shape)
    inverse = bool(call.attributes.get("inverse", 0))
    trace = frequency_rules.transform_frequencies(
        call.first, [axis % len(call.shape) for axis in axes], call.shape, inverse=inverse
    )
    return replace(trace, dims=(*trace.dims[:-1], make_channels(call.shape[-1])))


def _trace_einsum(call: OnnxCall) -> TensorTrace:
    operands = [call.trace(position) for position in range(len(call.node.input))]
    return multiply_by_equation(call.attributes.get("equation", ""), operands, call.shape)


def _trace_accumulation(call: OnnxCall) -> TensorTrace:
    axis = call.numbers(1)
    return trace_unknown(call) if axis is None else index_rules.accumulate(call.first, axis[0], call.shape)


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


def _trace_as_unknown(call: OnnxCall) -> TensorTrace:
    return make_unknown_trace(call.shape)


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
    trace_deform_conv: "DeformConv",
    trace_max_unpool: "MaxUnpool",
    trace_grid_sample: "GridSample",
    trace_col2im: "Col2Im",
    trace_pool: "MaxPool AveragePool LpPool",
    trace_global_pool: "GlobalAveragePool GlobalMaxPool GlobalLpPool QLinearGlobalAveragePool",
    _trace_reduction: " ".join(name for name in CONTROL_INPUTS if name.startswith("Reduce")) + " ArgMax ArgMin",
    onnx_slices.trace_concat: "Concat",
    _trace_transposition: "Transpose",
    trace_view: "Reshape Flatten Squeeze",
    _trace_unsqueeze: "Unsqueeze",
    trace_expansion: "Expand",
    onnx_slices.trace_tile: "Tile",
    onnx_slices.trace_slices: "Slice",
    onnx_slices.trace_split_part: "Split",
    onnx_slices.trace_gather: "Gather",
    onnx_slices.trace_element_gathering: "GatherElements",
    onnx_slices.trace_pad: "Pad",
    _trace_resize: "Resize Upsample",
    onnx_slices.trace_space_to_depth: "SpaceToDepth",
    onnx_slices.trace_depth_to_space: "DepthToSpace",
    _make_matrix_product_rule(1): "MatMul MatMulInteger",
    _make_matrix_product_rule(3): "QLinearMatMul",
    _trace_linear: "Gemm",
    _trace_recurrence: "LSTM GRU RNN",
    _trace_fourier: "DFT",
    _trace_einsum: "Einsum",
    _trace_accumulation: "CumSum",
    onnx_slices.trace_scattering: "ScatterND",
    _trace_softmax: "Softmax LogSoftmax Hardmax",
    _trace_attention: "Attention MultiHeadAttention",
    _trace_as_unknown: "GatherND Scatter ScatterElements ReverseSequence TopK NonZero Compress Unique RoiAlign "
    "CenterCropPad",
}

#: Rules by the operator's name; any other operator may mix positions, but does not move them.
RULES: Mapping[str, Callable[[OnnxCall], TensorTrace]] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
