"""Find and check a layer's weights in a caffemodel, and share weights between layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from netdissect.errors import ModelFileError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.networks.sources.caffe.caffemodel import Blob

#: The expected shape of a blob; None fits any size.
Expected = tuple[int | None, ...]


class WeightStore:
    """The weights of a network, and the weights that layers share; for a weightless network, only their shapes."""

    def __init__(self, blobs: Mapping[str, Sequence[Blob]], *, weightless: bool = False) -> None:
        self.blobs = blobs
        self.weightless = weightless
        self.shared: dict[str, nn.Parameter] = {}

    def get_layer(self, layer: Any) -> LayerWeights:
        """Return the weights of one layer."""
        return LayerWeights(layer, self)


class LayerWeights:
    """The weights of one layer, as parameters of the shapes that it expects."""

    def __init__(self, layer: Any, store: WeightStore) -> None:
        self.layer = layer
        self.label = f'layer "{layer.name}" ({layer.type})'
        self.store = store
        self.blobs = store.blobs.get(layer.name, ())
        self.names = [param.name for param in layer.param]

    def take(self, **expected: Expected | None) -> dict[str, nn.Parameter]:
        """Return the layer's weights as parameters.

        Args:
            expected: name → shape, in Caffe's order of blobs. None fits any shape, and None in a shape any size.
                Axes of length 1 at the ends may be missing or added, as in Caffe's older files.

        Raises:
            ModelFileError: if there are fewer blobs, or more, or one has another shape.
        """
        count = len(self.blobs)
        if count > len(expected) or any(self._get_shared(place) is None for place in range(count, len(expected))):
            raise self._make_count_error(list(expected))
        taken = {}
        for place, (name, shape) in enumerate(expected.items()):
            taken[name] = self._make_parameter(place, name, shape)
        return taken

    def _make_parameter(self, place: int, name: str, expected: Expected | None) -> nn.Parameter:
        shared = self._get_shared(place)
        if shared is not None and (
            expected is None or _match_shape(tuple(shared.shape), expected) == tuple(shared.shape)
        ):
            return shared
        blob = self.blobs[place] if place < len(self.blobs) else _to_blob(shared)
        assert blob is not None
        shape = blob.shape if expected is None else _match_shape(blob.shape, expected)
        if shape is None:
            raise ModelFileError(
                f"{self.label}: expected {name} of shape {_format_shape(expected or ())} as the prototxt says, "
                f"got {_format_shape(blob.shape)} in the caffemodel; do the two belong together?"
            )
        if self.store.weightless:
            numbers = torch.empty(shape, device="meta")
        else:  # copied once: the file's bytes are read-only and unaligned
            numbers = torch.from_numpy(np.array(blob, dtype=np.float32)).reshape(shape)
        parameter = nn.Parameter(numbers, requires_grad=False)
        if place < len(self.names) and self.names[place]:
            self.store.shared.setdefault(self.names[place], parameter)
        return parameter

    def _get_shared(self, place: int) -> nn.Parameter | None:
        name = self.names[place] if place < len(self.names) else ""
        return self.store.shared.get(name) if name else None

    def _make_count_error(self, expected: list[str]) -> ModelFileError:
        needed = f"{len(expected)} blob{'s' if len(expected) > 1 else ''} of weights ({', '.join(expected)})"
        if self.blobs:
            shapes = ", ".join(_format_shape(blob.shape) for blob in self.blobs)
            return ModelFileError(
                f"{self.label}: expected {needed} as the prototxt says, got {len(self.blobs)} in the caffemodel "
                f"({shapes}); do the two belong together?"
            )
        return ModelFileError(
            f"{self.label}: expected {needed}, but the caffemodel has no weights for a layer of that name; "
            f"{suggest_nearest(self.layer.name, self.store.blobs)}"
        )


def _to_blob(shared: nn.Parameter | None) -> Blob | None:
    if shared is None:
        return None
    return np.broadcast_to(np.float32(0), shared.shape) if shared.is_meta else shared.numpy()


def _match_shape(found: tuple[int, ...], expected: Expected) -> tuple[int, ...] | None:
    """Return a shape with as many axes as expected, by adding or removing axes of length 1 at its ends; None if it does not fit."""
    while len(found) > len(expected) and 1 in (found[0], found[-1]):
        found = found[1:] if found[0] == 1 else found[:-1]
    found = (1,) * (len(expected) - len(found)) + found
    fits = len(found) == len(expected) and all(
        size is None or size == got for size, got in zip(expected, found, strict=True)
    )
    return found if fits else None


def _format_shape(shape: Expected) -> str:
    return "(" + ", ".join("*" if size is None else str(size) for size in shape) + ")"
