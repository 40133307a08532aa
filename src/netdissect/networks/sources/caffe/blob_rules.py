"""Caffe's rules of which layer may write which blob; a network that breaks them is refused, as Caffe refuses it.

A layer may write over a blob only where that is its own bottom at the same position (``Net::AppendTop``). Anything else
with two writers means that a name stands for two things, and whichever were taken would be a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netdissect.networks.sources.caffe.net_spec import NetSpec

#: Types that Caffe does not let write over their bottom.
_NEVER_IN_PLACE = frozenset({"AbsVal", "Flatten", "Reshape", "Split"})


def check_blob_writers(inputs: Sequence[str], layers: Iterable[Any], where: str) -> None:
    """See that every blob has one writer, but for layers that work in place.

    Args:
        inputs: blobs that come from outside.
        layers: ``LayerParameter`` messages in order.
        where: the file, for messages.

    Raises:
        ModelFileError: if a blob has two, naming the blob and both layers; or if a layer of a type that cannot works in
            place.
    """
    writers: dict[str, str] = {}
    for name in inputs:
        _add_writer(name, writers, "the network's input", where)
    for layer in layers:
        called = f'layer "{layer.name}" ({layer.type})'
        for place, top in enumerate(layer.top):
            in_place = place < len(layer.bottom) and layer.bottom[place] == top and top in writers
            if in_place and layer.type in _NEVER_IN_PLACE:
                raise ModelFileError(
                    f"{where}: {called} writes over its bottom {top!r}, which Caffe does not let a layer of its type do: "
                    f"give its top a name of its own"
                )
            if not in_place:
                _add_writer(top, writers, called, where)


def check_layer_names(spec: NetSpec, blobs: Mapping[str, object], where: str) -> None:
    """See that no two layers take the weights of one name, of which Caffe gives them to the first alone.

    Raises:
        ModelFileError: if two do.
    """
    taken: dict[str, str] = {}
    for layer in spec.layers:
        if layer.name in blobs and layer.type in _WITH_BLOBS:
            if layer.name in taken:
                raise ModelFileError(
                    f'{where}: two layers with weights are called "{layer.name}" ({taken[layer.name]}, {layer.type}), and '
                    f"the caffemodel has weights for one layer of a name: rename one of them"
                )
            taken[layer.name] = layer.type


_WITH_BLOBS = frozenset(
    {"BatchNorm", "Bias", "Convolution", "Deconvolution", "InnerProduct", "PReLU", "Scale", "Embed", "LSTM", "RNN"}
)


def _add_writer(blob: str, writers: dict[str, str], by: str, where: str) -> None:
    if blob in writers:
        twice = "twice by" if writers[blob] == by else f"by {writers[blob]} and by"
        raise ModelFileError(
            f"{where}: the blob {blob!r} is written {twice} {by}, which is no layer that works in place: Caffe refuses "
            f"such a network; give one of them a top of its own"
        )
    writers[blob] = by
