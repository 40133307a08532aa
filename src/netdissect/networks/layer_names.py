"""Layer names: ``NAME`` for a module, ``NAME[1]`` and ``NAME.key`` for a part of its output, ``NAME:in`` for its input.

A module may return a tuple, a list, a dict or a ``ModelOutput``; ``NAME`` alone is its first tensor. ``output`` is the
output of the whole network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Suffix for the input of a module, such as the heads' outputs that enter an attention's output projection.
INPUT_SUFFIX = ":in"
#: Name of the network's own output, unless a submodule has this name.
OUTPUT_NAME = "output"

_STEP = re.compile(r"\[(\d+)\]|\.?([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class LayerSelector:
    """Selects one tensor of a module's input or output.

    Attributes:
        module: its qualified name; empty for the whole network.
        path: keys and positions; empty for the first tensor.
        is_input: whether the tensor is its first argument, not its output.
    """

    module: str
    path: tuple[str | int, ...] = ()
    is_input: bool = False

    def pick(self, value: Any) -> torch.Tensor | None:
        """Return the selected tensor of a module's input or output; None if there is none."""
        for step in self.path:
            value = _follow_step(value, step)
        for _, tensor in iterate_tensors(value):  # a loop, since torch 2.8 compiles no next() with a default
            return tensor
        return None


def parse_layer_name(name: str, modules: Collection[str]) -> LayerSelector | None:
    """Read a layer's name; None if it names no module.

    >>> parse_layer_name("layers.0[1]", {"", "layers", "layers.0"})
    LayerSelector(module='layers.0', path=(1,), is_input=False)
    >>> parse_layer_name("attn.proj:in", {"", "attn", "attn.proj"})
    LayerSelector(module='attn.proj', path=(), is_input=True)
    >>> parse_layer_name("output.feature_maps[0]", {"", "stem"})
    LayerSelector(module='', path=('feature_maps', 0), is_input=False)
    """
    is_input = name.endswith(INPUT_SUFFIX)
    bare = name.removesuffix(INPUT_SUFFIX)
    if bare in modules and bare:
        return LayerSelector(bare, (), is_input)
    for cut in sorted({match.start() for match in re.finditer(r"[\[.]", bare)} | {len(bare)}, reverse=True):
        head, rest = bare[:cut], bare[cut:]
        module = "" if head == OUTPUT_NAME and OUTPUT_NAME not in modules else head
        if head and module in modules and (path := _parse_path(rest)) is not None:
            return LayerSelector(module, path, is_input)
    return None


def _parse_path(text: str) -> tuple[str | int, ...] | None:
    steps: list[str | int] = []
    while text:
        match = _STEP.match(text)
        if match is None:
            return None
        steps.append(int(match[1]) if match[1] is not None else match[2])
        text = text[match.end() :]
    return tuple(steps)


def get_type_name(module: Any) -> str:
    """Return the name of a module's type; of an exported one, the type it was exported from."""
    read = getattr(module, "type_name", None)  # torch.export.unflatten
    exported = read() if callable(read) else None
    return exported.rpartition(".")[2] if isinstance(exported, str) else type(module).__name__


def _follow_step(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        if isinstance(step, int):
            return list(value.values())[step] if step < len(value) else None
        return value.get(step)
    if isinstance(step, int):
        return value[step] if isinstance(value, (tuple, list)) and step < len(value) else None
    return getattr(value, step, None)


def iterate_tensors(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every floating-point tensor of a module's input or output, with the path that selects it."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield path, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from iterate_tensors(part, f"{path}.{key}")
    elif isinstance(value, (tuple, list)):
        for position, part in enumerate(value):
            yield from iterate_tensors(part, f"{path}[{position}]")
    elif hasattr(value, "__dataclass_fields__"):
        for key in value.__dataclass_fields__:
            yield from iterate_tensors(getattr(value, key), f"{path}.{key}")
