"""Elementwise layers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.sources.caffe.layer_weights import LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Shape, Tops


class Pointwise(CaffeLayer, ABC):
    """An elementwise function of its only bottom."""

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the function of every number of the bottom."""
        return self._function(bottoms[0])

    @abstractmethod
    def _function(self, x: Tensor) -> Tensor:
        """Return the function of every number of a tensor, with its shape."""


class Identity(Pointwise):
    """Dropout, which does nothing in the test phase."""

    def _function(self, x: Tensor) -> Tensor:
        return x


class ReLU(Pointwise):
    """max(x, 0) + slope · min(x, 0)."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.slope = float(layer.relu_param.negative_slope)

    def _function(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, self.slope) if self.slope else functional.relu(x)


class PReLU(Pointwise):
    """max(x, 0) + slope · min(x, 0) with a learned slope per channel, or one for all."""

    def __init__(self, layer: Any, slope: nn.Parameter) -> None:
        super().__init__(layer)
        self.slope = slope

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer."""
        shape = () if layer.prelu_param.channel_shared else (None,)
        return cls(layer, weights.take(slope=shape)["slope"])

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shape of the slope."""
        return [() if layer.prelu_param.channel_shared else (bottoms[0][1],)]

    def _function(self, x: Tensor) -> Tensor:
        if self.slope.dim() and (x.dim() < 2 or x.shape[1] != len(self.slope)):
            raise self.input_error(
                f"a bottom with {len(self.slope)} channels, as its weights have", format_bottom_shape(x)
            )
        return functional.prelu(x, self.slope.reshape(-1))


class ELU(Pointwise):
    """X if it is positive, else α · (exp(x) - 1)."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        self.alpha = float(layer.elu_param.alpha)

    def _function(self, x: Tensor) -> Tensor:
        return functional.elu(x, self.alpha)


class Sigmoid(Pointwise):
    """1 / (1 + exp(-x))."""

    def _function(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class TanH(Pointwise):
    """The hyperbolic tangent."""

    def _function(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class AbsVal(Pointwise):
    """|x|."""

    def _function(self, x: Tensor) -> Tensor:
        return x.abs()


class BNLL(Pointwise):
    """log(1 + exp(x))."""

    def _function(self, x: Tensor) -> Tensor:
        return functional.softplus(x)


class Power(Pointwise):
    """(shift + scale · x)^power."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.power_param
        self.power, self.scale, self.shift = float(settings.power), float(settings.scale), float(settings.shift)

    def _function(self, x: Tensor) -> Tensor:
        inner = x * self.scale + self.shift
        return inner if self.power == 1 else inner.pow(self.power)


class Exp(Pointwise):
    """base^(shift + scale · x); a base of -1 means e."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.exp_param
        self.log_base = _compute_log_base(layer, settings)
        self.scale, self.shift = float(settings.scale), float(settings.shift)

    def _function(self, x: Tensor) -> Tensor:
        return torch.exp(x * (self.scale * self.log_base) + self.shift * self.log_base)


class Log(Pointwise):
    """log_base(shift + scale · x); a base of -1 means e."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer)
        settings = layer.log_param
        self.log_base = _compute_log_base(layer, settings)
        self.scale, self.shift = float(settings.scale), float(settings.shift)
        if self.log_base == 0:
            raise setting_error(layer, "its base must not be 1")

    def _function(self, x: Tensor) -> Tensor:
        return torch.log(x * self.scale + self.shift) / self.log_base


def _compute_log_base(layer: Any, settings: Any) -> float:
    if settings.base == -1:
        return 1.0
    if not settings.base > 0:
        raise setting_error(layer, f"its base must be positive, or -1 for e, not {settings.base:g}")
    return math.log(settings.base)
