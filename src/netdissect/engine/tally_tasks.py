"""The tasks of a tally, which a runtime maps over shards: pure functions of their fields and the shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.mask_areas import add_areas
from netdissect.engine.packed_labels import LabelTotals
from netdissect.engine.tally import MaskCounts, ShardComparisons
from netdissect.engine.tasks import load_layer_scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerScan
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.layers import Layer


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
        labels: the labeled pixels.
        masks: the counts of every layer's masks, by layer name.
    """

    labels: LabelTotals
    masks: Mapping[str, MaskCounts]

    def merge(self, other: ShardTally) -> ShardTally:
        """Return the sum of both; neither is changed."""
        masks = {name: counts.merge(other.masks[name]) for name, counts in self.masks.items()}
        return ShardTally(self.labels.merge(other.labels), masks)


@dataclass(frozen=True, eq=False)
class TallyTask:
    """Count the masks of some shards against the label maps that they are compared with.

    Attributes:
        thresholds: T_k of every layer's units, float32, shape (U,).
        rescanned: units that were scanned again, by layer name.
        comparisons: the label maps of every image, and the tables.
        rows: the row of every unit in the tables, -1 for units that are not counted, int64, shape (U,), by layer name; other
            layers are left out.
        most: a bound on all counts.
        keep_labels: whether a worker keeps the labels of all images, because any image may lend to any other.
        keep_areas: whether the area of every mask is stored, from which exemplars are chosen.
    """

    thresholds: Mapping[str, NDArray[np.float32]]
    rescanned: Mapping[str, NDArray[np.int64]]
    comparisons: Comparisons
    rows: Mapping[str, NDArray[np.int64]]
    most: int
    keep_labels: bool
    keep_areas: bool = False

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> ShardTally:
        """Count the shards; an image's labels are decoded once for all layers."""
        vocabulary, tables = context.concepts.vocabulary, self.comparisons.count
        layers = [layer for layer in context.source.layers if layer.name in self.rows]
        units = {name: int(rows.max(initial=-1)) + 1 for name, rows in self.rows.items()}
        total = ShardTally(
            LabelTotals.empty(self.comparisons.label_tables, vocabulary),
            {layer.name: MaskCounts.empty(units[layer.name], tables, vocabulary, self.most) for layer in layers},
        )
        for shard in shards:
            scans = {layer.name: load_layer_scan(context.store, shard.number, layer.name) for layer in layers}
            images = scans[layers[0].name].images
            compared = self.read_labels(context, images)
            for comparisons in compared:
                total.labels.update(
                    comparisons.labels, comparisons.lenders[:, 0], self.comparisons.label_rows[:, images]
                )
            for layer in layers:
                self.count_layer(context, shard, layer, scans[layer.name], compared, total.masks[layer.name])
            context.advance(shard.images.size)
        return total

    def read_labels(self, context: WorkerContext, images: NDArray[np.int64]) -> list[ShardComparisons]:
        """Read the labels that a shard's images are compared with, by the size of label maps."""
        lenders, tables = self.comparisons.lenders[:, images], self.comparisons.tables[:, images]
        needed = np.unique(lenders[lenders >= 0])
        packed = context.labels.pack(context.concepts, needed.tolist(), context.threads, keep=self.keep_labels)
        return [
            ShardComparisons(
                np.ascontiguousarray(part.places[lenders].T), np.ascontiguousarray(tables.T), part.maps, part.size
            )
            for part in packed
        ]

    def count_layer(
        self,
        context: WorkerContext,
        shard: Shard,
        layer: Layer,
        scan: LayerScan,
        compared: Sequence[ShardComparisons],
        total: MaskCounts,
    ) -> None:
        """Count one layer; units that were scanned again are counted from that scan alone."""
        rows, thresholds = self.rows[layer.name].copy(), self.thresholds[layer.name]
        scans = [("scan", scan.candidates, thresholds, rows)]
        if layer.name in self.rescanned:
            units = self.rescanned[layer.name]
            again = load_layer_scan(context.store, shard.number, layer.name, "again")
            scans.append(("again", again.candidates, thresholds[units], rows[units]))
            rows[units] = -1
        size, threads = context.source.input_size, context.threads
        for kind, candidates, values, places in scans:
            areas = np.zeros(candidates.pair_unit.size, np.int32)
            for comparisons in compared:
                total.update(layer, candidates, values, places, comparisons, size, threads, areas)
            if self.keep_areas:
                add_areas(context.store, shard.number, layer.name, kind, areas)
