"""Parts of a network that a weights file lacks: layers before them can be probed, and running them is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import nn


class NoWeightsError(ModelFileError):
    """A part without weights would have to run."""


class MissingWeightsHook:
    """A forward pre-hook that raises an error for a part without weights."""

    def __init__(self, part: str, path: str) -> None:
        self.part = part
        self.path = path

    def __call__(self, _module: nn.Module, _inputs: Any) -> None:
        """Raise NoWeightsError."""
        raise NoWeightsError(
            f"{self.path} holds no weights for {self.part}: probe layers before it, or load a file that has them"
        )


def find_missing_tail(names: Sequence[str], missing: Collection[str]) -> tuple[str, ...]:
    """Return the parts that have no weights, if they are the last ones and at most half of the network.

    Args:
        names: of all the network's tensors, in order.
        missing: names of the tensors that the file lacks.

    Returns:
        names of the parts; empty if the missing tensors are not exactly the network's end.

    >>> find_missing_tail(["conv.weight", "conv.bias", "fc.weight", "fc.bias"], {"fc.weight", "fc.bias"})
    ('fc',)
    >>> find_missing_tail(["conv.weight", "conv.bias", "fc.weight", "fc.bias"], {"conv.bias", "fc.bias"})
    ()
    """
    first = next((position for position, name in enumerate(names) if name in missing), len(names))
    after = {_get_parent(name) for name in names[first:]}
    before = {_get_parent(name) for name in names[:first]}
    is_tail = all(name in missing for name in names[first:]) and not after & before and "" not in after
    return tuple(dict.fromkeys(map(_get_parent, names[first:]))) if is_tail and 2 * first >= len(names) else ()


def disable_parts(module: nn.Module, parts: Sequence[str], path: str) -> None:
    """Set the weights of some parts to 0, and make running them an error."""
    for part in parts:
        inner = module.get_submodule(part)
        for tensor in inner.state_dict().values():
            tensor.zero_()
        inner.register_forward_pre_hook(MissingWeightsHook(part, path))


def describe_missing_weights(module: nn.Module) -> list[str]:
    """Return a remark that names the parts without weights; empty if there are none."""
    hooks = [hook for part in module.modules() for hook in part._forward_pre_hooks.values()]  # noqa: SLF001
    refusals = [hook for hook in hooks if isinstance(hook, MissingWeightsHook)]
    if not refusals:
        return []
    parts = ", ".join(refusal.part for refusal in refusals)
    return [f"{refusals[0].path} holds no weights for {parts}: layers before are probed"]


def _get_parent(name: str) -> str:
    return name.rpartition(".")[0]
