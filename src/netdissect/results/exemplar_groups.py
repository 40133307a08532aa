"""Exemplars of every unit chosen by other rules than the strongest activation: typical ones, on its label, missed, by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: The groups, in the order of the page, and the number of images of each.
GROUP_SIZES = {"typical": 10, "on_concept": 5, "missed": 5, "levels": 9}


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarGroup:
    """Images of every unit that were chosen by one rule.

    Attributes:
        images: rows in ``index.csv``, int64, shape (U, k); -1 where there are fewer than k images.
        maxima: the unit's maximum activation on each, float32, shape (U, k); NaN where the unit is below its bound everywhere.
        grids: (activation − threshold) / ``Exemplars.scale``, float16, shape (U, k, h, w), at least -1; -1 in cells that no edge
            of the mask depends on.
        pixels: label pixels of the unit's mask in each, int64, shape (U, k).
        labeled: those of them that have the unit's label, int64, shape (U, k); -1 where the image has no label of its category.
    """

    images: NDArray[np.int64]
    maxima: NDArray[np.float32]
    grids: NDArray[np.float16]
    pixels: NDArray[np.int64]
    labeled: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarGroups:
    """Exemplars besides the strongest ones.

    Attributes:
        pixels: label pixels of the unit's mask in each of the strongest exemplars (`Exemplars.images`), int64, shape (U, k).
        labeled: those of them that have the unit's label, int64, shape (U, k); -1 where the image has no label of its category.
        mask_pixels: |M_k|, label pixels of the unit's masks in all images, those without a label of its category too, int64,
            shape (U,).
        typical: images drawn in proportion to the area of the unit's mask: the pixels that IoU is made of.
        on_concept: images with most pixels of the mask on the unit's label.
        missed: images with most pixels of the unit's label outside its mask and none inside.
        levels: images at falling levels of the unit's activation.
    """

    pixels: NDArray[np.int64]
    labeled: NDArray[np.int64]
    mask_pixels: NDArray[np.int64]
    typical: ExemplarGroup
    on_concept: ExemplarGroup
    missed: ExemplarGroup
    levels: ExemplarGroup


class ExemplarImage(NamedTuple):
    """An exemplar of a unit.

    Attributes:
        row: the image's row in ``index.csv``, from 0.
        maximum: the unit's maximum activation on it; None if it is only known to lie far below the threshold.
        pixels: label pixels of the unit's mask in it; None for a run without groups.
        labeled: those of them that have the unit's label; None if the image has no label of its category, or without groups.
    """

    row: int
    maximum: float | None
    pixels: int | None
    labeled: int | None


def list_exemplars(layer: LayerResult, channel: int) -> dict[str, list[ExemplarImage]]:
    """Return the exemplars of a unit by group, ``"strongest"`` first; a run without groups has these alone.

    Args:
        layer: the unit's layer.
        channel: the unit's position in it, from 0.
    """
    groups, strongest = layer.groups, layer.exemplars
    none = np.full(strongest.images.shape, -1, np.int64)
    pixels, labeled = (none, none) if groups is None else (groups.pixels, groups.labeled)
    listed = {"strongest": _list_images(strongest.images, strongest.maxima, pixels, labeled, channel)}
    if groups is not None:
        for name in GROUP_SIZES:
            found: ExemplarGroup = getattr(groups, name)
            listed[name] = _list_images(found.images, found.maxima, found.pixels, found.labeled, channel)
    return listed


def _list_images(
    images: NDArray[np.int64],
    maxima: NDArray[np.float32],
    pixels: NDArray[np.int64],
    labeled: NDArray[np.int64],
    channel: int,
) -> list[ExemplarImage]:
    rows = zip(*(array[channel].tolist() for array in (images, maxima, pixels, labeled)), strict=True)
    return [
        ExemplarImage(row, None if np.isnan(maximum) else maximum, *(None if n < 0 else n for n in (own, both)))
        for row, maximum, own, both in rows
        if row >= 0
    ]
