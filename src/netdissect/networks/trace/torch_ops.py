"""The trace rule of each of torch's operators.

An operator that torch tags as pointwise joins its inputs. Any other operator that is not listed here may mix positions: its
field map is lost, and its dimensions keep their meaning only if it keeps the shape.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from netdissect.networks.trace import (
    frequency_rules,
    matrix_rules,
    rules,
    slice_rules,
    torch_slices,
    torch_windows,
)
from netdissect.networks.trace.calls import (
    TorchCall,
    trace_expansion,
    trace_normalization,
    trace_pointwise,
    trace_unknown,
    trace_view,
)
from netdissect.networks.trace.image_rules import keep_image
from netdissect.networks.trace.tensor_trace import TensorTrace, make_channels, make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: Operators whose output depends on their input's shape only, not on the image.
CONSTANTS = frozenset(
    [
        "new_full",
        "new_zeros",
        "new_ones",
        "new_empty",
        "new_empty_strided",
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "rand_like",
        "randn_like",
        "randint_like",
        "sym_size",
        "sym_stride",
    ]
)


def apply_torch_rule(operator: Any, call: TorchCall) -> TensorTrace:
    """Return the trace of an operator's output."""
    name = operator.overloadpacket.__name__
    rule = RULES.get(name) or RULES.get(name.removesuffix("_"))
    if rule is None:
        rule = trace_pointwise if _is_pointwise(operator) else trace_unknown
    return keep_image(rule(call), [trace for _, trace in call.traced])


def _is_pointwise(operator: Any) -> bool:
    """Return whether torch tags an operator, or the operator of which it is the in-place form, as pointwise."""
    if torch.Tag.pointwise in operator.tags:
        return True
    functional = getattr(torch.ops.aten, operator.overloadpacket.__name__.removesuffix("_"), None)
    return functional is not None and any(
        torch.Tag.pointwise in getattr(functional, name).tags for name in functional.overloads()
    )


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


def _trace_fourier(call: TorchCall) -> TensorTrace:
    trace = call.first
    axes = [axis % len(trace.dims) for axis in call.args[1]]
    name = call.name
    inverse = name == "_fft_c2r" or (name == "_fft_c2c" and not call.args[3])
    return frequency_rules.transform_frequencies(trace, axes, call.shape, inverse=inverse)


def _trace_as_real(call: TorchCall) -> TensorTrace:
    """Return the trace of complex numbers as pairs of channels."""
    return replace(call.first, dims=(*call.first.dims, make_channels(2)))


def _trace_as_complex(call: TorchCall) -> TensorTrace:
    return replace(call.first, dims=call.first.dims[:-1])


def _trace_softmax(call: TorchCall) -> TensorTrace:
    """Return the trace of a softmax; over other dimensions than channels, it depends on the whole grid."""
    return rules.normalize_along(call.first, call.args[1], call.shape)


def _trace_attention(call: TorchCall) -> TensorTrace:
    if call.index:
        return make_unknown_trace(call.shape)
    return matrix_rules.apply_attention(call.get_trace(call.args[0]), call.get_trace(call.args[2]), call.shape)


def _trace_encoder_layer(call: TorchCall) -> TensorTrace:
    """Return the trace after torch's fused transformer layer, whose residual paths keep the cells."""
    return replace(call.first, is_global=True, heads=0)


def _trace_as_strided(call: TorchCall) -> TensorTrace:
    """Return the trace after new strides, which change nothing if channels have a single cell."""
    single = call.first.shape == call.shape and math.prod(call.shape[2:]) == 1
    return call.first if single else make_unknown_trace(call.shape)


def _trace_recurrence(call: TorchCall) -> TensorTrace:
    """Return the trace of a recurrent network's outputs, which depend on a whole sequence; its states have no positions."""
    trace = call.get_trace(call.args[0])
    if call.index or trace is None or trace.shape[:-1] != call.shape[:-1]:
        return make_unknown_trace(call.shape)
    return matrix_rules.apply_recurrence(trace, call.shape)


def _trace_writing(call: TorchCall) -> TensorTrace:
    """Return the trace after values were written at some positions: lost if they come from elsewhere in the image."""
    trace, values = call.get_trace(call.args[0]), call.args[2]
    if trace is None or (call.get_trace(values) is not None and values.numel() > 1):
        return make_unknown_trace(call.shape)
    return trace_unknown(call)


def _trace_as_unknown(call: TorchCall) -> TensorTrace:
    return make_unknown_trace(call.shape)


_NAMES: Mapping[Callable[[TorchCall], TensorTrace], str] = {
    trace_pointwise: "clone _to_copy to contiguous detach alias lift_fresh dropout native_dropout feature_dropout "
    "complex _conj conj_physical resolve_conj resolve_neg _neg_view "
    "channel_shuffle native_channel_shuffle hardswish prelu _prelu_kernel log_sigmoid_forward rrelu_with_noise "
    "fake_quantize_per_tensor_affine_cachemask _fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    trace_normalization: "native_batch_norm native_layer_norm native_group_norm _native_batch_norm_legit "
    "_native_batch_norm_legit_no_training _batch_norm_with_update _batch_norm_no_update cudnn_batch_norm "
    "miopen_batch_norm batch_norm layer_norm group_norm instance_norm rms_norm _fused_rms_norm",
    torch_windows.trace_convolution: "convolution _convolution convolution_overrideable",
    torch_windows.trace_max_pool: "max_pool2d_with_indices max_pool2d mkldnn_max_pool2d max_pool3d_with_indices",
    torch_windows.trace_average_pool: "avg_pool2d avg_pool3d",
    torch_windows.trace_adaptive_pool: "_adaptive_avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d mkldnn_adaptive_avg_pool2d "
    "fractional_max_pool2d",
    _trace_reduction: "mean sum amax amin max min var std var_mean std_mean logsumexp prod argmax argmin nansum any all "
    "median mode",
    _trace_gated_unit: "glu",
    _trace_norm: "linalg_vector_norm norm",
    torch_slices.trace_concatenation: "cat concat",
    torch_slices.trace_stacking: "stack",
    _trace_permutation: "permute",
    _trace_transposition: "transpose t swapaxes",
    trace_view: "view _unsafe_view reshape _reshape_alias squeeze flatten unflatten _reshape_copy view_copy",
    _trace_unsqueeze: "unsqueeze",
    trace_expansion: "expand",
    _trace_linear: "linear",
    _trace_matrix_product: "addmm mm bmm baddbmm matmul _addmm_activation",
    torch_slices.trace_slice: "slice",
    torch_slices.trace_narrow: "narrow",
    torch_slices.trace_split: "split split_with_sizes split_copy",
    torch_slices.trace_select: "select",
    torch_slices.trace_unbinding: "unbind",
    torch_windows.trace_padding: "constant_pad_nd pad reflection_pad2d replication_pad2d "
    "reflection_pad1d replication_pad1d",
    torch_windows.trace_nearest: "upsample_nearest2d",
    torch_windows.trace_nearest_exact: "_upsample_nearest_exact2d",
    torch_windows.make_interpolation_rule(2): "upsample_bilinear2d _upsample_bilinear2d_aa",
    torch_windows.make_interpolation_rule(4): "upsample_bicubic2d _upsample_bicubic2d_aa",
    _trace_softmax: "_softmax softmax _log_softmax log_softmax _safe_softmax",
    _trace_attention: "_scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention "
    "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention _scaled_dot_product_attention_math "
    "_scaled_dot_product_attention_math_for_mps _scaled_dot_product_fused_attention_overrideable "
    "scaled_dot_product_attention _native_multi_head_attention",
    _trace_encoder_layer: "_transformer_encoder_layer_fwd",
    torch_slices.trace_roll: "roll",
    torch_slices.trace_copy: "copy",
    torch_slices.trace_flip: "flip",
    torch_slices.trace_sorting: "sort",
    torch_slices.trace_accumulation: "cumsum cumprod cummax cummin _cummax_helper _cummin_helper logcumsumexp",
    torch_slices.trace_top_k: "topk",
    torch_slices.trace_index: "index",
    torch_slices.trace_index_select: "index_select",
    torch_slices.trace_gathering: "gather",
    torch_slices.trace_repetition: "repeat tile",
    torch_windows.trace_shuffle: "pixel_shuffle",
    torch_windows.trace_unshuffle: "pixel_unshuffle",
    torch_windows.trace_unfolding: "im2col",
    torch_windows.trace_folding: "col2im",
    torch_windows.trace_axis_unfolding: "unfold",
    torch_windows.trace_unpooling: "max_unpool2d",
    torch_windows.trace_sampling: "grid_sampler_2d cudnn_grid_sampler _grid_sampler_2d_cpu_fallback",
    torch_windows.trace_deformable_convolution: "deform_conv2d",
    _trace_fourier: "_fft_r2c _fft_c2r _fft_c2c",
    _trace_as_real: "view_as_real",
    _trace_as_complex: "view_as_complex",
    _trace_as_strided: "as_strided",
    _trace_recurrence: "mkldnn_rnn_layer _cudnn_rnn miopen_rnn",
    _trace_writing: "index_put _index_put_impl _unsafe_index_put",
    _trace_as_unknown: "scatter scatter_add scatter_reduce index_add index_copy index_reduce masked_scatter masked_select take "
    "put rot90 repeat_interleave roi_align roi_pool ps_roi_align ps_roi_pool",
}

#: Rules by the operator's name; in-place forms follow the same rule.
RULES: Mapping[str, Callable[[TorchCall], TensorTrace]] = {
    name: rule for rule, names in _NAMES.items() for name in names.split()
}
