"""The pieces of a dissection that a runtime maps over shards; each is a pure function of its fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.scan import LayerScan, calibrate_shard, rescan_shard, scan_shard
from netdissect.engine.tally import MaskCounts, count_label_pixels, has_categories
from netdissect.layers import make_file_stem
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerRequest, ShardScan
    from netdissect.engine.worker_context import ArtifactStore, WorkerContext
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource

CALIBRATION_KEY = "calibration"


@dataclass(frozen=True, slots=True, eq=False)
class ShardReceipt:
    """Says that a shard's scan is finished and stored.

    Attributes:
        images: number of images seen.
        skipped: why an image was left out, by its position in the probe set.
    """

    images: int
    skipped: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class CalibrationTask:
    """Scan the calibration sample; store its scan, the bounds it gave and how its activations are distributed."""

    quantile: Fraction
    wanted: LayerRequest

    def __call__(self, bench: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        bounds, activity, found = calibrate_shard(bench, shard, self.quantile, self.wanted)
        receipt = store_scan(bench.store, shard, found)
        arrays: dict[str, NDArray[Any]] = {}
        for name in bounds:
            arrays |= {f"{name}.bounds.{f.name}": getattr(bounds[name], f.name) for f in fields(Bounds)}
            arrays |= {f"{name}.activity.{f.name}": getattr(activity[name], f.name) for f in fields(Activity)}
        bench.store.put(CALIBRATION_KEY, arrays)
        return receipt


@dataclass(frozen=True, eq=False)
class ScanTask:
    """Scan a shard and keep what was found."""

    bounds: Mapping[str, Bounds]
    wanted: LayerRequest

    def __call__(self, bench: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(bench.store, shard, scan_shard(bench, shard, self.bounds, self.wanted))


@dataclass(frozen=True, eq=False)
class RescanTask:
    """Scan a shard again for units whose tail was too short, and keep what was found beside the first scan."""

    units: Mapping[str, NDArray[np.int64]]
    wanted: LayerRequest

    def __call__(self, bench: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(bench.store, shard, rescan_shard(bench, shard, self.units, self.wanted), "again")


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
class TallyTask:
    """Count the masks of some shards against their labels."""

    thresholds: Mapping[str, NDArray[np.float32]]
    again: Mapping[str, NDArray[np.int64]]

    def __call__(self, bench: WorkerContext, shards: Sequence[Shard]) -> ShardTally:
        """Count the shards; labels are decoded once for all layers."""
        layers, vocabulary = bench.source.layers, bench.concepts.vocabulary
        total = ShardTally(
            np.zeros(len(vocabulary), np.int64),
            {layer.name: MaskCounts.empty(layer.units, vocabulary) for layer in layers},
        )
        for shard in shards:
            scans = {layer.name: load_layer_scan(bench.store, shard.number, layer.name) for layer in layers}
            images = scans[layers[0].name].images
            read = bench.threads.map(partial(_read_labels, bench.concepts), images.tolist())
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
        bench: WorkerContext,
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
            again = load_layer_scan(bench.store, shard.number, layer.name, "again")
            part.update(
                layer, again.candidates, thresholds[units], labels, has_category, bench.source.input_size, bench.threads
            )
            total.intersection[units] += part.intersection
            total.per_category[units] += part.per_category
            thresholds[units] = np.inf  # no cell of the first scan lies above infinity
        total.update(layer, found.candidates, thresholds, labels, has_category, bench.source.input_size, bench.threads)


def _read_labels(concepts: ConceptSource, image: int) -> tuple[Labels, NDArray[np.int64]]:
    """Return an image's labels and the pixels of every concept."""
    labels = concepts.read_labels(image)
    return labels, count_label_pixels(labels, len(concepts.vocabulary))


def store_scan(store: ArtifactStore, shard: Shard, found: ShardScan, kind: str = "scan") -> ShardReceipt:
    """Store what the scan of a shard found, the receipt last."""
    for name, part in found.layers.items():
        store.put(_make_scan_key(shard.number, name, kind), part.to_arrays())
    images = shard.images.size - len(found.skipped)
    reasons = np.array(list(found.skipped.values()), dtype=np.str_)
    positions = np.array(list(found.skipped), dtype=np.int64)
    store.put(_make_receipt_key(shard, kind), {"images": np.array(images), "skipped": positions, "reasons": reasons})
    return ShardReceipt(images, found.skipped)


def find_receipt(store: ArtifactStore, shard: Shard, layers: Sequence[str], kind: str = "scan") -> ShardReceipt | None:
    """Return the receipt of a shard whose scan is stored whole, else None."""
    key = _make_receipt_key(shard, kind)
    if key not in store or any(_make_scan_key(shard.number, layer, kind) not in store for layer in layers):
        return None
    arrays = store.get(key)
    reasons = [str(reason) for reason in arrays["reasons"]]
    return ShardReceipt(int(arrays["images"]), dict(zip(arrays["skipped"].tolist(), reasons, strict=True)))


def load_calibration(store: ArtifactStore, layers: Sequence[str]) -> tuple[dict[str, Bounds], dict[str, Activity]]:
    """Return the bounds of every layer and how its activations are distributed, as they were stored."""
    arrays = store.get(CALIBRATION_KEY)

    def read(name: str, part: str, kind: Any) -> Any:
        return kind(**{f.name: arrays[f"{name}.{part}.{f.name}"] for f in fields(kind)})

    return (
        {name: read(name, "bounds", Bounds) for name in layers},
        {name: read(name, "activity", Activity) for name in layers},
    )


def load_layer_scan(store: ArtifactStore, number: int, layer: str, kind: str = "scan") -> LayerScan:
    """Return what the scan of a shard found of one layer."""
    return LayerScan.from_arrays(store.get(_make_scan_key(number, layer, kind)))


def _make_receipt_key(shard: Shard, kind: str) -> str:
    return f"{kind}-{shard.number:05d}"


def _make_scan_key(number: int, what: str, kind: str) -> str:
    return f"{kind}-{number:05d}-{make_file_stem(what)}"
