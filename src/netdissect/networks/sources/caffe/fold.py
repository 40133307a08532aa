"""Layers computed together: BatchNorm and Scale folded into the layer they follow, ReLU in place.

A normalized convolution in Caffe is three or four layers that work in place one after the other. No blob holds the
results between them, so they can be computed as one. Only layers that are in place *by name* and the only reader of their bottom
are folded, whatever is probed: a blob has the same bits in every run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from netdissect.networks.sources.caffe.layers.arrange import Eltwise
from netdissect.networks.sources.caffe.layers.convolution import Convolution, Deconvolution
from netdissect.networks.sources.caffe.layers.normalize import BatchNorm, Bias, Scale
from netdissect.networks.sources.caffe.layers.pointwise import ReLU
from netdissect.networks.sources.caffe.layers.product import InnerProduct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

    from netdissect.networks.sources.caffe.blob_graph import BlobGraph, BlobStep

#: Layers whose top never shares memory with a bottom.
_ALLOCATING = (BatchNorm, Bias, Convolution, Deconvolution, Eltwise, InnerProduct, Scale)


@dataclass(slots=True)
class FoldedLayers:
    """Layers that are computed together, by the keys of their modules.

    Attributes:
        followers: for a Convolution or BatchNorm, the BatchNorm and Scale that are folded into it.
        folded: all these followers.
        in_place_relus: ReLUs that may overwrite their bottom.
    """

    followers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    folded: set[str] = field(default_factory=set)
    in_place_relus: set[str] = field(default_factory=set)


def find_folded_layers(graph: BlobGraph, layers: Mapping[str, nn.Module]) -> FoldedLayers:
    """Find the layers of a network that can be computed together."""
    found = FoldedLayers()
    readers: dict[int, list[BlobStep]] = {}
    for step in graph.steps:
        for version in step.bottoms:
            readers.setdefault(version, []).append(step)

    def next_in_place(step: BlobStep) -> BlobStep | None:
        """Return the only reader of a step's only top, if it works in place."""
        after = readers.get(step.tops[0], []) if len(step.tops) == 1 else []
        if len(after) != 1 or len(after[0].bottoms) != 1 or len(after[0].tops) != 1:
            return None
        return after[0] if graph.blobs[after[0].tops[0]] == graph.blobs[step.tops[0]] else None

    for step in graph.steps:
        if step.module not in found.folded and _can_lead(layers[step.module]) and len(step.bottoms) == 1:
            chain: list[str] = []
            last = next_in_place(step)
            while last is not None and _can_follow(layers[last.module], layers[step.module], len(chain)):
                chain.append(last.module)
                last = next_in_place(last)
            if chain:
                found.followers[step.module] = tuple(chain)
                found.folded.update(chain)
        after = next_in_place(step)
        makes = isinstance(layers[step.module], _ALLOCATING) and (len(step.bottoms) > 1 or step.kind != "Eltwise")
        if after is not None and makes and isinstance(layers[after.module], ReLU):
            found.in_place_relus.add(after.module)
    return found


def run_folded(leader: nn.Module, followers: Sequence[nn.Module], bottom: Tensor) -> Tensor:
    """Return the output of a layer and its followers for a bottom, computed in one pass."""
    if isinstance(leader, BatchNorm):
        (scale,) = followers
        assert isinstance(scale, Scale)
        return leader.normalized(bottom, scale.weight, scale.bias)
    assert isinstance(leader, Convolution)
    factor, shift = leader.weight.new_ones(()), leader.weight.new_zeros(())
    for follower in followers:
        if isinstance(follower, BatchNorm):
            root = torch.rsqrt(follower.variance + follower.eps)
            factor, shift = factor * root, (shift - follower.mean) * root
        else:
            assert isinstance(follower, Scale)
            assert follower.weight is not None
            factor, shift = factor * follower.weight, shift * follower.weight
            shift = shift if follower.bias is None else shift + follower.bias
    bias = shift if leader.bias is None else leader.bias * factor + shift
    return leader.convolved(bottom, leader.weight * factor[:, None, None, None], bias.expand(len(leader.weight)))


def apply_relu_in_place(layer: nn.Module, bottom: Tensor) -> Tensor:
    """Return a ReLU's top, in the memory of its bottom."""
    assert isinstance(layer, ReLU)
    return functional.leaky_relu_(bottom, layer.slope) if layer.slope else functional.relu_(bottom)


def _can_lead(layer: nn.Module) -> bool:
    return type(layer) is Convolution or (isinstance(layer, BatchNorm) and layer.stored)


def _can_follow(layer: nn.Module, leader: nn.Module, place: int) -> bool:
    """Return whether a layer can be folded into the first one of a chain, as its follower number `place`."""
    if type(layer) is Scale and layer.weight is not None and layer.weight.dim() == 1 and layer.first_axis == 1:
        channels = len(layer.weight)
    elif isinstance(layer, BatchNorm) and layer.stored and isinstance(leader, Convolution):
        channels = len(layer.mean)
    else:
        return False
    if isinstance(leader, BatchNorm):
        return place == 0 and channels == len(leader.mean)
    assert isinstance(leader, Convolution)
    return channels == len(leader.weight)
