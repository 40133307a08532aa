"""A hook that exchanges the tensor of a layer: a module's output, a part of it, its input, or the outputs of attention heads."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdissect.networks.ablation.cut_forward import map_parts
from netdissect.networks.trace.hooks import compute_heads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdissect.networks.ablation.cut_forward import Edit
    from netdissect.networks.layer_names import LayerSelector


@contextlib.contextmanager
def hook_output(modules: Mapping[str, nn.Module], selector: LayerSelector, exchange: Edit) -> Iterator[None]:
    """Exchange a layer's tensor whenever its module runs; afterwards the hook is removed.

    Args:
        modules: a network's modules by qualified name.
        selector: selects the layer.
        exchange: called with the layer's tensor; returns what takes its place.
    """
    handle = _register(modules, selector, exchange)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def hook_last_call(
    modules: Mapping[str, nn.Module], selector: LayerSelector, calls: int, exchange: Edit
) -> Iterator[None]:
    """Exchange the last of a layer's tensors in every forward pass; afterwards the hooks are removed.

    Args:
        modules: a network's modules by qualified name, itself as ``""``.
        selector: selects the layer.
        calls: how often it runs in a forward pass.
        exchange: as for `hook_output`.
    """
    count = 0

    def start(_module: nn.Module, _inputs: Any) -> None:
        nonlocal count
        count = 0

    def exchange_last(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        # A layer that runs once may also be called without the network around it.
        return exchange(tensor) if calls in (1, count) else tensor

    handle = modules[""].register_forward_pre_hook(start)
    try:
        with hook_output(modules, selector, exchange_last):
            yield
    finally:
        handle.remove()


def _register(modules: Mapping[str, nn.Module], selector: LayerSelector, exchange: Edit) -> Any:
    module = modules[selector.module]
    parent = modules.get(selector.module.rpartition(".")[0])

    def exchange_output(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        tensor = selector.pick(output)
        return None if tensor is None else replace_tensor(output, tensor, exchange(tensor))

    def exchange_input(_module: nn.Module, inputs: Any, keywords: Any) -> Any:
        tensor = selector.pick([*inputs, *keywords.values()])
        return None if tensor is None else replace_tensor((inputs, keywords), tensor, exchange(tensor))

    def exchange_heads(attention: nn.Module, inputs: Any, keywords: Any, output: Any) -> Any:
        """Project the exchanged outputs of the heads, since torch's attention never calls its projection as a module."""
        heads = selector.pick(compute_heads(attention, inputs, keywords))
        tensor = selector.pick(output)
        if heads is None or tensor is None:
            return None
        projected = nn.functional.linear(exchange(heads), module.weight, module.bias)  # type: ignore[arg-type]
        return replace_tensor(output, tensor, projected)

    if not selector.is_input:
        return module.register_forward_hook(exchange_output)
    if isinstance(parent, nn.MultiheadAttention) and module is parent.out_proj:
        return parent.register_forward_hook(exchange_heads, with_kwargs=True)
    return module.register_forward_pre_hook(exchange_input, with_kwargs=True)


def replace_tensor(value: Any, old: torch.Tensor, new: torch.Tensor) -> Any:
    """Return a module's input or output with one of its tensors replaced; the value itself does not change."""
    if value is old:
        return new
    if isinstance(value, (torch.Tensor, str, bytes, nn.Module)):
        return value
    if isinstance(value, (dict, list, tuple)):
        return map_parts(value, lambda part: replace_tensor(part, old, new))
    fields = getattr(value, "__dict__", None)
    if not fields:
        return value
    changed = copy.copy(value)
    for name, part in fields.items():
        object.__setattr__(changed, name, replace_tensor(part, old, new))
    return changed
