"""Traces of tensors that are written piece by piece: images copied into a larger batch, borders filled by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.networks.trace.border_rules import pad_border
from netdissect.networks.trace.rules import join_known_paths
from netdissect.networks.trace.tensor_trace import AxisPart, TensorTrace, make_unknown_trace, measure_dim

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WrittenRegion:
    """Where a view lies in the tensor that it is a view of.

    Attributes:
        spans: first index and number of indices, per dimension of the tensor.
        places: the view's dimension for each of the tensor's; None for one that was removed by an index.
    """

    spans: tuple[Span, ...]
    places: tuple[int | None, ...]

    def is_same(self, other: WrittenRegion, axes: Sequence[int]) -> bool:
        """Return whether two regions are the same along some dimensions."""
        return all(self.spans[axis] == other.spans[axis] for axis in axes)

    def is_apart(self, other: WrittenRegion, axes: Sequence[int]) -> bool:
        """Return whether two regions have nothing in common along some dimensions."""
        pairs = [(self.spans[axis], other.spans[axis]) for axis in axes]
        return any(a + n <= b or b + m <= a for (a, n), (b, m) in pairs)


def find_written_region(view: torch.Tensor, base: torch.Tensor) -> WrittenRegion | None:
    """Return where a view made by slices and indices lies in its base; None for other views."""
    offset = int(view.storage_offset()) - int(base.storage_offset())
    strides = base.stride()
    starts = [0] * base.ndim
    for axis in sorted(range(base.ndim), key=lambda axis: -strides[axis]):
        if base.shape[axis] > 1:
            starts[axis], offset = divmod(offset, max(1, strides[axis]))
    whole = view.ndim == base.ndim
    spans, places = [], []
    left = list(range(view.ndim))
    for axis in range(base.ndim):
        stride = strides[axis]
        found = axis if whole else next((at for at in left if view.stride(at) == stride and view.shape[at] > 1), None)
        if found is not None and view.shape[found] > 1 and view.stride(found) != stride:
            return None
        if found is not None:
            left = [at for at in left if at > found]
        spans.append((starts[axis], 1 if found is None else view.shape[found]))
        places.append(found)
    kept = sum(place is not None for place in places)
    inside = all(start + count <= size for (start, count), size in zip(spans, base.shape, strict=True))
    return WrittenRegion(tuple(spans), tuple(places)) if inside and kept == view.ndim and not offset else None


def write_region(
    before: TensorTrace | None,
    core: WrittenRegion | None,
    region: WrittenRegion,
    source: TensorTrace,
    shape: Sequence[int],
) -> TensorTrace:
    """Return the trace of a tensor after a part of it was written.

    The first part decides where cells are, and the rest is padding around it. Other channels and images of the same cells join
    it, and what is written elsewhere fills the padding.

    Args:
        before: trace of the tensor; None if nothing that depends on the image was written before.
        core: the first part that was written; None if this is the first.
        region: the part that is written.
        source: trace of what is written.
        shape: of the tensor.
    """
    lifted = _lift(source, region, tuple(shape))
    if before is None or core is None:
        return lifted
    spatial = before.spatial
    if spatial is None or lifted.spatial not in (None, spatial):
        return make_unknown_trace(shape)
    others = [axis for axis in range(len(shape)) if axis not in spatial]
    if region.is_apart(core, spatial) and not region.is_apart(core, others):
        is_padding = all(2 * core.spans[axis][1] > shape[axis] for axis in spatial)
        return before if is_padding else make_unknown_trace(shape)
    is_beside = region.is_same(core, spatial) or region.is_apart(core, others)
    if not is_beside or lifted.dims != before.dims:
        return make_unknown_trace(shape)
    path = join_known_paths([before.path, lifted.path], None)
    return replace(before, path=path, is_global=before.is_global or lifted.is_global)


def _lift(source: TensorTrace, region: WrittenRegion, shape: tuple[int, ...]) -> TensorTrace:
    """Return the trace of a tensor of which only one part is known: the rest is padding, other channels or other images."""
    dims = tuple((AxisPart("?", 1),) if place is None else source.dims[place] for place in region.places)
    if source.image is not None:
        number, images = source.image
        if measure_dim(dims[0]) != 1 or region.spans[0] != (number, 1) or shape[0] != images:
            return make_unknown_trace(shape)
        dims = ((AxisPart("n", images),), *dims[1:])
    widths = [
        (0, 0) if axis == 0 and source.image is not None else (start, shape[axis] - start - count)
        for axis, (start, count) in enumerate(region.spans)
    ]
    return pad_border(replace(source, dims=dims, image=None), widths, shape)


def find_scattered_region(index: NDArray[np.generic], shape: Sequence[int]) -> WrittenRegion | None:
    """Return the region that a table of indices of the first dimensions covers; None if it is not a box, in order.

    Args:
        index: (..., number of dimensions).
        shape: of the tensor that is written to.
    """
    count = index.shape[-1]
    spans = []
    for axis in range(count):
        numbers = index[..., axis].astype(np.int64) % shape[axis]
        if axis >= index.ndim - 1 or index.ndim - 1 != count:
            return None
        first, size = int(numbers.reshape(-1)[0]), numbers.shape[axis]
        expected = (first + np.arange(size)).reshape([-1 if at == axis else 1 for at in range(count)])
        if not np.array_equal(numbers, np.broadcast_to(expected, numbers.shape)):
            return None
        spans.append((first, size))
    spans += [(0, size) for size in shape[count:]]
    return WrittenRegion(tuple(spans), tuple(range(len(shape))))
