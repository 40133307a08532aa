"""Look at masks once more when the labels of units are known, and only where an image may become an exemplar.

A mask cannot have more pixels of a label than the mask and the label have, and both are known. So images are looked at in the
order of this bound, until the next cannot be among the best (docs/engine.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.engine.packed_labels import count_segment_pixels
from netdissect.engine.tally import list_axes, list_mask, list_pairs
from netdissect.stats.ranked_images import RankedImages, rank_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.engine.mask_areas import ShardMasks
    from netdissect.engine.tally import ShardComparisons
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.layers import Layer


@dataclass(frozen=True, eq=False)
class MaskLooks:
    """What the second look at masks of a layer finds.

    Attributes:
        on_concept: the images with most pixels of the mask on the unit's label.
        missed: the images with most pixels of the label and none of the mask on it.
        labeled: pixels of the mask that have the unit's label, in given images, int64, shape (U, S); -1 where the image has no
            label of its category, or was not looked at.
    """

    on_concept: RankedImages
    missed: RankedImages
    labeled: NDArray[np.int64]

    @classmethod
    def empty(cls, shape: tuple[int, int], on_concept: int, missed: int) -> Self:
        """Return what is known before any look at S given images of U units, shape (U, S)."""
        units = shape[0]
        ranked = RankedImages.empty(units, on_concept), RankedImages.empty(units, missed)
        return cls(*ranked, np.full(shape, -1, np.int64))

    def merge(self, other: MaskLooks) -> MaskLooks:
        """Return what is known after both; neither is changed."""
        return MaskLooks(
            self.on_concept.merge(other.on_concept),
            self.missed.merge(other.missed),
            np.maximum(self.labeled, other.labeled),
        )

    def update(
        self,
        context: WorkerContext,
        layer: Layer,
        masks: ShardMasks,
        thresholds: NDArray[np.float32],
        columns: NDArray[np.int64],
        given: NDArray[np.int64],
        compared: ShardComparisons,
    ) -> None:
        """Look at the masks of a shard's images whose label maps have one size.

        Args:
            context: the worker's.
            layer: the layer.
            masks: its masks.
            thresholds: T_k, float32, shape (U,).
            columns: column of every unit's label, -1 for none, int64, shape (U,).
            given: given images, by their place in the shard, -1 for others, int64, shape (U, S).
            compared: their own labels.
        """
        primary = context.concepts.vocabulary.primary
        images, axes = len(masks.images), list_axes(layer, context.source.input_size, compared.size)
        amounts = _Amounts(np.zeros((images, primary.size), np.int32), np.ones(images, np.int64))
        _measure_labels(compared.labels, compared.lenders[:, 0], *amounts)
        found = (*self.on_concept.__dict__.values(), *self.missed.__dict__.values(), self.labeled)
        for part in masks.parts:
            order, pairs = np.argsort(part.candidates.pair_unit, kind="stable"), list_pairs(part.candidates)
            own = _Part(part.units, part.starts, order, part.areas)
            labels = (columns, primary, thresholds, given, masks.images)
            context.threads.split(
                part.units.size, _look_kernel, layer.grid, pairs, own, labels, axes, compared, amounts, found
            )


class _Amounts(NamedTuple):
    """How much is labeled in every image.

    Attributes:
        pixels: labeled pixels of every concept, int32, shape (n, C).
        times: bound on how often a pixel can have one label, int64, shape (n,).
    """

    pixels: NDArray[np.int32]
    times: NDArray[np.int64]


class _Part(NamedTuple):
    """A `MaskPart`, with the pairs in the order of units."""

    units: NDArray[np.int64]
    starts: NDArray[np.int64]
    order: NDArray[np.int64]
    areas: NDArray[np.int64]


@cached_njit()
def _measure_labels(labels, places, pixels, times):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for image in range(places.size):
        place = places[image]
        if place < 0:
            continue
        first, size = labels.first_segment[place], labels.maps.shape[1]
        in_segment = count_segment_pixels(labels, place)
        for segment in range(in_segment.size):
            columns = labels.columns[labels.first_column[first + segment] : labels.first_column[first + segment + 1]]
            for column in columns:
                pixels[image, column] += in_segment[segment]
                times[image] = max(times[image], (columns == column).sum())
        most = times[image]
        for column in labels.whole[labels.first_whole[place] : labels.first_whole[place + 1]]:
            if pixels[image, column]:
                times[image] = most + 1
            pixels[image, column] += size


@cached_njit()
def _look_kernel(first, last, grid_shape, pairs, part, labels, axes, compared, amounts, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    units, starts, order, areas = part
    columns, primary, thresholds, given, numbers = labels
    best_images, best_values, missed_images, missed_values, labeled = found
    lenders, images = compared.lenders[:, 0], compared.lenders.shape[0]
    space = _make_space(grid_shape, compared)
    pair_of, both = np.empty(images, np.int64), np.empty(images, np.int64)
    bound, truth = np.empty(images, np.int64), np.empty(images, np.int64)
    for u in range(first, last):
        unit = units[u]
        if unit < 0 or columns[unit] < 0:
            continue
        column, threshold, size = columns[unit], thresholds[unit], compared.labels.maps.shape[1]
        pair_of[:] = -1
        for pair in order[starts[u] : starts[u + 1]]:
            pair_of[pairs.image[pair]] = pair
        for image in range(images):
            area = areas[pair_of[image]] if pair_of[image] >= 0 else 0
            truth[image] = amounts.pixels[image, column] if lenders[image] >= 0 else 0
            bound[image] = min(area * amounts.times[image], truth[image])
            both[image] = -1 if bound[image] else 0  # -1 is not known yet
        while True:
            image = _find_next(bound, numbers, best_images[unit], best_values[unit])
            if image < 0:
                break
            both[image] = _look(pair_of[image], image, column, threshold, pairs, axes, compared, space)
            if both[image]:
                rank_image(best_images[unit], best_values[unit], numbers[image], both[image])
            bound[image] = 0
        for place in range(given.shape[1]):
            image = given[unit, place]
            if image < 0 or lenders[image] < 0 or not compared.labels.has_category[lenders[image], primary[column]]:
                continue
            if both[image] < 0:
                both[image] = _look(pair_of[image], image, column, threshold, pairs, axes, compared, space)
            labeled[unit, place] = both[image]
        while True:
            image = _find_next(truth, numbers, missed_images[unit], missed_values[unit])
            if image < 0:
                break
            pixels, truth[image] = truth[image], 0
            if both[image] < 0 and areas[pair_of[image]] + pixels // amounts.times[image] > size:
                continue  # they cannot lie beside each other
            if both[image] < 0:
                both[image] = _look(pair_of[image], image, column, threshold, pairs, axes, compared, space)
            if not both[image]:
                rank_image(missed_images[unit], missed_values[unit], numbers[image], pixels)


@cached_njit()
def _make_space(grid_shape, compared):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the arrays that a look at a mask writes to."""
    h, w = grid_shape
    most = np.int64(0)
    for image in range(compared.labels.first_segment.size - 1):
        most = max(most, compared.labels.first_segment[image + 1] - compared.labels.first_segment[image])
    mask = np.empty(compared.size[0] * compared.size[1] + compared.size[1], np.int32)
    return np.empty((h, w), np.float32), np.full((h + 1, w + 1), -1, np.int64), mask, np.empty(most, np.int64)


@cached_njit()
def _find_next(values, numbers, images, ranked):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the image with the highest value above 0, of equal ones that of the lowest number; -1 if it cannot be ranked."""
    best = -1
    for image in range(values.size):
        if values[image] > 0 and (
            best < 0
            or values[image] > values[best]
            or (values[image] == values[best] and numbers[image] < numbers[best])
        ):
            best = image
    if best < 0 or not ranked.size or values[best] < ranked[-1]:
        return -1
    return -1 if values[best] == ranked[-1] and numbers[best] > images[-1] else best


@cached_njit()
def _look(pair, image, column, threshold, pairs, axes, compared, space):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return how many pixels of a pair's mask have a label."""
    grid, visited, mask, times = space
    pixels = list_mask(pair, pairs, threshold, axes, compared.size[1], grid, visited, mask)
    labels, place = compared.labels, compared.lenders[image, 0]
    first = labels.first_segment[place]
    for segment in range(labels.first_segment[place + 1] - first):
        times[segment] = 0
        for at in range(labels.first_column[first + segment], labels.first_column[first + segment + 1]):
            times[segment] += labels.columns[at] == column
    both, segments = 0, labels.maps[place]
    for at in range(pixels):
        both += times[segments[mask[at]]]
    for at in range(labels.first_whole[place], labels.first_whole[place + 1]):
        both += pixels * (labels.whole[at] == column)
    return both
