"""A Caffe network as it is probed: layers are blobs, by Caffe's own names."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from netdissect.errors import (
    ActivationError,
    ModelError,
    ModelNotFoundError,
    SettingsError,
    UnknownLayerError,
    suggest_nearest,
)
from netdissect.geometry import fieldmap
from netdissect.layers import Layer
from netdissect.networks.execution import Execution, fill_batch
from netdissect.networks.fingerprint import fingerprint_module
from netdissect.networks.load_options import read_mean_option
from netdissect.networks.preprocess import make_caffe_preprocess
from netdissect.networks.probe import move_images
from netdissect.networks.sources.caffe.caffe_loader import load_caffe
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.without_weights import make_weightless_net
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.config import Geometry
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.sources.caffe.caffe_net import CaffeNet
    from netdissect.protocols import ConceptSource


def load_caffe_network(model: str, options: LoadOptions) -> CaffeNetwork:
    """Load a network from Caffe's two files, with the released code's preprocessing or what was said of it.

    Raises:
        ModelNotFoundError: if a file is not there.
        ModelFileError: if one is damaged, or they do not belong together.
        SettingsError: if its images have another number of channels.
    """
    text = model if options.weights is None or model.endswith(".prototxt") else f"{model}.prototxt"
    net = load_caffe(text, options.weights)
    shape = net.input_shape
    size = (shape[2], shape[3]) if shape is not None and len(shape) == 4 else None
    preprocess = make_caffe_preprocess(
        mean=read_mean_option(options.mean),
        scale=1.0 if options.scale is None else options.scale,
        channels=options.channels or "bgr",
        grey=options.grey,
        input_size=size,
    )
    if size is not None and shape is not None and shape[1] != preprocess.depth:
        way = {1: "give --colordepth 1", 3: "leave out --colordepth 1"}.get(
            shape[1], "it cannot be dissected on pictures"
        )
        raise SettingsError(f"{model} takes {shape[1]} channels and would get {preprocess.depth}: {way}")
    name = Path(model.split(",", maxsplit=1)[0]).name.removesuffix(".prototxt")
    return CaffeNetwork(net, preprocess, name=name, source=model, input_size=size)


def load_prototxt_network(model: str, options: LoadOptions) -> WeightlessCaffeNetwork | None:
    """Return the network of a prototxt that has no caffemodel, to be looked at; None where there is no such thing.

    Raises:
        ModelFileError: if the prototxt is damaged, or of another kind.
    """
    stem = model.removesuffix(".prototxt")
    text = Path(f"{stem}.prototxt")
    if options.weights is not None or not text.exists() or Path(f"{stem}.caffemodel").exists():
        return None
    spec = read_prototxt(text)
    shape = spec.inputs[0].shape if spec.inputs else None
    whole = shape is not None and len(shape) == 4
    size = (shape[2], shape[3]) if shape is not None and whole else (224, 224)
    depth = shape[1] if shape is not None and whole else 1 if options.grey else 3
    preprocess = make_caffe_preprocess(grey=depth == 1, input_size=size)
    net = make_weightless_net(spec, (1, depth, *size))
    return WeightlessCaffeNetwork(net, preprocess, name=text.stem, source=str(text), input_size=size if whole else None)


class CaffeNetwork:
    """A network read from Caffe's files.

    Attributes:
        pace: how it is run.
    """

    pace = Execution()

    def __init__(
        self,
        net: CaffeNet,
        preprocess: Preprocess,
        *,
        name: str,
        source: str,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        self.module = net
        self.preprocess = preprocess
        self.name = name
        self.source = source
        self.input_size = input_size

    def fingerprint(self) -> str:
        """Return a hash of its weights, structure and preprocessing."""
        return fingerprint_module(self.module, self.preprocess)

    def size_for(self, pictures: tuple[int, int]) -> tuple[int, int]:
        """Return the images' own size: Caffe's networks are reshaped to them."""
        return pictures

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return every blob that can be read as units on a grid."""
        found = []
        for name, shape in self.module.shapes((1, self.preprocess.depth, *input_size)).items():
            with contextlib.suppress(ModelError):
                found.append(self._layer(name, tuple(shape), input_size, "receptive-field"))
        return found

    def left_out(self) -> list[str]:
        """Return which types of layers keep which blobs from being probed, a line for each."""
        return [
            f"{len(blobs)} blob{'s hang' if len(blobs) > 1 else ' hangs'} on a layer of type {kind or '(none)'}, which "
            f"cannot be computed: {', '.join(blobs[:6])}{f' and {len(blobs) - 6} more' if len(blobs) > 6 else ''}"
            for kind, blobs in self.module.find_uncomputable_blobs().items()
        ]

    def probe(
        self, layers: Sequence[str], input_size: tuple[int, int], *, geometry: Geometry, device: torch.device
    ) -> CaffeProbe:
        """Return the network ready to be probed at some blobs."""
        for name in layers:
            if name not in self.module.blob_names:
                raise UnknownLayerError(
                    f"{self.name} has no blob {name!r}: {suggest_nearest(name, self.module.blob_names)}"
                )
        return CaffeProbe(self, tuple(self._layers(layers, input_size, geometry)), input_size, device)

    def _layers(self, names: Sequence[str], input_size: tuple[int, int], geometry: Geometry) -> list[Layer]:
        """Run the network once on an empty image and read what its blobs are."""
        home = next((parameter.device for parameter in self.module.parameters()), torch.device("cpu"))
        with evaluation_mode(self.module), torch.inference_mode():
            picture = self.preprocess(torch.zeros((1, *input_size, 3), dtype=torch.uint8)).to(home)
            outputs = self.module(picture, blobs=list(names))
        return [self._layer(name, tuple(outputs[name].shape), input_size, geometry) for name in names]

    def _layer(self, name: str, shape: tuple[int, ...], input_size: tuple[int, int], geometry: Geometry) -> Layer:
        if len(shape) not in (2, 4):
            raise ActivationError(
                f"blob {name} of {self.name} has shape {shape}, which cannot be read as units on a grid: choose "
                f"another, netdissect layers shows them"
            )
        grid = (shape[2], shape[3]) if len(shape) == 4 else (1, 1)
        kind = self.module.blob_kind(name)
        field = self.module.field_map(name)
        even = fieldmap.divide_into_whole_steps(input_size, grid)
        layer = Layer(name, shape[1], grid, even, "grid", kind, shape=shape[1:])
        if geometry == "receptive-field" and field is not None:
            return replace(layer, field=field, geometry="receptive-field")
        if geometry == "receptive-field" and grid != (1, 1):
            return replace(layer, note="its receptive fields cannot be traced")
        return layer


class WeightlessCaffeNetwork(CaffeNetwork):
    """A network without weights: its layers and where they look can be shown, and no more."""

    def remarks(self) -> list[str]:
        """Return that it has no weights."""
        return [f"{self.source} has no caffemodel beside it: it can be looked at, not dissected"]

    def probe(self, *_: Any, **__: Any) -> CaffeProbe:
        """Refuse.

        Raises:
            ModelNotFoundError: always.
        """
        raise ModelNotFoundError(f"{self.source}: no caffemodel beside it: {self.name} can be looked at, not dissected")


class CaffeProbe:
    """A CaffeNetwork standing ready: an ActivationSource. It works on a copy laid out channels last."""

    def __init__(
        self, network: CaffeNetwork, layers: tuple[Layer, ...], input_size: tuple[int, int], device: torch.device
    ) -> None:
        self._network = network
        self._device = device
        self._run: Callable[[torch.Tensor], Mapping[str, torch.Tensor]] | None = None
        self._full = 0
        self.layers = layers
        self.input_size = input_size

    def __enter__(self) -> Self:
        twin = copy.deepcopy(self._network.module).eval().to(self._device)
        ready: CaffeNet = twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        blobs = [layer.name for layer in self.layers]
        self._run = self._network.pace(lambda x: ready(x, blobs=blobs), self._device)
        return self

    def __exit__(self, *_: object) -> None:
        self._run = None

    def given(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return what the network is given for an image of a probe set: its image, scaled."""
        return concepts.read_image(image, self.input_size)

    def activations(self, pictures: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, no further than its last probed blob."""
        assert self._run is not None
        count = len(pictures)
        with torch.inference_mode():
            x = self._network.preprocess(move_images(pictures, self._device))
            if self._network.pace.compile:
                self._full = max(self._full, count)
                x = fill_batch(x, self._full)  # a smaller batch would be compiled anew
            outputs = self._run(x.contiguous(memory_format=torch.channels_last))
        return {
            layer.name: outputs[layer.name][:count].reshape(count, layer.units, *layer.grid).permute(0, 2, 3, 1).float()
            for layer in self.layers
        }
