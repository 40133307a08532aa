"""Forward hooks and evaluation mode, undone when their block ends."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netdissect.networks.layer_names import LayerSelector


class StopForward(BaseException):
    """Raised inside a forward pass to end it once every probed layer has run."""


@contextlib.contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode; afterwards restore the mode of every submodule."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


@contextlib.contextmanager
def hook_modules(
    modules: Mapping[str, nn.Module], selectors: Mapping[str, LayerSelector], record: Callable[[str, Any], None]
) -> Iterator[None]:
    """Call ``record(name, value)`` whenever a selected module runs; afterwards its hooks are removed.

    Args:
        modules: a network's modules by qualified name.
        selectors: by layer name, the module and whether its input or its output is recorded.
        record: called with the layer's name and that input or output.
    """
    handles: list[Any] = []
    try:
        for name, selector in selectors.items():
            handles.append(_register_hook(modules, name, selector, record))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _register_hook(
    modules: Mapping[str, nn.Module], name: str, selector: LayerSelector, record: Callable[[str, Any], None]
) -> Any:
    module = modules[selector.module]
    if not selector.is_input:

        def record_output(_module: nn.Module, _inputs: Any, output: Any) -> None:
            record(name, output)

        return module.register_forward_hook(record_output)

    parent = modules.get(selector.module.rpartition(".")[0])
    if isinstance(parent, nn.MultiheadAttention) and module is parent.out_proj:

        def record_heads(attention: nn.Module, inputs: Any, keywords: Any, _output: Any) -> None:
            record(name, compute_heads(attention, inputs, keywords))

        return parent.register_forward_hook(record_heads, with_kwargs=True)

    def record_input(_module: nn.Module, inputs: Any, keywords: Any) -> None:
        record(name, [*inputs, *keywords.values()])

    return module.register_forward_pre_hook(record_input, with_kwargs=True)


def compute_heads(attention: nn.Module, inputs: Any, keywords: Any) -> Any:
    """Return the input of the output projection of torch's attention, which never calls it as a module.

    The attention runs a second time, with the identity as its projection.
    """
    assert isinstance(attention, nn.MultiheadAttention)
    copied = copy.copy(attention)
    copied._modules = dict(attention._modules)  # noqa: SLF001 - a shallow copy shares them
    copied._forward_hooks = type(attention._forward_hooks)()  # noqa: SLF001
    weight = attention.out_proj.weight
    identity = nn.modules.linear.NonDynamicallyQuantizableLinear(weight.shape[1], weight.shape[1], device="meta")
    identity.weight = nn.Parameter(torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device), False)
    identity.bias = nn.Parameter(weight.new_zeros(weight.shape[1]), False)
    copied.out_proj = identity
    return copied(*inputs, **keywords)
