"""Writes a network and its weights as prototxt and caffemodel, which Caffe and OpenCV read."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import ModelFileError, suggest_nearest
from netdissect.io import atomic
from netdissect.networks.sources.caffe.wire_format import encode_bytes, encode_header, encode_varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from netdissect.networks.sources.caffe.net_spec import NetSpec

# Field numbers of NetParameter, LayerParameter, BlobProto and BlobShape.
_NET_NAME, _NET_LAYER, _LAYER_BLOBS, _BLOB_DATA, _BLOB_SHAPE, _SHAPE_DIM = 1, 100, 7, 5, 7, 1


def write_caffe(stem: str | Path, spec: NetSpec, weights: Mapping[str, Sequence[ArrayLike]]) -> tuple[Path, Path]:
    """Write ``<stem>.prototxt`` and ``<stem>.caffemodel``, each atomically.

    Args:
        stem: path without suffix.
        spec: the network, read from a prototxt or made with `make_net_spec` and `make_caffe_layer`.
        weights: layer → its blobs, in Caffe's order and shapes.

    Returns:
        the two paths.

    Raises:
        ModelFileError: if the network has no layer of a name in `weights`.
        OSError: if a file cannot be written.
    """
    arrays = {name: [np.asarray(blob, dtype="<f4") for blob in blobs] for name, blobs in weights.items()}
    names = [layer.name for layer in spec.layers]
    for name in arrays:
        if name not in names:
            raise ModelFileError(
                f"there are weights for layer {name!r}, which the network lacks; {suggest_nearest(name, names)}"
            )
    text, binary = Path(f"{stem}.prototxt"), Path(f"{stem}.caffemodel")
    with atomic.open_replacement(binary) as file:
        _write_net(file, spec, arrays)
    atomic.write_text(text, spec.to_prototxt())
    return text, binary


def _write_net(file: IO[bytes], spec: NetSpec, arrays: Mapping[str, Sequence[NDArray[np.float32]]]) -> None:
    file.write(encode_bytes(_NET_NAME, spec.name.encode()))
    for layer in spec.layers:
        _write_layer(file, layer, arrays.get(layer.name, ()))


def _write_layer(file: IO[bytes], layer: Any, blobs: Sequence[NDArray[np.float32]]) -> None:
    """Write a layer's settings, then its numbers, one blob at a time."""
    settings = layer.SerializeToString(deterministic=True)
    heads = [_encode_blob_head(blob) for blob in blobs]
    fronts = [
        encode_header(_LAYER_BLOBS, len(head) + blob.nbytes) + head for head, blob in zip(heads, blobs, strict=True)
    ]
    total = len(settings) + sum(len(front) + blob.nbytes for front, blob in zip(fronts, blobs, strict=True))
    file.write(encode_header(_NET_LAYER, total) + settings)
    for front, blob in zip(fronts, blobs, strict=True):
        file.write(front)
        np.ascontiguousarray(blob).tofile(file)


def _encode_blob_head(blob: NDArray[np.float32]) -> bytes:
    """Return a blob's fields before its numbers."""
    dims = b"".join(encode_varint(size) for size in blob.shape)
    shape = encode_bytes(_BLOB_SHAPE, encode_bytes(_SHAPE_DIM, dims) if dims else b"")
    return shape + encode_header(_BLOB_DATA, blob.nbytes)
