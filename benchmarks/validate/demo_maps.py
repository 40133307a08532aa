"""Activation maps of the demo's network, in memory, so that they can be put on other images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.layers import FieldMap
    from netdissect.protocols import ConceptSource

#: Images per forward pass.
_BATCH = 32


class LayerMaps(NamedTuple):
    """The activations of a layer on a probe set: maps, float32, shape (N, h, w, U), and where their cells are."""

    maps: NDArray[np.float32]
    field: FieldMap


def compute_maps(network: Any, layer: str, images: ConceptSource, count: int) -> LayerMaps:
    """Run a network over the first images of a probe set."""
    size = network.size_for(images.image_size)
    source = network.probe([layer], size, geometry="receptive-field", device=torch.device("cpu"))
    found = []
    with source, torch.inference_mode():
        for start in range(0, count, _BATCH):
            batch = [images.read_image(index, size) for index in range(start, min(start + _BATCH, count))]
            found.append(source.activations(np.stack(batch))[layer].float().numpy())
    return LayerMaps(np.concatenate(found), source.layers[0].field)
