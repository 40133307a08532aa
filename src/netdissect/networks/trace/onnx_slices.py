"""Trace rules of ONNX's operators that cut, pick, repeat, pad and join."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from netdissect.networks.trace import block_rules, index_rules, slice_rules
from netdissect.networks.trace.border_rules import pad_border
from netdissect.networks.trace.tensor_trace import TensorTrace, collect_meanings, make_unknown_trace, regroup_dims
from netdissect.networks.trace.written_regions import find_scattered_region, write_region

if TYPE_CHECKING:
    from netdissect.networks.trace.onnx_nodes import OnnxCall


def trace_concat(call: OnnxCall) -> TensorTrace:
    """Return the trace of concatenated tensors."""
    axis = call.attributes.get("axis", 1) % len(call.shape)
    names = [name for name in call.node.input if math.prod(call.tensors.shapes.get(name, (1,)))]
    parts = []
    for name in names:
        shape = call.tensors.shapes.get(name)
        if shape is None:
            return make_unknown_trace(call.shape)
        parts.append((call.tensors.traces.get(name), shape))
    return slice_rules.concatenate_traces(parts, axis, call.shape)


def trace_tile(call: OnnxCall) -> TensorTrace:
    """Return the trace of a tensor repeated along its dimensions."""
    times = call.numbers(1)
    return make_unknown_trace(call.shape) if times is None else index_rules.repeat_dims(call.first, times, call.shape)


def trace_slices(call: OnnxCall) -> TensorTrace:
    """Return the trace of a slice along any number of dimensions."""
    trace = call.first
    starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
    if starts is None or ends is None:
        return make_unknown_trace(call.shape)
    axes = call.numbers(3, "axes") or list(range(len(starts)))
    steps = call.numbers(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        position = axis % len(trace.dims)
        length = trace.shape[position]
        begin, stop, _ = slice(start, end, step).indices(length)
        taken = len(range(begin, stop, step))
        if step < 0 and not collect_meanings(trace.dims[position]) <= {"c", "r", "?"}:
            return make_unknown_trace(call.shape)
        shape = (*trace.shape[:position], taken, *trace.shape[position + 1 :])
        trace = slice_rules.take_slice(trace, position, begin, abs(step), shape)
    return trace


def trace_split_part(call: OnnxCall) -> TensorTrace:
    """Return the trace of one part of a split."""
    axis = call.attributes.get("axis", 0) % len(call.first.dims)
    names = call.node.output[: call.index]
    start = sum(call.tensors.shapes[name][axis] for name in names if name in call.tensors.shapes)
    return (
        slice_rules.take_slice(call.first, axis, start, 1, call.shape) if all(names) else make_unknown_trace(call.shape)
    )


def trace_gather(call: OnnxCall) -> TensorTrace:
    """Return the trace of some indices of a dimension."""
    trace, index = call.trace(0), call.tensors.values.get(call.node.input[1])
    if trace is None or call.trace(1) is not None or index is None:
        return make_unknown_trace(call.shape)
    axis = call.attributes.get("axis", 0) % len(trace.dims)
    if index.ndim == 0:
        return slice_rules.select_index(trace, axis, int(index), call.shape)
    if index.ndim > 1 and np.array_equal(index.reshape(-1), np.arange(trace.shape[axis])):
        return regroup_dims(trace, call.shape)  # all of it, in order
    return index_rules.take_indices(trace, axis, index, call.shape)


def trace_element_gathering(call: OnnxCall) -> TensorTrace:
    """Return the trace of elements picked along one dimension."""
    trace, index = call.trace(0), call.tensors.values.get(call.node.input[1])
    if trace is None or call.trace(1) is not None or index is None:
        return make_unknown_trace(call.shape)
    return index_rules.gather_elements(trace, call.attributes.get("axis", 0) % len(trace.dims), index, call.shape)


def trace_pad(call: OnnxCall) -> TensorTrace:
    """Return the trace after padding, whatever it is filled with."""
    rank = len(call.first.dims)
    numbers = call.numbers(1, "pads" if "pads" in call.attributes else "paddings")
    axes = call.numbers(3) if len(call.node.input) > 3 and call.node.input[3] else list(range(rank))
    if numbers is None or axes is None:
        return make_unknown_trace(call.shape)
    widths = [(0, 0)] * rank
    for position, axis in enumerate(axes):
        widths[axis % rank] = (numbers[position], numbers[position + len(axes)])
    return pad_border(call.first, widths, call.shape)


def trace_space_to_depth(call: OnnxCall) -> TensorTrace:
    """Return the trace after the cells of blocks became channels."""
    block = call.attributes["blocksize"]
    if len(call.first.dims) != 4:
        return make_unknown_trace(call.shape)
    return block_rules.gather_pixels(call.first, (block, block), call.shape, is_depth_first=False)


def trace_depth_to_space(call: OnnxCall) -> TensorTrace:
    """Return the trace after channels became the cells of blocks."""
    block = call.attributes["blocksize"]
    if len(call.first.dims) != 4:
        return make_unknown_trace(call.shape)
    depth_first = call.attributes.get("mode", "DCR") == "CRD"
    return block_rules.shuffle_pixels(call.first, (block, block), call.shape, is_depth_first=depth_first)


def trace_scattering(call: OnnxCall) -> TensorTrace:
    """Return the trace of a tensor into which a part was written."""
    index, source = call.tensors.values.get(call.node.input[1]), call.trace(2)
    before, core = call.trace(0), call.tensors.written.get(call.node.input[0])
    region = None if index is None else find_scattered_region(index, call.shape)
    if region is None or source is None or (before is not None and core is None):
        return make_unknown_trace(call.shape)
    call.tensors.written[call.output] = core or region
    return write_region(before, core, region, source, call.shape)
