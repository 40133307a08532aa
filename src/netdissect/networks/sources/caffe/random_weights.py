"""Random weights for any prototxt, from a seed, scaled so that activations neither explode nor vanish."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.errors import ModelFileError
from netdissect.networks.sources.caffe.fillers import fill_blobs
from netdissect.networks.sources.caffe.layer_weights import WeightStore
from netdissect.networks.sources.caffe.layers import LAYER_TYPES, UnavailableLayer, build_caffe_layer, is_watcher
from netdissect.networks.sources.caffe.layers.caffe_layer import explain_torch_errors

if TYPE_CHECKING:
    from torch import Tensor

    from netdissect.networks.sources.caffe.caffemodel import Blob
    from netdissect.networks.sources.caffe.net_spec import NetSpec

#: Standard deviation of the noise image: about that of images from 0 to 255 minus their mean.
_INPUT_SPREAD = 64.0

#: Maximum number of weights of a layer, five times that of VGG's largest.
_MAX_WEIGHTS = 2**29

#: Layers whose weights are scaled by the spread of their output.
_SUMS = frozenset({"Convolution", "Deconvolution", "InnerProduct"})


def make_random_weights(spec: NetSpec, seed: int = 0) -> dict[str, list[Blob]]:
    """Return random weights for every layer that has any.

    A layer's weights depend on the seed and its name. Where the prototxt names fillers, they decide. A noise image is run through
    the layers as they are drawn: other weights of convolutions and linear layers are scaled by a power of two so that the standard deviation of the output
    is about 1, and BatchNorm gets matching statistics. Layers that are not implemented, and those that depend on them,
    get none.

    Raises:
        ModelFileError: if the prototxt does not give the shape of its input, or a layer has too many weights.
    """
    values: dict[str, Tensor] = {}
    for blob in spec.inputs:
        if blob.shape is not None:
            noise = _make_generator(seed, blob.name).standard_normal((1, *blob.shape[1:]), dtype=np.float32)
            values[blob.name] = torch.from_numpy(noise * np.float32(_INPUT_SPREAD))
    if not values:
        raise ModelFileError(f"{spec.where or 'prototxt'}: says no shape of its input; give it with with_input()")
    found: dict[str, list[Blob]] = {}
    for place, layer in enumerate(spec.layers):
        if layer.type not in LAYER_TYPES or is_watcher(layer.type) or any(name not in values for name in layer.bottom):
            for top in layer.top:
                values.pop(top, None)
            continue
        blobs = _add(layer, values, _make_generator(seed, layer.name))
        if blobs:
            found[layer.name] = blobs
        ahead = {name for later in spec.layers[place + 1 :] for name in later.bottom}
        values = {name: value for name, value in values.items() if name in ahead}
    return found


def _add(layer: Any, values: dict[str, Tensor], generator: np.random.Generator) -> list[Blob]:
    """Draw a layer's weights, run it, and return the weights; its tops are added to `values`."""
    bottoms = [values[name] for name in layer.bottom]
    with explain_torch_errors(f'layer "{layer.name}" ({layer.type})', bottoms):
        shapes = LAYER_TYPES[layer.type][0].weight_shapes(layer, [tuple(bottom.shape) for bottom in bottoms])
    count = sum(math.prod(shape) for shape in shapes)
    if count > _MAX_WEIGHTS:
        raise ModelFileError(
            f'layer "{layer.name}" ({layer.type}) asks for {count:,} weights, and at most {_MAX_WEIGHTS:,} are allowed: is the '
            f"prototxt right?"
        )
    filled = fill_blobs(layer, shapes, generator)
    drawn = _draw_weights(layer, shapes, bottoms[0], generator)
    blobs = [own if own is not None else other for own, other in zip(filled, drawn, strict=True)]
    tops = _run(layer, blobs, bottoms)
    if layer.type in _SUMS and filled[0] is None:
        scale = 1 / _round_to_power_of_two(float(tops[0].std(correction=0)))
        blobs[0] *= np.float32(scale)
        tops = _run(layer, blobs, bottoms)
    values.update(zip(layer.top, tops, strict=False))
    return blobs


def _draw_weights(
    layer: Any, shapes: list[tuple[int, ...]], bottom: Tensor, generator: np.random.Generator
) -> list[Blob]:
    normal = [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]
    even = [generator.random(shape, dtype=np.float32) for shape in shapes[: 0 if layer.type in _SUMS else None]]
    if layer.type in _SUMS:
        fan_in = normal[0].size / max(1, normal[0].shape[0])
        return [normal[0] * np.float32(math.sqrt(2 / fan_in)), *(bias * np.float32(0.1) for bias in normal[1:])]
    if layer.type == "BatchNorm":
        spread = np.float32(_round_to_power_of_two(float(bottom.std(correction=0))))
        return [normal[0] * (spread * np.float32(0.1)), (even[1] + np.float32(0.5)) * spread**2, np.ones(1, np.float32)]
    if layer.type == "PReLU":
        return [np.asarray(even[0] * np.float32(0.5))]
    if layer.type == "Scale" and len(layer.bottom) == 1:
        return [even[0] + np.float32(0.5), *(bias * np.float32(0.1) for bias in normal[1:])]
    return [bias * np.float32(0.1) for bias in normal]


def _run(layer: Any, blobs: list[Blob], bottoms: list[Tensor]) -> tuple[Tensor, ...]:
    module = build_caffe_layer(layer, WeightStore({layer.name: blobs}).get_layer(layer))
    if isinstance(module, UnavailableLayer):
        raise module.error()
    with torch.inference_mode(), explain_torch_errors(module.label, bottoms):
        tops = module(*bottoms)
    return tops if isinstance(tops, tuple) else (tops,)


def _round_to_power_of_two(spread: float) -> float:
    """Return the power of two nearest to a standard deviation, so that rounding errors do not change the weights."""
    return 2.0 ** round(math.log2(spread)) if 0 < spread < math.inf else 1.0


def _make_generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
