"""The scans of all shards: make those that are missing, and find the thresholds in them (docs/method.md, § 2)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.level_images import make_levels_key
from netdissect.engine.range_tally import QuantileThresholds
from netdissect.engine.scan import LayerRequest
from netdissect.engine.tasks import (
    CALIBRATION_KEY,
    CalibrationTask,
    RescanTask,
    ScanTask,
    find_receipt,
    load_calibration,
    load_layer_scan,
)
from netdissect.engine.thresholds import count_allowed_above, find_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.config import Settings
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.plan import Plan, Shard
    from netdissect.engine.scan import LayerScan
    from netdissect.engine.tasks import ShardReceipt
    from netdissect.engine.thresholds import Thresholds
    from netdissect.engine.worker_context import ArtifactStore
    from netdissect.layers import Layer
    from netdissect.protocols import Progress
    from netdissect.results.layer_result import Activity

_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True, eq=False)
class LayerScans:
    """The scans of all shards: made where they are missing, and read again.

    Attributes:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        store: where scans are kept.
        layers: the probed layers.
        plan: the shards, in the order in which they are scanned.
        settings: the quantiles, and what is kept of every unit.
        progress: shows how many images are done.
        lowest: whether every unit's lowest activation is kept.
    """

    runtime: TaskRuntime
    store: ArtifactStore
    layers: Sequence[Layer]
    plan: Plan
    settings: Settings
    progress: Progress
    lowest: bool

    @property
    def _request(self) -> LayerRequest:
        settings = self.settings
        return LayerRequest(
            settings.images_per_unit, settings.image_maxima, skip=settings.on_error == "skip", lowest=self.lowest
        )

    def scan(self) -> tuple[Mapping[str, Activity], dict[int, ShardReceipt], int]:
        """Scan every shard that is not stored yet, the calibration sample first.

        Returns:
            how each layer's activations are distributed, the receipts of all shards by number, and how many shards besides
            the calibration sample an earlier run had scanned.
        """
        names = [layer.name for layer in self.layers]
        self.progress.start("scan", self.plan.images)
        first, *others = self.plan.shards
        receipts = {shard.number: find_receipt(self.store, shard, names) for shard in self.plan.shards}
        kept = [CALIBRATION_KEY, *(make_levels_key(name) for name in names if self.settings.images_per_unit)]
        if receipts[0] is None or not all(key in self.store for key in kept):
            task = CalibrationTask(self.settings.largest_quantile, self._request)
            (receipts[0],) = self.runtime.map(task, [first])
            receipts |= dict.fromkeys(range(1, len(self.plan.shards)))  # scans with other bounds are not used
        finished = sum(receipts[shard.number] is not None for shard in others)
        if finished:
            _LOG.info("resuming: an earlier run finished %d of %d shards", finished + 1, len(self.plan.shards))
        bounds, activity = load_calibration(self.store, names)
        resumed = scan_missing(self.runtime, ScanTask(bounds, self._request), others, receipts, self.progress)
        return activity, {number: receipt for number, receipt in receipts.items() if receipt is not None}, resumed

    def find_thresholds(
        self, images: int, quantiles: Sequence[Fraction]
    ) -> tuple[list[QuantileThresholds], Mapping[str, NDArray[np.int64]]]:
        """Return T_k of every layer's units at several quantiles, and the units that were scanned again to find it.

        The bound of a unit may prove to lie above its threshold; such units are scanned again without a bound.
        """
        found = {layer.name: self._find_values(layer, layer.units, images, quantiles, "scan") for layer in self.layers}
        short = {name: np.unique(np.concatenate([entry.short for entry in entries])) for name, entries in found.items()}
        units = {name: numbers for name, numbers in short.items() if numbers.size}
        if units:
            self.progress.start("scan again", self.plan.images)
            shards = self.plan.shards
            receipts = {shard.number: find_receipt(self.store, shard, list(units), "again") for shard in shards}
            scan_missing(self.runtime, RescanTask(units, self._request), shards, receipts, self.progress)
        for layer in self.layers:
            if layer.name in units:
                numbers = units[layer.name]
                again = self._find_values(layer, numbers.size, images, quantiles, "again")
                for entry, replacement in zip(found[layer.name], again, strict=True):
                    entry.value[numbers] = replacement.value
        return [
            QuantileThresholds(quantile, {name: entries[place].value for name, entries in found.items()})
            for place, quantile in enumerate(quantiles)
        ], units

    def _find_values(
        self, layer: Layer, units: int, images: int, quantiles: Sequence[Fraction], kind: str
    ) -> list[Thresholds]:
        cells = images * layer.grid[0] * layer.grid[1]
        load = self.load(layer.name, kind)
        return [find_thresholds(load, units, count_allowed_above(quantile, cells)) for quantile in quantiles]

    def find_largest(self) -> dict[str, NDArray[np.float32]]:
        """Return the largest absolute activation of every layer's units, float32, shape (U,); it needs `lowest`."""
        return {
            layer.name: np.max(
                [np.maximum(abs(scan.highest), abs(scan.lowest)) for scan in self.load(layer.name)() if scan.images.size],
                axis=0,
            )
            for layer in self.layers
        }  # fmt: skip

    def load(self, layer: str, kind: str = "scan") -> Callable[[], Iterator[LayerScan]]:
        """Return a function that loads one layer's scans, one shard at a time."""
        return lambda: (load_layer_scan(self.store, shard.number, layer, kind) for shard in self.plan.shards)


def scan_missing(
    runtime: TaskRuntime,
    task: Callable[[Any, Shard], ShardReceipt],
    shards: Sequence[Shard],
    receipts: dict[int, ShardReceipt | None],
    progress: Progress,
) -> int:
    """Scan the shards that have no receipt, and add their receipts; return how many had one."""
    waiting = [shard for shard in shards if receipts[shard.number] is None]
    finished = [shard for shard in shards if receipts[shard.number] is not None]
    progress.advance(sum(shard.images.size for shard in finished))
    done = len(finished)
    try:
        for shard, receipt in zip(waiting, runtime.map(task, waiting), strict=True):
            receipts[shard.number] = receipt
            done += 1
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            f"interrupted after {done + 1} of {len(shards) + 1} shards; the same command continues from there"
        ) from interrupt
    return len(finished)
