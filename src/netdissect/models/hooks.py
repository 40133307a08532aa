"""Hooks that give back what they took, whatever happens."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import nn


class Enough(BaseException):
    """Raised inside a forward pass when every probed layer has given its output."""


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode; afterwards every part is in the mode it was in."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


@contextlib.contextmanager
def watching(modules: Mapping[str, nn.Module], see: Callable[[str, Any], None]) -> Iterator[None]:
    """Call ``see(name, output)`` whenever one of the modules has run; afterwards no hook is left."""
    handles = []
    try:
        for name, module in modules.items():
            handles.append(module.register_forward_hook(_hook(name, see)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(name: str, see: Callable[[str, Any], None]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        see(name, output)

    return hook
