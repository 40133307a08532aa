"""The memory that a network's forward pass takes, from which the size of a batch is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class MemoryUse(NamedTuple):
    """Memory that a forward pass takes for each image of a batch, in bytes.

    Attributes:
        largest: of its largest tensor.
        live: of all tensors that exist at one time, at most.
    """

    largest: int
    live: int


def join_memory_uses(uses: Iterable[MemoryUse | None]) -> MemoryUse | None:
    """Return the larger of both numbers over all uses; None if one of them is unknown."""
    known = list(uses)
    if not known or None in known:
        return None
    return MemoryUse(max(use.largest for use in known if use), max(use.live for use in known if use))
