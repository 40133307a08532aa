"""The base class of Caffe's layers: an `nn.Module` from bottoms to tops."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from netdissect.errors import ModelError, ModelFileError, NetdissectError, root_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdissect.networks.sources.caffe.layer_weights import LayerWeights

Tops = Tensor | tuple[Tensor, ...]
Shape = tuple[int, ...]


class CaffeLayer(nn.Module):
    """A layer: bottoms in, a top or a tuple of tops out. It never changes a bottom."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.label = f'layer "{layer.name}" ({layer.type})'

    @classmethod
    def from_caffe(cls, layer: Any, weights: LayerWeights) -> Self:
        """Create the layer from its ``LayerParameter`` message and its weights.

        Raises:
            ModelFileError: if its settings contradict each other, or its weights are missing or misshapen.
            UnsupportedLayerError: if a setting is not implemented.
        """
        del weights
        return cls(layer)

    @classmethod
    def weight_shapes(cls, layer: Any, bottoms: Sequence[Shape]) -> list[Shape]:
        """Return the shapes of its weights, in Caffe's order, for bottoms of these shapes."""
        del layer, bottoms
        return []

    def input_error(self, expected: str, got: str, advice: str = "") -> ModelError:
        """Return the error of a bottom that does not fit this layer."""
        return ModelError(f"{self.label}: expected {expected}, got {got}" + (f"; {advice}" if advice else ""))

    def axis(self, axis: int, bottom: Tensor, *, beyond: int = 0) -> int:
        """Return the index of an axis of a bottom; a negative one counts from the end.

        Raises:
            ModelError: if the bottom has no such axis, nor one of `beyond` further ones.
        """
        count = bottom.dim() + beyond
        if not -count <= axis < count:
            raise self.input_error(f"a bottom with an axis {axis}", f"one of shape {format_bottom_shape(bottom)}")
        return axis % count


def setting_error(layer: Any, sentence: str) -> ModelFileError:
    """Return the error of a layer with a wrong setting in the prototxt."""
    return ModelFileError(f'layer "{layer.name}" ({layer.type}): {sentence}; correct the prototxt')


@contextlib.contextmanager
def explain_torch_errors(label: str, bottoms: Sequence[Tensor]) -> Iterator[None]:
    """Turn torch's errors about the shapes of bottoms into a ModelError; running out of memory stays as it is."""
    try:
        yield
    except NetdissectError:
        raise
    except (RuntimeError, IndexError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "memory" in str(error):
            raise
        shapes = " and ".join(map(format_bottom_shape, bottoms))
        raise ModelError(f"{label} cannot take {shapes}: {root_message(error)}") from error


def format_bottom_shape(bottom: Tensor) -> str:
    """Return a bottom's shape as text.

    >>> import torch
    >>> format_bottom_shape(torch.zeros(2, 3, 8, 8))
    '2 x 3 x 8 x 8'
    """
    return " x ".join(map(str, bottom.shape)) or "()"
