"""How large a network and its input may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

#: Largest number of parameters of a network that is tried.
MOST_PARAMETERS = 120_000_000
#: Input's height and width of networks that accept any size.
USUAL_SIZE = 224
#: Largest input at which a network's own size is kept.
LARGEST_OWN_SIZE = 256


class SkippedNetworkError(Exception):
    """Raised with the reason why a network is not tried."""


def count_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
