"""Trace rules of convolutions of any number of dimensions, and of convolutions whose weights depend on the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.rules import is_placeless, slide_window
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    absorb_patches,
    collect_meanings,
    make_channels,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.rules import Shape


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """What a convolution or pooling does along each dimension after images and channels.

    Attributes:
        kernel: cells of the window.
        stride: cells between windows.
        padding: cells added before the first.
        padding_after: cells added after the last; None if as many as before.
        dilation: cells between the window's cells.
        transposed: whether it is a transposed convolution.
        groups: parts of the channels that are not mixed.
    """

    kernel: Sequence[int]
    stride: Sequence[int]
    padding: Sequence[int]
    padding_after: Sequence[int] | None
    dilation: Sequence[int]
    transposed: bool = False
    groups: int = 1

    @property
    def is_pointwise(self) -> bool:
        """Whether every output cell depends on one input cell, at the same position."""
        padding = {*self.padding, *(self.padding_after or ())}
        return {*self.kernel} == {*self.stride} == {1} and padding == {0}


def convolve(trace: TensorTrace, weight: TensorTrace | None, shape: Shape, window: WindowSpec) -> TensorTrace:
    """Return the trace after a convolution or pooling; `weight` is None if the weights do not depend on the image.

    Weights that depend on the image but not on a position change what channels mean, not where cells are.
    """
    if (weight is not None and not is_placeless(weight)) or not len(trace.dims) == len(shape) == len(window.kernel) + 2:
        return make_unknown_trace(shape)
    if len(window.kernel) == 1:
        return _convolve_row(trace, shape, window)
    if len(window.kernel) == 3:
        return _convolve_volume(trace, shape, window)
    first, channels = trace.dims[0], trace.dims[1]
    images = channels[0].length if channels[0].meaning == "n" else 1
    if images == 1 or measure_dim(first) != 1 or window.groups % images or shape[1] % images:
        return _convolve_grid(trace, shape, window)
    # Every image is a group of channels: one convolution with other weights for each of them.
    apart = replace(trace, dims=((channels[0],), channels[1:] or (AxisPart("?", 1),), *trace.dims[2:]))
    result = _convolve_grid(apart, (images, shape[1] // images, *shape[2:]), window)
    return replace(result, dims=(first, (*result.dims[0], *result.dims[1]), *result.dims[2:]))


def _convolve_grid(trace: TensorTrace, shape: Shape, window: WindowSpec) -> TensorTrace:
    after = window.padding_after
    return slide_window(
        trace, shape, (window.kernel[0], window.kernel[1]), stride=(window.stride[0], window.stride[1]),
        padding=(window.padding[0], window.padding[1]), padding_after=None if after is None else (after[0], after[1]),
        dilation=(window.dilation[0], window.dilation[1]), transposed=window.transposed,
    )  # fmt: skip


def _convolve_row(trace: TensorTrace, shape: Shape, window: WindowSpec) -> TensorTrace:
    """Return the trace after a convolution along one dimension, such as tokens; neighbors among tokens may be far apart."""
    trace = absorb_patches(trace, 1)
    if not collect_meanings(trace.dims[1]) <= {"c"} or trace.shape[2] != shape[2]:
        return make_unknown_trace(shape)
    result = replace(trace, dims=replace_dim(trace.dims, 1, make_channels(shape[1])), heads=0)
    if window.is_pointwise or collect_meanings(trace.dims[2]) <= {"c"}:
        return result
    return replace(result, path=trace.path and trace.path.mix(), is_global=True)


def _convolve_volume(trace: TensorTrace, shape: Shape, window: WindowSpec) -> TensorTrace:
    """Return the trace after a convolution along rows, columns and another dimension, such as frames or channels."""
    depth = trace.dims[2]
    if collect_meanings(depth) & {"n", "y", "x", "t"}:
        return make_unknown_trace(shape)
    after = window.padding_after
    flat = replace(
        window, kernel=window.kernel[1:], stride=window.stride[1:], padding=window.padding[1:],
        padding_after=None if after is None else after[1:], dilation=window.dilation[1:],
    )  # fmt: skip
    result = _convolve_grid(replace(trace, dims=(*trace.dims[:2], *trace.dims[3:])), (*shape[:2], *shape[3:]), flat)
    if measure_dim(depth) != shape[2]:
        depth = (AxisPart(depth[0].meaning, shape[2]),)
    return replace(result, dims=(*result.dims[:2], depth, *result.dims[2:]))
