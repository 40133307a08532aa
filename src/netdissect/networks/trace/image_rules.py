"""Trace rules of images that are taken out of a batch and put together again, as detectors do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    make_unknown_trace,
    measure_dim,
    replace_dim,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netdissect.networks.trace.rules import Shape


def select_image(trace: TensorTrace, axis: int, number: int, shape: Shape) -> TensorTrace:
    """Return the trace of one image of a batch, whose dimension is removed or keeps a length of 1."""
    dim = trace.dims[axis]
    if len(dim) != 1 or dim[0].meaning != "n" or not trace.has_grid:
        return make_unknown_trace(shape)
    images = measure_dim(dim)
    removed = trace.dims[:axis] + trace.dims[axis + 1 :]
    dims = removed if len(shape) < len(trace.dims) else replace_dim(trace.dims, axis, (AxisPart("?", 1),))
    return replace(trace, dims=dims, image=(number % images, images) if images > 1 else None)


def join_images(traces: Sequence[TensorTrace | None]) -> int:
    """Return the number of images if tensors are all images of a batch, in order; else 0."""
    images = [None if trace is None else trace.image for trace in traces]
    count = len(images)
    return count if images == [(number, count) for number in range(count)] else 0


def keep_image(trace: TensorTrace, inputs: Iterable[TensorTrace]) -> TensorTrace:
    """Return an output's trace marked as that of a single image if its inputs are; unknown if they are several.

    An output that has a dimension of images holds all of them.
    """
    images = {source.image for source in inputs}
    if images == {None} or trace.is_lost or any("n" in collect_meanings(dim) for dim in trace.dims):
        return trace
    if len(images) > 1 or not trace.has_grid:
        return make_unknown_trace(trace.shape)
    return replace(trace, image=images.pop())
