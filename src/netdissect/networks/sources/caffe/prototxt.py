"""Reads a prototxt in any of Caffe's syntaxes, in the test phase."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from netdissect.errors import ModelFileError
from netdissect.io.reading import is_regular
from netdissect.networks.sources.caffe import legacy_layers, sniff
from netdissect.networks.sources.caffe.blob_rules import check_blob_writers
from netdissect.networks.sources.caffe.caffemodel import read_caffe_file
from netdissect.networks.sources.caffe.messages import make_message
from netdissect.networks.sources.caffe.net_spec import CaffeInput, NetSpec, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Largest prototxt in bytes.
_LARGEST = 16 << 20

#: Matches strings and comments, which are left unchanged, and types without quotes.
_BARE_TYPE = re.compile(
    r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\#[^\n]*)|\btype[ \t]*:[ \t]*([A-Za-z_]\w*)""", re.ASCII
)

#: Layers without a bottom are data layers, whose tops are inputs, except for these, which compute their tops.
_NOT_DATA_LAYERS = frozenset({"Parameter", "PriorBox"})


def read_prototxt(path: Path) -> NetSpec:
    """Read the description of a network.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is of another kind, or does not parse.
    """
    if is_regular(path) and path.stat().st_size > _LARGEST:
        raise ModelFileError(
            f"{path}: expected a Caffe network description (.prototxt, text of some kilobytes), "
            f"got {path.stat().st_size >> 20} MiB; are prototxt and caffemodel the wrong way round?"
        )
    data = read_caffe_file(path, "prototxt", most=_LARGEST)
    return parse_prototxt(data, where=str(path))


def parse_prototxt(text: bytes | str, *, where: str = "prototxt") -> NetSpec:
    """Parse the description of a network; `where` names it in error messages.

    Layers of the training phase are dropped, data layers become inputs, and older syntaxes are converted.

    Raises:
        ModelFileError: if it is of another kind or does not parse.

    >>> parse_prototxt('input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 layers { type: RELU }').inputs
    Traceback (most recent call last):
    ...
    netdissect.errors.ModelFileError: prototxt: layer 1 of the network (ReLU) has neither a name nor a top
    """
    net = _parse(_decode(text, where), where)
    layers = [*legacy_layers.convert_old_layers(net.layers), *net.layer]
    if not layers:
        raise ModelFileError(
            f"{where}: expected a Caffe network description, got a text without layers; "
            f"is it a solver or another setting file?"
        )
    inputs = _read_declared_inputs(net)
    remaining = []
    for number, layer in enumerate(_select_test_phase(layers, net), start=1):
        layer.name = layer.name or next(iter(layer.top), "")
        layer.type = legacy_layers.V1_TYPES.get(layer.type, layer.type)
        if not layer.name:
            raise ModelFileError(
                f"{where}: layer {number} of the network ({layer.type or 'no type'}) has neither a name nor a top"
            )
        if not layer.bottom and layer.type not in _NOT_DATA_LAYERS:
            inputs.extend(_read_data_layer(layer))
        else:
            remaining.append(layer)
    check_blob_writers([blob.name for blob in inputs], remaining, where)
    return NetSpec(net.name, tuple(inputs), tuple(remaining), where)


def _decode(text: bytes | str, where: str) -> str:
    if isinstance(text, str):
        return text
    suspicion = sniff.sniff_prototxt(text)
    if suspicion:
        raise ModelFileError(f"{where}: expected a Caffe network description (.prototxt, text), got {suspicion}")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _parse(text: str, where: str) -> Any:
    net = make_message("NetParameter")
    quoted = _BARE_TYPE.sub(lambda found: found[1] or f'type: "{found[2]}"', text)
    try:
        with warnings.catch_warnings():
            # Odd escapes in comments need no warning.
            warnings.simplefilter("ignore", DeprecationWarning)
            # Merge, unlike Parse, takes the last value of a setting that is given twice.
            text_format.Merge(quoted, net, allow_unknown_field=True)
    except text_format.ParseError as error:
        place = f"line {error.GetLine()}, column {error.GetColumn()}" if error.GetLine() else "its end"
        reason = re.sub(r"^\d+:\d+ : ", "", str(error)).replace("\n", " ").strip()[:200]
        raise ModelFileError(
            f"{where}: expected a Caffe network description, got text that does not parse at {place}: {reason}"
        ) from error
    except RecursionError as error:
        raise ModelFileError(
            f"{where}: expected a Caffe network description, got braces that are nested too deeply"
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"{where}: expected a Caffe network description, got text that does not parse") from error
    return net


def _select_test_phase(layers: Iterable[Any], net: Any) -> list[Any]:
    """Return the layers whose rules include them in the test phase.

    The state is Caffe's own (phase TEST, level 0, no stages) plus the stages that the file sets. If it sets none and has
    rules for the stage "deploy", the stage is "deploy".
    """
    layers = list(layers)
    rules = [rule for layer in layers for rule in (*layer.include, *layer.exclude)]
    stages = set(net.state.stage)
    if not stages and any("deploy" in (*rule.stage, *rule.not_stage) for rule in rules):
        stages = {"deploy"}
    level = net.state.level

    def meets(rule: Any) -> bool:
        return (
            (not rule.HasField("phase") or rule.phase == 1)
            and (not rule.HasField("min_level") or level >= rule.min_level)
            and (not rule.HasField("max_level") or level <= rule.max_level)
            and stages.issuperset(rule.stage)
            and stages.isdisjoint(rule.not_stage)
        )

    def belongs(layer: Any) -> bool:
        if layer.include:
            return any(meets(rule) for rule in layer.include)
        return not any(meets(rule) for rule in layer.exclude)

    return [layer for layer in layers if belongs(layer)]


def _read_declared_inputs(net: Any) -> list[CaffeInput]:
    """Return the inputs of ``input:`` with ``input_shape`` or, four numbers each, ``input_dim``."""
    names, dims = list(net.input), list(net.input_dim)
    if net.input_shape:
        shapes = [list(shape.dim) for shape in net.input_shape]
    elif len(names) == 1:
        shapes = [dims]
    else:
        shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
    shapes += [[]] * (len(names) - len(shapes))
    return [CaffeInput(name, _to_shape(shape)) for name, shape in zip(names, shapes, strict=False)]


def _read_data_layer(layer: Any) -> list[CaffeInput]:
    """Return the tops of a data layer as inputs, with their shapes if the layer gives them."""
    if layer.type in ("Input", "DummyData"):
        shapes = _read_input_shapes(layer)
        several = shapes if len(shapes) == len(layer.top) else [shapes[0] if shapes else None] * len(layer.top)
        return [CaffeInput(top, shape) for top, shape in zip(layer.top, several, strict=True)]
    shapes = [_read_image_shape(layer), *[None] * len(layer.top)]
    return [CaffeInput(top, shape) for top, shape in zip(layer.top, shapes, strict=False)]


def _read_input_shapes(layer: Any) -> list[Shape | None]:
    if layer.type == "Input":
        return [_to_shape(shape.dim) for shape in layer.input_param.shape]
    dummy = layer.dummy_data_param
    if dummy.shape:
        return [_to_shape(shape.dim) for shape in dummy.shape]
    lists = (dummy.num, dummy.channels, dummy.height, dummy.width)
    if not all(lists):
        return []
    return [_to_shape([one[min(top, len(one) - 1)] for one in lists]) for top in range(len(layer.top))]


def _read_image_shape(layer: Any) -> Shape | None:
    """Return the shape of a data layer's images; they have three channels unless it says grayscale."""
    crop = layer.transform_param.crop_size or layer.data_param.crop_size or layer.image_data_param.crop_size
    channels = 1 if layer.transform_param.force_gray else 3
    if layer.type == "MemoryData":
        memory = layer.memory_data_param
        return _to_shape([memory.batch_size, memory.channels, memory.height, memory.width])
    if layer.type == "ImageData":
        images = layer.image_data_param
        height, width = (crop, crop) if crop else (images.new_height, images.new_width)
        return _to_shape([images.batch_size or 1, channels if images.is_color else 1, height, width])
    return _to_shape([layer.data_param.batch_size or 1, channels, crop, crop])


def _to_shape(dims: Iterable[int]) -> Shape | None:
    shape = tuple(int(dim) for dim in dims)
    return shape if shape and min(shape) > 0 else None
