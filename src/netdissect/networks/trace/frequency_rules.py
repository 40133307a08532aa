"""Trace rules of Fourier transforms: between a transform and its inverse there are no places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.tensor_trace import AxisPart, TensorTrace, measure_dim, replace_dim

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import Dim


def transform_frequencies(trace: TensorTrace, axes: Iterable[int], shape: Shape, *, inverse: bool) -> TensorTrace:
    """Return the trace after a Fourier transform along some dimensions.

    A dimension of frequencies remembers the places that it stands for. After the inverse, cells are at these places and
    depend on the whole image.
    """
    dims = trace.dims
    for axis in axes:
        dim, size = dims[axis], shape[axis]
        if not inverse:
            new: Dim = (AxisPart("f", size, grid=dim),)
        elif len(dim) == 1 and measure_dim(dim[0].grid) == size and dim[0].meaning == "f":
            new = dim[0].grid
        else:
            new = (AxisPart("?", size),)
        dims = replace_dim(dims, axis, new)
    return replace(trace, dims=dims, path=trace.path and trace.path.mix(), is_global=True, heads=0)
