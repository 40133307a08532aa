"""The description of a network in its prototxt: named inputs, then layers in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from netdissect.networks.sources.caffe.messages import make_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CaffeInput:
    """An input of a network.

    Attributes:
        name: of the blob.
        shape: (N, C, H, W), if the prototxt gives it.
    """

    name: str
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class NetSpec:
    """The description of a network, without weights.

    Attributes:
        name: of the network.
        inputs: its inputs, in order.
        layers: ``LayerParameter`` messages in the current syntax, in order; without data layers and those of the
            training phase.
        where: the file it was read from, for error messages; may be empty.
    """

    name: str
    inputs: tuple[CaffeInput, ...]
    layers: tuple[Any, ...]
    where: str = ""

    def with_input(self, *shape: int) -> NetSpec:
        """Return the network with another shape of its first input."""
        return replace(self, inputs=(CaffeInput(self.inputs[0].name, shape), *self.inputs[1:]))

    def until(self, layer: str) -> NetSpec:
        """Return the network up to a layer."""
        names = [one.name for one in self.layers]
        return replace(self, layers=self.layers[: names.index(layer) + 1])

    def to_prototxt(self) -> str:
        """Return the network as text in the current syntax, with Input layers."""
        net = make_message("NetParameter", name=self.name)
        for blob in self.inputs:
            entry = net.layer.add(name=blob.name, type="Input", top=[blob.name])
            if blob.shape is not None:
                entry.input_param.shape.add(dim=blob.shape)
        for layer in self.layers:
            net.layer.add().CopyFrom(layer)
        return str(text_format.MessageToString(net))


def make_caffe_layer(
    name: str, kind: str, bottoms: str | Sequence[str], tops: str | Sequence[str] | None = None, **settings: Any
) -> Any:
    """Return a layer.

    Args:
        name: of the layer.
        kind: Caffe's type, such as ``"Convolution"``.
        bottoms: the blob or blobs it reads.
        tops: the blob or blobs it writes; by default one with the name of the layer. If one has the name
            of a bottom, the layer works in place.
        settings: Caffe's messages as mappings, such as ``convolution_param={"num_output": 96, "kernel_size": 11}``.

    >>> make_caffe_layer("conv1", "Convolution", "data", convolution_param={"num_output": 96, "kernel_size": 11}).top[0]
    'conv1'
    """
    message = make_message("LayerParameter", name=name, type=kind, bottom=_to_list(bottoms), top=_to_list(tops or name))
    for field, values in settings.items():
        _set_fields(getattr(message, field), values)
    return message


def make_net_spec(name: str, inputs: Mapping[str, Sequence[int] | None], layers: Iterable[Any]) -> NetSpec:
    """Return a network from its inputs (blob → shape) and layers (see `make_caffe_layer`)."""
    blobs = tuple(CaffeInput(blob, None if shape is None else tuple(shape)) for blob, shape in inputs.items())
    return NetSpec(name, blobs, tuple(layers))


def _to_list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _set_fields(target: Any, values: Mapping[str, Any]) -> None:
    """Set fields of a message; a repeated field accepts one value too, an enumeration the name of a value."""
    target.SetInParent()
    for name, value in values.items():
        field = target.DESCRIPTOR.fields_by_name[name]
        if field.message_type is not None:
            _set_fields(getattr(target, name), value)
        elif hasattr(getattr(target, name), "extend"):
            getattr(target, name).extend([value] if isinstance(value, (int, float)) else list(value))
        elif field.enum_type is not None and isinstance(value, str):
            setattr(target, name, field.enum_type.values_by_name[value].number)
        else:
            setattr(target, name, value)
