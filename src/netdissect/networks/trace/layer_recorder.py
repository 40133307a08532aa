"""Records the outputs of a torch module's layers during one forward pass, in the order of computation."""

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
    from netdissect.networks.memory_use import MemoryUse
    from netdissect.networks.trace.field_tracer import FieldTracer
    from netdissect.networks.trace.tensor_trace import TensorTrace


class _LayerOutput(NamedTuple):
    """The last output of a layer.

    Attributes:
        shape: its shape.
        trace: meaning of its dimensions.
        heads: attention heads whose outputs it holds.
        version: number of in-place operations on it before.
        memory: what the forward pass has taken until then.
        tensor: the output itself if layers were named; None if all are recorded, to save memory.
    """

    shape: tuple[int, ...]
    trace: TensorTrace | None
    heads: int
    version: int
    memory: MemoryUse
    tensor: torch.Tensor | None

    @property
    def is_overwritten(self) -> bool:
        """Whether it was changed in place after it was recorded, or may have been."""
        if self.tensor is None:
            return False
        return self.tensor.is_inference() or _get_version(self.tensor) > self.version


class LayerRecorder:
    """Records layers; hooks call `record` (`hooks.hook_modules`).

    Attributes:
        selectors: what is recorded, by layer name.
    """

    def __init__(self, modules: Mapping[str, nn.Module], names: Collection[str] | None, tracer: FieldTracer) -> None:
        """Prepare to record a module.

        Args:
            modules: its submodules by qualified name, itself as ``""``.
            names: the layers to record; None for everything that can be dissected.
            tracer: of the forward pass.
        """
        self._modules = modules
        self._tracer = tracer
        self._is_unnamed = names is None
        self._calls: Counter[str] = Counter()
        self._outputs: dict[str, _LayerOutput] = {}
        self._known: MutableMapping[torch.Tensor, set[int]] = WeakTensorKeyDictionary()
        self.selectors = _select_all(modules) if names is None else _select_named(names, modules)

    def record(self, name: str, value: Any) -> None:
        """Record the input or the output of a hooked module."""
        for key, tensor in self._select_tensors(name, value):
            self._calls[key] += 1
            self._outputs.pop(key, None)  # recorded again, so that the last call decides the order
            self._outputs[key] = _LayerOutput(
                tuple(tensor.shape), self._tracer.get_trace(tensor), self._count_heads(key, tensor), _get_version(tensor),
                self._tracer.memory, None if self._is_unnamed else tensor,
            )  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether every named layer has been recorded; if none is named, whether any that depends on the image has."""
        if self._is_unnamed:
            return any(one.trace is not None for one in self._outputs.values())
        return self.selectors.keys() <= self._outputs.keys()

    def collect_infos(self, note: str) -> dict[str, LayerInfo]:
        """Return what was recorded, each with the same note."""
        return {
            name: LayerInfo(
                one.shape, one.trace, self._name_type(name), self._calls[name], one.is_overwritten, note, one.heads,
                one.memory,
            )
            for name, one in self._outputs.items()
        }  # fmt: skip

    def _select_tensors(self, name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
        selector = self.selectors[name]
        if not self._is_unnamed:
            tensor = selector.pick(value)
            if tensor is not None:
                yield name, tensor
            return
        if selector.is_input:
            tensor = selector.pick(value)
            if tensor is not None and self._count_heads(name, tensor):
                yield name, tensor
            return
        found = layer_names.name_outputs(name, value, self._modules)
        is_output = name == layer_names.OUTPUT_NAME
        for written, tensor in found.items():
            if is_output and len(found) == 1 and self._is_known(tensor):
                continue  # it is the last layer's output
            if self._is_new(name, tensor):
                yield written, tensor

    def _is_known(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor, as it is now, was recorded as a module's output."""
        return _get_version(tensor) in self._known.get(tensor, ())

    def _is_new(self, name: str, tensor: torch.Tensor) -> bool:
        """Return whether an output is not a module's own input, as it is after Dropout and Identity."""
        known = self._is_known(tensor)
        self._known.setdefault(tensor, set()).add(_get_version(tensor))
        return not known or any(True for _ in self._modules[self.selectors[name].module].children())

    def _count_heads(self, name: str, tensor: torch.Tensor) -> int:
        """Return the number of attention heads whose outputs a module's input holds; 0 for none."""
        selector = layer_names.parse_layer_name(name, self._modules)
        if selector is None or not selector.is_input:
            return 0
        attention = self._modules.get(selector.module.rpartition(".")[0])
        if isinstance(attention, nn.MultiheadAttention):
            return int(attention.num_heads)
        trace = self._tracer.get_trace(tensor)
        return 0 if trace is None else trace.heads

    def _name_type(self, name: str) -> str:
        selector = layer_names.parse_layer_name(name, self._modules)
        assert selector is not None
        kind = layer_names.get_type_name(self._modules[selector.module])
        return f"input of {kind}" if selector.is_input else kind


def _get_version(tensor: torch.Tensor) -> int:
    """Return the number of in-place operations on a tensor; 0 in inference mode, which does not count them."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001


def _select_all(modules: Mapping[str, nn.Module]) -> dict[str, LayerSelector]:
    """Select every output, and the inputs of modules with weights, which may hold the outputs of attention heads."""
    selectors: dict[str, LayerSelector] = {}
    for name, module in modules.items():
        if name:
            selectors[name] = layer_names.LayerSelector(name)
        if name and any(True for _ in module.parameters(recurse=False)):
            selectors[name + layer_names.INPUT_SUFFIX] = layer_names.LayerSelector(name, "", True)
    if layer_names.OUTPUT_NAME not in modules:
        selectors[layer_names.OUTPUT_NAME] = layer_names.LayerSelector("")
    return selectors


def _select_named(names: Collection[str], modules: Mapping[str, nn.Module]) -> dict[str, LayerSelector]:
    return {name: selector for name in names if (selector := layer_names.parse_layer_name(name, modules)) is not None}
