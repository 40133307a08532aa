"""Caffe's rules for layers that write blobs; a network that breaks them is refused, as Caffe does.

A layer may overwrite a blob only if it is its own bottom at the same position (``Net::AppendTop``). Otherwise two blobs
would have the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netdissect.networks.sources.caffe.net_spec import NetSpec

#: Types that may not work in place.
_NEVER_IN_PLACE = frozenset({"AbsVal", "Flatten", "Reshape", "Split"})


def check_blob_writers(inputs: Sequence[str], layers: Iterable[Any], where: str) -> None:
    """Check that every blob has one writer, not counting layers that work in place.

    Args:
        inputs: the network's inputs.
        layers: ``LayerParameter`` messages in order.
        where: the file, for error messages.

    Raises:
        ModelFileError: if a blob has two writers, or a layer works in place that may not.
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
                    f"{where}: {called} overwrites its bottom {top!r}, which Caffe does not allow for its type: "
                    f"give its top a name of its own"
                )
            if not in_place:
                _add_writer(top, writers, called, where)


def check_layer_names(spec: NetSpec, blobs: Mapping[str, object], where: str) -> None:
    """Check that no two layers with weights have the same name: Caffe gives the weights to the first only.

    Raises:
        ModelFileError: if two have the same name.
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
            f"{where}: the blob {blob!r} is written {twice} {by}, which does not work in place: Caffe refuses "
            f"such a network; give one of them a top of its own"
        )
    writers[blob] = by
