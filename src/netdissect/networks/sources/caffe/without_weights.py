"""Caffe networks without weights, from the prototxt alone: their blobs have shapes and field maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from netdissect.errors import ModelError
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.layer_weights import WeightStore
from netdissect.networks.sources.caffe.layers import LAYER_TYPES, UnavailableLayer, build_caffe_layer, is_watcher
from netdissect.networks.sources.caffe.layers.caffe_layer import explain_torch_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.sources.caffe.caffemodel import Blob
    from netdissect.networks.sources.caffe.net_spec import NetSpec


def make_weightless_net(spec: NetSpec, input_shape: Sequence[int]) -> CaffeNet:
    """Return a network whose weights are on torch's meta device: they have shapes but no values.

    Args:
        spec: the network.
        input_shape: of its first input, (N, C, H, W).

    Raises:
        ModelFileError: if it has no input, or a blob has two writers.
    """
    values = {blob.name: torch.empty(tuple(blob.shape or ()), device="meta") for blob in spec.inputs}
    values |= {spec.inputs[0].name: torch.empty(tuple(input_shape), device="meta")} if spec.inputs else {}
    store = WeightStore({}, weightless=True)
    blobs: dict[str, list[Blob]] = {}
    for layer in spec.layers:
        known = (
            layer.type in LAYER_TYPES and not is_watcher(layer.type) and all(name in values for name in layer.bottom)
        )
        try:
            if not known:
                raise ModelError(layer.type)
            bottoms = [values[name] for name in layer.bottom]
            with explain_torch_errors(layer.name, bottoms), torch.inference_mode():
                shapes = LAYER_TYPES[layer.type][0].weight_shapes(layer, [tuple(bottom.shape) for bottom in bottoms])
                blobs[layer.name] = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
                store.blobs = {layer.name: blobs[layer.name]}
                module = build_caffe_layer(layer, store.get_layer(layer))
                if isinstance(module, UnavailableLayer):
                    raise module.error()
                tops = module(*bottoms)
        except ModelError:
            for top in layer.top:
                values.pop(top, None)
        else:
            values.update(zip(layer.top, tops if isinstance(tops, tuple) else (tops,), strict=False))
    return CaffeNet(spec, WeightStore({name: shapes for name, shapes in blobs.items() if shapes}, weightless=True))
