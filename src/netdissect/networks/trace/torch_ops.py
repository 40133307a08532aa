"""The trace rule of each of torch's operators.

An operator that torch tags as pointwise joins its inputs. Any other that is not listed here may mix places: if it keeps
the shape, its dimensions keep their meaning; its field map is lost.
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
    """Return whether torch tags an operator, or the one it is the in-place form of, as pointwise."""
    if torch.Tag.pointwise in operator.tags:
        return True
    twin = getattr(torch.ops.aten, operator.overloadpacket.__name__.removesuffix("_"), None)
    return twin is not None and any(torch.Tag.pointwise in getattr(twin, name).tags for name in twin.overloads())


def _pair(value: Any, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    numbers = list(value or default)
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _convolution(call: TorchCall) -> TensorTrace:
    _, weight, _, stride, padding, dilation, transposed = call.args[:7]
    if weight.ndim != 4 or call.get_trace(weight) is not None or isinstance(padding, str):
        return make_unknown_trace(call.shape)
    return rules.slide_window(
        call.first, call.shape, (weight.shape[2], weight.shape[3]),
        stride=_pair(stride), padding=_pair(padding), dilation=_pair(dilation), transposed=transposed,
    )  # fmt: skip


def _max_pool(call: TorchCall) -> TensorTrace:
    kernel = _pair(call.args[1])
    return rules.slide_window(
        call.first, call.shape, kernel, stride=_pair(call.argument(2, "stride"), kernel),
        padding=_pair(call.argument(3, "padding"), (0, 0)), dilation=_pair(call.argument(4, "dilation"), (1, 1)),
    )  # fmt: skip


def _average_pool(call: TorchCall) -> TensorTrace:
    kernel = _pair(call.args[1])
    stride, padding = _pair(call.argument(2, "stride"), kernel), _pair(call.argument(3, "padding"), (0, 0))
    return rules.slide_window(call.first, call.shape, kernel, stride=stride, padding=padding)


def _reduce(call: TorchCall) -> TensorTrace:
    dims, keep = call.argument(1, "dim"), call.argument(2, "keepdim", default=False)
    rank = len(call.first.dims)
    if dims is None or isinstance(dims, bool):
        return make_unknown_trace(call.shape)
    axes = {axis % rank for axis in ([dims] if isinstance(dims, int) else dims)} or set(range(rank))
    return rules.reduce_dims(call.first, axes, keep=bool(keep), shape=call.shape)


def _gated(call: TorchCall) -> TensorTrace:
    """A gated linear unit multiplies one half of the channels with a gate from the other."""
    return slice_rules.take_slice(call.first, call.argument(1, "dim", -1) % len(call.first.dims), 0, 1, call.shape)


def _norm(call: TorchCall) -> TensorTrace:
    """A vector norm has its order as the first argument."""
    dims, keep = call.argument(2, "dim"), call.argument(3, "keepdim", default=False)
    if dims is None:
        return make_unknown_trace(call.shape)
    rank = len(call.first.dims)
    axes = {axis % rank for axis in ([dims] if isinstance(dims, int) else dims)}
    return rules.reduce_dims(call.first, axes, keep=bool(keep), shape=call.shape)


def _concatenate(call: TorchCall) -> TensorTrace:
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0] if tensor.numel()]
    return slice_rules.concatenate_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def _stack(call: TorchCall) -> TensorTrace:
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0]]
    return slice_rules.stack_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def _flip(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, call.args[1], call.shape)


def _sort(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, [call.argument(1, "dim", -1)], call.shape)


def _top_k(call: TorchCall) -> TensorTrace:
    return rules.reorder(call.first, [call.argument(2, "dim", -1)], call.shape)


def _permute(call: TorchCall) -> TensorTrace:
    return rules.permute_dims(call.first, [axis % len(call.first.dims) for axis in call.args[1]])


def _transpose(call: TorchCall) -> TensorTrace:
    order = list(range(len(call.first.dims)))
    if len(order) > 1:
        a, b = call.argument(1, "dim0", 0), call.argument(2, "dim1", 1)
        order[a], order[b] = order[b], order[a]
    return rules.permute_dims(call.first, order)


def _unsqueeze(call: TorchCall) -> TensorTrace:
    return rules.insert_dim(call.first, call.args[1] % (len(call.first.dims) + 1))


def _linear(call: TorchCall) -> TensorTrace:
    left = call.get_trace(call.args[0])
    return (
        make_unknown_trace(call.shape)
        if left is None
        else matrix_rules.multiply_matrices(left, call.get_trace(call.args[1]), call.shape)
    )


def _matrix_product(call: TorchCall) -> TensorTrace:
    """The last two tensors are multiplied; addmm and baddbmm have a bias before them."""
    matrices = [arg for arg in call.args if isinstance(arg, torch.Tensor)][-2:]
    if any(matrix.ndim != call.output.ndim for matrix in matrices):
        return make_unknown_trace(call.shape)
    return matrix_rules.multiply_matrices(call.get_trace(matrices[0]), call.get_trace(matrices[1]), call.shape)


def _slice(call: TorchCall) -> TensorTrace:
    axis = call.argument(1, "dim", 0) % len(call.first.dims)
    length = call.first.shape[axis]
    start, step = call.argument(2, "start"), call.argument(4, "step", 1)
    begin = 0 if start is None else min(max(start + length if start < 0 else start, 0), length)
    return slice_rules.take_slice(call.first, axis, begin, step, call.shape)


def _split(call: TorchCall) -> TensorTrace:
    axis = call.argument(2, "dim", 0) % len(call.first.dims)
    sizes = call.args[1]
    start = call.index * sizes if isinstance(sizes, int) else sum(sizes[: call.index])
    return slice_rules.take_slice(call.first, axis, start, 1, call.shape)


def _narrow(call: TorchCall) -> TensorTrace:
    axis = call.args[1] % len(call.first.dims)
    return slice_rules.take_slice(call.first, axis, call.args[2] % max(1, call.first.shape[axis]), 1, call.shape)


def _select(call: TorchCall) -> TensorTrace:
    return slice_rules.select_index(call.first, call.argument(1, "dim", 0) % len(call.first.dims), call.shape)


def _pad(call: TorchCall) -> TensorTrace:
    numbers, rank = list(call.args[1]), len(call.first.dims)
    widths = [(0, 0)] * rank
    for position in range(0, len(numbers), 2):
        widths[rank - 1 - position // 2] = (numbers[position], numbers[position + 1])
    return rules.pad_border(call.first, widths, call.shape)


def _resample(reach: int) -> Callable[[TorchCall], TensorTrace]:
    return lambda call: rules.resample_grid(call.first, call.shape, reach)


def _adaptive_pool(call: TorchCall) -> TensorTrace:
    return rules.pool_adaptively(call.first, call.shape)


def _softmax(call: TorchCall) -> TensorTrace:
    """A softmax over anything but channels depends on the whole grid."""
    return rules.normalize_along(call.first, call.args[1], call.shape)


def _attention(call: TorchCall) -> TensorTrace:
    if call.index:
        return make_unknown_trace(call.shape)
    return matrix_rules.attend(call.get_trace(call.args[0]), call.get_trace(call.args[2]), call.shape)


def _roll(call: TorchCall) -> TensorTrace:
    shifts, axes = call.args[1], call.argument(2, "dims") or []
    shifts, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, axes))
    return rules.roll_grid(
        call.first, {axis % len(call.first.dims): shift for axis, shift in zip(axes, shifts, strict=False)}
    )


def _copy(call: TorchCall) -> TensorTrace:
    """The copied tensor replaces the tensor's content."""
    trace = call.get_trace(call.args[1])
    return make_unknown_trace(call.shape) if trace is None or trace.shape != call.shape else trace


def _strided(call: TorchCall) -> TensorTrace:
    """New strides of a single cell per channel, as after global pooling, change nothing."""
    single = call.first.shape == call.shape and math.prod(call.shape[2:]) == 1
    return call.first if single else make_unknown_trace(call.shape)


def _lose(call: TorchCall) -> TensorTrace:
    return make_unknown_trace(call.shape)


_NAMES: Mapping[Callable[[TorchCall], TensorTrace], str] = {
    trace_pointwise: "clone _to_copy to contiguous detach alias lift_fresh dropout native_dropout feature_dropout "
    "channel_shuffle native_channel_shuffle hardswish prelu _prelu_kernel log_sigmoid_forward rrelu_with_noise "
    "fake_quantize_per_tensor_affine_cachemask _fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    trace_normalization: "native_batch_norm native_layer_norm native_group_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update cudnn_batch_norm "
    "miopen_batch_norm batch_norm layer_norm group_norm instance_norm rms_norm _fused_rms_norm",
    _convolution: "convolution _convolution convolution_overrideable",
    _max_pool: "max_pool2d_with_indices max_pool2d mkldnn_max_pool2d",
    _average_pool: "avg_pool2d",
    _adaptive_pool: "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mkldnn_adaptive_avg_pool2d",
    _reduce: "mean sum amax amin max min var std var_mean std_mean logsumexp prod argmax nansum any all",
    _gated: "glu",
    _norm: "linalg_vector_norm norm",
    _concatenate: "cat concat",
    _stack: "stack",
    _permute: "permute",
    _transpose: "transpose t swapaxes",
    trace_view: "view _unsafe_view reshape _reshape_alias squeeze flatten unflatten _reshape_copy view_copy",
    _unsqueeze: "unsqueeze",
    trace_expansion: "expand",
    _linear: "linear",
    _matrix_product: "addmm mm bmm baddbmm matmul _addmm_activation",
    _slice: "slice",
    _narrow: "narrow",
    _split: "split split_with_sizes split_copy",
    _select: "select unbind",
    _pad: "constant_pad_nd pad reflection_pad2d replication_pad2d",
    _resample(1): "upsample_nearest2d _upsample_nearest_exact2d",
    _resample(2): "upsample_bilinear2d _upsample_bilinear2d_aa",
    _resample(4): "upsample_bicubic2d _upsample_bicubic2d_aa",
    _softmax: "_softmax softmax _log_softmax log_softmax _safe_softmax",
    _attention: "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _scaled_dot_product_attention_math "
    "_scaled_dot_product_attention_math_for_mps _scaled_dot_product_fused_attention_overrideable "
    "scaled_dot_product_attention",
    _roll: "roll",
    _copy: "copy",
    _flip: "flip",
    _sort: "sort cumsum",
    _top_k: "topk",
    _lose: "index index_select gather scatter repeat tile repeat_interleave unfold im2col col2im grid_sampler_2d",
    _strided: "as_strided",
}

#: Rules by the operator's name; in-place forms follow the same rule.
RULES: Mapping[str, Callable[[TorchCall], TensorTrace]] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
