"""The port every runtime serves: a function mapped over items, with one context per worker.

A runtime knows nothing of what it runs. A *context* is whatever a worker sets up once and uses for all its items (a
loaded network, an opened probe set); a *task* is a function of the context and one item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Runtime(Protocol):
    """Somewhere to run tasks."""

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        ...
