"""Choose the exemplars of every unit besides the strongest: typical, on its label, missed, by level (docs/method.md, § 8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.exemplar_tasks import DrawTask, GridTask, LookTask
from netdissect.engine.level_images import load_levels
from netdissect.results.exemplar_groups import GROUP_SIZES, ExemplarGroup, ExemplarGroups
from netdissect.stats.top_images import NO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.exemplar_tasks import DrawnImages, FoundMasks
    from netdissect.engine.level_images import LevelImages
    from netdissect.engine.mask_looks import MaskLooks
    from netdissect.engine.plan import Shard
    from netdissect.engine.tally_tasks import TallyTask
    from netdissect.engine.worker_context import ArtifactStore
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.layer_result import LayerResult

#: Groups whose masks are rebuilt from the candidates; those of levels are known whole.
_REBUILT = ("typical", "on_concept", "missed")


@dataclass(frozen=True, eq=False)
class ExemplarChooser:
    """Chooses exemplars from the scans and areas of all shards, without the network.

    Attributes:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        store: where scans, areas and levels are kept.
        shards: all shards.
        concepts: the probe set.
        masks: the thresholds, and the label maps of the images; it counts nothing.
        seed: of the run.
    """

    runtime: TaskRuntime
    store: ArtifactStore
    shards: Sequence[Shard]
    concepts: ConceptSource
    masks: TallyTask
    seed: int

    def choose(self, layers: Mapping[str, LayerResult], progress: Progress) -> dict[str, ExemplarGroups]:
        """Return the groups of every layer, by layer name.

        Args:
            layers: the results, whose labels and strongest exemplars are known.
            progress: shows how many images are done.
        """
        progress.start("exemplars", sum(shard.images.size for shard in self.shards))
        rescanned, rows = self.masks.rescanned, self._list_rows()
        units = {name: layer.layer.units for name, layer in layers.items()}
        drawn: dict[str, DrawnImages] = self._map(DrawTask(units, rescanned, self.seed))
        levels = {name: load_levels(self.store, name) for name in layers}
        given = {
            name: np.concatenate(
                [_find_positions(rows, layer.exemplars.images), levels[name].images, _number(drawn[name].drawn.images)],
                axis=1,
            )
            for name, layer in layers.items()
        }
        columns = {name: layer.labels for name, layer in layers.items()}
        looks: dict[str, MaskLooks] = self._map(LookTask(self.masks, columns, given))
        chosen = {
            name: np.concatenate([given[name], _number(found.on_concept.images), _number(found.missed.images)], axis=1)
            for name, found in looks.items()
        }
        parts = self.runtime.map(GridTask(chosen, self.masks.thresholds, rescanned), self.shards)
        assembled = {
            name: _GroupAssembly(layer, chosen[name], levels[name], looks[name], rows) for name, layer in layers.items()
        }
        for part in parts:
            for name, found in part.items():
                assembled[name].add(found)
        return {name: assembly.finish(drawn[name].mask_pixels) for name, assembly in assembled.items()}

    def _map(self, task: Callable[[Any, Shard], dict[str, Any]]) -> dict[str, Any]:
        """Map a task over all shards, and merge what it returns, by layer name."""
        return reduce(_merge_layers, self.runtime.map(task, self.shards))

    def _list_rows(self) -> NDArray[np.int64]:
        """Return the row in ``index.csv`` of every position of the probe set, shape (N,)."""
        return np.array([self.concepts.row(image) for image in range(len(self.concepts))], np.int64)


class _GroupAssembly:
    """The exemplars of a layer, by slot: the strongest, the levels, and the groups whose masks are rebuilt."""

    def __init__(
        self,
        layer: LayerResult,
        chosen: NDArray[np.int64],
        levels: LevelImages,
        looks: MaskLooks,
        rows: NDArray[np.int64],
    ) -> None:
        self._layer, self._chosen, self._levels, self._rows = layer, chosen, levels, rows
        k = layer.exemplars.images.shape[1]
        sizes = {"strongest": k, "levels": GROUP_SIZES["levels"], **{name: GROUP_SIZES[name] for name in _REBUILT}}
        ends = np.cumsum(list(sizes.values())).tolist()
        self._slots = {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}
        self._areas = np.zeros(chosen.shape, np.int64)
        first = self._slots["typical"].start
        rebuilt = (len(chosen), chosen.shape[1] - first)
        self._maxima = np.full(rebuilt, np.nan, np.float32)
        self._grids = np.full((*rebuilt, *layer.layer.grid), -1, np.float16)
        both = np.where(looks.on_concept.images == NO_IMAGE, -1, looks.on_concept.values).astype(np.int64)
        none = np.where(looks.missed.images == NO_IMAGE, -1, 0)
        self._labeled = np.concatenate([looks.labeled, both, none], axis=1)

    def add(self, parts: Iterable[FoundMasks]) -> None:
        """Add the masks of a shard."""
        first, scale = self._slots["typical"].start, self._layer.exemplars.scale
        for part in parts:
            self._areas[part.unit, part.slot] = part.areas
            own = np.flatnonzero(part.slot >= first)
            unit, slot = part.unit[own], part.slot[own] - first
            self._maxima[unit, slot] = part.maxima[own]
            self._grids[unit, slot] = _scale_grids(part.excess[own], scale[unit])

    def finish(self, mask_pixels: NDArray[np.int64]) -> ExemplarGroups:
        """Return the groups."""
        strongest = self._slots["strongest"]
        groups = {name: self._make_rebuilt(name) for name in _REBUILT} | {"levels": self._make_levels()}
        return ExemplarGroups(self._areas[:, strongest], self._labeled[:, strongest], mask_pixels, **groups)

    def _make_rebuilt(self, name: str) -> ExemplarGroup:
        slots = self._slots[name]
        first = self._slots["typical"].start
        own = slice(slots.start - first, slots.stop - first)
        return self._make_group(slots, self._maxima[:, own], self._grids[:, own])

    def _make_levels(self) -> ExemplarGroup:
        layer, levels = self._layer, self._levels
        excess = levels.grids - layer.thresholds[:, np.newaxis, np.newaxis, np.newaxis]
        flat = excess.reshape(-1, *layer.layer.grid)
        grids = _scale_grids(flat, np.repeat(layer.exemplars.scale, levels.images.shape[1])).reshape(excess.shape)
        return self._make_group(self._slots["levels"], levels.maxima, grids)

    def _make_group(self, slots: slice, maxima: NDArray[np.float32], grids: NDArray[np.float16]) -> ExemplarGroup:
        """Return a group without what is left in empty places."""
        positions = self._chosen[:, slots]
        none = positions < 0
        images = np.where(none, -1, self._rows[positions])
        return ExemplarGroup(
            images,
            np.where(none, np.float32(0), maxima),
            np.where(none[:, :, np.newaxis, np.newaxis], np.float16(-1), grids),
            np.where(none, 0, self._areas[:, slots]),
            np.where(none, -1, self._labeled[:, slots]),
        )


def _scale_grids(excess: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return grids as `Exemplars` has them, at least -1, -1 where the excess is not known.

    Args:
        excess: activation − threshold, NaN where it is not known, shape (n, h, w).
        scale: what the grids of their units are divided by, shape (n,).
    """
    grids = excess.astype(np.float64) / scale.astype(np.float64)[:, np.newaxis, np.newaxis]
    return np.where(np.isnan(grids), -1, np.maximum(grids, -1)).astype(np.float16)


def _find_positions(rows: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions in the probe set of rows of ``index.csv``; -1 stays."""
    order = np.argsort(rows)
    found = order[np.minimum(np.searchsorted(rows, images, sorter=order), rows.size - 1)]
    return np.where(images >= 0, found, -1)


def _number(images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return image numbers with -1 in empty places."""
    return np.where(images == NO_IMAGE, -1, images)


def _merge_layers(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: found.merge(other[name]) for name, found in one.items()}
