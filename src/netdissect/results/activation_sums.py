"""Compute Pearson's correlation and the cosine of units and concepts from sums of activations (docs/method.md, § 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A unit whose variance is a smaller share of its mean square is constant but for rounding.
_ROUNDING = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class ActivationSums:
    """Sums over pixels of a layer's upsampled activations, without a threshold.

    A pixel has the label of a concept or not, however many planes name it. `total`, `square` and `pixels` are over the images that
    have the concept's primary category.

    Attributes:
        product: Σ a_k·L_c, the sum of a unit's activation over the pixels of a concept, float64, shape (U, C).
        total: Σ a_k, float64, shape (U, C).
        square: Σ a_k², float64, shape (U, C).
        labeled: Σ L_c, number of labeled pixels of every concept, float64, shape (C,).
        pixels: number of pixels, float64, shape (C,).
    """

    product: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]
    labeled: NDArray[np.float64]
    pixels: NDArray[np.float64]

    def __post_init__(self) -> None:
        shapes = [array.shape for array in (self.product, self.total, self.square)]
        if len(set(shapes)) > 1 or {self.labeled.shape, self.pixels.shape} != {shapes[0][1:]}:
            raise ValueError(
                f"sums of shapes {shapes}, {self.labeled.shape} and {self.pixels.shape} do not fit together"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of units and of concepts, (U, C)."""
        return self.product.shape


def compute_pearson(sums: ActivationSums) -> NDArray[np.float64]:
    """Return Pearson's correlation of every unit's activation with every concept's label, shape (U, C).

    It is 0 where it would be negative, because a concept that a unit avoids is no label of it, and for a unit or a label that is the
    same everywhere.
    """
    n, labeled = sums.pixels, sums.labeled
    shared = n * sums.product - sums.total * labeled
    of_unit = n * sums.square - sums.total**2
    of_unit[of_unit <= _ROUNDING * n * sums.square] = 0
    return _divide_clipped(shared, of_unit * (labeled * (n - labeled)))


def compute_cosine(sums: ActivationSums) -> NDArray[np.float64]:
    """Return the cosine of every unit's activation with every concept's label, Σ a·L / √(Σ a² · Σ L), shape (U, C).

    It is 0 where it would be negative, and for a unit or a label that is 0 everywhere.
    """
    return _divide_clipped(sums.product, sums.square * sums.labeled)


def _divide_clipped(shared: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shared / √squared, at least 0 and, against rounding, at most 1; 0 where `squared` is 0."""
    result = np.zeros(shared.shape)
    np.divide(shared, np.sqrt(np.maximum(squared, 0)), out=result, where=squared > 0)
    return np.clip(result, 0, 1, out=result)
