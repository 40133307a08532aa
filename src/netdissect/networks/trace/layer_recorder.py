"""Sees what the layers of a torch module give on one forward pass, in the order of computation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.utils.weak import WeakTensorKeyDictionary

from netdissect.networks import layer_names
from netdissect.networks.probe import LayerInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, MutableMapping

    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.trace.field_tracer import FieldTracer
    from netdissect.networks.trace.tensor_trace import TensorTrace


class _Output(NamedTuple):
    """The last output of a layer.

    Attributes:
        shape: its shape.
        trace: meaning of its dimensions.
        heads: attention heads whose outputs it holds.
        version: counts what was done to it in place before.
        tensor: the output itself where few layers are asked for; all of a network's would fill the memory.
    """

    shape: tuple[int, ...]
    trace: TensorTrace | None
    heads: int
    version: int
    tensor: torch.Tensor | None

    @property
    def is_overwritten(self) -> bool:
        """Whether it was changed in place after it was seen."""
        return self.tensor is not None and self.tensor._version > self.version  # noqa: SLF001


class LayerRecorder:
    """What was seen of a module's layers; `see` is called by hooks (`hooks.watching`).

    Attributes:
        selectors: what is watched, by layer name.
    """

    def __init__(self, modules: Mapping[str, nn.Module], names: Collection[str] | None, tracer: FieldTracer) -> None:
        """Prepare to watch a module.

        Args:
            modules: its submodules by qualified name, itself as the empty name.
            names: the layers that are asked for; None for everything that can be dissected.
            tracer: knows what depends on the image.
        """
        self._modules = modules
        self._tracer = tracer
        self._everything = names is None
        self._calls: Counter[str] = Counter()
        self._outputs: dict[str, _Output] = {}
        self._known: MutableMapping[torch.Tensor, set[int]] = WeakTensorKeyDictionary()
        self.selectors = _select_all(modules) if names is None else _select_named(names, modules)

    def record(self, name: str, value: Any) -> None:
        """Record what a hooked module was given, or returned."""
        for key, tensor in self._found(name, value):
            self._calls[key] += 1
            self._outputs.pop(key, None)  # the last call counts, also for the order
            self._outputs[key] = _Output(
                tuple(tensor.shape), self._tracer.get_trace(tensor), self._heads(key, tensor), tensor._version,  # noqa: SLF001
                None if self._everything else tensor,
            )  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether every layer that was asked for has been seen."""
        return not self._everything and self.selectors.keys() <= self._outputs.keys()

    def collect_infos(self, note: str) -> dict[str, LayerInfo]:
        """Return what was seen, with a note that all of it shares."""
        return {
            name: LayerInfo(
                one.shape, one.trace, self._kind(name), self._calls[name], one.is_overwritten, note, one.heads
            )
            for name, one in self._outputs.items()
        }  # fmt: skip

    def _found(self, name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
        selector = self.selectors[name]
        if not self._everything:
            tensor = selector.pick(value)
            if tensor is not None:
                yield name, tensor
            return
        if selector.is_input:
            tensor = selector.pick(value)
            if tensor is not None and self._heads(name, tensor):
                yield name, tensor
            return
        found = list(layer_names.iterate_tensors(value))
        for position, (path, tensor) in enumerate(found):
            if name == layer_names.OUTPUT_NAME and len(found) == 1:
                continue  # the last layer has it too
            if self._is_new(name, tensor):
                yield name + path if position or name == layer_names.OUTPUT_NAME else name, tensor

    def _is_new(self, name: str, tensor: torch.Tensor) -> bool:
        """Tell whether a module without parts gives more than what it was given, as Dropout and Identity do not."""
        versions = self._known.setdefault(tensor, set())
        known = tensor._version in versions  # noqa: SLF001
        versions.add(tensor._version)  # noqa: SLF001
        return not known or any(True for _ in self._modules[self.selectors[name].module].children())

    def _heads(self, name: str, tensor: torch.Tensor) -> int:
        """Return how many attention heads' outputs lie side by side in what goes into a module."""
        selector = layer_names.parse_layer_name(name, self._modules)
        if selector is None or not selector.is_input:
            return 0
        attention = self._modules.get(selector.module.rpartition(".")[0])
        if isinstance(attention, nn.MultiheadAttention):
            return int(attention.num_heads)
        track = self._tracer.get_trace(tensor)
        return 0 if track is None else track.heads

    def _kind(self, name: str) -> str:
        selector = layer_names.parse_layer_name(name, self._modules)
        assert selector is not None
        kind = layer_names.get_type_name(self._modules[selector.module])
        return f"input of {kind}" if selector.is_input else kind


def _select_all(modules: Mapping[str, nn.Module]) -> dict[str, LayerSelector]:
    """Watch what every module gives, and what goes into those with weights: it may be the outputs of attention heads."""
    selectors: dict[str, LayerSelector] = {}
    for name, module in modules.items():
        if name:
            selectors[name] = layer_names.LayerSelector(name)
        if name and any(True for _ in module.parameters(recurse=False)):
            selectors[name + layer_names.INPUT_SUFFIX] = layer_names.LayerSelector(name, (), True)
    if layer_names.OUTPUT_NAME not in modules:
        selectors[layer_names.OUTPUT_NAME] = layer_names.LayerSelector("")
    return selectors


def _select_named(names: Collection[str], modules: Mapping[str, nn.Module]) -> dict[str, LayerSelector]:
    return {name: selector for name in names if (selector := layer_names.parse_layer_name(name, modules)) is not None}
