"""Trace rules of interpolation, adaptive pooling and sampling, which place the cells of a new grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.resampling import make_spaced_field, place_pools
from netdissect.networks.trace.rules import renew_cells
from netdissect.networks.trace.tensor_trace import TensorTrace, make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.resampling import CellSpacing, Resampling
    from netdissect.networks.trace.rules import Shape


def pool_adaptively(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace after a pooling to a given number of cells, whose windows may differ in size."""
    if not trace.is_image or trace.path is None:
        return renew_cells(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    return _follow_centers(
        trace, shape, [place_pools(before, after) for before, after in zip(trace.shape[2:], shape[2:], strict=True)]
    )


def resample_grid(
    trace: TensorTrace,
    shape: Shape,
    kernel: Resampling,
    ratios: Sequence[float | None] = (None, None),
) -> TensorTrace:
    """Return the trace after interpolation to another size.

    Args:
        trace: of the input.
        shape: of the output.
        kernel: how output cells follow from input cells.
        ratios: input cells per output cell along y and x as they were given; None if they follow from the sizes.
    """
    if not trace.is_image or trace.path is None:
        return renew_cells(trace, shape, None) if trace.is_image else make_unknown_trace(shape)
    return _follow_centers(
        trace,
        shape,
        [
            kernel.place_cells(before, after, ratio)
            for before, after, ratio in zip(trace.shape[2:], shape[2:], ratios, strict=True)
        ],
    )


def sample_grid(trace: TensorTrace, shape: Shape) -> TensorTrace:
    """Return the trace of samples at any positions; on a grid of the same size they count as near its cells."""
    if not trace.is_image or trace.shape != shape:
        return make_unknown_trace(shape)
    return replace(trace, path=trace.path and trace.path.mix(), is_global=True)


def _follow_centers(trace: TensorTrace, shape: Shape, axes: Sequence[CellSpacing | None]) -> TensorTrace:
    """Return the trace after an operation whose cells have centers at equal distances; without field map if they have not."""
    rows, columns = axes
    if trace.path is None or rows is None or columns is None:
        return renew_cells(trace, shape, None)
    window = make_spaced_field(rows, columns)
    growth = [
        after * step - before for before, after, step in zip(trace.shape[2:], shape[2:], window.step, strict=True)
    ]
    return renew_cells(trace, shape, trace.path.follow(window, (growth[0], growth[1])))
