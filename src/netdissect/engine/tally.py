"""The tally: how many pixels of every concept lie under every unit's mask (docs/method.md, § 3).

A pixel can exceed T_k only in a quad of four cells of which one does: the quads around the cells above T_k are walked,
once each, and candidates hold all their corners. Counts are int64 and add up over images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.geometry.upsample import make_label_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


@dataclass(eq=False)
class MaskCounts:
    """Pixel counts of one layer's masks.

    Attributes:
        intersection: I, int64, shape (U, C + 1); column 0 gathers pixels without a label.
        per_category: |M_k| over the images that have a category, int64, shape (U, K).
    """

    intersection: NDArray[np.int64]
    per_category: NDArray[np.int64]

    @classmethod
    def empty(cls, units: int, vocabulary: Vocabulary) -> Self:
        """Return a count of nothing."""
        return cls(
            np.zeros((units, len(vocabulary) + 1), np.int64), np.zeros((units, len(vocabulary.categories)), np.int64)
        )

    def merge(self, other: Self) -> Self:
        """Return the counts of both; neither is changed."""
        return type(self)(self.intersection + other.intersection, self.per_category + other.per_category)

    def update(
        self,
        layer: Layer,
        candidates: Candidates,
        thresholds: NDArray[np.float32],
        labels: Sequence[Labels],
        has_category: NDArray[np.bool_],
        input_size: tuple[int, int],
        threads: RowThreads,
    ) -> None:
        """Count a shard.

        Args:
            layer: the layer.
            candidates: its candidates over the shard.
            thresholds: T_k, float32, shape (U,).
            labels: the labels of the shard's images.
            has_category: which images have a label of which primary category, shape (n, K).
            input_size: height and width of the network's input.
            threads: the threads to use.
        """
        for size, members in _group_by_label_size(labels).items():
            planes, first_plane, whole, first_whole = _pack_labels(labels, members, size)
            rows, columns = make_label_axes(layer.field, layer.grid, input_size, size)
            order, unit_start = candidates.by_unit
            threads.split(
                self.intersection.shape[0], _count_masks_kernel, *layer.grid, order, unit_start, candidates.pair_image,
                candidates.pair_start, candidates.cells, candidates.values, thresholds, rows.start, rows.fraction,
                columns.start, columns.fraction, members, planes, first_plane, whole, first_whole, has_category,
                self.intersection, self.per_category,
            )  # fmt: skip


def has_categories(pixels: NDArray[np.int64], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Tell which primary categories are labeled anywhere in an image, shape (K,), from its label pixels (C,)."""
    found = np.zeros(len(vocabulary.categories), np.bool_)
    found[vocabulary.primary[pixels > 0]] = True
    return found


def _group_by_label_size(labels: Sequence[Labels]) -> Mapping[tuple[int, int], NDArray[np.int64]]:
    """Group a shard's images by the size of their label maps: per size, each image's place in the group or -1."""
    groups: dict[tuple[int, int], NDArray[np.int64]] = {}
    for position, entry in enumerate(labels):
        group = groups.setdefault(entry.shape, np.full(len(labels), -1, np.int64))
        group[position] = group.max() + 1
    return groups


def _pack_labels(
    labels: Sequence[Labels], members: NDArray[np.int64], size: tuple[int, int]
) -> tuple[NDArray[np.uint16], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Lay the labels of a group end to end: planes (ΣP, sh, sw) with first plane per image, whole-image codes likewise."""
    group = [entry for entry, place in zip(labels, members, strict=True) if place >= 0]
    planes = np.concatenate([entry.planes for entry in group]) if group else np.zeros((0, *size), np.uint16)
    whole = np.concatenate([entry.whole for entry in group]) if group else np.zeros(0, np.int64)
    first_plane = np.cumsum([0, *(entry.planes.shape[0] for entry in group)], dtype=np.int64)
    first_whole = np.cumsum([0, *(entry.whole.size for entry in group)], dtype=np.int64)
    return planes, first_plane, whole, first_whole


@cached_njit()
def _count_masks_kernel(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first, last, h, w, order, unit_start, pair_image, pair_start, cells, values, thresholds,  # noqa: ANN001
    row_start, row_fraction, column_start, column_fraction,  # noqa: ANN001
    members, planes, first_plane, whole, first_whole, has_category, intersection, per_category,  # noqa: ANN001
):  # fmt: skip
    grid = np.empty((h, w), np.float32)  # what an earlier pair left in it is never read
    walked = np.full((h + 1, w + 1), -1, np.int64)  # the pair for which a quad was walked last
    for u in range(first, last):
        threshold = thresholds[u]
        counts = intersection[u]
        for place in range(unit_start[u], unit_start[u + 1]):
            pair = order[place]
            image = pair_image[pair]
            member = members[image]
            if member < 0:
                continue
            flat = grid.reshape(-1)
            for at in range(pair_start[pair], pair_start[pair + 1]):
                flat[cells[at]] = values[at]
            pixels = 0
            for at in range(pair_start[pair], pair_start[pair + 1]):
                if not values[at] > threshold:
                    continue
                y, x = cells[at] // w, cells[at] % w
                for i in range(y, y + 2):
                    for j in range(x, x + 2):
                        if walked[i, j] != pair:
                            walked[i, j] = pair
                            pixels += _count_quad(
                                grid, i, j, threshold, row_start, row_fraction, column_start, column_fraction,
                                planes, first_plane[member], first_plane[member + 1], counts,
                            )  # fmt: skip
            if pixels:
                for at in range(first_whole[member], first_whole[member + 1]):
                    counts[whole[at]] += pixels
                for category in range(has_category.shape[1]):
                    if has_category[image, category]:
                        per_category[u, category] += pixels


@cached_njit()
def _count_quad(  # type: ignore[no-untyped-def]  # noqa: ANN202
    grid, i, j, threshold, row_start, row_fraction, column_start, column_fraction,  # noqa: ANN001
    planes, plane_from, plane_to, counts,  # noqa: ANN001
):  # fmt: skip
    """Count the mask's pixels between cells i - 1, i and j - 1, j, and, per label, those under it.

    The arithmetic is geometry.upsample's.
    """
    h, w = grid.shape
    top, bottom = max(i - 1, 0), min(i, h - 1)
    left, right = max(j - 1, 0), min(j, w - 1)
    a, b = np.float64(grid[top, left]), np.float64(grid[top, right])
    down, down_right = np.float64(grid[bottom, left]) - a, np.float64(grid[bottom, right]) - b
    pixels = 0
    for y in range(row_start[i], row_start[i + 1]):
        at_left = a + row_fraction[y] * down
        across = b + row_fraction[y] * down_right - at_left
        for x in range(column_start[j], column_start[j + 1]):
            if np.float32(at_left + column_fraction[x] * across) > threshold:
                pixels += 1
                for plane in range(plane_from, plane_to):
                    counts[planes[plane, y, x]] += 1
    return pixels
