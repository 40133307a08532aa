"""Layers that normalize: LRN, BatchNorm, Scale and Bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.sources.caffe.layer_weights import Expected, LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Shape, Tops


class LRN(CaffeLayer):
    """Local response normalization: x · (k + α/n · Σ x²)^-β over n neighboring channels.

    Within a channel the neighbors are n x n cells, the sum counts zeros around the image, and k is always 1.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.lrn_param
        self.size = int(settings.local_size)
        self.alpha, self.beta, self.k = float(settings.alpha), float(settings.beta), float(settings.k)
        self.within = settings.norm_region == 1
        if self.size % 2 == 0:
            raise setting_error(layer, f"its local_size must be odd, not {self.size}")

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the normalized bottom (N, C, H, W)."""
        bottom = bottoms[0]
        if bottom.dim() != 4:
            raise self.input_error("a bottom of shape N x C x H x W", format_bottom_shape(bottom))
        if self.within:
            mean = functional.avg_pool2d(bottom.square(), self.size, 1, self.size // 2)
            return bottom * mean.mul_(self.alpha).add_(1).pow_(-self.beta)
        return bottom * self._across(bottom.square())

    def _across(self, squares: Tensor) -> Tensor:
        """Return (k + α/n · Σ x²)^-β, four times as fast as `local_response_norm` on a CPU."""
        total = squares.clone()
        for distance in range(1, min(self.size // 2 + 1, squares.shape[1])):
            total[:, distance:] += squares[:, :-distance]
            total[:, :-distance] += squares[:, distance:]
        return total.mul_(self.alpha / self.size).add_(self.k).pow_(-self.beta)


class BatchNorm(CaffeLayer):
    """Subtracts the stored mean of each channel and divides by the stored standard deviation."""

    mean: Tensor
    variance: Tensor

    def __init__(self, layer: Any, mean: Tensor, variance: Tensor) -> None:
        super().__init__(layer)
        self.eps = float(layer.batch_norm_param.eps)
        # A prototxt may ask for the statistics of the batch in the test phase too.
        self.stored = bool(layer.batch_norm_param.use_global_stats)
        self.register_buffer("mean", mean)
        self.register_buffer("variance", variance)

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer: Caffe stores sums, and their divisor in a third blob (0 gives 0)."""
        if not layer.batch_norm_param.use_global_stats and not weights.blobs:
            return cls(layer, torch.zeros(0), torch.zeros(0))
        expected: dict[str, Expected] = {"mean": (None,), "variance": (None,), "factor": (1,)}
        if len(weights.blobs) == 2:
            del expected["factor"]
        taken = weights.take(**expected)
        # A weightless network has no values, so the divisor does not matter.
        factor = float(taken["factor"]) if "factor" in taken and not taken["factor"].is_meta else 1.0
        divisor = 1 / factor if factor else 0.0
        return cls(layer, taken["mean"].data * divisor, taken["variance"].data * divisor)

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of mean, variance and factor."""
        del layer
        channels = bottoms[0][1] if len(bottoms[0]) > 1 else 1
        return [(channels,), (channels,), (1,)]

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the normalized bottom (N, C, …)."""
        bottom = bottoms[0]
        if not self.stored:
            return functional.batch_norm(bottom, None, None, training=True, eps=self.eps)
        return self.normalized(bottom)

    def normalized(self, bottom: Tensor, factors: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Return the bottom, normalized with the stored statistics, and scaled and shifted by channel if factors and bias are given."""
        if bottom.dim() < 2 or bottom.shape[1] != len(self.mean):
            raise self.input_error(
                f"a bottom with {len(self.mean)} channels, as its weights have", format_bottom_shape(bottom)
            )
        return functional.batch_norm(bottom, self.mean, self.variance, factors, bias, eps=self.eps)


class Scale(CaffeLayer):
    """Multiplies by factors along some axes and adds a bias; the factors are weights, or the second bottom."""

    def __init__(self, layer: Any, axis: int, weight: nn.Parameter | None, bias: nn.Parameter | None) -> None:
        super().__init__(layer)
        self.first_axis = int(axis)
        self.weight, self.bias = weight, bias

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer."""
        settings = layer.scale_param
        shape: Expected | None = None
        if len(layer.bottom) == 1 and settings.num_axes >= 0:
            shape = (None,) * settings.num_axes
        expected: dict[str, Expected | None] = {"factors": shape} if len(layer.bottom) == 1 else {}
        if settings.bias_term:
            expected["bias"] = shape
        taken = weights.take(**expected)
        return cls(layer, settings.axis, taken.get("factors"), taken.get("bias"))

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of factors and bias, unless they are bottoms."""
        settings = layer.scale_param
        learned = len(bottoms) == 1
        shape = align_to_axis(bottoms[0], settings.axis, settings.num_axes) if learned else bottoms[1]
        return [shape] * (learned + settings.bias_term)

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the first bottom, scaled."""
        bottom = bottoms[0]
        factors = self.weight if self.weight is not None else bottoms[1]
        top = bottom * self._along(factors, bottom)
        return top if self.bias is None else top + self._along(self.bias, bottom)

    def _along(self, values: Tensor, bottom: Tensor) -> Tensor:
        """Return values reshaped to broadcast over a bottom, from the layer's first axis on."""
        if values.dim() == 0:
            return values
        axis = self.axis(self.first_axis, bottom)
        if bottom.shape[axis : axis + values.dim()] != values.shape:
            raise self.input_error(
                f"a bottom with {format_bottom_shape(values)} from axis {axis} on", format_bottom_shape(bottom)
            )
        return values.reshape(*values.shape, *(1,) * (bottom.dim() - axis - values.dim()))


class Bias(Scale):
    """Adds a bias along some axes; it is a weight, or the second bottom."""

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer."""
        settings = layer.bias_param
        shape = (None,) * settings.num_axes if settings.num_axes >= 0 else None
        learned: dict[str, Expected | None] = {"bias": shape} if len(layer.bottom) == 1 else {}
        return cls(layer, settings.axis, None, weights.take(**learned).get("bias"))

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shape of the bias, unless it is a bottom."""
        settings = layer.bias_param
        return [align_to_axis(bottoms[0], settings.axis, settings.num_axes)] if len(bottoms) == 1 else []

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the first bottom plus the bias."""
        bottom = bottoms[0]
        return bottom + self._along(self.bias if self.bias is not None else bottoms[1], bottom)


def align_to_axis(shape: Shape, axis: int, axes: int) -> Shape:
    """Return the sizes of `axes` axes from `axis` on; of all after it if `axes` is -1.

    >>> align_to_axis((10, 3, 8, 8), 1, 1)
    (3,)
    """
    start = axis % len(shape)
    return shape[start:] if axes < 0 else shape[start : start + axes]
