"""The tasks that choose exemplars besides the strongest, which a runtime maps over shards after the tally (docs/engine.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.engine.mask_areas import load_masks
from netdissect.engine.mask_looks import MaskLooks
from netdissect.results.exemplar_groups import GROUP_SIZES
from netdissect.stats.ranked_images import RankedImages, draw_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.engine.mask_areas import MaskPart, ShardMasks
    from netdissect.engine.plan import Shard
    from netdissect.engine.tally_tasks import TallyTask
    from netdissect.engine.worker_context import WorkerContext


@dataclass(frozen=True, eq=False)
class DrawnImages:
    """Images that were drawn in proportion to the area of a layer's masks.

    Attributes:
        drawn: the images.
        mask_pixels: label pixels of the masks of every unit in all images, int64, shape (U,).
    """

    drawn: RankedImages
    mask_pixels: NDArray[np.int64]

    def merge(self, other: DrawnImages) -> DrawnImages:
        """Return the images drawn from both; neither is changed."""
        return DrawnImages(self.drawn.merge(other.drawn), self.mask_pixels + other.mask_pixels)


@dataclass(frozen=True, eq=False)
class DrawTask:
    """Draw typical images of every unit from a shard.

    Attributes:
        units: number of units of every layer, by layer name.
        rescanned: units that were scanned again, by layer name.
        seed: of the run.
    """

    units: Mapping[str, int]
    rescanned: Mapping[str, NDArray[np.int64]]
    seed: int

    def __call__(self, context: WorkerContext, shard: Shard) -> dict[str, DrawnImages]:
        """Return the images that were drawn, by layer name."""
        found = {}
        for layer, units in self.units.items():
            masks = load_masks(context.store, shard.number, layer, self.rescanned)
            drawn, pixels = RankedImages.empty(units, GROUP_SIZES["typical"]), np.zeros(units, np.int64)
            for part in masks.parts:
                some = np.flatnonzero((part.areas > 0) & (part.pair_units >= 0))
                unit, areas = part.pair_units[some], part.areas[some]
                images = masks.images[part.candidates.pair_image[some]]
                drawn.update(unit, images, draw_values(self.seed, unit, images, areas))
                np.add.at(pixels, unit, areas)
            found[layer] = DrawnImages(drawn, pixels)
        return found


@dataclass(frozen=True, eq=False)
class LookTask:
    """Look at masks of a shard that may lie on the label of their unit.

    Attributes:
        masks: the thresholds, and the label maps of the images.
        columns: column of every unit's label, -1 for none, int64, shape (U,), by layer name.
        given: positions of images whose masks are looked at, -1 for none, int64, shape (U, S), by layer name.
    """

    masks: TallyTask
    columns: Mapping[str, NDArray[np.int64]]
    given: Mapping[str, NDArray[np.int64]]

    def __call__(self, context: WorkerContext, shard: Shard) -> dict[str, MaskLooks]:
        """Return what was found, by layer name."""
        found = {}
        compared = None
        for layer in context.source.layers:
            if layer.name not in self.columns:
                continue
            masks = load_masks(context.store, shard.number, layer.name, self.masks.rescanned)
            if compared is None:  # an image's labels are decoded once for all layers
                compared = self.masks.read_labels(context, masks.images)
            given = find_places(masks, self.given[layer.name])
            looks = MaskLooks.empty((given.shape[0], given.shape[1]), GROUP_SIZES["on_concept"], GROUP_SIZES["missed"])
            thresholds, columns = self.masks.thresholds[layer.name], self.columns[layer.name]
            for own in compared:
                looks.update(context, layer, masks, thresholds, columns, given, own)
            found[layer.name] = looks
        context.advance(shard.images.size)
        return found


class FoundMasks(NamedTuple):
    """Masks of m (unit, slot).

    Attributes:
        unit: int64, shape (m,).
        slot: int64, shape (m,).
        areas: label pixels of the mask, int64, shape (m,).
        maxima: the unit's maximum on the image, float32, shape (m,).
        excess: activation − threshold, float32, shape (m, h, w); NaN in cells that are no candidates.
    """

    unit: NDArray[np.int64]
    slot: NDArray[np.int64]
    areas: NDArray[np.int64]
    maxima: NDArray[np.float32]
    excess: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GridTask:
    """Collect the masks of chosen images of a shard.

    Attributes:
        chosen: positions of the images of every unit, -1 for none, int64, shape (U, S), by layer name.
        thresholds: T_k of every layer's units, float32, shape (U,).
        rescanned: units that were scanned again, by layer name.
    """

    chosen: Mapping[str, NDArray[np.int64]]
    thresholds: Mapping[str, NDArray[np.float32]]
    rescanned: Mapping[str, NDArray[np.int64]]

    def __call__(self, context: WorkerContext, shard: Shard) -> dict[str, list[FoundMasks]]:
        """Return the masks of those images of the shard that have any, by layer name."""
        found = {}
        for layer in context.source.layers:
            if layer.name not in self.chosen:
                continue
            masks = load_masks(context.store, shard.number, layer.name, self.rescanned)
            places = find_places(masks, self.chosen[layer.name])
            found[layer.name] = [
                _collect_masks(part, places, self.thresholds[layer.name], layer.grid, len(masks.images))
                for part in masks.parts
            ]
        return found


def find_places(masks: ShardMasks, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of images in a shard; -1 for images that it has not.

    Args:
        masks: the masks of the shard.
        positions: positions of images in the probe set, -1 for none.
    """
    if not masks.images.size:
        return np.full(positions.shape, -1, np.int64)
    order = np.argsort(masks.images)
    at = np.minimum(np.searchsorted(masks.images, positions, sorter=order), order.size - 1)
    return np.where(masks.images[order[at]] == positions, order[at], -1)


def _collect_masks(
    part: MaskPart, places: NDArray[np.int64], thresholds: NDArray[np.float32], grid: tuple[int, int], images: int
) -> FoundMasks:
    """Return the masks of a part in the images at places of the shard, shape (U, S)."""
    candidates, pair_units = part.candidates, part.pair_units
    pair_of = np.full((len(places), max(images, 1)), -1, np.int64)
    own = np.flatnonzero(pair_units >= 0)
    pair_of[pair_units[own], candidates.pair_image[own]] = own
    pairs = np.where(places >= 0, np.take_along_axis(pair_of, np.maximum(places, 0), axis=1), -1)
    unit, slot = np.nonzero(pairs >= 0)
    chosen = pairs[unit, slot]
    first, length = candidates.pair_start[chosen], np.diff(candidates.pair_start)[chosen]
    row = np.repeat(np.arange(chosen.size), length)
    at = np.arange(row.size) + np.repeat(first - np.cumsum(length) + length, length)
    excess = np.full((chosen.size, grid[0] * grid[1]), np.nan, np.float32)
    maxima = np.full(chosen.size, -np.inf, np.float32)
    np.maximum.at(maxima, row, candidates.values[at])
    excess[row, candidates.cells[at]] = candidates.values[at] - thresholds[unit[row]]
    return FoundMasks(unit, slot, part.areas[chosen], maxima, excess.reshape(-1, *grid))
