"""Work done on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netdissect.runtime.base import Item, Outcome


@dataclass(frozen=True)
class InProcess:
    """Everything in this process, one item after the other."""

    context: Any

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        for item in items:
            yield task(self.context, item)
