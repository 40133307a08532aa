"""The pieces of a dissection that a runtime maps over shards; each is a pure function of its fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netdissect.engine.scan import LayerScan, rescan, scan, scan_and_calibrate
from netdissect.engine.tally import LabelCounts, MaskCounts, has_categories
from netdissect.layers import file_stem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.engine.calibrate import Bounds
    from netdissect.engine.plan import Plan, Shard
    from netdissect.engine.scan import Wanted
    from netdissect.engine.threads import Threads
    from netdissect.layers import Layer
    from netdissect.protocols import ActivationSource, ConceptSource
    from netdissect.results.layer import Activity


class Store(Protocol):
    """Keeps a shard's arrays under a key."""

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None: ...  # noqa: D102
    def get(self, key: str) -> Mapping[str, NDArray[Any]]: ...  # noqa: D102
    def drop(self, key: str) -> None: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Bench:
    """What a worker has at hand: a network, a probe set, threads, a store, and a way to say how far it is."""

    source: ActivationSource
    concepts: ConceptSource
    threads: Threads
    store: Store
    advance: Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Calibrate:
    """Scan the calibration sample; return the bounds it gave and how its activations are distributed."""

    quantile: Any
    wanted: Wanted

    def __call__(self, bench: Bench, shard: Shard) -> tuple[dict[str, Bounds], dict[str, Activity]]:
        """Scan the shard."""
        bounds, activity, scans = scan_and_calibrate(
            shard, bench.source, bench.concepts, quantile=self.quantile, wanted=self.wanted,
            threads=bench.threads, progress=bench.advance,
        )  # fmt: skip
        keep(bench.store, shard, scans)
        return bounds, activity


@dataclass(frozen=True, eq=False)
class Scan:
    """Scan a shard and keep what was found."""

    bounds: Mapping[str, Bounds]
    wanted: Wanted

    def __call__(self, bench: Bench, shard: Shard) -> int:
        """Scan the shard; return how many images it has."""
        scans = scan(
            shard, bench.source, bench.concepts, self.bounds, wanted=self.wanted, threads=bench.threads,
            progress=bench.advance,
        )  # fmt: skip
        keep(bench.store, shard, scans)
        return shard.images.size


@dataclass(frozen=True, eq=False)
class Rescan:
    """Scan a shard again for units whose tail was too short, and keep what was found beside the first scan."""

    units: Mapping[str, NDArray[np.int64]]

    def __call__(self, bench: Bench, shard: Shard) -> int:
        """Scan the shard; return how many images it has."""
        scans = rescan(
            shard, bench.source, bench.concepts, self.units, threads=bench.threads, progress=bench.advance
        )  # fmt: skip
        keep(bench.store, shard, scans, "again")
        return shard.images.size


@dataclass(frozen=True, eq=False)
class ShardTally:
    """Counts over some shards, mergeable.

    Attributes:
        labels: G, int64, shape (C,).
        masks: the masks' counts by layer name.
    """

    labels: NDArray[np.int64]
    masks: Mapping[str, MaskCounts]

    def merge(self, other: ShardTally) -> ShardTally:
        """Return the counts of both; neither is changed."""
        masks = {name: counts.merge(other.masks[name]) for name, counts in self.masks.items()}
        return ShardTally(self.labels + other.labels, masks)


@dataclass(frozen=True, eq=False)
class Tally:
    """Count a shard's masks against its labels."""

    thresholds: Mapping[str, NDArray[np.float32]]
    again: Mapping[str, NDArray[np.int64]]

    def __call__(self, bench: Bench, shard: Shard) -> ShardTally:
        """Count the shard; its labels are decoded once for all layers."""
        concepts, vocabulary = bench.concepts, bench.concepts.vocabulary
        labels = bench.threads.map(concepts.labels, [int(image) for image in shard.images])
        counted = LabelCounts.empty(len(vocabulary))
        has_category = np.array([has_categories(counted.update(entry), vocabulary) for entry in labels])
        masks = {}
        for layer in bench.source.layers:
            counts = MaskCounts.empty(layer.units, vocabulary)
            thresholds = self.thresholds[layer.name].copy()
            if layer.name in self.again:
                units = self.again[layer.name]
                part = MaskCounts.empty(units.size, vocabulary)
                found = load(bench.store, shard.number, layer.name, "again")
                self._count(bench, part, layer, found, thresholds[units], labels, has_category)
                counts.intersection[units], counts.per_category[units] = part.intersection, part.per_category
                thresholds[units] = np.inf  # counted already: no cell of the first scan lies above infinity
            found = load(bench.store, shard.number, layer.name)
            self._count(bench, counts, layer, found, thresholds, labels, has_category)
            masks[layer.name] = counts
        bench.advance(shard.images.size)
        return ShardTally(counted.G, masks)

    @staticmethod
    def _count(
        bench: Bench,
        counts: MaskCounts,
        layer: Layer,
        found: LayerScan,
        thresholds: NDArray[np.float32],
        labels: Sequence[Labels],
        has_category: NDArray[np.bool_],
    ) -> None:
        counts.update(
            layer, found.candidates, thresholds, labels, has_category, input_size=bench.source.input_size,
            threads=bench.threads,
        )  # fmt: skip


def keep(store: Store, shard: Shard, scans: Mapping[str, LayerScan], kind: str = "scan") -> None:
    """Store what the scan of a shard found."""
    for name, found in scans.items():
        store.put(_key(shard.number, name, kind), found.to_arrays())


def load(store: Store, number: int, layer: str, kind: str = "scan") -> LayerScan:
    """Return what the scan of a shard found of one layer."""
    return LayerScan.from_arrays(store.get(_key(number, layer, kind)))


def scans_of(store: Store, plan: Plan, layer: str, kind: str = "scan") -> Callable[[], Iterator[LayerScan]]:
    """Return a function that gives one layer's scans, shard by shard, anew at every call."""
    return lambda: (load(store, shard.number, layer, kind) for shard in plan.shards)


def _key(number: int, layer: str, kind: str) -> str:
    return f"{kind}-{number:05d}-{file_stem(layer)}"
