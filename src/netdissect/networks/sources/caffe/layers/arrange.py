"""Layers that join, part and rearrange blobs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, setting_error
from netdissect.networks.sources.caffe.layers.caffe_layer import format_bottom_shape as told

if TYPE_CHECKING:
    from netdissect.networks.sources.caffe.layers.caffe_layer import Tops

_PROD, _SUM, _MAX = range(3)


class Eltwise(CaffeLayer):
    """Sum (with coefficients), product or maximum of bottoms of one shape, number by number."""

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
        """Return all bottoms taken together."""
        if any(bottom.shape != bottoms[0].shape for bottom in bottoms):
            raise self.refused("bottoms of one shape", " and ".join(map(told, bottoms)))
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
    """Bottoms one after the other along an axis, by default that of the channels."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.concat_param
        self.along = settings.concat_dim if settings.HasField("concat_dim") else settings.axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottoms as one."""
        axis = self.axis(self.along, bottoms[0])
        rest = {(*bottom.shape[:axis], *bottom.shape[axis + 1 :]) for bottom in bottoms}
        if len(rest) > 1 or any(bottom.dim() != bottoms[0].dim() for bottom in bottoms):
            raise self.refused(f"bottoms that differ only along axis {axis}", " and ".join(map(told, bottoms)))
        return torch.cat(bottoms, axis)


class Slice(CaffeLayer):
    """Parts of its bottom along an axis, by default that of the channels: cut at points, or evenly."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.slice_param
        self.along = settings.slice_dim if settings.HasField("slice_dim") else settings.axis
        self.points, self.tops = tuple(settings.slice_point), len(layer.top)
        if self.points and len(self.points) != self.tops - 1:
            raise setting_error(layer, f"{self.tops} tops need {self.tops - 1} slice points, not {len(self.points)}")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the parts."""
        bottom = bottoms[0]
        axis = self.axis(self.along, bottom)
        size = bottom.shape[axis]
        if not self.points and size % self.tops:
            raise self.refused(f"a bottom whose axis {axis} can be cut in {self.tops}", told(bottom))
        edges = (0, *self.points, size) if self.points else tuple(range(0, size + 1, size // self.tops))
        parts = list(itertools.pairwise(edges))
        if any(high <= low for low, high in parts):
            raise self.refused(f"slice points that rise within {size}", str(self.points))
        return tuple(bottom.narrow(axis, low, high - low) for low, high in parts)


class Split(CaffeLayer):
    """Its bottom, several times."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.tops = len(layer.top)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom for every top."""
        return bottoms[:1] * self.tops


class Crop(CaffeLayer):
    """The first bottom cut to the size of the second, from an axis on."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.from_axis, self.offsets = layer.crop_param.axis, tuple(layer.crop_param.offset)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the part of the first bottom."""
        top, reference = bottoms
        start = self.axis(self.from_axis, top)
        axes = range(start, top.dim())
        if len(self.offsets) not in (0, 1, len(axes)) or reference.dim() != top.dim():
            raise self.refused(f"one offset or {len(axes)}, and bottoms of as many axes", f"{self.offsets}")
        offsets = self.offsets if len(self.offsets) > 1 else (self.offsets or (0,)) * len(axes)
        for axis, offset in zip(axes, offsets, strict=True):
            if offset + reference.shape[axis] > top.shape[axis]:
                raise self.refused(
                    f"a bottom that holds {told(reference)} from {offset} on along axis {axis}", told(bottoms[0])
                )
            top = top.narrow(axis, offset, reference.shape[axis])
        return top


class Flatten(CaffeLayer):
    """Some axes as one."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.first, self.last = layer.flatten_param.axis, layer.flatten_param.end_axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom with fewer axes."""
        bottom = bottoms[0]
        first, last = self.axis(self.first, bottom), self.axis(self.last, bottom)
        if first > last:
            raise self.refused(f"an axis {first} before the end axis {last}", told(bottom))
        return bottom.flatten(first, last)


class Reshape(CaffeLayer):
    """The same numbers in another shape: 0 copies a size, -1 takes what is left.

    Where the shape begins with the number of images that the prototxt's input has, any number of images is taken.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.reshape_param
        self.shape, self.first, self.count = tuple(settings.shape.dim), settings.axis, settings.num_axes
        #: The number of images that the prototxt means; set by the network.
        self.pictures: int | None = None
        if self.shape.count(-1) > 1 or any(dim < -1 for dim in self.shape):
            raise setting_error(layer, f"its shape {self.shape} must be of sizes, zeros and at most one -1")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom in the new shape."""
        bottom = bottoms[0]
        start = self.first if self.first >= 0 else bottom.dim() + self.first + 1
        stop = bottom.dim() if self.count < 0 else start + self.count
        if not 0 <= start <= stop <= bottom.dim():
            raise self.refused(f"a bottom with the axes {start} to {stop}", told(bottom))
        sizes = list(self.shape)
        if start == 0 and stop and sizes and sizes[0] == self.pictures:
            sizes[0] = bottom.shape[0]
        for place, size in enumerate(sizes):
            if size == 0 and start + place >= bottom.dim():
                raise self.refused(f"a bottom with an axis {start + place} to copy", told(bottom))
            sizes[place] = bottom.shape[start + place] if size == 0 else size
        shape = [*bottom.shape[:start], *sizes, *bottom.shape[stop:]]
        fixed = math.prod(size for size in shape if size != -1)
        if bottom.numel() % fixed if -1 in shape and fixed else bottom.numel() != fixed:
            raise self.refused(f"a bottom that fits {' x '.join(map(str, shape))}", told(bottom))
        return bottom.reshape(shape)


class Permute(CaffeLayer):
    """The same axes in another order."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.order = tuple(layer.permute_param.order)
        if len(set(self.order)) != len(self.order):
            raise setting_error(layer, f"its order {self.order} names an axis twice")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the bottom with its axes in order, those that are not named last."""
        bottom = bottoms[0]
        if any(axis >= bottom.dim() for axis in self.order):
            raise self.refused(f"a bottom with the axes {self.order}", told(bottom))
        rest = (axis for axis in range(bottom.dim()) if axis not in self.order)
        return bottom.permute(*self.order, *rest).contiguous()


class Softmax(CaffeLayer):
    """Exponentials that add up to one along an axis, by default that of the channels."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.along = layer.softmax_param.axis

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the shares."""
        return bottoms[0].softmax(self.axis(self.along, bottoms[0]))


class ArgMax(CaffeLayer):
    """Where the k largest numbers are, along an axis or in each image; or what they are.

    Without an axis the top is (N, 1, k), or (N, 2, k) with the values behind the places; with one, the axis has k
    places, or k values. Of equal numbers the last comes first, as in Caffe.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.argmax_param
        self.along = settings.axis if settings.HasField("axis") else None
        self.k, self.values = int(settings.top_k), bool(settings.out_max_val)
        if self.k < 1:
            raise setting_error(layer, "its top_k must be at least 1")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return places or values as numbers."""
        bottom = bottoms[0]
        axis = 1 if self.along is None else self.axis(self.along, bottom)
        rows = bottom.flatten(1) if self.along is None else bottom
        count = rows.shape[axis]
        if self.k > count:
            raise self.refused(f"a bottom with at least {self.k} numbers to choose from", told(bottom))
        largest, places = torch.sort(rows.flip(axis), dim=axis, descending=True, stable=True)
        largest, places = largest.narrow(axis, 0, self.k), count - 1 - places.narrow(axis, 0, self.k)
        if self.along is not None:
            return largest if self.values else places.to(bottom.dtype)
        found = torch.stack((places.to(bottom.dtype), largest), 1) if self.values else places.to(bottom.dtype)[:, None]
        return found.reshape(*found.shape, *(1,) * (bottom.dim() - 3))


class Silence(CaffeLayer):
    """Takes blobs that nobody reads, and gives nothing."""

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return nothing."""
        del bottoms
        return ()
