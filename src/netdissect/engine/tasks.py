"""The pieces of a dissection that a runtime maps over shards; each is a pure function of its fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.scan import LayerScan, rescan, scan, scan_and_calibrate
from netdissect.engine.tally import MaskCounts, has_categories, label_pixels
from netdissect.layers import file_stem
from netdissect.results.layer import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.engine.bench import Bench, Store
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import ShardScan, Wanted
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource

CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True, eq=False)
class Receipt:
    """Says that a shard's scan is finished and stored.

    Attributes:
        images: number of images seen.
        skipped: why an image was left out, by its position in the probe set.
    """

    images: int
    skipped: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class Calibrate:
    """Scan the calibration sample; store its scan, the bounds it gave and how its activations are distributed."""

    quantile: Fraction
    wanted: Wanted

    def __call__(self, bench: Bench, shard: Shard) -> Receipt:
        """Scan the shard."""
        bounds, activity, found = scan_and_calibrate(bench, shard, self.quantile, self.wanted)
        receipt = keep(bench.store, shard, found)
        arrays: dict[str, NDArray[Any]] = {}
        for name in bounds:
            arrays |= {f"{name}.bounds.{f.name}": getattr(bounds[name], f.name) for f in fields(Bounds)}
            arrays |= {f"{name}.activity.{f.name}": getattr(activity[name], f.name) for f in fields(Activity)}
        bench.store.put(CALIBRATION, arrays)
        return receipt


@dataclass(frozen=True, eq=False)
class Scan:
    """Scan a shard and keep what was found."""

    bounds: Mapping[str, Bounds]
    wanted: Wanted

    def __call__(self, bench: Bench, shard: Shard) -> Receipt:
        """Scan the shard."""
        return keep(bench.store, shard, scan(bench, shard, self.bounds, self.wanted))


@dataclass(frozen=True, eq=False)
class Rescan:
    """Scan a shard again for units whose tail was too short, and keep what was found beside the first scan."""

    units: Mapping[str, NDArray[np.int64]]
    wanted: Wanted

    def __call__(self, bench: Bench, shard: Shard) -> Receipt:
        """Scan the shard."""
        return keep(bench.store, shard, rescan(bench, shard, self.units, self.wanted), "again")


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
    """Count the masks of some shards against their labels."""

    thresholds: Mapping[str, NDArray[np.float32]]
    again: Mapping[str, NDArray[np.int64]]

    def __call__(self, bench: Bench, shards: Sequence[Shard]) -> ShardTally:
        """Count the shards; labels are decoded once for all layers."""
        layers, vocabulary = bench.source.layers, bench.concepts.vocabulary
        total = ShardTally(
            np.zeros(len(vocabulary), np.int64),
            {layer.name: MaskCounts.empty(layer.units, vocabulary) for layer in layers},
        )
        for shard in shards:
            scans = {layer.name: load(bench.store, shard.number, layer.name) for layer in layers}
            images = scans[layers[0].name].images
            read = bench.threads.map(partial(_read, bench.concepts), images.tolist())
            labels, pixels = [entry for entry, _ in read], [counts for _, counts in read]
            total.labels[...] += np.sum(pixels, axis=0, dtype=np.int64)
            has_category = np.array([has_categories(entry, vocabulary) for entry in pixels], np.bool_)
            has_category = has_category.reshape(len(pixels), len(vocabulary.categories))  # no image may have been read
            for layer in layers:
                self._count(bench, shard, layer, scans[layer.name], labels, has_category, total.masks[layer.name])
            bench.advance(shard.images.size)
        return total

    def _count(
        self,
        bench: Bench,
        shard: Shard,
        layer: Layer,
        found: LayerScan,
        labels: Sequence[Labels],
        has_category: NDArray[np.bool_],
        total: MaskCounts,
    ) -> None:
        """Count one layer; units that were scanned again are counted from that scan alone."""
        thresholds = self.thresholds[layer.name].copy()
        if layer.name in self.again:
            units = self.again[layer.name]
            part = MaskCounts.empty(units.size, bench.concepts.vocabulary)
            again = load(bench.store, shard.number, layer.name, "again")
            part.update(
                layer, again.candidates, thresholds[units], labels, has_category, bench.source.input_size, bench.threads
            )
            total.intersection[units] += part.intersection
            total.per_category[units] += part.per_category
            thresholds[units] = np.inf  # no cell of the first scan lies above infinity
        total.update(layer, found.candidates, thresholds, labels, has_category, bench.source.input_size, bench.threads)


def _read(concepts: ConceptSource, image: int) -> tuple[Labels, NDArray[np.int64]]:
    """Return an image's labels and the pixels of every concept."""
    labels = concepts.labels(image)
    return labels, label_pixels(labels, len(concepts.vocabulary))


def keep(store: Store, shard: Shard, found: ShardScan, kind: str = "scan") -> Receipt:
    """Store what the scan of a shard found, the receipt last."""
    for name, part in found.layers.items():
        store.put(_key(shard.number, name, kind), part.to_arrays())
    images = shard.images.size - len(found.skipped)
    reasons = np.array(list(found.skipped.values()), dtype=np.str_)
    positions = np.array(list(found.skipped), dtype=np.int64)
    store.put(_receipt_key(shard, kind), {"images": np.array(images), "skipped": positions, "reasons": reasons})
    return Receipt(images, found.skipped)


def receipt_of(store: Store, shard: Shard, layers: Sequence[str], kind: str = "scan") -> Receipt | None:
    """Return the receipt of a shard whose scan is stored whole, else None."""
    key = _receipt_key(shard, kind)
    if key not in store or any(_key(shard.number, layer, kind) not in store for layer in layers):
        return None
    arrays = store.must(key)
    reasons = [str(reason) for reason in arrays["reasons"]]
    return Receipt(int(arrays["images"]), dict(zip(arrays["skipped"].tolist(), reasons, strict=True)))


def calibration(store: Store, layers: Sequence[str]) -> tuple[dict[str, Bounds], dict[str, Activity]]:
    """Return the bounds of every layer and how its activations are distributed, as they were stored."""
    arrays = store.must(CALIBRATION)

    def read(name: str, part: str, kind: Any) -> Any:
        return kind(**{f.name: arrays[f"{name}.{part}.{f.name}"] for f in fields(kind)})

    return (
        {name: read(name, "bounds", Bounds) for name in layers},
        {name: read(name, "activity", Activity) for name in layers},
    )


def load(store: Store, number: int, layer: str, kind: str = "scan") -> LayerScan:
    """Return what the scan of a shard found of one layer."""
    return LayerScan.from_arrays(store.must(_key(number, layer, kind)))


def _receipt_key(shard: Shard, kind: str) -> str:
    return f"{kind}-{shard.number:05d}"


def _key(number: int, what: str, kind: str) -> str:
    return f"{kind}-{number:05d}-{file_stem(what)}"
