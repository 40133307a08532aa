"""The labels of images as the tally reads them: segment maps side by side, and the concepts of every segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

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


class LabelShelf:
    """The labels that a worker has read and may need again."""

    def __init__(self) -> None:
        self._labels: dict[int, Segments] = {}

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
