"""The tasks of a dissection, which a runtime maps over shards: pure functions of their fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.calibration_scan import calibrate_shard
from netdissect.engine.scan import LayerScan, rescan_shard, scan_shard
from netdissect.engine.tally import MaskCounts, count_label_pixels, group_labels, has_categories
from netdissect.layers import make_file_stem
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.concepts import Labels
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerRequest, ShardScan
    from netdissect.engine.tally import LabelGroup
    from netdissect.engine.worker_context import ArtifactStore, WorkerContext
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource

#: The key of the bounds and activities computed from the calibration sample.
CALIBRATION_KEY = "calibration"


@dataclass(frozen=True, slots=True, eq=False)
class ShardReceipt:
    """The images that a finished and stored scan of a shard read or skipped.

    Attributes:
        images: number of images that were read.
        skipped: why an image was left out, by its position in the probe set.
        fingerprints: hash of the network's input of every image that was read, in their order, uint32, shape (n,).
    """

    images: int
    skipped: Mapping[int, str]
    fingerprints: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class CalibrationTask:
    """Scan the calibration sample, and store its scan, the bounds and the distribution of activations."""

    quantile: Fraction
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        bounds, activity, scan = calibrate_shard(context, shard, self.quantile, self.request)
        receipt = store_scan(context.store, shard, scan)
        arrays: dict[str, NDArray[Any]] = {}
        for name in bounds:
            arrays |= {f"{name}.bounds.{f.name}": getattr(bounds[name], f.name) for f in fields(Bounds)}
            arrays |= {f"{name}.activity.{f.name}": getattr(activity[name], f.name) for f in fields(Activity)}
        context.store.put(CALIBRATION_KEY, arrays)
        return receipt


@dataclass(frozen=True, eq=False)
class ScanTask:
    """Scan a shard and store the scan."""

    bounds: Mapping[str, Bounds]
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(context.store, shard, scan_shard(context, shard, self.bounds, self.request))


@dataclass(frozen=True, eq=False)
class RescanTask:
    """Scan a shard again for units whose tail was too short, and store this scan in addition to the first."""

    units: Mapping[str, NDArray[np.int64]]
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(context.store, shard, rescan_shard(context, shard, self.units, self.request), "again")


@dataclass(frozen=True, eq=False)
class ShardTally:
    """Pixel counts over some shards.

    Attributes:
        labels: G, int64, shape (C,).
        masks: the counts of every layer's masks, by layer name.
    """

    labels: NDArray[np.int64]
    masks: Mapping[str, MaskCounts]

    def merge(self, other: ShardTally) -> ShardTally:
        """Return the sum of both; neither is changed."""
        masks = {name: counts.merge(other.masks[name]) for name, counts in self.masks.items()}
        return ShardTally(self.labels + other.labels, masks)


@dataclass(frozen=True, eq=False)
class TallyTask:
    """Count the masks of some shards against their labels.

    Attributes:
        thresholds: T_k of every layer's units, float32, shape (U,).
        rescanned: units that were scanned again, by layer name.
    """

    thresholds: Mapping[str, NDArray[np.float32]]
    rescanned: Mapping[str, NDArray[np.int64]]

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> ShardTally:
        """Count the shards; an image's labels are decoded once for all layers."""
        layers, vocabulary = context.source.layers, context.concepts.vocabulary
        total = ShardTally(
            np.zeros(len(vocabulary), np.int64),
            {layer.name: MaskCounts.empty(layer.units, vocabulary) for layer in layers},
        )
        for shard in shards:
            scans = {layer.name: load_layer_scan(context.store, shard.number, layer.name) for layer in layers}
            images = scans[layers[0].name].images
            decoded = context.threads.map(partial(_read_labels, context.concepts), images.tolist())
            labels, pixels = [entry for entry, _ in decoded], [counts for _, counts in decoded]
            total.labels[...] += np.sum(pixels, axis=0, dtype=np.int64)
            has_category = np.array([has_categories(entry, vocabulary) for entry in pixels], np.bool_)
            groups = group_labels(labels, has_category)
            for layer in layers:
                self._count(context, shard, layer, scans[layer.name], groups, total.masks[layer.name])
            context.advance(shard.images.size)
        return total

    def _count(
        self,
        context: WorkerContext,
        shard: Shard,
        layer: Layer,
        scan: LayerScan,
        labels: Sequence[LabelGroup],
        total: MaskCounts,
    ) -> None:
        """Count one layer; units that were scanned again are counted from that scan alone."""
        input_size, threads = context.source.input_size, context.threads
        thresholds = self.thresholds[layer.name].copy()
        if layer.name in self.rescanned:
            units = self.rescanned[layer.name]
            counts = MaskCounts.empty(units.size, context.concepts.vocabulary)
            again = load_layer_scan(context.store, shard.number, layer.name, "again")
            counts.update(layer, again.candidates, thresholds[units], labels, input_size, threads)
            total.intersection[units] += counts.intersection
            total.per_category[units] += counts.per_category
            thresholds[units] = np.inf  # no cell of the first scan lies above infinity
        total.update(layer, scan.candidates, thresholds, labels, input_size, threads)


def _read_labels(concepts: ConceptSource, image: int) -> tuple[Labels, NDArray[np.int64]]:
    """Return an image's labels and the labeled pixels of every concept."""
    labels = concepts.read_labels(image)
    return labels, count_label_pixels(labels, len(concepts.vocabulary))


def store_scan(store: ArtifactStore, shard: Shard, scan: ShardScan, kind: str = "scan") -> ShardReceipt:
    """Store the scan of a shard, its receipt last."""
    for name, layer_scan in scan.layers.items():
        store.put(_make_scan_key(shard.number, name, kind), layer_scan.to_arrays())
    images = shard.images.size - len(scan.skipped)
    reasons = np.array(list(scan.skipped.values()), dtype=np.str_)
    positions = np.array(list(scan.skipped), dtype=np.int64)
    arrays = {
        "images": np.array(images), "skipped": positions, "reasons": reasons, "fingerprints": scan.fingerprints
    }  # fmt: skip
    store.put(_make_receipt_key(shard, kind), arrays)
    return ShardReceipt(images, scan.skipped, scan.fingerprints)


def find_receipt(store: ArtifactStore, shard: Shard, layers: Sequence[str], kind: str = "scan") -> ShardReceipt | None:
    """Return the receipt of a shard whose scan is stored completely, else None."""
    key = _make_receipt_key(shard, kind)
    if key not in store or any(_make_scan_key(shard.number, layer, kind) not in store for layer in layers):
        return None
    arrays = store.get(key)
    reasons = [str(reason) for reason in arrays["reasons"]]
    skipped = dict(zip(arrays["skipped"].tolist(), reasons, strict=True))
    return ShardReceipt(int(arrays["images"]), skipped, arrays["fingerprints"])


def load_calibration(store: ArtifactStore, layers: Sequence[str]) -> tuple[dict[str, Bounds], dict[str, Activity]]:
    """Return the stored bounds of every layer, and how its activations are distributed."""
    arrays = store.get(CALIBRATION_KEY)

    def read(name: str, part: str, kind: Any) -> Any:
        return kind(**{f.name: arrays[f"{name}.{part}.{f.name}"] for f in fields(kind)})

    return (
        {name: read(name, "bounds", Bounds) for name in layers},
        {name: read(name, "activity", Activity) for name in layers},
    )


def load_layer_scan(store: ArtifactStore, number: int, layer: str, kind: str = "scan") -> LayerScan:
    """Return the stored scan of one layer over shard `number`."""
    return LayerScan.from_arrays(store.get(_make_scan_key(number, layer, kind)))


def _make_receipt_key(shard: Shard, kind: str) -> str:
    return f"{kind}-{shard.number:05d}"


def _make_scan_key(number: int, layer: str, kind: str) -> str:
    return f"{kind}-{number:05d}-{make_file_stem(layer)}"
