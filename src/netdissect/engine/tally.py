"""The tally: count the pixels of every concept under every unit's masks (docs/method.md, § 3).

A *quad* is a square of four neighboring cells. A pixel in it can exceed T_k only if one of the four does. So only quads
with a cell above T_k are visited, once each; all their corners are candidates. The pixels of a mask are listed once and
then compared with every label map that `Comparisons` names for the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.geometry.upsample import make_label_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.candidates import Candidates
    from netdissect.engine.packed_labels import LabelMaps
    from netdissect.engine.row_threads import RowThreads
    from netdissect.layers import Layer

#: Largest count of a table of 32 bits.
_MAX_COUNT = 2**31 - 1


class ShardComparisons(NamedTuple):
    """The comparisons of a shard's n images whose label maps have one size (sh, sw).

    Attributes:
        lenders: position in `labels` of the image that lends its labels, -1 for no comparison, int32, shape (n, R).
        tables: table in which the comparison is counted, int32, shape (n, R).
        labels: the labels.
        size: height and width of the label maps in pixels.
    """

    lenders: NDArray[np.int32]
    tables: NDArray[np.int32]
    labels: LabelMaps
    size: tuple[int, int]


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
    """Pixel counts of the masks of some units of a layer, in T tables.

    Attributes:
        intersection: I of every table, int32 or int64, shape (U, T, C).
        per_category: |M_k| over the images whose labels have a category, int32 or int64, shape (U, T, K).
    """

    intersection: NDArray[np.int32 | np.int64]
    per_category: NDArray[np.int32 | np.int64]

    @classmethod
    def empty(cls, units: int, tables: int, vocabulary: Vocabulary, most: int = _MAX_COUNT + 1) -> Self:
        """Return counts of 0.

        Args:
            units: number of units U.
            tables: number of tables T.
            vocabulary: the concepts.
            most: a bound on all counts, which decides how wide they are.
        """
        kind = choose_count_type(most)
        shape = (units, tables)
        return cls(np.zeros((*shape, len(vocabulary)), kind), np.zeros((*shape, len(vocabulary.categories)), kind))

    def merge(self, other: Self) -> Self:
        """Return the sum of both; neither is changed."""
        return type(self)(self.intersection + other.intersection, self.per_category + other.per_category)

    def update(
        self,
        layer: Layer,
        candidates: Candidates,
        thresholds: NDArray[np.float32],
        rows: NDArray[np.int64],
        comparisons: ShardComparisons,
        input_size: tuple[int, int],
        threads: RowThreads,
        areas: NDArray[np.int32] | None = None,
    ) -> None:
        """Count the masks on a shard's images.

        Args:
            layer: the layer.
            candidates: the candidates of some of its units on the shard's images.
            thresholds: T_k of these units, float32, shape (u,).
            rows: the row of every one of these units in the tables, -1 for units that are not counted, int64, shape (u,).
            comparisons: the label maps, and the tables.
            input_size: height and width of the network's input in pixels.
            threads: threads for the kernel.
            areas: receives the label pixels of the mask of every pair that is counted, int32, shape (P,).
        """
        pairs, axes = list_pairs(candidates), list_axes(layer, input_size, comparisons.size)
        areas = np.zeros(candidates.pair_unit.size, np.int32) if areas is None else areas
        counts = (self.intersection, self.per_category, areas)
        threads.split(
            len(self.intersection), _count_masks_kernel, layer.grid, pairs, thresholds, rows, axes, comparisons, counts
        )


def list_pairs(candidates: Candidates) -> _Pairs:
    """Return candidates as compiled functions take them."""
    return _Pairs(
        candidates.pair_unit, candidates.pair_image, candidates.pair_start, candidates.cells, candidates.values
    )


def list_axes(layer: Layer, input_size: tuple[int, int], label_size: tuple[int, int]) -> _Axes:
    """Return how a layer's grids are upsampled to label maps, as compiled functions take it."""
    y, x = make_label_axes(layer.field, layer.grid, input_size, label_size)
    return _Axes(y.start, y.fraction, x.start, x.fraction)


def choose_count_type(most: int) -> type[np.int32 | np.int64]:
    """Return the type of counts that do not exceed `most`."""
    return np.int32 if most <= _MAX_COUNT else np.int64


@cached_njit()
def _count_masks_kernel(first, last, grid_shape, pairs, thresholds, rows, axes, comparisons, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    h, w = grid_shape
    pair_unit, pair_image, _, _, _ = pairs
    lenders, tables, labels, size = comparisons
    intersection, per_category, areas = counts
    grid = np.empty((h, w), np.float32)  # cells that an earlier pair left in it are never read
    visited = np.full((h + 1, w + 1), -1, np.int64)  # the last pair for which a quad was visited
    mask = np.empty(size[0] * size[1] + size[1], np.int32)
    most = np.int64(0)
    for image in range(labels.first_segment.size - 1):
        most = max(most, labels.first_segment[image + 1] - labels.first_segment[image])
    pixels_in = np.zeros(most, np.int32)  # pixels of the mask in every segment of the lender
    found = np.empty(most, np.int64)  # the segments that have any
    for pair in range(pair_unit.size):
        image = pair_image[pair]
        row = rows[pair_unit[pair]]
        if row < first or row >= last or lenders[image, 0] < 0:
            continue
        pixels = list_mask(pair, pairs, thresholds[pair_unit[pair]], axes, size[1], grid, visited, mask)
        areas[pair] = pixels
        if not pixels:
            continue
        for comparison in range(lenders.shape[1]):
            lender = lenders[image, comparison]
            if lender >= 0:
                table = tables[image, comparison]
                both = intersection[row, table]
                _count_segments(mask, pixels, labels, lender, pixels_in, found, both)
                for at in range(labels.first_whole[lender], labels.first_whole[lender + 1]):
                    both[labels.whole[at]] += pixels
                for category in range(per_category.shape[2]):
                    if labels.has_category[lender, category]:
                        per_category[row, table, category] += pixels


@cached_njit()
def list_mask(pair, pairs, threshold, axes, width, grid, visited, mask):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write the pixels of a pair's mask to `mask`; return how many there are.

    `grid` has the grid's shape (h, w), and `visited`, int64, shape (h + 1, w + 1), the last pair for which a quad was visited.
    """
    _, _, pair_start, cells, values = pairs
    w, flat = grid.shape[1], grid.reshape(-1)
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
                    pixels = _mask_quad(grid, i, j, threshold, axes, width, mask, pixels)
    return pixels


@cached_njit()
def _count_segments(mask, pixels, labels, lender, pixels_in, found, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the first `pixels` of a mask to the counts of the concepts of their segments; `pixels_in` is 0 before and after."""
    segments = labels.maps[lender]
    number = 0
    for at in range(pixels):
        segment = np.int64(segments[np.uint32(mask[at])])
        if pixels_in[segment] == 0:
            found[number] = segment
            number += 1
        pixels_in[segment] += 1
    first = labels.first_segment[lender]
    for at in range(number):
        segment = found[at]
        count = pixels_in[segment]
        pixels_in[segment] = 0
        for place in range(labels.first_column[first + segment], labels.first_column[first + segment + 1]):
            counts[labels.columns[place]] += count


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
