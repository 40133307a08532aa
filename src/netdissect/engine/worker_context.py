"""What a worker uses for all the shards it scans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from netdissect.engine.exemplar_floors import ExemplarFloors
from netdissect.engine.packed_labels import LabelShelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from netdissect.engine.row_threads import RowThreads
    from netdissect.protocols import ActivationSource, ConceptSource


class ArtifactStore(Protocol):
    """Stores arrays under a key; an entry is complete or absent."""

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays under a key."""
        ...

    def get(self, key: str) -> Mapping[str, NDArray[Any]]:
        """Return the arrays under a key; raise an error if there are none."""
        ...

    def __contains__(self, key: str) -> bool: ...


@dataclass(frozen=True, eq=False)
class WorkerContext:
    """What a worker uses for all the shards it scans.

    Attributes:
        source: the network.
        concepts: the probe set.
        threads: threads for the compiled kernels.
        store: where scans are stored.
        advance: called with the number of images that were finished.
        floors: maxima below which an image cannot be an exemplar; they rise with every shard it scans.
        labels: labels that the tally may need again.
        labels_ahead: whether labels are read together with images, by a probe set that keeps them for the tally.
    """

    source: ActivationSource
    concepts: ConceptSource
    threads: RowThreads
    store: ArtifactStore
    advance: Callable[[int], None]
    floors: ExemplarFloors = field(default_factory=ExemplarFloors)
    labels: LabelShelf = field(default_factory=LabelShelf)
    labels_ahead: bool = False
