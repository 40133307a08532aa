"""A Caffe network as one `torch.nn.Module`; its blobs have Caffe's own names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor, nn

from netdissect.errors import ModelError, ModelFileError, UnknownLayerError, suggest_nearest
from netdissect.networks.sources.caffe.blob_graph import BlobGraph
from netdissect.networks.sources.caffe.blob_rules import check_blob_writers, check_layer_names
from netdissect.networks.sources.caffe.fold import apply_relu_in_place, find_folded_layers, run_folded
from netdissect.networks.sources.caffe.layer_weights import WeightStore
from netdissect.networks.sources.caffe.layers import (
    UnavailableLayer,
    build_caffe_layer,
    count_computed_tops,
    is_watcher,
    make_missing_top_error,
)
from netdissect.networks.sources.caffe.layers.arrange import Reshape
from netdissect.networks.sources.caffe.layers.caffe_layer import explain_torch_errors, format_bottom_shape
from netdissect.networks.sources.caffe.layers.convolution import Convolution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netdissect.networks.sources.caffe.blob_graph import BlobStep
    from netdissect.networks.sources.caffe.caffemodel import Blob
    from netdissect.networks.sources.caffe.layers.caffe_layer import CaffeLayer
    from netdissect.networks.sources.caffe.net_spec import NetSpec

T = TypeVar("T")


class CaffeNet(nn.Module):
    """A network from Caffe's files.

    As in Caffe, a blob has the value of its last in-place layer. A layer that cannot be created (its type is not
    implemented, or its weights are missing) raises an error only if a blob that depends on it is requested. All weights are
    float32 and need no gradient.

    Attributes:
        title: the name in the prototxt.
        layers: its layers as modules, by name, with dots replaced by underscores.
        blob_names: all blobs in the order in which they are first written, inputs first.
        input_name: the blob that holds the images.
        input_shape: (N, C, H, W) in the prototxt, if given.
        input_channels: number of channels of its images, if either file gives it.
    """

    def __init__(self, spec: NetSpec, weights: Mapping[str, Sequence[Blob]] | WeightStore) -> None:
        """Create the network from its description and the weights of its layers.

        Raises:
            ModelFileError: if it has no input, or a blob has two writers (`blob_rules`).
        """
        super().__init__()
        self.title = spec.name
        self.layers = nn.ModuleDict()
        self.graph = BlobGraph()
        self.layer_of: dict[str, str] = {}
        self.writes: dict[str, list[str]] = {}
        if not spec.inputs:
            raise ModelFileError(f"{spec.where or 'prototxt'}: expected a network with an input, got none")
        where = spec.where or "prototxt"
        check_blob_writers([blob.name for blob in spec.inputs], spec.layers, where)
        store = weights if isinstance(weights, WeightStore) else WeightStore(weights)
        check_layer_names(spec, store.blobs, where)
        for blob in spec.inputs:
            self.graph.add_input(blob.name)
        for layer in spec.layers:
            self._add(layer, store)
        self.blob_names = tuple(self.graph.last)
        self.input_name = self._find_main_input()
        self.input_shape = next(blob.shape for blob in spec.inputs if blob.name == self.input_name)
        self.input_channels = self._find_input_channels()
        if self.input_shape and self.input_channels:
            self.input_shape = (self.input_shape[0], self.input_channels, *self.input_shape[2:])
        self._folded_layers = find_folded_layers(self.graph, dict(self.layers.items()))
        self._set_batch_sizes()
        self.eval()

    def forward(self, x: Tensor, blobs: Sequence[str] | None = None) -> Tensor | dict[str, Tensor]:
        """Run the network up to the last requested blob.

        Args:
            x: float32, shape (N, C, H, W), of any size that the layers accept.
            blobs: what to return; None returns the network's outputs.

        Returns:
            {blob: tensor} for every requested blob; without `blobs` the only output, or {blob: tensor} if there are
            several. Blobs may share memory with each other and with `x`.

        Raises:
            UnknownLayerError: for a blob that the network does not have.
            UnsupportedLayerError: if one depends on a layer that is not implemented.
            ModelFileError: if one depends on a layer whose weights are missing or misshapen.
            ModelError: if one depends on several inputs, or a bottom does not fit its layer.
        """
        names = self.outputs if blobs is None else list(dict.fromkeys(blobs))
        versions = self._get_versions(names)
        source = self.check(names)
        if source == self._get_main_version():
            self._check_input(x)
        values: dict[int, Tensor] = {source: x}
        hooked = any(layer._forward_hooks or layer._forward_pre_hooks for layer in self.layers.values())  # noqa: SLF001
        for step, done in self.graph.plan(versions):
            tops = self._run(step, [values[version] for version in step.bottoms], whole=hooked)
            values.update(zip(step.tops, tops, strict=False))
            for version in done:
                del values[version]
        found = {name: values[version] for name, version in zip(names, versions, strict=True)}
        return found if blobs is not None or len(found) != 1 else found[names[0]]

    @property
    def outputs(self) -> list[str]:
        """The blobs that no layer reads, except for losses and accuracies."""
        measuring = frozenset(step.module for step in self.graph.steps if is_watcher(step.kind))
        return self.graph.find_ends(but=measuring)

    def check(self, blobs: Sequence[str]) -> int:
        """Check that blobs can be computed, and return the input that they depend on.

        Raises:
            UnknownLayerError: for a blob that the network does not have.
            UnsupportedLayerError: if one depends on a layer that is not implemented.
            ModelFileError: if one depends on a layer whose weights are missing or misshapen.
            ModelError: if they depend on several inputs.
        """
        versions = self._get_versions(blobs)
        for step in self.graph.find_steps(versions):
            module = self.layers[step.module]
            if isinstance(module, UnavailableLayer):
                raise module.error()
        sources = self.graph.find_inputs(versions)
        if len(sources) > 1:
            names = ", ".join(self.graph.inputs[version] for version in sources)
            raise ModelError(
                f"blobs {', '.join(blobs)} depend on {len(sources)} inputs ({names}), and there is one image; "
                f"probe blobs that depend on one of them"
            )
        return sources[0] if sources else self._get_main_version()

    def blob_kind(self, blob: str) -> str:
        """Return the type of the layer that wrote a blob first, such as ``"Convolution"``; ``"Input"`` for an input.

        Raises:
            UnknownLayerError: for a blob that the network does not have.
        """
        self._get_versions([blob])
        return self.graph.first_writers[blob]

    def last_layer(self, blob: str) -> nn.Module:
        """Return the module that writes a blob last; a forward hook on it gets, and may replace, the blob.

        Raises:
            UnknownLayerError: for a blob that the network does not have, or that is an input.
        """
        version = self._get_versions([blob])[0]
        if version not in self.graph.writer:
            raise UnknownLayerError(f"blob {blob!r} is an input of the network; no layer writes it")
        return self.layers[self.graph.steps[self.graph.writer[version]].module]

    def map_blobs(self, x: Tensor, read: Callable[[Tensor], T], blobs: Sequence[str] | None = None) -> dict[str, T]:
        """Run layer by layer and return what a function reads from each blob.

        Args:
            x: an input (N, C, H, W).
            read: called with a blob as soon as it is written.
            blobs: the blobs; None for all that can be computed from this input, at its size.

        Returns:
            for every blob what was read from its last version, in the order in which blobs are first written.

        Raises:
            ModelError: or a subclass, if a requested blob cannot be computed.
        """
        source = self._get_main_version() if blobs is None else self.check(blobs)
        if blobs is not None and source == self._get_main_version():
            self._check_input(x)
        values = {source: x}
        found = {source: read(x)}
        for step, done in self.graph.plan(None if blobs is None else self._get_versions(blobs)):
            if all(version in values for version in step.bottoms):
                try:
                    tops = self._run(step, [values[version] for version in step.bottoms], whole=True)
                except ModelError:
                    if blobs is not None:
                        raise
                    tops = ()
                for version, top in zip(step.tops, tops, strict=False):
                    values[version] = top
                    found[version] = read(top)
            for version in done:
                values.pop(version, None)
        return {blob: found[version] for blob, version in self.graph.last.items() if version in found}

    def find_uncomputable_blobs(self) -> dict[str, list[str]]:
        """Return the types of layers that cannot be created, each with the blobs that depend on one of them."""
        found: dict[str, list[str]] = {}
        for blob, version in self.graph.last.items():
            step = next(
                (s for s in self.graph.find_steps([version]) if isinstance(self.layers[s.module], UnavailableLayer)),
                None,
            )
            if step is not None:
                found.setdefault(step.kind, []).append(blob)
        return found

    def _add(self, layer: Any, store: WeightStore) -> None:
        missing = [blob for blob in layer.bottom if blob not in self.graph.last]
        if missing:
            module: CaffeLayer = UnavailableLayer(layer, self._make_unwritten_blob_error(layer, missing[0]))
        else:
            module = build_caffe_layer(layer, store.get_layer(layer))
        computed = count_computed_tops(layer)
        key = self._make_key(layer.name)
        self.layers[key] = module
        self.layer_of.setdefault(layer.name, key)
        self.writes.setdefault(layer.name, list(layer.top))
        self.graph.add_step(key, layer.type, layer.bottom, layer.top[:computed])
        if len(layer.top) > computed:
            key = self._make_key(layer.name)
            self.layers[key] = UnavailableLayer(layer, make_missing_top_error(layer))
            self.graph.add_step(key, layer.type, layer.bottom, layer.top[computed:])

    def _make_key(self, name: str) -> str:
        """Return a key for a layer that `nn.ModuleDict` accepts."""
        key = re.sub(r"[.\0]", "_", name) or "_"
        while key in self.layers or hasattr(self.layers, key):
            key += "_"
        return key

    def _make_unwritten_blob_error(self, layer: Any, blob: str) -> ModelFileError:
        return ModelFileError(
            f'layer "{layer.name}" ({layer.type}) reads blob {blob!r}, which no layer before it writes; '
            f"{suggest_nearest(blob, self.graph.last)}"
        )

    def _find_main_input(self) -> str:
        """Return the first input that a layer other than a loss reads, else the first."""
        read = {version for step in self.graph.steps if not is_watcher(step.kind) for version in step.bottoms}
        names = [name for version, name in self.graph.inputs.items() if version in read]
        return (names or list(self.graph.inputs.values()))[0]

    def _get_main_version(self) -> int:
        return next(version for version, name in self.graph.inputs.items() if name == self.input_name)

    def _find_input_channels(self) -> int | None:
        """Return the number of input channels, from the first convolution's weights or else from the prototxt."""
        source = self._get_main_version()
        for step in self.graph.steps:
            module = self.layers[step.module]
            if isinstance(module, Convolution) and source in step.bottoms:
                return module.channels
        return self.input_shape[1] if self.input_shape and len(self.input_shape) > 1 else None

    def _set_batch_sizes(self) -> None:
        """Set the prototxt's batch size in layers that may fix the batch size."""
        for module in self.layers.values():
            if isinstance(module, Reshape) and self.input_shape:
                module.batch = self.input_shape[0]

    def _get_versions(self, blobs: Sequence[str]) -> list[int]:
        for blob in blobs:
            if blob not in self.graph.last:
                raise self._make_unknown_blob_error(blob)
        return [self.graph.last[blob] for blob in blobs]

    def _make_unknown_blob_error(self, blob: str) -> UnknownLayerError:
        tops = self.writes.get(blob)
        hint = f"the layer of that name writes {', '.join(tops)}" if tops else suggest_nearest(blob, self.blob_names)
        return UnknownLayerError(f"the network has no blob {blob!r}; {hint}")

    def _check_input(self, x: Tensor) -> None:
        if self.input_channels and x.dim() > 1 and x.shape[1] != self.input_channels:
            raise ModelError(
                f"the network takes images with {self.input_channels} channels, got an input of shape {format_bottom_shape(x)}; "
                f"for gray images use --colordepth 1"
            )

    def _run(self, step: BlobStep, bottoms: list[Tensor], *, whole: bool) -> tuple[Tensor, ...]:
        """Return a layer's tops; if `whole`, without computing it together with other layers."""
        module = self.layers[step.module]
        with explain_torch_errors(getattr(module, "label", step.module), bottoms):
            tops = module(*bottoms) if whole else self._run_folded(step.module, module, bottoms)
        return tops if isinstance(tops, tuple) else (tops,)

    def _run_folded(self, key: str, module: nn.Module, bottoms: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
        layers = self._folded_layers
        if key in layers.folded:
            return bottoms[0]
        if key in layers.followers:
            return run_folded(module, [self.layers[follower] for follower in layers.followers[key]], bottoms[0])
        if key in layers.in_place_relus:
            return apply_relu_in_place(module, bottoms[0])
        tops: Tensor | tuple[Tensor, ...] = module(*bottoms)
        return tops
