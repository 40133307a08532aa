"""The images with the highest values of every unit, whatever the values are, and random values that draw images by weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.stats.top_images import NO_IMAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RankedImages:
    """The k images with the highest value of every unit; of equal values the lower image number wins.

    Attributes:
        images: image numbers, best first, int64, shape (U, k); NO_IMAGE for empty places.
        values: their values, float64, shape (U, k); −inf for empty places.
    """

    images: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def empty(cls, units: int, k: int) -> Self:
        """Return an accumulator of no images."""
        return cls(np.full((units, k), NO_IMAGE, np.int64), np.full((units, k), -np.inf))

    def update(self, units: NDArray[np.int64], images: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add images of units; a unit may have each image once.

        Args:
            units: shape (n,).
            images: image numbers, shape (n,).
            values: above −inf, shape (n,).
        """
        if self.images.shape[1]:
            _rank_all(self.images, self.values, units, images, values)

    def merge(self, other: Self) -> Self:
        """Return an accumulator of the images of both; neither is changed."""
        both = type(self)(self.images.copy(), self.values.copy())
        units, places = np.nonzero(other.images != NO_IMAGE)
        both.update(units, other.images[units, places], other.values[units, places])
        return both


def draw_values(
    seed: int, units: NDArray[np.int64], images: NDArray[np.int64], weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return random values whose k highest draw k of a unit's images without replacement, in proportion to their weights.

    The first one drawn has the highest value. A value depends on the seed, the unit, the image and its weight alone, so that
    a draw from many images is the best of draws from parts of them (Efraimidis and Spirakis, 2006: Weighted random sampling
    with a reservoir).

    Args:
        seed: from 0 on.
        units: shape (n,).
        images: image numbers, shape (n,).
        weights: above 0, shape (n,).

    Returns:
        float64, below 0, shape (n,).
    """
    values = np.empty(units.size)
    _draw_values(np.uint64(seed), units, images, weights, values)
    return values


@cached_njit()
def rank_image(images, values, number, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Insert an image into the k best ones of a unit, best first, if it is one of them; arrays of shape (k,)."""
    place = images.size
    while place and (value > values[place - 1] or (value == values[place - 1] and number < images[place - 1])):
        if place < images.size:
            images[place], values[place] = images[place - 1], values[place - 1]
        place -= 1
    if place < images.size:
        images[place], values[place] = number, value


@cached_njit()
def _rank_all(images, values, units, numbers, added):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for at in range(units.size):
        rank_image(images[units[at]], values[units[at]], numbers[at], added[at])


@cached_njit()
def _draw_values(seed, units, images, weights, values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for at in range(units.size):
        mixed = _mix(_mix(_mix(seed) ^ np.uint64(units[at])) ^ np.uint64(images[at]))
        uniform = (np.float64(mixed >> np.uint64(11)) + 0.5) / 2.0**53
        values[at] = np.log(uniform) / weights[at]


@cached_njit()
def _mix(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the finalizer of SplitMix64 of 64 bits: every bit of the result depends on every bit of them."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
