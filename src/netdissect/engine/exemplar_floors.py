"""Floors: maxima below which an image cannot become an exemplar. They rise with every shard a worker scans (decision 101)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class ExemplarFloors:
    """The k highest maxima of every unit, by layer, over the shards that a worker has scanned.

    An image below all of a unit's is no exemplar, so its activation map need not be copied, kept and merged. A worker's
    floors depend on the shards it was given; the exemplars of all shards do not.
    """

    def __init__(self) -> None:
        self._highest: dict[str, NDArray[np.float32]] = {}
        self._shards: set[int] = set()

    def add(self, shard: int, maxima: Mapping[str, NDArray[np.float32]]) -> None:
        """Add the exemplars of a shard; one that was added before is ignored.

        Args:
            shard: its number.
            maxima: by layer name, the maxima of every unit's exemplars, −inf for empty places, shape (U, k).
        """
        if shard in self._shards:
            return
        self._shards.add(shard)
        for layer, found in maxima.items():
            both = np.concatenate([self._highest.get(layer, found[:, :0]), found], axis=1)
            self._highest[layer] = np.sort(both, axis=1)[:, both.shape[1] - found.shape[1] :]

    def raise_floor(self, layer: str, floor: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Return the higher one of a layer's floor and a given one, float32, shape (U,); None if neither is known."""
        if layer not in self._highest:
            return floor
        own: NDArray[np.float32] = self._highest[layer].min(axis=1, initial=np.inf)
        return own if floor is None else np.maximum(own, floor)
