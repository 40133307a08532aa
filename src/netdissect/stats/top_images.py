"""The images that activate every unit most, accumulated over batches and shards (paper, § 3: top activated images)."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

#: The image number of an empty place; larger than any other.
NO_IMAGE = np.iinfo(np.int64).max
#: Values of grids that are copied at once; without this limit, the first batch's grids would be in memory twice.
_PIECE = 2**20


@dataclass(eq=False)
class TopImages:
    """The k images with the highest maximum of every unit; of equal maxima the lower image number wins.

    Attributes:
        images: image numbers, int64, shape (U, k); NO_IMAGE for empty places.
        maxima: the unit's maximum on each image, float32, shape (U, k); −inf for empty places.
        grids: the unit's activation map on each image, float32, shape (U, k, h, w).
    """

    images: NDArray[np.int64]
    maxima: NDArray[np.float32]
    grids: NDArray[np.float32]

    @classmethod
    def empty(cls, units: int, k: int, grid: tuple[int, int]) -> Self:
        """Return an accumulator of no images."""
        return cls(
            np.full((units, k), NO_IMAGE, np.int64),
            np.full((units, k), -np.inf, np.float32),
            np.zeros((units, k, *grid), np.float32),
        )

    def update(
        self,
        numbers: NDArray[np.int64],
        peaks: NDArray[np.float32],
        copy_grids: Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]], None],
        floor: NDArray[np.float32] | None = None,
    ) -> None:
        """Add a batch.

        Args:
            numbers: image numbers, int64, shape (B,), or different ones for every unit, shape (B, U).
            peaks: maximum of every (image, unit), float32, shape (B, U).
            copy_grids: called with images and units of the batch, int64, shape (n,) each, an array of grids, float32,
                shape (places, h, w), and places in it, shape (n,); copies the activation maps there.
            floor: maxima below which an image cannot enter, float32, shape (U,).
        """
        if self.images.shape[1]:
            entered = np.full(self.images.shape, -1, np.int64)
            if floor is None:
                floor = np.full(self.images.shape[0], -np.inf, np.float32)
            every = np.broadcast_to(numbers.reshape(len(numbers), -1), peaks.shape)
            _update_kernel(self.images, self.maxima, every, peaks, floor, entered)
            units, slots = np.nonzero(entered >= 0)
            step = max(1, _PIECE // max(1, self.grids[0, 0].size))
            into, places = self.grids.reshape(-1, *self.grids.shape[2:]), units * self.images.shape[1] + slots
            for start in range(0, units.size, step):
                piece = slice(start, start + step)
                copy_grids(entered[units[piece], slots[piece]], units[piece], into, places[piece])

    def absorb_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add the images of another accumulator, given by its state, which is not changed."""
        images, maxima, grids = state["images"], state["maxima"], state["grids"]
        position = np.cumsum(images != NO_IMAGE).reshape(images.shape) - 1

        def copy_grids(
            places_there: NDArray[np.int64],
            units: NDArray[np.int64],
            into: NDArray[np.float32],
            places: NDArray[np.int64],
        ) -> None:
            into[places] = grids[position[units, places_there]]

        self.update(images.T, maxima.T, copy_grids)

    def merge(self, other: Self) -> Self:
        """Return an accumulator of the images of both; neither is changed."""
        both = copy.deepcopy(self)
        both.absorb_state(other.state_dict())
        return both

    def compute(self) -> Self:
        """Return the same images, ordered by falling maximum, then by rising number."""
        order = np.lexsort((self.images, -self.maxima), axis=1)
        rows = np.arange(self.images.shape[0])[:, None]
        return type(self)(self.images[rows, order], self.maxima[rows, order], self.grids[rows, order])

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the state as arrays, without the grids of empty places."""
        filled = self.images != NO_IMAGE
        grids = self.grids.reshape(-1, *self.grids.shape[2:]) if filled.all() else self.grids[filled]
        return {"images": self.images, "maxima": self.maxima, "grids": grids}


@cached_njit()
def _update_kernel(images, maxima, numbers, peaks, floor, entered):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Replace images by better ones of the batch; write the positions of these in the batch to `entered`."""
    for u in range(images.shape[0]):
        worst = -1
        for b in range(peaks.shape[0]):
            peak, number = peaks[b, u], numbers[b, u]
            if peak < floor[u] or number == NO_IMAGE:
                continue
            if worst < 0:  # for most units no image of a batch reaches the floor
                worst = _find_worst(images[u], maxima[u])
            if peak > maxima[u, worst] or (peak == maxima[u, worst] and number < images[u, worst]):
                images[u, worst] = number
                maxima[u, worst] = peak
                entered[u, worst] = b
                worst = _find_worst(images[u], maxima[u])


@cached_njit()
def _find_worst(images, maxima):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    worst = 0
    for i in range(1, images.size):
        if maxima[i] < maxima[worst] or (maxima[i] == maxima[worst] and images[i] > images[worst]):
            worst = i
    return worst
