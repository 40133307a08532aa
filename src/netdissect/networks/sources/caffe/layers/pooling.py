"""Pooling, with Caffe's rule for the position of the last window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from netdissect.errors import UnsupportedLayerError
from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error
from netdissect.networks.sources.caffe.layers.window import Pair, Window, read_window

if TYPE_CHECKING:
    from netdissect.networks.sources.caffe.layer_weights import LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Tops

_MAX, _AVE = 0, 1
#: Padding of max pooling.
_LOWEST = torch.finfo(torch.float32).min


class Pooling(CaffeLayer):
    """Max or average pooling, over a sliding window or over the whole image."""

    def __init__(self, layer: Any, window: Window | None) -> None:
        super().__init__(layer)
        settings = layer.pooling_param
        self.window = window
        self.largest = settings.pool == _MAX
        self.up = bool(settings.round_mode == 0 and settings.ceil_mode)

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer."""
        del weights
        settings = layer.pooling_param
        if settings.pool not in (_MAX, _AVE):
            raise UnsupportedLayerError(
                f'layer "{layer.name}" ({layer.type}) pools stochastically; only MAX and AVE are supported'
            )
        if settings.global_pooling:
            return cls(layer, None)
        window = read_window(layer, settings)
        if any(pad >= kernel for pad, kernel in zip(window.padding, window.kernel, strict=True)):
            raise setting_error(layer, f"its padding {window.padding} must be smaller than its kernel {window.kernel}")
        return cls(layer, window)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the pooled bottom (N, C, H, W)."""
        bottom = bottoms[0]
        if bottom.dim() != 4:
            raise self.input_error("a bottom of shape N x C x H x W", format_bottom_shape(bottom))
        if self.window is None:
            return bottom.amax((2, 3), keepdim=True) if self.largest else bottom.mean((2, 3), keepdim=True)
        w, cells = self.window, self._cells(self.window, bottom)
        if _matches_torch(w, bottom, cells):
            if self.largest:
                return functional.max_pool2d(bottom, w.kernel, w.stride, w.padding, ceil_mode=self.up)
            return functional.avg_pool2d(bottom, w.kernel, w.stride, w.padding, ceil_mode=self.up)
        if self.largest:
            top = functional.max_pool2d(_pad_with(bottom, w, cells, _LOWEST), w.kernel, w.stride)
            rows, columns = (-(-(bottom.shape[2 + axis] + w.padding[axis]) // w.stride[axis]) for axis in (0, 1))
            # Windows beyond the image are 0, as in OpenCV (Caffe leaves its smallest number there).
            top[:, :, rows:], top[:, :, :, columns:] = 0, 0
            return top
        sums = functional.avg_pool2d(_pad_with(bottom, w, cells, 0.0), w.kernel, w.stride, divisor_override=1)
        return sums / _compute_areas(w, bottom, cells).to(sums)

    def _cells(self, w: Window, bottom: Tensor) -> Pair:
        """Return height and width of the top.

        Caffe rounds up, so that the last window may hang over the edge; if there is padding it must still begin
        before the padding that follows the image.
        """
        cells = []
        for axis in (0, 1):
            size, kernel, stride, pad = bottom.shape[2 + axis], w.kernel[axis], w.stride[axis], w.padding[axis]
            span = size + 2 * pad - kernel
            count = (-(-span // stride) if self.up else span // stride) + 1
            if max(w.padding) and (count - 1) * stride >= size + pad:
                count -= 1
            if count < 1 or not size:
                raise self.input_error(
                    f"a bottom that a window of {w.kernel} fits", format_bottom_shape(bottom), "use larger images"
                )
            cells.append(count)
        return cells[0], cells[1]


def _matches_torch(w: Window, bottom: Tensor, cells: Pair) -> bool:
    """Return whether torch's rule is the same: padding of at most half the kernel, no window without a cell."""
    return all(
        2 * w.padding[axis] <= w.kernel[axis]
        and (cells[axis] - 1) * w.stride[axis] < bottom.shape[2 + axis] + w.padding[axis]
        for axis in (0, 1)
    )


def _pad_with(bottom: Tensor, w: Window, cells: Pair, value: float) -> Tensor:
    """Return the bottom padded with a value, exactly as far as its windows reach."""
    lower, right = (
        (cells[axis] - 1) * w.stride[axis] + w.kernel[axis] - bottom.shape[2 + axis] - w.padding[axis]
        for axis in (0, 1)
    )
    return functional.pad(bottom, (w.padding[1], right, w.padding[0], lower), value=value)


def _compute_areas(w: Window, bottom: Tensor, cells: Pair) -> Tensor:
    """Return the area of every window within the padded image; at least 1, since Caffe divides zero by zero."""
    extents = []
    for axis in (0, 1):
        starts = torch.arange(cells[axis]) * w.stride[axis] - w.padding[axis]
        ends = (starts + w.kernel[axis]).clamp(max=bottom.shape[2 + axis] + w.padding[axis])
        extents.append((ends - starts).clamp(min=1))
    return torch.outer(*extents)
