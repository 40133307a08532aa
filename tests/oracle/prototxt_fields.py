"""Field maps of a Caffe network, derived from its prototxt alone: what tracing a forward pass must equal (paper, § 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelError
from netdissect.geometry.fieldmap import (
    IDENTITY,
    choose_widest_field,
    compose_fields,
    make_transposed_window_field,
    make_window_field,
)
from netdissect.networks.sources.caffe.layers.window import read_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netdissect.layers import FieldMap
    from netdissect.networks.sources.caffe.net_spec import NetSpec

#: The axis of the channels, counted from either end; layers that work along it leave the cells where they are.
_CHANNELS = (0, 1, -3, -4)


def field_maps(spec: NetSpec) -> dict[str, FieldMap | None]:
    """Return for every blob, after its last in-place layer, where its cells look.

    None stands for blobs whose cells cannot be told from the prototxt: behind global pooling, InnerProduct, Flatten or
    Reshape, and behind layers that are not known here.
    """
    fields: dict[str, FieldMap | None] = {blob.name: IDENTITY for blob in spec.inputs}
    for layer in spec.layers:
        field = _field(layer, [fields.get(bottom) for bottom in layer.bottom])
        fields.update(dict.fromkeys(layer.top, field))
    return fields


def _field(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    """Return where a layer's cells look, given where those of its bottoms look."""
    rule = _RULES.get(layer.type)
    if rule is None or not below or below[0] is None:
        return None
    try:
        return rule(layer, below)
    except ModelError:
        return None


def _same(_: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    """One cell sees one cell of the first bottom; factors from a second do not move it."""
    return below[0]


def _joined(_: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    """Where paths join the widest counts."""
    known = [field for field in below if field is not None]
    return choose_widest_field(known) if len(known) == len(below) else None


def _convolved(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    kernel, stride, padding, dilation = read_window(layer, layer.convolution_param)
    return _upon(below, make_window_field(kernel, stride=stride, padding=padding, dilation=dilation))


def _deconvolved(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    kernel, stride, padding, dilation = read_window(layer, layer.convolution_param)
    return _upon(below, make_transposed_window_field(kernel, stride=stride, padding=padding, dilation=dilation))


def _pooled(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    if layer.pooling_param.global_pooling:
        return None
    kernel, stride, padding, _ = read_window(layer, layer.pooling_param)
    return _upon(below, make_window_field(kernel, stride=stride, padding=padding))


def _cropped(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    """The same cells, begun later by the offset."""
    axis, offsets = layer.crop_param.axis, list(layer.crop_param.offset)
    if axis not in range(-4, 4):
        return None
    first = axis % 4
    given = offsets if len(offsets) > 1 else (offsets or [0]) * (4 - first)
    y, x = (given[place - first] if 0 <= place - first < len(given) else 0 for place in (2, 3))
    return _upon(below, make_window_field((1, 1), padding=(-y, -x)))


def _concatenated(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    settings = layer.concat_param
    axis = settings.concat_dim if settings.HasField("concat_dim") else settings.axis
    return _joined(layer, below) if axis in _CHANNELS else None


def _sliced(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    settings = layer.slice_param
    axis = settings.slice_dim if settings.HasField("slice_dim") else settings.axis
    return below[0] if axis in _CHANNELS else None


def _chosen(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    settings = layer.argmax_param
    return below[0] if settings.HasField("axis") and settings.axis in _CHANNELS else None


def _permuted(layer: Any, below: Sequence[FieldMap | None]) -> FieldMap | None:
    order = list(layer.permute_param.order)
    return below[0] if order == list(range(len(order))) else None


def _upon(below: Sequence[FieldMap | None], own: FieldMap) -> FieldMap | None:
    return None if below[0] is None else compose_fields(below[0], own)


_RULES: dict[str, Callable[[Any, Sequence[FieldMap | None]], FieldMap | None]] = {
    **dict.fromkeys(
        ("AbsVal", "BNLL", "BatchNorm", "Bias", "Dropout", "ELU", "Exp", "LRN", "Log", "PReLU", "Power", "ReLU",
         "Scale", "Sigmoid", "Softmax", "Split", "TanH"), _same,
    ),
    "ArgMax": _chosen,
    "Concat": _concatenated,
    "Convolution": _convolved,
    "Crop": _cropped,
    "Deconvolution": _deconvolved,
    "Eltwise": _joined,
    "Permute": _permuted,
    "Pooling": _pooled,
    "Slice": _sliced,
}  # fmt: skip
