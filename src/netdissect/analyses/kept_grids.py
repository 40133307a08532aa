"""Activation maps on single images, from the scans that a run made with ``keep`` has left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.tasks import load_layer_scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerScan
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.results.layer_result import LayerResult
    from netdissect.run.finished_scans import FinishedScans


@dataclass(frozen=True, eq=False)
class KeptGridsTask:
    """Read the activation maps of all units on one image from the scan of its shard.

    Attributes:
        position: position of the image in the probe set.
        layers: the layers by name.
        rescanned: units that were scanned again, by layer name.
    """

    position: int
    layers: Mapping[str, LayerResult]
    rescanned: Mapping[str, NDArray[np.int64]]

    def __call__(self, context: WorkerContext, shard: Shard) -> dict[str, NDArray[np.float32]]:
        """Return the maps, float32, shape (U, h, w), by layer name.

        Cells that are no candidates have the unit's threshold: no pixel above it depends on them.
        """
        return {name: self._read_layer(context, shard, layer) for name, layer in self.layers.items()}

    def _read_layer(self, context: WorkerContext, shard: Shard, layer: LayerResult) -> NDArray[np.float32]:
        h, w = layer.layer.grid
        grids = np.repeat(layer.thresholds, h * w).reshape(layer.layer.units, h * w)
        for channels, scan in self._list_scans(context, shard, layer):
            at = int(np.flatnonzero(scan.images == self.position)[0])
            candidates = scan.candidates
            for pair in np.flatnonzero(candidates.pair_image == at):
                channel = int(channels[candidates.pair_unit[pair]])
                if channel >= 0:
                    part = slice(int(candidates.pair_start[pair]), int(candidates.pair_start[pair + 1]))
                    grids[channel, candidates.cells[part]] = candidates.values[part]
        return grids.reshape(-1, h, w)

    def _list_scans(
        self, context: WorkerContext, shard: Shard, layer: LayerResult
    ) -> Iterator[tuple[NDArray[np.int64], LayerScan]]:
        """Yield each scan of a shard, with the channel of each of its units, -1 for those that another scan has."""
        channels = np.arange(layer.layer.units)
        if layer.name in self.rescanned:
            again = self.rescanned[layer.name]
            channels[again] = -1
            yield again, load_layer_scan(context.store, shard.number, layer.name, "again")
        yield channels, load_layer_scan(context.store, shard.number, layer.name)


def read_kept_grids(
    scans: FinishedScans, layers: Mapping[str, LayerResult], position: int
) -> dict[str, NDArray[np.float32]] | None:
    """Return the activation maps of all units on one image, by layer name; None if the run left the image out.

    Args:
        scans: the scans that a run has kept.
        layers: layers of the run, by name.
        position: position of the image in the probe set.
    """
    shard = next((shard for shard in scans.plan.shards if position in shard.images), None)
    if shard is None or position in scans.receipts[shard.number].skipped:
        return None
    (grids,) = scans.runtime.map(KeptGridsTask(position, layers, scans.rescanned), [shard])
    found: dict[str, NDArray[np.float32]] = grids
    return found
