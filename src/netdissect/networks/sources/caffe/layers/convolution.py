"""Convolution and Deconvolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from torch.nn import functional

from netdissect.errors import UnsupportedLayerError
from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer, format_bottom_shape, setting_error
from netdissect.networks.sources.caffe.layers.window import Window, read_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

    from netdissect.networks.sources.caffe.layer_weights import Expected, LayerWeights
    from netdissect.networks.sources.caffe.layers.caffe_layer import Shape, Tops


#: More cells than any top has unless the prototxt is damaged.
_MOST_CELLS = 1 << 26


class Convolution(CaffeLayer):
    """A convolution, in groups of channels; the same for each of its bottoms.

    Attributes:
        convolve: as ``torch.nn.functional.conv2d``; copies that are probed keep packed weights (`packed_weights`).
    """

    convolve: Callable[..., Tensor] = staticmethod(functional.conv2d)

    def __init__(
        self, layer: Any, window: Window, groups: int, weight: nn.Parameter, bias: nn.Parameter | None
    ) -> None:
        super().__init__(layer)
        self.window, self.groups = window, groups
        self.weight, self.bias = weight, bias

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer; its weights give the number of input channels."""
        settings = layer.convolution_param
        window, groups = read_window(layer, settings), settings.group
        _check(layer, settings)
        expected: dict[str, Expected] = {"weights": cls.weight_shape(settings.num_output, None, groups, window.kernel)}
        if settings.bias_term:
            expected["bias"] = (settings.num_output,)
        taken = weights.take(**expected)
        return cls(layer, window, groups, taken["weights"], taken.get("bias"))

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of the weights and of the bias, if there is one."""
        settings = layer.convolution_param
        _check(layer, settings)
        kernel = read_window(layer, settings).kernel
        shape = cls.weight_shape(settings.num_output, bottoms[0][1], settings.group, kernel)
        weights: Shape = tuple(size or 0 for size in shape)
        return [weights, (settings.num_output,)] if settings.bias_term else [weights]

    @staticmethod
    def weight_shape(outputs: int, channels: int | None, groups: int, kernel: tuple[int, int]) -> Expected:
        """Return the shape of the weights: (O, C / groups, y, x)."""
        return outputs, None if channels is None else channels // groups, *kernel

    @property
    def channels(self) -> int:
        """Number of input channels of its weights."""
        return int(self.weight.shape[1]) * self.groups

    def forward(self, *bottoms: Tensor) -> Tops:
        """Return a top for every bottom (N, C, H, W)."""
        tops = tuple(self.convolved(bottom, self.weight, self.bias) for bottom in bottoms)
        return tops if len(tops) > 1 else tops[0]

    def convolved(self, bottom: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the top for one bottom, with weights and bias of these shapes."""
        if bottom.dim() != 4 or bottom.shape[1] != self.channels:
            raise self.input_error(
                f"a bottom of shape N x {self.channels} x H x W as its weights have", format_bottom_shape(bottom)
            )
        height, width = (self._cells(axis, bottom.shape[2 + axis]) for axis in (0, 1))
        if height < 1 or width < 1:
            raise self.input_error(
                f"a bottom that a kernel of {self.window.kernel} fits", format_bottom_shape(bottom), "use larger images"
            )
        if height * width > _MOST_CELLS:
            raise self.input_error(
                "a top of some thousand cells a side", f"{height} x {width}", "is the prototxt damaged?"
            )
        return self._slide(bottom, weight, bias)

    def _cells(self, axis: int, size: int) -> int:
        """Return the number of cells along an axis of the top."""
        w = self.window
        return (size + 2 * w.padding[axis] - self._reach(axis)) // w.stride[axis] + 1 if size else 0

    def _reach(self, axis: int) -> int:
        """Return the size of the dilated kernel along an axis."""
        return self.window.dilation[axis] * (self.window.kernel[axis] - 1) + 1

    def _slide(self, bottom: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        w = self.window
        return self.convolve(bottom, weight, bias, w.stride, w.padding, w.dilation, self.groups)


class Deconvolution(Convolution):
    """A transposed convolution."""

    @staticmethod
    def weight_shape(outputs: int, channels: int | None, groups: int, kernel: tuple[int, int]) -> Expected:
        """Return the shape of the weights: (C, O / groups, y, x)."""
        return channels, outputs // groups, *kernel

    @property
    def channels(self) -> int:
        """Number of input channels of its weights."""
        return int(self.weight.shape[0])

    def _cells(self, axis: int, size: int) -> int:
        w = self.window
        return (size - 1) * w.stride[axis] + self._reach(axis) - 2 * w.padding[axis] if size else 0

    def _slide(self, bottom: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        w = self.window
        return functional.conv_transpose2d(bottom, weight, bias, w.stride, w.padding, (0, 0), self.groups, w.dilation)


def _check(layer: Any, settings: Any) -> None:
    if settings.num_output < 1:
        raise setting_error(layer, "its num_output must be at least 1")
    if settings.group < 1 or settings.num_output % settings.group:
        raise setting_error(layer, f"{settings.num_output} outputs cannot be split into {settings.group} groups")
    if settings.axis not in (1, -3):
        raise UnsupportedLayerError(
            f'layer "{layer.name}" ({layer.type}) has its channels on axis {settings.axis}; only axis 1 is supported'
        )
