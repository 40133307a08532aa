"""The trace rule of each of torch's operators.

An operator that torch tags as pointwise joins its inputs. Any other operator that is not listed here may mix positions: its
field map is lost, and its dimensions keep their meaning only if it keeps the shape.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netdissect.networks.trace import matrix_rules, rules, slice_rules
from netdissect.networks.trace.calls import (
    TorchCall,
    trace_expansion,
    trace_normalization,
    trace_pointwise,
    trace_unknown,
    trace_view,
)
from netdissect.networks.trace.resampling import Resampling
from netdissect.networks.trace.tensor_trace import TensorTrace, make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def apply_torch_rule(operator: Any, call: TorchCall) -> TensorTrace:
    """Return the trace of an operator's output."""
    name = operator.overloadpacket.__name__
    rule = RULES.get(name) or RULES.get(name.removesuffix("_"))
    if rule is not None:
        return rule(call)
    if _is_pointwise(operator):
        return trace_pointwise(call)
    return trace_unknown(call)


def _is_pointwise(operator: Any) -> bool:
    """Return whether torch tags an operator, or the operator of which it is the in-place form, as pointwise."""
    if torch.Tag.pointwise in operator.tags:
        return True
    functional = getattr(torch.ops.aten, operator.overloadpacket.__name__.removesuffix("_"), None)
    return functional is not None and any(
        torch.Tag.pointwise in getattr(functional, name).tags for name in functional.overloads()
    )


def _to_pair(value: Any, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    numbers = list(value or default)
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _trace_convolution(call: TorchCall) -> TensorTrace:
    _, weight, _, stride, padding, dilation, transposed = call.args[:7]
    if weight.ndim != 4 or call.get_trace(weight) is not None or isinstance(padding, str):
        return make_unknown_trace(call.shape)
    return rules.slide_window(
        call.first, call.shape, (weight.shape[2], weight.shape[3]),
        stride=_to_pair(stride), padding=_to_pair(padding), dilation=_to_pair(dilation), transposed=transposed,
    )  # fmt: skip


def _trace_max_pool(call: TorchCall) -> TensorTrace:
    kernel = _to_pair(call.args[1])
    return rules.slide_window(
        call.first, call.shape, kernel, stride=_to_pair(call.argument(2, "stride"), kernel),
        padding=_to_pair(call.argument(3, "padding"), (0, 0)), dilation=_to_pair(call.argument(4, "dilation"), (1, 1)),
    )  # fmt: skip


def _trace_average_pool(call: TorchCall) -> TensorTrace:
    kernel = _to_pair(call.args[1])
    stride, padding = _to_pair(call.argument(2, "stride"), kernel), _to_pair(call.argument(3, "padding"), (0, 0))
    return rules.slide_window(call.first, call.shape, kernel, stride=stride, padding=padding)


def _trace_reduction(call: TorchCall) -> TensorTrace:
    dims, keep = call.argument(1, "dim"), call.argument(2, "keepdim", default=False)
    rank = len(call.first.dims)
    if dims is None or isinstance(dims, bool):
        return make_unknown_trace(call.shape)
    axes = {axis % rank for axis in ([dims] if isinstance(dims, int) else dims)} or set(range(rank))
    return rules.reduce_dims(call.first, axes, keep=bool(keep), shape=call.shape)


def _trace_gated_unit(call: TorchCall) -> TensorTrace:
    """Return the trace of a gated linear unit: half of the channels, multiplied by a gate from the other half."""
    return slice_rules.take_slice(call.first, call.argument(1, "dim", -1) % len(call.first.dims), 0, 1, call.shape)


def _trace_norm(call: TorchCall) -> TensorTrace:
    """Return the trace of a vector norm, whose order is an argument before the dimensions."""
    dims, keep = call.argument(2, "dim"), call.argument(3, "keepdim", default=False)
    if dims is None:
        return make_unknown_trace(call.shape)
    rank = len(call.first.dims)
    axes = {axis % rank for axis in ([dims] if isinstance(dims, int) else dims)}
    return rules.reduce_dims(call.first, axes, keep=bool(keep), shape=call.shape)


def _trace_concatenation(call: TorchCall) -> TensorTrace:
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0] if tensor.numel()]
    return slice_rules.concatenate_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def _trace_stacking(call: TorchCall) -> TensorTrace:
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0]]
    return slice_rules.stack_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def _trace_flip(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, call.args[1], call.shape)


def _trace_sorting(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, [call.argument(1, "dim", -1)], call.shape)


def _trace_top_k(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, [call.argument(2, "dim", -1)], call.shape)


def _trace_permutation(call: TorchCall) -> TensorTrace:
    return rules.permute_dims(call.first, [axis % len(call.first.dims) for axis in call.args[1]])


def _trace_transposition(call: TorchCall) -> TensorTrace:
    order = list(range(len(call.first.dims)))
    if len(order) > 1:
        a, b = call.argument(1, "dim0", 0), call.argument(2, "dim1", 1)
        order[a], order[b] = order[b], order[a]
    return rules.permute_dims(call.first, order)


def _trace_unsqueeze(call: TorchCall) -> TensorTrace:
    return rules.insert_dim(call.first, call.args[1] % (len(call.first.dims) + 1))


def _trace_linear(call: TorchCall) -> TensorTrace:
    left = call.get_trace(call.args[0])
    return (
        make_unknown_trace(call.shape)
        if left is None
        else matrix_rules.multiply_matrices(left, call.get_trace(call.args[1]), call.shape)
    )


def _trace_matrix_product(call: TorchCall) -> TensorTrace:
    """Return the trace of the product of the last two tensors; addmm and baddbmm have a bias before them."""
    matrices = [arg for arg in call.args if isinstance(arg, torch.Tensor)][-2:]
    if any(matrix.ndim != call.output.ndim for matrix in matrices):
        return make_unknown_trace(call.shape)
    return matrix_rules.multiply_matrices(call.get_trace(matrices[0]), call.get_trace(matrices[1]), call.shape)


def _trace_slice(call: TorchCall) -> TensorTrace:
    axis = call.argument(1, "dim", 0) % len(call.first.dims)
    length = call.first.shape[axis]
    start, step = call.argument(2, "start"), call.argument(4, "step", 1)
    begin = 0 if start is None else min(max(start + length if start < 0 else start, 0), length)
    return slice_rules.take_slice(call.first, axis, begin, step, call.shape)


def _trace_split(call: TorchCall) -> TensorTrace:
    axis = call.argument(2, "dim", 0) % len(call.first.dims)
    sizes = call.args[1]
    start = call.index * sizes if isinstance(sizes, int) else sum(sizes[: call.index])
    return slice_rules.take_slice(call.first, axis, start, 1, call.shape)


def _trace_narrow(call: TorchCall) -> TensorTrace:
    axis = call.args[1] % len(call.first.dims)
    return slice_rules.take_slice(call.first, axis, call.args[2] % max(1, call.first.shape[axis]), 1, call.shape)


def _trace_select(call: TorchCall) -> TensorTrace:
    return slice_rules.select_index(call.first, call.argument(1, "dim", 0) % len(call.first.dims), call.shape)


def _trace_padding(call: TorchCall) -> TensorTrace:
    numbers, rank = list(call.args[1]), len(call.first.dims)
    widths = [(0, 0)] * rank
    for position in range(0, len(numbers), 2):
        widths[rank - 1 - position // 2] = (numbers[position], numbers[position + 1])
    return rules.pad_border(call.first, widths, call.shape)


def _trace_nearest(call: TorchCall) -> TensorTrace:
    return rules.resample_grid(call.first, call.shape, Resampling(1, "asymmetric", "floor"), _read_ratios(call, 2))


def _trace_nearest_exact(call: TorchCall) -> TensorTrace:
    return rules.resample_grid(
        call.first, call.shape, Resampling(1, "half_pixel", "round_prefer_ceil"), _read_ratios(call, 2)
    )


def _make_interpolation_rule(reach: int) -> Callable[[TorchCall], TensorTrace]:
    def rule(call: TorchCall) -> TensorTrace:
        kernel = Resampling(reach, "align_corners" if call.argument(2, "align_corners") else "half_pixel")
        return rules.resample_grid(call.first, call.shape, kernel, _read_ratios(call, 3))

    return rule


def _read_ratios(call: TorchCall, position: int) -> tuple[float | None, float | None]:
    """Return the input cells per output cell along y and x that an interpolation was given as scale factors."""
    factors = call.argument(position, "scale_factors")
    if not isinstance(factors, (list, tuple)):
        factors = (call.argument(position, "scales_h"), call.argument(position + 1, "scales_w"))
    y, x = (1 / factor if factor else None for factor in factors)
    return y, x


def _trace_adaptive_pool(call: TorchCall) -> TensorTrace:
    return rules.pool_adaptively(call.first, call.shape)


def _trace_softmax(call: TorchCall) -> TensorTrace:
    """Return the trace of a softmax; over other dimensions than channels, it depends on the whole grid."""
    return rules.normalize_along(call.first, call.args[1], call.shape)


def _trace_attention(call: TorchCall) -> TensorTrace:
    if call.index:
        return make_unknown_trace(call.shape)
    return matrix_rules.apply_attention(call.get_trace(call.args[0]), call.get_trace(call.args[2]), call.shape)


def _trace_roll(call: TorchCall) -> TensorTrace:
    shifts, axes = call.args[1], call.argument(2, "dims") or []
    shifts, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, axes))
    return rules.roll_grid(
        call.first, {axis % len(call.first.dims): shift for axis, shift in zip(axes, shifts, strict=False)}
    )


def _trace_copy(call: TorchCall) -> TensorTrace:
    """Return the trace of the copied tensor, which replaces the content of the other."""
    trace = call.get_trace(call.args[1])
    return make_unknown_trace(call.shape) if trace is None or trace.shape != call.shape else trace


def _trace_as_strided(call: TorchCall) -> TensorTrace:
    """Return the trace after new strides, which change nothing if channels have a single cell."""
    single = call.first.shape == call.shape and math.prod(call.shape[2:]) == 1
    return call.first if single else make_unknown_trace(call.shape)


def _trace_as_unknown(call: TorchCall) -> TensorTrace:
    return make_unknown_trace(call.shape)


_NAMES: Mapping[Callable[[TorchCall], TensorTrace], str] = {
    trace_pointwise: "clone _to_copy to contiguous detach alias lift_fresh dropout native_dropout feature_dropout "
    "channel_shuffle native_channel_shuffle hardswish prelu _prelu_kernel log_sigmoid_forward rrelu_with_noise "
    "fake_quantize_per_tensor_affine_cachemask _fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    trace_normalization: "native_batch_norm native_layer_norm native_group_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update cudnn_batch_norm "
    "miopen_batch_norm batch_norm layer_norm group_norm instance_norm rms_norm _fused_rms_norm",
    _trace_convolution: "convolution _convolution convolution_overrideable",
    _trace_max_pool: "max_pool2d_with_indices max_pool2d mkldnn_max_pool2d",
    _trace_average_pool: "avg_pool2d",
    _trace_adaptive_pool: "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mkldnn_adaptive_avg_pool2d",
    _trace_reduction: "mean sum amax amin max min var std var_mean std_mean logsumexp prod argmax nansum any all",
    _trace_gated_unit: "glu",
    _trace_norm: "linalg_vector_norm norm",
    _trace_concatenation: "cat concat",
    _trace_stacking: "stack",
    _trace_permutation: "permute",
    _trace_transposition: "transpose t swapaxes",
    trace_view: "view _unsafe_view reshape _reshape_alias squeeze flatten unflatten _reshape_copy view_copy",
    _trace_unsqueeze: "unsqueeze",
    trace_expansion: "expand",
    _trace_linear: "linear",
    _trace_matrix_product: "addmm mm bmm baddbmm matmul _addmm_activation",
    _trace_slice: "slice",
    _trace_narrow: "narrow",
    _trace_split: "split split_with_sizes split_copy",
    _trace_select: "select unbind",
    _trace_padding: "constant_pad_nd pad reflection_pad2d replication_pad2d",
    _trace_nearest: "upsample_nearest2d",
    _trace_nearest_exact: "_upsample_nearest_exact2d",
    _make_interpolation_rule(2): "upsample_bilinear2d _upsample_bilinear2d_aa",
    _make_interpolation_rule(4): "upsample_bicubic2d _upsample_bicubic2d_aa",
    _trace_softmax: "_softmax softmax _log_softmax log_softmax _safe_softmax",
    _trace_attention: "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _scaled_dot_product_attention_math "
    "_scaled_dot_product_attention_math_for_mps _scaled_dot_product_fused_attention_overrideable "
    "scaled_dot_product_attention",
    _trace_roll: "roll",
    _trace_copy: "copy",
    _trace_flip: "flip",
    _trace_sorting: "sort cumsum",
    _trace_top_k: "topk",
    _trace_as_unknown: "index index_select gather scatter repeat tile repeat_interleave unfold im2col col2im grid_sampler_2d",
    _trace_as_strided: "as_strided",
}

#: Rules by the operator's name; in-place forms follow the same rule.
RULES: Mapping[str, Callable[[TorchCall], TensorTrace]] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
