"""Layers that join, split and rearrange blobs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error

if TYPE_CHECKING:
    from netdissect.networks.sources.caffe.layers.caffe_layer import Tops

_PROD, _SUM, _MAX = range(3)


class Eltwise(CaffeLayer):
    """The elementwise sum (with coefficients), product or maximum of bottoms of one shape."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.eltwise_param
        self.operation = settings.operation
        self.coefficients = tuple(settings.coeff)
        if self.coefficients and (len(self.coefficients) != len(layer.bottom) or self.operation != _SUM):
            raise setting_error(
                layer, f"it has {len(self.coefficients)} coefficients for {len(layer.bottom)} bottoms; only SUM has any"
            )

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the sum, product or maximum."""
        if any(bottom.shape != bottoms[0].shape for bottom in bottoms):
            raise self.input_error("bottoms of one shape", " and ".join(map(format_bottom_shape, bottoms)))
        parts = list(bottoms)
        if self.coefficients:
            parts = [part * c if c != 1 else part for part, c in zip(parts, self.coefficients, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            if self.operation == _SUM:
                total = total + part
            else:
                total = total * part if self.operation == _PROD else torch.maximum(total, part)
        return total


class Concat(CaffeLayer):
    """Bottoms concatenated along an axis, by default that of the channels."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.concat_param
        self.along = settings.concat_dim if settings.HasField("concat_dim") else settings.axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottoms, concatenated."""
        axis = self.axis(self.along, bottoms[0])
        rest = {(*bottom.shape[:axis], *bottom.shape[axis + 1 :]) for bottom in bottoms}
        if len(rest) > 1 or any(bottom.dim() != bottoms[0].dim() for bottom in bottoms):
            raise self.input_error(
                f"bottoms that differ only along axis {axis}", " and ".join(map(format_bottom_shape, bottoms))
            )
        return torch.cat(bottoms, axis)


class Slice(CaffeLayer):
    """Slices of its bottom along an axis, by default that of the channels: at given points, or of equal size."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.slice_param
        self.along = settings.slice_dim if settings.HasField("slice_dim") else settings.axis
        self.points, self.tops = tuple(settings.slice_point), len(layer.top)
        if self.points and len(self.points) != self.tops - 1:
            raise setting_error(layer, f"{self.tops} tops need {self.tops - 1} slice points, not {len(self.points)}")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the slices."""
        bottom = bottoms[0]
        axis = self.axis(self.along, bottom)
        size = bottom.shape[axis]
        if not self.points and size % self.tops:
            raise self.input_error(f"a bottom whose axis {axis} can be cut in {self.tops}", format_bottom_shape(bottom))
        edges = (0, *self.points, size) if self.points else tuple(range(0, size + 1, size // self.tops))
        parts = list(itertools.pairwise(edges))
        if any(high <= low for low, high in parts):
            raise self.input_error(f"slice points that rise within {size}", str(self.points))
        return tuple(bottom.narrow(axis, low, high - low) for low, high in parts)


class Split(CaffeLayer):
    """One copy of its bottom for every top."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.tops = len(layer.top)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom for every top."""
        return bottoms[:1] * self.tops


class Crop(CaffeLayer):
    """The first bottom cropped to the size of the second, along one axis and all after it."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.from_axis, self.offsets = layer.crop_param.axis, tuple(layer.crop_param.offset)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the cropped bottom."""
        top, reference = bottoms
        start = self.axis(self.from_axis, top)
        axes = range(start, top.dim())
        if len(self.offsets) not in (0, 1, len(axes)) or reference.dim() != top.dim():
            raise self.input_error(f"one offset or {len(axes)}, and bottoms of as many axes", f"{self.offsets}")
        offsets = self.offsets if len(self.offsets) > 1 else (self.offsets or (0,)) * len(axes)
        for axis, offset in zip(axes, offsets, strict=True):
            if offset + reference.shape[axis] > top.shape[axis]:
                raise self.input_error(
                    f"a bottom that holds {format_bottom_shape(reference)} from {offset} on along axis {axis}",
                    format_bottom_shape(bottoms[0]),
                )
            top = top.narrow(axis, offset, reference.shape[axis])
        return top


class Flatten(CaffeLayer):
    """Flattens some axes into one."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.first, self.last = layer.flatten_param.axis, layer.flatten_param.end_axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom, flattened."""
        bottom = bottoms[0]
        first, last = self.axis(self.first, bottom), self.axis(self.last, bottom)
        if first > last:
            raise self.input_error(f"an axis {first} before the end axis {last}", format_bottom_shape(bottom))
        return bottom.flatten(first, last)


class Reshape(CaffeLayer):
    """Reshapes its bottom: 0 copies a size, -1 is inferred.

    If the shape begins with the batch size of the prototxt's input, it fits any batch size.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.reshape_param
        self.shape, self.first, self.count = tuple(settings.shape.dim), settings.axis, settings.num_axes
        #: The prototxt's batch size; set by the network.
        self.batch: int | None = None
        if self.shape.count(-1) > 1 or any(dim < -1 for dim in self.shape):
            raise setting_error(layer, f"its shape {self.shape} must be of sizes, zeros and at most one -1")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom in the new shape."""
        bottom = bottoms[0]
        start = self.first if self.first >= 0 else bottom.dim() + self.first + 1
        stop = bottom.dim() if self.count < 0 else start + self.count
        if not 0 <= start <= stop <= bottom.dim():
            raise self.input_error(f"a bottom with the axes {start} to {stop}", format_bottom_shape(bottom))
        sizes = list(self.shape)
        if start == 0 and stop and sizes and sizes[0] == self.batch:
            sizes[0] = bottom.shape[0]
        for place, size in enumerate(sizes):
            if size == 0 and start + place >= bottom.dim():
                raise self.input_error(f"a bottom with an axis {start + place} to copy", format_bottom_shape(bottom))
            sizes[place] = bottom.shape[start + place] if size == 0 else size
        shape = [*bottom.shape[:start], *sizes, *bottom.shape[stop:]]
        fixed = math.prod(size for size in shape if size != -1)
        if bottom.numel() % fixed if -1 in shape and fixed else bottom.numel() != fixed:
            raise self.input_error(f"a bottom that fits {' x '.join(map(str, shape))}", format_bottom_shape(bottom))
        return bottom.reshape(shape)


class Permute(CaffeLayer):
    """Permutes the axes."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.order = tuple(layer.permute_param.order)
        if len(set(self.order)) != len(self.order):
            raise setting_error(layer, f"its order {self.order} names an axis twice")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom with its axes in the given order, the others last."""
        bottom = bottoms[0]
        if any(axis >= bottom.dim() for axis in self.order):
            raise self.input_error(f"a bottom with the axes {self.order}", format_bottom_shape(bottom))
        rest = (axis for axis in range(bottom.dim()) if axis not in self.order)
        return bottom.permute(*self.order, *rest).contiguous()


class Softmax(CaffeLayer):
    """Softmax along an axis, by default that of the channels."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.along = layer.softmax_param.axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the probabilities."""
        return bottoms[0].softmax(self.axis(self.along, bottoms[0]))


class ArgMax(CaffeLayer):
    """The indices or values of the k largest numbers, along an axis or of each image.

    Without an axis the top is (N, 1, k), or (N, 2, k) with the values after the indices; with one, the axis has k
    indices, or k values. Of equal numbers the last comes first, as in Caffe.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.argmax_param
        self.along = settings.axis if settings.HasField("axis") else None
        self.k, self.values = int(settings.top_k), bool(settings.out_max_val)
        if self.k < 1:
            raise setting_error(layer, "its top_k must be at least 1")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return indices or values."""
        bottom = bottoms[0]
        axis = 1 if self.along is None else self.axis(self.along, bottom)
        rows = bottom.flatten(1) if self.along is None else bottom
        count = rows.shape[axis]
        if self.k > count:
            raise self.input_error(
                f"a bottom with at least {self.k} numbers to choose from", format_bottom_shape(bottom)
            )
        largest, places = torch.sort(rows.flip(axis), dim=axis, descending=True, stable=True)
        largest, places = largest.narrow(axis, 0, self.k), count - 1 - places.narrow(axis, 0, self.k)
        if self.along is not None:
            return largest if self.values else places.to(bottom.dtype)
        found = torch.stack((places.to(bottom.dtype), largest), 1) if self.values else places.to(bottom.dtype)[:, None]
        return found.reshape(*found.shape, *(1,) * (bottom.dim() - 3))


class Silence(CaffeLayer):
    """Reads blobs that no other layer reads, and has no top."""

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return nothing."""
        del bottoms
        return ()
