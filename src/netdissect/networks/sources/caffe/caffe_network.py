"""Caffe networks that can be probed; layers are blobs, by Caffe's names."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from netdissect.errors import ModelError, ModelNotFoundError, SettingsError
from netdissect.networks.fingerprint import fingerprint_module
from netdissect.networks.listed_network import ListedNetwork
from netdissect.networks.load_options import read_mean_option
from netdissect.networks.module_copies import copy_sharing_weights, copy_to_meta, find_device
from netdissect.networks.packed_weights import PackedConvolution, find_obstacle
from netdissect.networks.preprocess import make_caffe_preprocess
from netdissect.networks.probe import LayerInfo
from netdissect.networks.sources.caffe.caffe_cuts import CaffeCuts, find_class_blob, hook_blob
from netdissect.networks.sources.caffe.caffe_loader import find_prototxt, load_caffe
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.layers.convolution import Convolution
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights
from netdissect.networks.sources.caffe.without_weights import make_weightless_net
from netdissect.networks.trace.field_tracer import FieldTracer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from netdissect.networks.ablation.cut_forward import CutForward, Edit
    from netdissect.networks.execution import Execution, Forward
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.memory_use import MemoryUse
    from netdissect.networks.probe import ProbedLayer
    from netdissect.networks.trace.tensor_trace import TensorTrace
    from netdissect.protocols import AblationSource, ActivationSource


def load_caffe_network(model: str, options: LoadOptions) -> CaffeNetwork:
    """Load a network from Caffe's two files, with the released code's preprocessing unless options say otherwise.

    Raises:
        ModelNotFoundError: if a file does not exist.
        ModelFileError: if one is damaged, or they do not belong together.
        SettingsError: if its images have another number of channels.
    """
    text = model if options.weights is None or model.endswith(".prototxt") else f"{model}.prototxt"
    return _make_network(load_caffe(text, options.weights), model, options)


def load_untrained_caffe(model: str, options: LoadOptions) -> CaffeNetwork:
    """Load a network from its prototxt alone, with random weights of ``options.seed`` (`make_random_weights`).

    Raises:
        ModelNotFoundError: if there is no prototxt.
        ModelFileError: if it is damaged, or does not give the shape of its input.
    """
    spec = read_prototxt(find_prototxt(model))
    return _make_network(CaffeNet(spec, make_random_weights(spec, options.seed)), model, options)


def _make_network(net: CaffeNet, model: str, options: LoadOptions) -> CaffeNetwork:
    """Return a Caffe network with the released code's preprocessing unless options say otherwise."""
    shape = net.input_shape
    size = (shape[2], shape[3]) if shape is not None and len(shape) == 4 else None
    preprocess = make_caffe_preprocess(
        mean=read_mean_option(options.mean),
        scale=1.0 if options.scale is None else options.scale,
        channels=options.channels or "bgr",
        grayscale=options.grayscale,
        input_size=size,
    )
    if size is not None and shape is not None and shape[1] != preprocess.depth:
        advice = {1: "give --colordepth 1", 3: "leave out --colordepth 1"}.get(
            shape[1], "it cannot be dissected on images"
        )
        raise SettingsError(f"{model} takes {shape[1]} channels and would get {preprocess.depth}: {advice}")
    name = Path(model.split(",", maxsplit=1)[0]).name.removesuffix(".prototxt")
    return CaffeNetwork(net, preprocess=preprocess, name=name, source=model, input_size=size)


def load_prototxt_network(model: str, options: LoadOptions) -> WeightlessCaffeNetwork | None:
    """Load a prototxt without a caffemodel, to list its layers; None for any other model.

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
    depth = shape[1] if shape is not None and whole else 1 if options.grayscale else 3
    preprocess = make_caffe_preprocess(grayscale=depth == 1, input_size=size)
    net = make_weightless_net(spec, (1, depth, *size))
    return WeightlessCaffeNetwork(
        net, preprocess=preprocess, name=text.stem, source=str(text), input_size=size if whole else None
    )


@dataclass(frozen=True, eq=False, repr=False)
class CaffeNetwork(ListedNetwork):
    """A network read from Caffe's files; its layers are its blobs.

    Attributes:
        module: the network. It is never changed.
    """

    module: CaffeNet
    takes_removal: ClassVar[bool] = True

    def fingerprint(self) -> str:
        """Return a hash of weights, structure and preprocessing."""
        return fingerprint_module(self.module, self.preprocess)

    def list_names(self) -> Collection[str]:
        """Return the names of the blobs."""
        return self.module.blob_names

    def describe_uncomputable(self) -> list[str]:
        """Return a line for each type of layer that cannot be computed, with the blobs that depend on it."""
        return [
            f"{len(blobs)} blob{'s depend' if len(blobs) > 1 else ' depends'} on a layer of type {kind or '(none)'}, which "
            f"cannot be computed: {', '.join(blobs[:6])}{f' and {len(blobs) - 6} more' if len(blobs) > 6 else ''}"
            for kind, blobs in self.module.find_uncomputable_blobs().items()
        ]

    def inspect(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Trace the blobs in one forward pass on a blank input.

        Requested blobs are computed. All blobs are traced on torch's meta device, which computes shapes but no values; its
        first operation imports torch's compiler, which takes longer than to compute the blobs of most networks.

        Raises:
            ModelError: or a subclass, if a requested blob cannot be computed.
        """
        device = torch.device("meta") if names is None else find_device(self.module)
        x = self.make_blank_input(input_size, device)
        blobs = None if names is None else list(names)
        with torch.no_grad(), FieldTracer(x) as tracer:

            def read(blob: torch.Tensor) -> tuple[tuple[int, ...], TensorTrace | None, MemoryUse]:
                return tuple(blob.shape), tracer.get_trace(blob), tracer.memory

            module = copy_to_meta(self.module) if names is None else copy_sharing_weights(self.module)[0]
            found = module.map_blobs(x, read, blobs)
        return {
            name: LayerInfo(shape, trace, self.module.blob_kind(name), memory=memory)
            for name, (shape, trace, memory) in found.items()
            if names is None or name in names
        }

    @contextlib.contextmanager
    def open_forward(
        self,
        probed: Mapping[str, ProbedLayer],
        input_size: tuple[int, int],  # noqa: ARG002 - Caffe reshapes its networks
        device: torch.device,
        execution: Execution,
    ) -> Iterator[Forward]:
        """Yield the forward pass of a copy laid out channels last, which stops after the last probed blob."""
        copied = copy.deepcopy(self.module).eval().to(device)
        net: CaffeNet = copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not find_obstacle(execution, device):
            for layer in net.modules():
                if type(layer) is Convolution:
                    layer.convolve = PackedConvolution()
        blobs = list(probed)
        forward = execution.wrap(lambda x: net(x, blobs=blobs), device)
        yield lambda x: forward(x.contiguous(memory_format=torch.channels_last))

    @contextlib.contextmanager
    def open_class_forward(
        self,
        layer: ProbedLayer,
        input_size: tuple[int, int],  # noqa: ARG002 - Caffe reshapes its networks
        device: torch.device,
    ) -> Iterator[CutForward]:
        """Yield the forward pass of a copy from its input to its class outputs.

        Raises:
            ModelError: or a subclass, if no output can be computed.
        """
        outputs = find_class_blob(self.module)
        if outputs is None:
            raise ModelError(f"{self.name} has no class outputs: no layer of its prototxt ends in an output")
        self.module.check([self.module.graph.blobs[outputs]])
        yield CaffeCuts(copy.deepcopy(self.module).eval().to(device), layer.layer.name, outputs)

    def hook_layer(self, layer: ProbedLayer, exchange: Edit) -> contextlib.AbstractContextManager[None]:
        """Return a context manager; inside it a blob of the network itself is exchanged."""
        return hook_blob(self.module, layer.layer.name, exchange)


class WeightlessCaffeNetwork(CaffeNetwork):
    """A network without weights: its layers and their receptive fields can only be listed."""

    def remarks(self) -> list[str]:
        """Return the remark that it has no weights."""
        return [f"{self.source} has no caffemodel: its layers can be listed, but not dissected"]

    def probe(self, *_: Any, **__: Any) -> ActivationSource:
        """Raise the error of a network without weights.

        Raises:
            ModelNotFoundError: always.
        """
        raise self._make_weightless_error()

    def open_ablation(self, *_: Any, **__: Any) -> AblationSource:
        """Raise the error of a network without weights.

        Raises:
            ModelNotFoundError: always.
        """
        raise self._make_weightless_error()

    def _make_weightless_error(self) -> ModelNotFoundError:
        return ModelNotFoundError(self.remarks()[0])
