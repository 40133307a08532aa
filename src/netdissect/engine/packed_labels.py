"""The labels of images as the tally reads them: segment maps side by side, and the concepts of every segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.protocols import read_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.row_threads import RowThreads
    from netdissect.protocols import ConceptSource
    from netdissect.segments import Segments


class LabelMaps(NamedTuple):
    """The labels of m images whose label maps have one size.

    Attributes:
        maps: segment of every pixel, numbered within its image, uint8, uint16 or uint32, shape (m, sh·sw).
        first_segment: number of every image's first segment, and the end of the last, int64, shape (m + 1,).
        first_column: place of every segment's first column, and the end of the last, int64, shape (segments + 1,).
        columns: columns of the concepts of all segments, int64.
        first_whole: place of every image's first column in `whole`, and the end of the last, int64, shape (m + 1,).
        whole: columns of the concepts that hold for the whole image, int64.
        has_category: which image has a label of which primary category, bool, shape (m, K).
    """

    maps: NDArray[Any]
    first_segment: NDArray[np.int64]
    first_column: NDArray[np.int64]
    columns: NDArray[np.int64]
    first_whole: NDArray[np.int64]
    whole: NDArray[np.int64]
    has_category: NDArray[np.bool_]


def pack_label_maps(labels: Sequence[Segments], vocabulary: Vocabulary) -> LabelMaps:
    """Return the labels of images whose label maps have one size, side by side."""
    count = [len(entry.table) for entry in labels]
    kind = np.min_scalar_type(max(count) - 1)
    maps = np.empty((len(labels), labels[0].map.size), kind)
    for row, entry in zip(maps, labels, strict=True):
        row[:] = entry.map.reshape(-1)
    codes = [entry.codes.size for entry in labels]
    starts = zip(labels, np.cumsum([0, *codes[:-1]], dtype=np.int64), strict=True)
    columns = np.concatenate([entry.codes for entry in labels]).astype(np.int64) - 1
    whole = np.concatenate([entry.whole for entry in labels]) - 1
    first_whole = _accumulate([entry.whole.size for entry in labels])
    has_category = np.zeros((len(labels), len(vocabulary.categories)), np.bool_)
    has_category[np.repeat(np.arange(len(labels)), codes), vocabulary.primary[columns]] = True
    has_category[np.repeat(np.arange(len(labels)), np.diff(first_whole)), vocabulary.primary[whole]] = True
    return LabelMaps(
        maps, _accumulate(count),
        np.concatenate([*(entry.start[:-1] + first for entry, first in starts), np.array([columns.size])]),
        columns, first_whole, whole, has_category,
    )  # fmt: skip


def _accumulate(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *sizes], dtype=np.int64)


class PackedLabels(NamedTuple):
    """The labels of those of some images whose label maps have one size.

    Attributes:
        size: height and width of the label maps in pixels.
        places: position in `maps` of every image of the probe set, -1 for others, int32, shape (N + 1,); the last is no image's.
        maps: the labels.
    """

    size: tuple[int, int]
    places: NDArray[np.int32]
    maps: LabelMaps


class LabelShelf:
    """The labels that a worker has read and may need again."""

    def __init__(self) -> None:
        self._labels: dict[int, Segments] = {}
        self._packed: tuple[int, list[PackedLabels]] = (0, [])

    def read(
        self, concepts: ConceptSource, images: Sequence[int], threads: RowThreads, *, keep: bool
    ) -> list[Segments]:
        """Return the labels of images; those that are not on the shelf are read.

        Args:
            concepts: the probe set.
            images: positions of the images.
            threads: threads that read them.
            keep: whether labels of other images stay on the shelf.
        """
        missing = [image for image in images if image not in self._labels]
        read = threads.map(lambda image: read_segments(concepts, image), missing)
        kept = self._labels if keep else {image: self._labels[image] for image in images if image in self._labels}
        self._labels = kept | dict(zip(missing, read, strict=True))
        return [self._labels[image] for image in images]

    def pack(
        self, concepts: ConceptSource, images: Sequence[int], threads: RowThreads, *, keep: bool
    ) -> list[PackedLabels]:
        """Return the labels of images side by side, by the size of their label maps.

        Args:
            concepts: the probe set.
            images: positions of the images.
            threads: threads that read those which are not on the shelf.
            keep: whether labels of other images stay on the shelf; they are then packed too, and not packed again until
                others are read.
        """
        self.read(concepts, images, threads, keep=keep)
        count, packed = self._packed
        if not (keep and count == len(self._labels)):
            packed = self._pack_all(concepts)
        self._packed = (len(self._labels), packed) if keep else (0, [])
        return packed

    def _pack_all(self, concepts: ConceptSource) -> list[PackedLabels]:
        sizes: dict[tuple[int, int], list[int]] = {}
        for image, entry in self._labels.items():
            sizes.setdefault((entry.map.shape[0], entry.map.shape[1]), []).append(image)
        packed = []
        for size, images in sizes.items():
            places = np.full(len(concepts) + 1, -1, np.int32)
            places[images] = np.arange(len(images))
            maps = pack_label_maps([self._labels[image] for image in images], concepts.vocabulary)
            packed.append(PackedLabels(size, places, maps))
        return packed


@dataclass(frozen=True, eq=False)
class LabelTotals:
    """Labeled pixels of a probe set.

    Attributes:
        pixels: labeled pixels of the images of every row, int64, shape (L, C).
        in_category: label pixels of the images that have a label of each category, int64, shape (K,).
        partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
    """

    pixels: NDArray[np.int64]
    in_category: NDArray[np.int64]
    partial: NDArray[np.bool_]

    @classmethod
    def empty(cls, rows: int, vocabulary: Vocabulary) -> Self:
        """Return counts of 0 in L rows."""
        concepts = len(vocabulary)
        return cls(
            np.zeros((rows, concepts), np.int64),
            np.zeros(len(vocabulary.categories), np.int64),
            np.zeros(concepts, np.bool_),
        )

    def merge(self, other: LabelTotals) -> LabelTotals:
        """Return the sum of both; neither is changed."""
        return LabelTotals(
            self.pixels + other.pixels, self.in_category + other.in_category, self.partial | other.partial
        )

    def update(self, labels: LabelMaps, places: NDArray[np.int32], rows: NDArray[np.int32]) -> None:
        """Count the labels of images.

        Args:
            labels: labels of these images and others.
            places: position of every image in `labels`, -1 for images that are not counted, shape (n,).
            rows: rows in which every image is counted, -1 for none, shape (L, n).
        """
        _count_labels_kernel(labels, places, rows, self.pixels, self.in_category, self.partial)


@cached_njit()
def count_segment_pixels(labels, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the pixels of every segment of a label map, int64."""
    in_segment = np.zeros(labels.first_segment[place + 1] - labels.first_segment[place], np.int64)
    for segment in labels.maps[place]:
        in_segment[segment] += 1
    return in_segment


@cached_njit()
def _count_labels_kernel(labels, places, rows, pixels, in_category, partial):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    own = np.zeros(pixels.shape[1], np.int64)
    for image in range(places.size):
        place = places[image]
        if place < 0:
            continue
        first, size = labels.first_segment[place], labels.maps.shape[1]
        in_segment = count_segment_pixels(labels, place)
        own[:] = 0
        for segment in range(in_segment.size):
            for at in range(labels.first_column[first + segment], labels.first_column[first + segment + 1]):
                own[labels.columns[at]] += in_segment[segment]
                partial[labels.columns[at]] = True
        for at in range(labels.first_whole[place], labels.first_whole[place + 1]):
            own[labels.whole[at]] += size
        for category in range(in_category.size):
            in_category[category] += size * labels.has_category[place, category]
        for row in rows[:, image]:
            if row >= 0:
                pixels[row] += own
