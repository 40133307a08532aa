"""The area of every mask, which the tally finds and stores: with it, few masks need a second look to choose exemplars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.engine.tasks import load_layer_scan
from netdissect.layers import make_file_stem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.engine.candidates import Candidates
    from netdissect.engine.worker_context import ArtifactStore


class MaskPart(NamedTuple):
    """Masks of some units of a layer on the n images of a shard.

    Attributes:
        candidates: the candidates.
        units: the unit of the layer that each unit of the candidates is, -1 for units that another part has, int64, shape (u,).
        areas: label pixels of the mask of every pair, shape (P,).
    """

    candidates: Candidates
    units: NDArray[np.int64]
    areas: NDArray[np.int64]

    @property
    def pair_units(self) -> NDArray[np.int64]:
        """The unit of the layer of every pair; -1 for pairs that another part has, shape (P,)."""
        found: NDArray[np.int64] = self.units[self.candidates.pair_unit]
        return found

    @property
    def starts(self) -> NDArray[np.int64]:
        """Number of the first pair of every candidates' unit if pairs are ordered by unit, and the end of the last."""
        counts = np.bincount(self.candidates.pair_unit, minlength=self.candidates.units)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


@dataclass(frozen=True, eq=False)
class ShardMasks:
    """The masks of a layer on a shard.

    Attributes:
        images: positions of the shard's images in the probe set, int64, shape (n,).
        parts: the masks; every unit is in one part.
    """

    images: NDArray[np.int64]
    parts: tuple[MaskPart, ...]


def add_areas(store: ArtifactStore, shard: int, layer: str, kind: str, areas: NDArray[np.int32]) -> None:
    """Store the areas of some units' masks on a shard, beside those of others.

    Args:
        store: where scans are stored.
        shard: the shard's number.
        layer: the layer's name.
        kind: of the scan that has the candidates.
        areas: label pixels of the mask of every pair, 0 for units that are not counted, shape (P,).
    """
    key = _make_key(shard, layer, kind)
    if key in store:  # tables that do not fit into the memory are counted block of units by block of units
        areas = np.maximum(areas, store.get(key)["areas"])
    store.put(key, {"areas": areas.astype(np.min_scalar_type(int(areas.max(initial=0))))})


def load_masks(store: ArtifactStore, shard: int, layer: str, rescanned: Mapping[str, NDArray[np.int64]]) -> ShardMasks:
    """Return the masks of a layer on a shard; units that were scanned again have those of that scan alone.

    Args:
        store: where scans and areas are stored.
        shard: the shard's number.
        layer: the layer's name.
        rescanned: units that were scanned again, by layer name.
    """
    scan = load_layer_scan(store, shard, layer)
    units = np.arange(scan.candidates.units)
    again = rescanned.get(layer)
    if again is None:
        return ShardMasks(scan.images, (_make_part(store, shard, layer, "scan", scan.candidates, units),))
    units[again] = -1
    other = load_layer_scan(store, shard, layer, "again").candidates
    parts = (
        _make_part(store, shard, layer, "scan", scan.candidates, units),
        _make_part(store, shard, layer, "again", other, again),
    )
    return ShardMasks(scan.images, parts)


def _make_part(
    store: ArtifactStore, shard: int, layer: str, kind: str, candidates: Candidates, units: NDArray[np.int64]
) -> MaskPart:
    return MaskPart(candidates, units, store.get(_make_key(shard, layer, kind))["areas"].astype(np.int64))


def _make_key(shard: int, layer: str, kind: str) -> str:
    return f"areas-{kind}-{shard:05d}-{make_file_stem(layer)}"
