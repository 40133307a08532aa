"""Exemplars of every unit chosen by other rules than the strongest activation: typical ones, on its label, missed, by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
