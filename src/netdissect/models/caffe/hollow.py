"""A network from its prototxt alone: shapes and field maps without a single weight, so that it can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.errors import ModelError
from netdissect.models.caffe.layers import KINDS, Unavailable, build, watches
from netdissect.models.caffe.layers.base import explained
from netdissect.models.caffe.net import CaffeNet
from netdissect.models.caffe.weights import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.models.caffe.caffemodel import Blob
    from netdissect.models.caffe.spec import NetSpec


def hollow_net(spec: NetSpec, input_shape: Sequence[int]) -> CaffeNet:
    """Return a network whose weights have shapes and no numbers; it can be asked for shapes, not run.

    Args:
        spec: the network.
        input_shape: of its first input, (N, C, H, W).

    Raises:
        ModelFileError: if it has no input, or a blob has two writers.
    """
    values = {blob.name: torch.empty(tuple(blob.shape or ()), device="meta") for blob in spec.inputs}
    values |= {spec.inputs[0].name: torch.empty(tuple(input_shape), device="meta")} if spec.inputs else {}
    store = Store({}, hollow=True)
    blobs: dict[str, list[Blob]] = {}
    for layer in spec.layers:
        known = layer.type in KINDS and not watches(layer.type) and all(name in values for name in layer.bottom)
        try:
            if not known:
                raise ModelError(layer.type)
            bottoms = [values[name] for name in layer.bottom]
            with explained(layer.name, bottoms), torch.inference_mode():
                shapes = KINDS[layer.type][0].weight_shapes(layer, [tuple(bottom.shape) for bottom in bottoms])
                blobs[layer.name] = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
                store.blobs = {layer.name: blobs[layer.name]}
                module = build(layer, store.of(layer))
                if isinstance(module, Unavailable):
                    raise module.error()
                tops = module(*bottoms)
        except ModelError:
            for top in layer.top:
                values.pop(top, None)
        else:
            values.update(zip(layer.top, tops if isinstance(tops, tuple) else (tops,), strict=False))
    return CaffeNet(spec, Store({name: made for name, made in blobs.items() if made}, hollow=True))
