"""The port every runtime serves: a function mapped over items, with one context per worker.

A runtime knows nothing of what it runs. A *context* is whatever a worker sets up once and uses for all its items (a
loaded network, an opened probe set); a *task* is a function of the context and one item; a *setup* makes a context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Setup(Protocol):
    """Makes a worker's context; must survive pickling."""

    def __call__(self, threads: int, number: int) -> AbstractContextManager[Any]:
        """Return the context of worker `number`, which may use so many threads; it ends with its block."""
        ...


class Runtime(Protocol):
    """Somewhere to run tasks."""

    def map(self, task: Callable[[Any, Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Yield ``task(context, item)`` for every item, in the items' order."""
        ...
