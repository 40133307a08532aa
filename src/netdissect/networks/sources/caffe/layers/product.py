"""InnerProduct: a fully connected layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from torch.nn import functional

from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from netdissect.networks.sources.caffe.layer_weights import Expected, LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Shape, Tops


class InnerProduct(CaffeLayer):
    """A linear map of all numbers of an axis and those after it."""

    def __init__(self, layer: Any, weight: nn.Parameter, bias: nn.Parameter | None) -> None:
        super().__init__(layer)
        self.from_axis = layer.inner_product_param.axis
        self.transposed = layer.inner_product_param.transpose
        self.weight, self.bias = weight, bias

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer; its weights give the number of inputs."""
        settings = layer.inner_product_param
        outputs = _read_outputs(layer)
        expected: dict[str, Expected] = {"weights": (None, outputs) if settings.transpose else (outputs, None)}
        if settings.bias_term:
            expected["bias"] = (outputs,)
        taken = weights.take(**expected)
        return cls(layer, taken["weights"], taken.get("bias"))

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of the weights and of the bias, if there is one."""
        settings, outputs = layer.inner_product_param, _read_outputs(layer)
        inputs = math.prod(bottoms[0][settings.axis :])
        weights = (inputs, outputs) if settings.transpose else (outputs, inputs)
        return [weights, (outputs,)] if settings.bias_term else [weights]

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return the outputs, after the bottom's leading axes."""
        bottom = bottoms[0]
        flat = bottom.flatten(self.axis(self.from_axis, bottom))
        weight = self.weight.t() if self.transposed else self.weight
        if flat.shape[-1] != weight.shape[1]:
            raise self.input_error(
                f"{weight.shape[1]} numbers per image, as its weights have",
                f"{flat.shape[-1]} from a bottom of shape {format_bottom_shape(bottom)}",
                "use images of the size that the prototxt gives, or probe blobs below this layer",
            )
        return functional.linear(flat, weight, self.bias)


def _read_outputs(layer: Any) -> int:
    outputs = int(layer.inner_product_param.num_output)
    if outputs < 1:
        raise setting_error(layer, "its num_output must be at least 1")
    return outputs
