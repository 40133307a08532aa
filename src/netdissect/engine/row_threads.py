"""Threads that share the rows of an array; compiled kernels release the GIL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")


class RowThreads:
    """A fixed number of threads."""

    def __init__(self, count: int) -> None:
        self.count = max(1, count)
        self._executor = ThreadPoolExecutor(self.count, thread_name_prefix="dissect") if self.count > 1 else None

    def split(self, rows: int, kernel: Callable[..., _T], *arguments: Any) -> list[_T]:
        """Return the results of ``kernel(first, last, *arguments)`` for ranges that cover the rows, in their order."""
        # Four pieces per thread shorten the wait for the slowest one; few rows get one piece per thread.
        pieces = max(1, min(rows, self.count if rows <= 16 * self.count else 4 * self.count))
        cuts = [rows * piece // pieces for piece in range(pieces + 1)]
        return self.map(lambda piece: kernel(cuts[piece], cuts[piece + 1], *arguments), range(pieces))

    def map(self, function: Callable[[Any], _T], items: Sequence[Any]) -> list[_T]:
        """Return ``function(item)`` for every item, in their order."""
        if self._executor is None or len(items) < 2:
            return [function(item) for item in items]
        return list(self._executor.map(function, items))

    def close(self) -> None:
        """End the threads."""
        if self._executor is not None:
            self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
