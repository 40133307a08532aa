"""What a worker has at hand while it works on shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from netdissect.engine.row_threads import RowThreads
    from netdissect.protocols import ActivationSource, ConceptSource


class ArtifactStore(Protocol):
    """Keeps arrays under a key; what was put in is found again whole, or not at all."""

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key."""
        ...

    def get(self, key: str) -> Mapping[str, NDArray[Any]]:
        """Return the arrays under a key that was put in."""
        ...

    def __contains__(self, key: str) -> bool: ...


@dataclass(frozen=True, eq=False)
class WorkerContext:
    """A network, a probe set, threads, a store, and a way to say how many images more are done."""

    source: ActivationSource
    concepts: ConceptSource
    threads: RowThreads
    store: ArtifactStore
    advance: Callable[[int], None]
