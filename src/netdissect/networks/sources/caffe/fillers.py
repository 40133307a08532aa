"""Caffe's fillers: how a prototxt says that weights are drawn before training (Caffe's filler.hpp)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.networks.sources.caffe.caffemodel import Blob

#: The message of a layer's settings, and the fields with the fillers of its blobs.
_FIELDS = {
    "Convolution": ("convolution_param", ("weight_filler", "bias_filler")),
    "Deconvolution": ("convolution_param", ("weight_filler", "bias_filler")),
    "InnerProduct": ("inner_product_param", ("weight_filler", "bias_filler")),
    "Scale": ("scale_param", ("filler", "bias_filler")),
    "Bias": ("bias_param", ("filler",)),
    "PReLU": ("prelu_param", ("filler",)),
}


def fill_blobs(layer: Any, shapes: Sequence[tuple[int, ...]], generator: np.random.Generator) -> list[Blob | None]:
    """Draw a layer's blobs as its fillers say; None for a blob whose filler the prototxt does not name.

    A bias without a filler is 0 where the weights have one, as in Caffe.

    Args:
        layer: the layer's message.
        shapes: shapes of its blobs, in Caffe's order.
        generator: draws the numbers.

    Raises:
        ModelFileError: if Caffe has no filler of that type.
    """
    if layer.type not in _FIELDS:
        return [None] * len(shapes)
    message, names = _FIELDS[layer.type]
    names = names[len(names) - len(shapes) :] if layer.type == "Scale" and len(layer.bottom) > 1 else names
    settings = getattr(layer, message)
    given = [getattr(settings, name) if settings.HasField(name) else None for name in names[: len(shapes)]]
    blobs: list[Blob | None] = [None] * len(shapes)
    for place, filler in enumerate(given):
        if filler is not None:
            blobs[place] = _fill(layer, filler, shapes[place], generator).astype(np.float32)
        elif place and blobs[0] is not None:
            blobs[place] = np.zeros(shapes[place], np.float32)
    return blobs


def _fill(layer: Any, filler: Any, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    draw = _FILLERS.get(filler.type)
    if draw is None:
        raise ModelFileError(
            f'layer "{layer.name}" ({layer.type}): expected a filler of Caffe ({", ".join(_FILLERS)}), got {filler.type!r}'
        )
    return draw(filler, shape, generator)


def _fill_gaussian(filler: Any, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    values = generator.normal(filler.mean, filler.std, shape)
    if filler.sparse < 0:
        return values
    return values * (generator.random(shape) < min(1.0, filler.sparse / max(shape[0], 1)))


def _fill_unit_ball(_: Any, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
    """Return positive numbers that sum up to 1 for every output."""
    values = generator.random(shape)
    return values / values.sum(axis=tuple(range(1, len(shape))), keepdims=True)


def _fill_bilinear(_: Any, shape: tuple[int, ...], __: np.random.Generator) -> Any:
    """Return the kernel of bilinear interpolation, of every output and channel."""
    size = shape[-1]
    factor = math.ceil(size / 2)
    center = (2 * factor - 1 - factor % 2) / (2 * factor)
    line = 1 - np.abs(np.arange(size) / factor - center)
    return np.broadcast_to(line[:, None] * line, shape)


def _find_fan(filler: Any, shape: tuple[int, ...]) -> float:
    """Return the number of inputs of an output, or as the filler says of outputs of an input, or the mean of both."""
    count = math.prod(shape)
    inputs, outputs = count / shape[0], count / shape[1] if len(shape) > 1 else count
    return (inputs, outputs, (inputs + outputs) / 2)[filler.variance_norm]


_FILLERS: dict[str, Callable[[Any, tuple[int, ...], np.random.Generator], Any]] = {
    "constant": lambda filler, shape, _: np.full(shape, filler.value),
    "uniform": lambda filler, shape, generator: generator.uniform(filler.min, filler.max, shape),
    "gaussian": _fill_gaussian,
    "positive_unitball": _fill_unit_ball,
    "xavier": lambda filler, shape, generator: (
        generator.uniform(-1, 1, shape) * math.sqrt(3 / _find_fan(filler, shape))
    ),
    "msra": lambda filler, shape, generator: generator.normal(0, math.sqrt(2 / _find_fan(filler, shape)), shape),
    "bilinear": _fill_bilinear,
}
