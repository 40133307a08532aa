"""The tally by label signature: how many pixels of every unit's masks have which set of concepts.

A *signature* is the concepts of a label pixel, those of the whole image among them, together with the categories of which the
image has labels. What a formula of concepts counts follows from signatures, without another pass over images and masks
(docs/formulas.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from netdissect.engine.packed_labels import LabelMaps, LabelTotals
from netdissect.engine.tally import MaskCounts, choose_count_type
from netdissect.engine.tasks import load_layer_scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.engine.plan import Shard
    from netdissect.engine.tally import ShardComparisons
    from netdissect.engine.tally_tasks import TallyTask
    from netdissect.engine.worker_context import WorkerContext

#: A signature: the categories that the image has, bit k for category k, and the columns of the concepts, rising; a concept that
#: two planes name is listed twice, as it is counted twice for its IoU.
Signature = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class SparseCounts:
    """Pixels of masks by table, unit and signature, in this order, each combination once.

    Attributes:
        table: number of the table, int64, shape (n,).
        unit: row of the unit, int64, shape (n,).
        signature: place of the signature, int64, shape (n,).
        pixels: pixels of the unit's masks that have it, int64, shape (n,).
    """

    table: NDArray[np.int64]
    unit: NDArray[np.int64]
    signature: NDArray[np.int64]
    pixels: NDArray[np.int64]

    @classmethod
    def join(cls, parts: Sequence[SparseCounts]) -> Self:
        """Return the sum of counts."""
        table, unit, signature, pixels = (
            np.concatenate([np.zeros(0, np.int64), *(getattr(part, name) for part in parts)])
            for name in ("table", "unit", "signature", "pixels")
        )
        order = np.lexsort((signature, unit, table))
        table, unit, signature, pixels = table[order], unit[order], signature[order], pixels[order]
        starts = np.ones(table.size, bool)
        starts[1:] = (np.diff(table) != 0) | (np.diff(unit) != 0) | (np.diff(signature) != 0)
        first = np.flatnonzero(starts)
        summed = np.add.reduceat(pixels, first) if first.size else pixels
        return cls(table[first], unit[first], signature[first], summed)

    def renumber(self, places: NDArray[np.int64]) -> SparseCounts:
        """Return the same counts with every signature at another place, in the right order again."""
        return self.join([replace(self, signature=places[self.signature])])


@dataclass(frozen=True, eq=False)
class SignatureTally:
    """Pixels by signature over some shards.

    Attributes:
        signatures: the S signatures, rising.
        pixels: label pixels of the images of every row that have the signature, int64, shape (L, S).
        masks: the counts of every layer's masks, by layer name.
    """

    signatures: tuple[Signature, ...]
    pixels: NDArray[np.int64]
    masks: Mapping[str, SparseCounts]

    def merge(self, other: SignatureTally) -> SignatureTally:
        """Return the sum of both; neither is changed."""
        signatures = sorted({*self.signatures, *other.signatures})
        places = {signature: place for place, signature in enumerate(signatures)}
        pixels = np.zeros((len(self.pixels), len(signatures)), np.int64)
        masks: dict[str, list[SparseCounts]] = {name: [] for name in self.masks}
        for part in (self, other):
            new = np.array([places[signature] for signature in part.signatures], np.int64)
            pixels[:, new] += part.pixels
            for name, counts in part.masks.items():
                masks[name].append(replace(counts, signature=new[counts.signature]))
        return SignatureTally(
            tuple(signatures), pixels, {name: SparseCounts.join(parts) for name, parts in masks.items()}
        )


@dataclass(frozen=True, eq=False)
class SignatureTask:
    """Count the masks of some shards by signature; a runtime maps it over lists of shards.

    Attributes:
        masks: the masks, and the label maps that they are compared with.
        memory: bytes of the tables that are counted at a time.
    """

    masks: TallyTask
    memory: int

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> SignatureTally:
        """Count the shards; an image's labels are decoded once for all layers."""
        tables = self.masks.comparisons.label_tables
        numbers: dict[Signature, int] = {}
        pixels: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        counts: dict[str, list[SparseCounts]] = {name: [] for name in self.masks.rows}
        for shard in shards:
            images = load_layer_scan(context.store, shard.number, next(iter(self.masks.rows))).images
            for compared in self.masks.read_labels(context, images):
                numbered, found = _number_segments(compared.labels, numbers)
                alone = compared._replace(labels=numbered)
                pixels.append((found, self._count_labels(alone, images, found.size)))
                for name in counts:
                    counts[name] += self._count_masks(context, shard, name, alone, found)
            context.advance(shard.images.size)
        total = np.zeros((tables, len(numbers)), np.int64)
        for found, part in pixels:
            total[:, found] += part
        return _sort(numbers, total, {name: SparseCounts.join(parts) for name, parts in counts.items()})

    def _count_labels(self, compared: ShardComparisons, images: NDArray[np.int64], found: int) -> NDArray[np.int64]:
        """Return the label pixels of a shard's images by signature, shape (L, found)."""
        rows = self.masks.comparisons.label_rows[:, images]
        totals = LabelTotals(
            np.zeros((self.masks.comparisons.label_tables, found), np.int64),
            np.zeros(0, np.int64),
            np.zeros(found, np.bool_),
        )
        totals.update(compared.labels, compared.lenders[:, 0], rows)
        return totals.pixels

    def _count_masks(
        self, context: WorkerContext, shard: Shard, name: str, compared: ShardComparisons, found: NDArray[np.int64]
    ) -> Iterator[SparseCounts]:
        """Yield the counts of a layer's units on a shard, block of units by block of units.

        Args:
            context: the worker's.
            shard: the shard.
            name: of the layer.
            compared: label maps whose columns are signatures, numbered in `found`.
            found: numbers of the signatures, shape (f,).
        """
        (layer,) = (layer for layer in context.source.layers if layer.name == name)
        rows, tables = self.masks.rows[name], self.masks.comparisons.count
        scan = load_layer_scan(context.store, shard.number, name)
        step = max(1, self.memory // (4 * tables * max(1, found.size)))
        for first in range(0, int(rows.max(initial=-1)) + 1, step):
            block = np.where((rows >= first) & (rows < first + step), rows - first, -1)
            size = int(block.max(initial=-1)) + 1
            kind = choose_count_type(self.masks.most)
            total = MaskCounts(np.zeros((size, tables, found.size), kind), np.zeros((size, tables, 0), kind))
            task = replace(self.masks, rows={name: block})
            task.count_layer(context, shard, layer, scan, [compared], total)
            unit, table, signature = np.nonzero(total.intersection)
            pixels = total.intersection[unit, table, signature].astype(np.int64)
            yield SparseCounts(table, unit + first, found[signature], pixels)


def _number_segments(labels: LabelMaps, numbers: dict[Signature, int]) -> tuple[LabelMaps, NDArray[np.int64]]:
    """Return label maps whose segments have one column each, that of their signature, and the signatures' numbers.

    Args:
        labels: the labels of some images.
        numbers: number of every signature that was found before; new ones are added.
    """
    columns, whole = labels.columns.tolist(), labels.whole.tolist()
    places, of_image = labels.first_column.tolist(), labels.first_whole.tolist()
    bits = 1 << np.arange(labels.has_category.shape[1], dtype=np.int64)
    number = np.empty(labels.first_column.size - 1, np.int64)
    for image, presence in enumerate((labels.has_category @ bits).tolist()):
        more = whole[of_image[image] : of_image[image + 1]]
        for segment in range(labels.first_segment[image], labels.first_segment[image + 1]):
            signature = (presence, tuple(sorted(columns[places[segment] : places[segment + 1]] + more)))
            number[segment] = numbers.setdefault(signature, len(numbers))
    found, local = np.unique(number, return_inverse=True)
    images = len(labels.maps)
    return (
        labels._replace(
            first_column=np.arange(number.size + 1),
            columns=local.astype(np.int64),
            first_whole=np.zeros(images + 1, np.int64),
            whole=np.zeros(0, np.int64),
            has_category=np.zeros((images, 0), np.bool_),
        ),
        found,
    )


def _sort(
    numbers: Mapping[Signature, int], pixels: NDArray[np.int64], masks: Mapping[str, SparseCounts]
) -> SignatureTally:
    """Return counts with their signatures in rising order."""
    signatures = sorted(numbers)
    order = np.array([numbers[signature] for signature in signatures], np.int64)
    places = np.empty(order.size, np.int64)
    places[order] = np.arange(order.size)
    return SignatureTally(
        tuple(signatures), pixels[:, order], {name: counts.renumber(places) for name, counts in masks.items()}
    )
