"""The tally: count the pixels of every concept under every unit's masks (docs/method.md, § 3).

A *quad* is a square of four neighboring cells. A pixel in it can exceed T_k only if one of the four does. So only quads
with a cell above T_k are visited, once each; all their corners are candidates. Counts are int64 and are added up over images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.geometry.upsample import make_label_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Labels, Vocabulary
    from netdissect.engine.candidates import Candidates
    from netdissect.engine.row_threads import RowThreads
    from netdissect.layers import Layer


def count_label_pixels(labels: Labels, concepts: int) -> NDArray[np.int64]:
    """Return the labeled pixels |L_c| of every concept in one image, int64, shape (C,)."""
    pixels = np.zeros(concepts + 1, np.int64)
    _count_labels_kernel(labels.planes.ravel(), pixels)
    pixels[labels.whole] += labels.shape[0] * labels.shape[1]
    return pixels[1:]


@cached_njit()
def _count_labels_kernel(labels, pixels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for label in labels:
        pixels[label] += 1


def has_categories(pixels: NDArray[np.int64], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Return which primary categories an image has a label of, shape (K,), given its labeled pixels, shape (C,)."""
    found = np.zeros(len(vocabulary.categories), np.bool_)
    found[vocabulary.primary[pixels > 0]] = True
    return found


class LabelGroup(NamedTuple):
    """Labels of those of a shard's n images whose label maps have one size (sh, sw).

    Attributes:
        members: position in the group of every image of the shard, -1 for images of other groups, int64, shape (n,).
        planes: label planes of all members, one after the other, uint16, shape (ΣP, sh, sw).
        first_plane: position of every member's first plane, and the end of the last, int64, shape (members + 1,).
        whole: codes of all members that hold for the whole image, int64, shape (ΣW,).
        first_whole: position of every member's first code, and the end of the last, int64, shape (members + 1,).
        has_category: which images of the shard have a label of which primary category, bool, shape (n, K).
    """

    members: NDArray[np.int64]
    planes: NDArray[np.uint16]
    first_plane: NDArray[np.int64]
    whole: NDArray[np.int64]
    first_whole: NDArray[np.int64]
    has_category: NDArray[np.bool_]


def group_labels(labels: Sequence[Labels], has_category: NDArray[np.bool_]) -> list[LabelGroup]:
    """Group the labels of a shard's images by the size of their label maps.

    Args:
        labels: of the shard's n images.
        has_category: which images have a label of which primary category, shape (n, K).
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for position, entry in enumerate(labels):
        groups.setdefault(entry.shape, []).append(position)
    return [_pack_labels(labels, positions, has_category) for positions in groups.values()]


def _pack_labels(labels: Sequence[Labels], positions: list[int], has_category: NDArray[np.bool_]) -> LabelGroup:
    entries = [labels[position] for position in positions]
    members = np.full(len(labels), -1, np.int64)
    members[positions] = np.arange(len(positions))
    return LabelGroup(
        members,
        np.concatenate([entry.planes for entry in entries]),
        np.cumsum([0, *(entry.planes.shape[0] for entry in entries)], dtype=np.int64),
        np.concatenate([entry.whole for entry in entries]),
        np.cumsum([0, *(entry.whole.size for entry in entries)], dtype=np.int64),
        has_category,
    )


class _Pairs(NamedTuple):
    """The arrays of `Candidates`."""

    unit: NDArray[np.int32]
    image: NDArray[np.int32]
    start: NDArray[np.int64]
    cells: NDArray[np.uint16 | np.int32]
    values: NDArray[np.float32]


class _Axes(NamedTuple):
    """The arrays of the two `UpsampleAxis` of a label grid."""

    row_start: NDArray[np.int64]
    row_fraction: NDArray[np.float64]
    column_start: NDArray[np.int64]
    column_fraction: NDArray[np.float64]


@dataclass(eq=False)
class MaskCounts:
    """Pixel counts of one layer's masks.

    Attributes:
        intersection: I, int64, shape (U, C + 1); column 0 counts pixels without a label.
        per_category: |M_k| over the images that have a label of a category, int64, shape (U, K).
    """

    intersection: NDArray[np.int64]
    per_category: NDArray[np.int64]

    @classmethod
    def empty(cls, units: int, vocabulary: Vocabulary) -> Self:
        """Return counts of 0."""
        return cls(
            np.zeros((units, len(vocabulary) + 1), np.int64), np.zeros((units, len(vocabulary.categories)), np.int64)
        )

    def merge(self, other: Self) -> Self:
        """Return the sum of both; neither is changed."""
        return type(self)(self.intersection + other.intersection, self.per_category + other.per_category)

    def update(
        self,
        layer: Layer,
        candidates: Candidates,
        thresholds: NDArray[np.float32],
        labels: Sequence[LabelGroup],
        input_size: tuple[int, int],
        threads: RowThreads,
    ) -> None:
        """Count a shard.

        Args:
            layer: the layer.
            candidates: the layer's candidates on the shard's images.
            thresholds: T_k, float32, shape (U,).
            labels: the labels of the shard's images.
            input_size: height and width of the network's input in pixels.
            threads: threads for the kernel.
        """
        pairs = _Pairs(
            candidates.pair_unit, candidates.pair_image, candidates.pair_start, candidates.cells, candidates.values
        )
        for group in labels:
            rows, columns = make_label_axes(layer.field, layer.grid, input_size, group.planes.shape[1:])
            axes = _Axes(rows.start, rows.fraction, columns.start, columns.fraction)
            threads.split(
                self.intersection.shape[0], _count_masks_kernel, layer.grid, pairs, thresholds, axes, group,
                self.intersection, self.per_category,
            )  # fmt: skip


@cached_njit()
def _count_masks_kernel(first, last, grid_shape, pairs, thresholds, axes, labels, intersection, per_category):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    h, w = grid_shape
    pair_unit, pair_image, pair_start, cells, values = pairs
    members, planes, first_plane, whole, first_whole, has_category = labels
    grid = np.empty((h, w), np.float32)  # cells that an earlier pair left in it are never read
    flat = grid.reshape(-1)
    visited = np.full((h + 1, w + 1), -1, np.int64)  # the last pair for which a quad was visited
    size = planes.shape[1] * planes.shape[2]
    flat_planes = planes.reshape(-1, size)
    mask = np.empty(size + planes.shape[2], np.int32)
    for pair in range(pair_unit.size):
        u, image = pair_unit[pair], pair_image[pair]
        member = members[image]
        if u < first or u >= last or member < 0:
            continue
        threshold = thresholds[u]
        for at in range(pair_start[pair], pair_start[pair + 1]):
            flat[cells[at]] = values[at]
        pixels = 0
        for at in range(pair_start[pair], pair_start[pair + 1]):
            if not values[at] > threshold:
                continue
            y, x = cells[at] // w, cells[at] % w
            for i in range(y, y + 2):
                for j in range(x, x + 2):
                    if visited[i, j] != pair:
                        visited[i, j] = pair
                        pixels = _mask_quad(grid, i, j, threshold, axes, planes.shape[2], mask, pixels)
        if not pixels:
            continue
        counts = intersection[u]
        own = flat_planes[first_plane[member] : first_plane[member + 1]]
        for at in range(pixels):
            pixel = np.uint32(mask[at])
            for plane in range(own.shape[0]):
                counts[own[plane, pixel]] += 1
        for at in range(first_whole[member], first_whole[member + 1]):
            counts[whole[at]] += pixels
        for category in range(has_category.shape[1]):
            if has_category[image, category]:
                per_category[u, category] += pixels


@cached_njit()
def _mask_quad(grid, i, j, threshold, axes, width, mask, pixels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the pixels of the mask between the cells i - 1, i and j - 1, j to the first `pixels`; return how many there are.

    The arithmetic is that of geometry.upsample.
    """
    row_start, row_fraction, column_start, column_fraction = axes
    h, w = grid.shape
    top, bottom = max(i - 1, 0), min(i, h - 1)
    left, right = max(j - 1, 0), min(j, w - 1)
    a, b = np.float64(grid[top, left]), np.float64(grid[top, right])
    down, down_right = np.float64(grid[bottom, left]) - a, np.float64(grid[bottom, right]) - b
    begin = column_start[j]
    fractions = column_fraction[begin : column_start[j + 1]]
    for y in range(row_start[i], row_start[i + 1]):
        at_left = a + row_fraction[y] * down
        across = b + row_fraction[y] * down_right - at_left
        count = 0
        for x in range(fractions.size):
            count += np.float32(at_left + fractions[x] * across) > threshold
        start = y * width + begin
        if across > 0:
            start += fractions.size - count
        row = mask[pixels : pixels + fractions.size]
        for x in range(row.size):
            row[x] = start + x
        pixels += count
    return pixels
