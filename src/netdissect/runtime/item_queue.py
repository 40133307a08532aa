"""The items of one call of `map`: handed out in order, finished in any order, returned in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Most results per worker that wait for a slower item before them; then no more items are handed out.
_MOST_AHEAD = 3


class ItemQueue:
    """A queue of items and their results."""

    def __init__(self, items: Iterable[Any], workers: int) -> None:
        """Queue items for a number of workers."""
        self._waiting = deque(enumerate(items))
        self._total = len(self._waiting)
        self._ahead = _MOST_AHEAD * workers
        self._results: dict[int, Any] = {}
        self._losses: dict[int, int] = {}
        self._yielded = 0

    @property
    def is_finished(self) -> bool:
        """Whether every result was yielded."""
        return self._yielded == self._total

    def take(self) -> tuple[int, Any] | None:
        """Return the next item and its number, as (number, item); None if there is none for now."""
        if self._waiting and self._waiting[0][0] < self._yielded + self._ahead:
            return self._waiting.popleft()
        return None

    def put_back(self, number: int, item: Any) -> int:
        """Take back an item whose worker was lost; return how many workers were lost on this item."""
        self._waiting.appendleft((number, item))
        self._losses[number] = self._losses.get(number, 0) + 1
        return self._losses[number]

    def add_result(self, number: int, result: Any) -> None:
        """Add the result of the item with a number."""
        self._results[number] = result

    def pop_results(self) -> Iterator[Any]:
        """Yield, in the order of the items, the results that no unfinished item precedes."""
        while self._yielded in self._results:
            yield self._results.pop(self._yielded)
            self._yielded += 1
