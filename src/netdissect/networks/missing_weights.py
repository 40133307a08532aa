"""Parts of a network that a file holds no weights for: what lies before them is probed, they themselves are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import nn


class NoWeightsError(ModelFileError):
    """A part is to run whose weights are not there."""


class MissingWeights:
    """Stands before a part without weights and refuses to run it."""

    def __init__(self, part: str, path: str) -> None:
        self.part = part
        self.path = path

    def __call__(self, _module: nn.Module, _inputs: Any) -> None:
        """Refuse."""
        raise NoWeightsError(
            f"{self.path} holds no weights for {self.part}: probe layers before it, or load a file that has them"
        )


def find_missing_tail(wanted: Sequence[str], missing: Collection[str]) -> tuple[str, ...]:
    """Return the parts that a file has no weights for, if they are a network's last ones and no more than half of it.

    Args:
        wanted: names of all its tensors, in order.
        missing: those that are missing.

    Returns:
        names of the parts; empty if the missing names are anything else than its end.

    >>> find_missing_tail(["conv.weight", "conv.bias", "fc.weight", "fc.bias"], {"fc.weight", "fc.bias"})
    ('fc',)
    >>> find_missing_tail(["conv.weight", "conv.bias", "fc.weight", "fc.bias"], {"conv.bias", "fc.bias"})
    ()
    """
    first = next((place for place, name in enumerate(wanted) if name in missing), len(wanted))
    after = {_parent(name) for name in wanted[first:]}
    before = {_parent(name) for name in wanted[:first]}
    whole = all(name in missing for name in wanted[first:]) and not after & before and "" not in after
    return tuple(dict.fromkeys(map(_parent, wanted[first:]))) if whole and 2 * first >= len(wanted) else ()


def disable_parts(module: nn.Module, parts: Sequence[str], path: str) -> None:
    """Let parts of a network refuse to run, their weights 0."""
    for part in parts:
        inner = module.get_submodule(part)
        for tensor in inner.state_dict().values():
            tensor.zero_()
        inner.register_forward_pre_hook(MissingWeights(part, path))


def describe_missing_weights(module: nn.Module) -> list[str]:
    """Return what a person should know of a network's missing parts."""
    hooks = [hook for part in module.modules() for hook in part._forward_pre_hooks.values()]  # noqa: SLF001
    marks = [hook for hook in hooks if isinstance(hook, MissingWeights)]
    if not marks:
        return []
    return [f"{marks[0].path} holds no weights for {', '.join(mark.part for mark in marks)}: layers before are probed"]


def _parent(name: str) -> str:
    return name.rpartition(".")[0]
