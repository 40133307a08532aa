"""Layer names: ``NAME`` for a module, ``NAME[1]`` and ``NAME.key`` for a part of its output, ``NAME:in`` for its input.

A module may return a tuple, a list, a dict, a ``ModelOutput``, a dataclass, or any of these inside one another; ``NAME``
alone is its first tensor. ``output`` is the output of the whole network.

A part is named by its key or field, as in ``backbone.0``, ``backbone.feat-a`` or ``output.layer4.relu``, if the key is a
text of letters, digits, ``_``, ``-`` and inner dots, or an integer. ``[1]`` is the second part, whatever its key: so is
named what such a key does not tell apart, because the key is of another kind, or another part or a module has that name.
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

#: Keys that can be written in a name.
_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")
#: The end of a name that selects a part.
_PATH = re.compile(r"(\[\d+\]|\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class LayerSelector:
    """Selects one tensor of a module's input or output.

    Attributes:
        module: its qualified name; empty for the whole network.
        path: keys and positions as they are written in a name; empty for the first tensor.
        is_input: whether the tensor is its first argument, not its output.
    """

    module: str
    path: str = ""
    is_input: bool = False

    def pick(self, value: Any) -> torch.Tensor | None:
        """Return the selected tensor of a module's input or output; None if there is none."""
        return _pick_part(value, self.path)


def parse_layer_name(name: str, modules: Collection[str]) -> LayerSelector | None:
    """Read a layer's name; None if it names no module.

    >>> parse_layer_name("layers.0[1]", {"", "layers", "layers.0"})
    LayerSelector(module='layers.0', path='[1]', is_input=False)
    >>> parse_layer_name("attn.proj:in", {"", "attn", "attn.proj"})
    LayerSelector(module='attn.proj', path='', is_input=True)
    >>> parse_layer_name("output.feature_maps[0]", {"", "stem"})
    LayerSelector(module='', path='.feature_maps[0]', is_input=False)
    """
    is_input = name.endswith(INPUT_SUFFIX)
    bare = name.removesuffix(INPUT_SUFFIX)
    if bare in modules and bare:
        return LayerSelector(bare, "", is_input)
    for cut in sorted({match.start() for match in re.finditer(r"[\[.]", bare)} | {len(bare)}, reverse=True):
        head, rest = bare[:cut], bare[cut:]
        module = "" if head == OUTPUT_NAME and OUTPUT_NAME not in modules else head
        if head and module in modules and _PATH.fullmatch(rest):
            return LayerSelector(module, rest, is_input)
    return None


def get_type_name(module: Any) -> str:
    """Return the name of a module's type; of an exported one, the type it was exported from."""
    if type(module).__module__.startswith("torch.export."):
        exported = getattr(module, "type_name", lambda: None)()
        if isinstance(exported, str):
            return exported.rpartition(".")[2]
    return type(module).__name__


def name_outputs(name: str, value: Any, modules: Collection[str]) -> dict[str, torch.Tensor]:
    """Return every floating-point tensor of a module's output by a name that leads back to exactly this tensor.

    Args:
        name: of the module, or ``output``.
        value: its output.
        modules: the names of all modules, which name outputs of their own.

    >>> one, two = torch.zeros(1), torch.ones(1)
    >>> list(name_outputs("fpn", {"0": one, "feat-a": [two], "body": one}, {"", "fpn", "fpn.body"}))
    ['fpn', 'fpn.feat-a[0]', 'fpn[2]']
    """
    own = "" if name == OUTPUT_NAME and name not in modules else name
    found: dict[str, torch.Tensor] = {}
    for path, exact, tensor in _iterate_tensors(value):
        for written in ["", path, exact][bool(found) or not own :]:
            if parse_layer_name(name + written, modules) == LayerSelector(own, written) and (
                (written and path == exact) or _pick_part(value, written) is tensor
            ):
                found[name + written] = tensor
                break
    return found


def _pick_part(value: Any, path: str) -> torch.Tensor | None:
    """Return the first tensor of the part that a path selects; None if there is none."""
    if not path:
        for _, _, tensor in _iterate_tensors(value):  # a loop, since torch 2.8 compiles no next() with a default
            return tensor
        return None
    for step, position, part in _split_output(value, is_open=True):
        for written in (step, position):
            if written and path.startswith(written) and path[len(written) : len(written) + 1] in ("", ".", "["):
                found = _pick_part(part, path[len(written) :])
                if found is not None:
                    return found
    return None


def _iterate_tensors(value: Any, path: str = "", exact: str = "") -> Iterator[tuple[str, str, torch.Tensor]]:
    """Yield every floating-point tensor with its path by keys, which may be ambiguous, and by positions."""
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.layout == torch.strided and not value.is_nested:
            yield path, exact, value
        return
    for step, position, part in _split_output(value):
        yield from _iterate_tensors(part, path + (step or position), exact + position)


def _split_output(value: Any, *, is_open: bool = False) -> list[tuple[str, str, Any]]:
    """Return the parts of an output, each with its key as it is written in names, or an empty text, and its position.

    Args:
        value: a module's output.
        is_open: whether fields of named tuples and attributes of other objects can be selected too.
    """
    if isinstance(value, (str, bytes, torch.Tensor, torch.nn.Module)):
        return []
    if isinstance(value, Mapping):
        keys, parts = [_write_key(key) for key in value], list(value.values())
    elif isinstance(value, (tuple, list)):
        fields = getattr(value, "_fields", ()) if is_open else ()
        keys, parts = [_write_key(field) for field in fields] or [""] * len(value), list(value)
    elif hasattr(type(value), "__dataclass_fields__"):
        fields = list(type(value).__dataclass_fields__)
        keys, parts = [_write_key(field) for field in fields], [getattr(value, field, None) for field in fields]
    else:
        fields = list(getattr(value, "__dict__", ())) if is_open else []
        return [(_write_key(field), "", value.__dict__[field]) for field in fields]
    return [(key, f"[{i}]", part) for i, (key, part) in enumerate(zip(keys, parts, strict=False))]


def _write_key(key: Any) -> str:
    """Return a key as it is written in names; an empty text if it cannot be.

    >>> _write_key("feat-a"), _write_key(3), _write_key("a b"), _write_key((1, 2))
    ('.feat-a', '.3', '', '')
    """
    if not isinstance(key, (str, int)):
        return ""
    text = str(key)
    return f".{text}" if _KEY.fullmatch(text) else ""
