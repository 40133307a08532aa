"""The tasks of a dissection, which a runtime maps over shards: pure functions of their fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.calibration_scan import calibrate_shard
from netdissect.engine.packed_labels import pack_label_maps
from netdissect.engine.scan import LayerScan, rescan_shard, scan_shard
from netdissect.engine.tally import MaskCounts, ShardComparisons
from netdissect.layers import make_file_stem
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerRequest, ShardScan
    from netdissect.engine.worker_context import ArtifactStore, WorkerContext
    from netdissect.layers import Layer
    from netdissect.segments import Segments

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
class StrataTask:
    """Find the label of a category that every image has as a whole, such as its scene.

    Attributes:
        category: position of the category.
        skipped: positions of images that were not read.
    """

    category: int
    skipped: frozenset[int]

    def __call__(self, context: WorkerContext, shard: Shard) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of a shard's images, and the code of the label of each, -1 for none, each of shape (n,)."""
        images = [image for image in shard.images.tolist() if image not in self.skipped]
        primary = context.concepts.vocabulary.primary
        strata = []
        for entry in context.labels.read(context.concepts, images, context.threads, keep=True):
            codes = entry.whole[primary[entry.whole - 1] == self.category]
            strata.append(int(codes[0]) if codes.size else -1)
        context.advance(shard.images.size)
        return np.array(images, np.int64), np.array(strata, np.int64)


@dataclass(frozen=True, eq=False)
class ShardTally:
    """Pixel counts over some shards.

    Attributes:
        labels: labeled pixels of the images of every row of `Comparisons.label_rows`, int64, shape (L, C).
        category_pixels: label pixels of the images that have each category, int64, shape (K,).
        partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
        masks: the counts of every layer's masks, by layer name.
    """

    labels: NDArray[np.int64]
    category_pixels: NDArray[np.int64]
    partial: NDArray[np.bool_]
    masks: Mapping[str, MaskCounts]

    def merge(self, other: ShardTally) -> ShardTally:
        """Return the sum of both; neither is changed."""
        masks = {name: counts.merge(other.masks[name]) for name, counts in self.masks.items()}
        return ShardTally(
            self.labels + other.labels,
            self.category_pixels + other.category_pixels,
            self.partial | other.partial,
            masks,
        )


@dataclass(frozen=True, eq=False)
class TallyTask:
    """Count the masks of some shards against the label maps that they are compared with.

    Attributes:
        thresholds: T_k of every layer's units, float32, shape (U,).
        rescanned: units that were scanned again, by layer name.
        comparisons: the label maps of every image, and the tables.
        block: first unit that is counted, and the end of the last, by layer name; other layers are left out.
        most: a bound on all counts.
    """

    thresholds: Mapping[str, NDArray[np.float32]]
    rescanned: Mapping[str, NDArray[np.int64]]
    comparisons: Comparisons
    block: Mapping[str, tuple[int, int]]
    most: int

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> ShardTally:
        """Count the shards; an image's labels are decoded once for all layers."""
        vocabulary, tables = context.concepts.vocabulary, self.comparisons.count
        layers = [layer for layer in context.source.layers if layer.name in self.block]
        total = ShardTally(
            np.zeros((self.comparisons.label_tables, len(vocabulary)), np.int64),
            np.zeros(len(vocabulary.categories), np.int64),
            np.zeros(len(vocabulary), np.bool_),
            {
                layer.name: MaskCounts.empty(np.diff(self.block[layer.name])[0], tables, vocabulary, self.most)
                for layer in layers
            },
        )
        for shard in shards:
            scans = {layer.name: load_layer_scan(context.store, shard.number, layer.name) for layer in layers}
            images = scans[layers[0].name].images
            compared = self._read_labels(context, images, total)
            for layer in layers:
                self._count(context, shard, layer, scans[layer.name], compared, total.masks[layer.name])
            context.advance(shard.images.size)
        return total

    def _read_labels(
        self, context: WorkerContext, images: NDArray[np.int64], total: ShardTally
    ) -> list[ShardComparisons]:
        """Read the labels that a shard's images are compared with, by the size of label maps, and count their own."""
        lenders, tables = self.comparisons.lenders[:, images], self.comparisons.tables[:, images]
        needed = np.unique(lenders[lenders >= 0])
        labels = context.labels.read(
            context.concepts, needed.tolist(), context.threads, keep=self.comparisons.within is not None
        )
        by_position = dict(zip(needed.tolist(), labels, strict=True))
        own = [by_position[image] for image in images.tolist()]
        _count_own_labels(own, self.comparisons.label_rows[:, images], context.concepts.vocabulary.primary, total)
        groups: dict[tuple[int, int], list[int]] = {}
        for place, entry in enumerate(labels):
            groups.setdefault((entry.map.shape[0], entry.map.shape[1]), []).append(place)
        compared = []
        for size, members in groups.items():
            places = np.full(self.comparisons.lenders.shape[1] + 1, -1, np.int32)  # the last is of no image
            places[needed[members]] = np.arange(len(members))
            maps = pack_label_maps([labels[member] for member in members], context.concepts.vocabulary)
            compared.append(
                ShardComparisons(np.ascontiguousarray(places[lenders].T), np.ascontiguousarray(tables.T), maps, size)
            )
        return compared

    def _count(
        self,
        context: WorkerContext,
        shard: Shard,
        layer: Layer,
        scan: LayerScan,
        compared: Sequence[ShardComparisons],
        total: MaskCounts,
    ) -> None:
        """Count one layer; units that were scanned again are counted from that scan alone."""
        first, last = self.block[layer.name]
        rows, thresholds = np.arange(layer.units) - first, self.thresholds[layer.name]
        rows[last:] = -1
        scans = [(scan.candidates, thresholds, rows)]
        if layer.name in self.rescanned:
            units = self.rescanned[layer.name]
            again = load_layer_scan(context.store, shard.number, layer.name, "again")
            scans.append((again.candidates, thresholds[units], rows[units]))
            rows = rows.copy()
            rows[units] = -1
            scans[0] = (scan.candidates, thresholds, rows)
        for candidates, values, places in scans:
            for comparisons in compared:
                total.update(layer, candidates, values, places, comparisons, context.source.input_size, context.threads)


def _count_own_labels(
    labels: Sequence[Segments], rows: NDArray[np.int32], primary: NDArray[np.int64], total: ShardTally
) -> None:
    """Count the labeled pixels of images in the rows of each, shape (L, n), and the pixels of images that have a category."""
    for entry, own_rows in zip(labels, rows.T, strict=True):
        pixels = entry.count_pixels(total.partial.size)
        for row in own_rows[own_rows >= 0]:
            total.labels[row] += pixels
        columns = entry.codes.astype(np.int64) - 1
        total.partial[columns] = True
        total.category_pixels[np.unique(primary[np.concatenate([columns, entry.whole - 1])])] += entry.map.size


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
