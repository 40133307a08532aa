"""Trace rules of torch's operators that cut, pick, repeat, join, write and move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.networks.trace import index_rules, slice_rules
from netdissect.networks.trace.border_rules import roll_grid
from netdissect.networks.trace.tensor_trace import TensorTrace, make_unknown_trace

if TYPE_CHECKING:
    import torch

    from netdissect.networks.trace.calls import TorchCall


def trace_concatenation(call: TorchCall) -> TensorTrace:
    """Return the trace of concatenated tensors."""
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0] if tensor.numel()]
    return slice_rules.concatenate_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def trace_stacking(call: TorchCall) -> TensorTrace:
    """Return the trace of tensors stacked along a new dimension."""
    parts = [(call.get_trace(tensor), tuple(tensor.shape)) for tensor in call.args[0]]
    return slice_rules.stack_traces(parts, call.argument(1, "dim", 0) % call.output.ndim, call.shape)


def trace_slice(call: TorchCall) -> TensorTrace:
    """Return the trace of a slice."""
    axis = call.argument(1, "dim", 0) % len(call.first.dims)
    length = call.first.shape[axis]
    start, step = call.argument(2, "start"), call.argument(4, "step", 1)
    begin = 0 if start is None else min(max(start + length if start < 0 else start, 0), length)
    return slice_rules.take_slice(call.first, axis, begin, step, call.shape)


def trace_split(call: TorchCall) -> TensorTrace:
    """Return the trace of one part of a split."""
    axis = call.argument(2, "dim", 0) % len(call.first.dims)
    sizes = call.args[1]
    start = call.index * sizes if isinstance(sizes, int) else sum(sizes[: call.index])
    return slice_rules.take_slice(call.first, axis, start, 1, call.shape)


def trace_narrow(call: TorchCall) -> TensorTrace:
    """Return the trace of a slice given by its start and length."""
    axis = call.args[1] % len(call.first.dims)
    return slice_rules.take_slice(call.first, axis, call.args[2] % max(1, call.first.shape[axis]), 1, call.shape)


def trace_select(call: TorchCall) -> TensorTrace:
    """Return the trace of one index of a dimension."""
    axis = call.argument(1, "dim", 0) % len(call.first.dims)
    return slice_rules.select_index(call.first, axis, call.args[2], call.shape)


def trace_unbinding(call: TorchCall) -> TensorTrace:
    """Return the trace of one index of a dimension, of which all are returned."""
    axis = call.argument(1, "dim", 0) % len(call.first.dims)
    return slice_rules.select_index(call.first, axis, call.index, call.shape)


def trace_index(call: TorchCall) -> TensorTrace:
    """Return the trace of an index by tensors, each of which picks along its own dimension."""
    trace, numbers = call.get_trace(call.args[0]), list(call.args[1])
    picked = [(axis, index) for axis, index in enumerate(numbers) if index is not None]
    if trace is None or any(call.get_trace(index) is not None for _, index in picked):
        return make_unknown_trace(call.shape)
    if len(picked) > 1:
        picked = _separate_indices(picked)
    for axis, index in picked:
        values = index.cpu().numpy()
        shape = (*trace.shape[:axis], values.size, *trace.shape[axis + 1 :])
        trace = index_rules.take_indices(trace, axis, values, call.shape if len(picked) == 1 else shape)
    return trace if picked and trace.shape == call.shape else make_unknown_trace(call.shape)


def trace_index_select(call: TorchCall) -> TensorTrace:
    """Return the trace of some indices of a dimension."""
    trace, index = call.get_trace(call.args[0]), call.args[2]
    if trace is None or call.get_trace(index) is not None:
        return make_unknown_trace(call.shape)
    return index_rules.take_indices(trace, call.args[1] % len(trace.dims), index.cpu().numpy(), call.shape)


def trace_gathering(call: TorchCall) -> TensorTrace:
    """Return the trace of elements picked along one dimension."""
    trace, index = call.get_trace(call.args[0]), call.args[2]
    if trace is None or call.get_trace(index) is not None:
        return make_unknown_trace(call.shape)
    return index_rules.gather_elements(trace, call.args[1] % len(trace.dims), index.cpu().numpy(), call.shape)


def trace_repetition(call: TorchCall) -> TensorTrace:
    """Return the trace of a tensor repeated along its dimensions."""
    return index_rules.repeat_dims(call.first, call.args[1], call.shape)


def trace_flip(call: TorchCall) -> TensorTrace:
    """Return the trace of a flip."""
    return index_rules.reorder(call.first, call.args[1], call.shape)


def trace_roll(call: TorchCall) -> TensorTrace:
    """Return the trace of a roll."""
    shifts, axes = call.args[1], call.argument(2, "dims") or []
    shifts, axes = ([v] if isinstance(v, int) else list(v) for v in (shifts, axes))
    return roll_grid(
        call.first, {axis % len(call.first.dims): shift for axis, shift in zip(axes, shifts, strict=False)}
    )


def trace_sorting(call: TorchCall) -> TensorTrace:
    """Return the trace of a sort."""
    return index_rules.reorder(call.first, [call.argument(1, "dim", -1)], call.shape)


def trace_top_k(call: TorchCall) -> TensorTrace:
    """Return the trace of the largest elements."""
    return index_rules.reorder(call.first, [call.argument(2, "dim", -1)], call.shape)


def trace_accumulation(call: TorchCall) -> TensorTrace:
    """Return the trace of sums over all elements before."""
    return index_rules.accumulate(call.first, call.argument(1, "dim", -1), call.shape)


def trace_copy(call: TorchCall) -> TensorTrace:
    """Return the trace of the copied tensor, which replaces the content of the other."""
    trace = call.get_trace(call.args[1])
    return make_unknown_trace(call.shape) if trace is None or trace.shape != call.shape else trace


def _separate_indices(picked: list[tuple[int, torch.Tensor]]) -> list[tuple[int, torch.Tensor]]:
    """Return indices of neighboring dimensions, each as a row, if each has its own dimension; else none."""
    for position, (axis, index) in enumerate(picked):
        behind = len(picked) - 1 - position
        if axis != picked[0][0] + position or index.numel() != (index.shape[-1 - behind] if index.ndim > behind else 0):
            return []
    return [(axis, index.reshape(-1)) for axis, index in picked]
