"""Combine the activation maps of the units that fire in one image: masks, sums of masks by concept, segmentations by units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.geometry.upsample import upsample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.geometry.upsample import UpsampleAxis


@dataclass(frozen=True, slots=True, eq=False)
class MaskAreas:
    """How much of an image masks take.

    Attributes:
        units: share of the image's pixels in the mask of every unit, float64, shape (n,).
        peaks: row and column of every unit's strongest pixel, int64, shape (n, 2).
        concepts: share of the pixels in the mask of at least one unit of every concept, float64, shape (c,).
        most: largest number of units of every concept at one pixel, int64, shape (c,).
    """

    units: NDArray[np.float64]
    peaks: NDArray[np.int64]
    concepts: NDArray[np.float64]
    most: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LookMaps:
    """Maps of the units of a layer over one image of H x W pixels.

    Attributes:
        masks: mask of every unit that fires, bool, shape (n, H, W).
        counts: for every concept that they detect, how many of its units have a pixel in their masks, uint16, shape (c, H, W).
        strongest: position of the strongest unit at every pixel, -1 where none fires, int64, shape (H, W).
        concept: position of the concept with most units at every pixel, of equals the one with the strongest unit; -1 where
            no unit fires, int64, shape (H, W).
        peaks: row and column of every unit's strongest pixel, int64, shape (n, 2).
    """

    masks: NDArray[np.bool_]
    counts: NDArray[np.uint16]
    strongest: NDArray[np.int64]
    concept: NDArray[np.int64]
    peaks: NDArray[np.int64]

    def measure(self) -> MaskAreas:
        """Return how much of the image the masks take."""
        return MaskAreas(
            self.masks.mean(axis=(1, 2)),
            self.peaks,
            (self.counts > 0).mean(axis=(1, 2)),
            self.counts.max(axis=(1, 2), initial=0).astype(np.int64),
        )


def combine_masks(
    grids: NDArray[np.float32],
    thresholds: NDArray[np.float32],
    spans: NDArray[np.float64],
    members: NDArray[np.int64],
    axes: tuple[UpsampleAxis, UpsampleAxis],
) -> LookMaps:
    """Return the maps of a layer's units over an image.

    Args:
        grids: activation maps, float32, shape (n, h, w).
        thresholds: the units' thresholds, float32, shape (n,).
        spans: what the distance from the threshold is divided by, so that units can be compared, float64, shape (n,).
        members: position of every unit's concept, int64, shape (n,), from 0 to c - 1.
        axes: the (y, x) axes on which the maps are upsampled.
    """
    size = axes[0].fraction.size, axes[1].fraction.size
    concepts = int(members.max(initial=-1)) + 1
    masks, counts = np.zeros((len(grids), *size), np.bool_), np.zeros((concepts, *size), np.uint16)
    best, best_of = np.full(size, -np.inf), np.full((concepts, *size), -np.inf)
    strongest, peaks = np.full(size, -1, np.int64), np.zeros((len(grids), 2), np.int64)
    for at, (grid, threshold, span, member) in enumerate(zip(grids, thresholds, spans, members, strict=True)):
        map_ = upsample(grid, *axes)
        mask = masks[at] = map_ > threshold
        height = (map_.astype(np.float64) - threshold) / span
        counts[member] += mask
        np.maximum(best_of[member], height, out=best_of[member], where=mask)
        higher = mask & (height > best)
        best[higher], strongest[higher] = height[higher], at
        peaks[at] = np.unravel_index(int(map_.argmax()), size)
    return LookMaps(masks, counts, strongest, _choose_concepts(counts, best_of), peaks)


def _choose_concepts(counts: NDArray[np.uint16], height: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the position of the concept with most units at every pixel, of equals the one with the strongest; -1 for none."""
    chosen = np.full(counts.shape[1:], -1, np.int64)
    most, best = np.zeros(counts.shape[1:], np.uint16), np.full(counts.shape[1:], -np.inf)
    for position, number in enumerate(counts):
        better = (number > most) | ((number == most) & (number > 0) & (height[position] > best))
        chosen[better], most[better], best[better] = position, number[better], height[position][better]
    return chosen
