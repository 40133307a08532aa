"""The algorithm: calibrate → scan → thresholds → tally → result, one forward pass (docs/method.md, § 1 to 3).

Scan and tally of a shard are pure functions of the shard and the settings; what they find merges by concatenation and
addition. That is all a runtime needs to know, and why the result is the same however the work is divided. What is
stored already, by this run or by one that was interrupted, is not done again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netdissect.engine.plan import Plan
from netdissect.engine.scan import LayerRequest
from netdissect.engine.tasks import (
    CALIBRATION_KEY,
    CalibrationTask,
    RescanTask,
    ScanTask,
    ShardTally,
    TallyTask,
    find_receipt,
    load_calibration,
    load_layer_scan,
)
from netdissect.engine.thresholds import Thresholds, count_allowed_above, find_thresholds
from netdissect.errors import DataError
from netdissect.protocols import NullProgress
from netdissect.results.counts import Counts
from netdissect.results.layer_result import Exemplars, LayerResult
from netdissect.stats.top_images import NO_IMAGE, TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.config import Settings
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerScan
    from netdissect.engine.tasks import ShardReceipt
    from netdissect.engine.worker_context import ArtifactStore
    from netdissect.layers import Layer
    from netdissect.protocols import Progress
    from netdissect.results.layer_result import Activity

_LOG = logging.getLogger("netdissect")
#: Images of a shard; images, and bytes of activations, kept for calibration at most.
SHARD_SIZE = 256
CALIBRATION_IMAGES = 256
CALIBRATION_BYTES = 256 * 2**20


class ShardRuntime(Protocol):
    """Maps a task over items; its context is a Bench."""

    def map(self, task: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield ``task(bench, item)`` for every item, in the items' order."""
        ...


@dataclass(frozen=True, eq=False)
class DissectionOutcome:
    """What a dissection found, and what it had to do.

    Attributes:
        layers: results by layer name.
        images: number of images seen.
        rescanned: units whose tail was too short, per layer.
        skipped: why an image was left out, by its position in the probe set.
        resumed: number of shards that an earlier run had finished.
    """

    layers: Mapping[str, LayerResult]
    images: int
    rescanned: Mapping[str, list[int]]
    skipped: Mapping[int, str]
    resumed: int


def dissect_layers(
    runtime: ShardRuntime,
    store: ArtifactStore,
    layers: Sequence[Layer],
    vocabulary: Vocabulary,
    row: Callable[[int], int],
    plan: Plan,
    settings: Settings,
    progress: Progress | None = None,
    *,
    tally_parts: int = 1,
) -> DissectionOutcome:
    """Dissect layers of a network.

    Args:
        runtime: where the work is done; its context is a Bench.
        store: where scans are kept until the thresholds are known.
        layers: the probed layers.
        vocabulary: the probe set's concepts.
        row: tells an image's row in ``index.csv``.
        plan: which image is scanned when.
        settings: quantile and exemplars.
        progress: shown how far it is.
        tally_parts: pieces the tally is cut into; each gives back a table of all units and concepts.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read, and is not to be skipped.
    """
    progress = progress or NullProgress()
    names = [layer.name for layer in layers]
    wanted = LayerRequest(settings.images_per_unit, settings.image_maxima, skip=settings.on_error == "skip")

    progress.start("scan", plan.images)
    first, *others = plan.shards
    receipts = {shard.number: find_receipt(store, shard, names) for shard in plan.shards}
    if receipts[0] is None or CALIBRATION_KEY not in store:
        (receipts[0],) = runtime.map(CalibrationTask(settings.exact_quantile, wanted), [first])
        receipts |= dict.fromkeys(range(1, len(plan.shards)))
    finished = sum(receipts[shard.number] is not None for shard in others)
    if finished:
        _LOG.info("going on: %d of %d shards are there, finished by an earlier call", finished + 1, len(plan.shards))
    bounds, activity = load_calibration(store, names)
    resumed = _scan_missing(runtime, ScanTask(bounds, wanted), others, receipts, progress)
    images = sum(receipt.images for receipt in receipts.values() if receipt is not None)
    skipped = {n: why for receipt in receipts.values() if receipt is not None for n, why in receipt.skipped.items()}
    if not images:
        raise DataError(f"none of the {plan.images} images could be read: {next(iter(skipped.values()))}")

    thresholds: dict[str, Thresholds] = {}
    for layer in layers:
        allowed = count_allowed_above(settings.exact_quantile, images * layer.grid[0] * layer.grid[1])
        thresholds[layer.name] = find_thresholds(_make_scan_loader(store, plan, layer.name), layer.units, allowed)
    again = _rescan_units(runtime, store, layers, plan, thresholds, images, settings, wanted, progress)

    progress.start("tally", plan.images)
    values = {name: found.value for name, found in thresholds.items()}
    pieces = [plan.shards[part::tally_parts] for part in range(min(tally_parts, len(plan.shards)))]
    tally = reduce(ShardTally.merge, runtime.map(TallyTask(values, again), pieces))
    k = settings.images_per_unit
    results = {
        layer.name: _make_result(
            layer, vocabulary, tally, values[layer.name], activity[layer.name], row, store, plan, images, k
        )
        for layer in layers
    }
    return DissectionOutcome(results, images, {name: units.tolist() for name, units in again.items()}, skipped, resumed)


def make_plan(layers: Sequence[Layer], images: int, settings: Settings) -> Plan:
    """Return the order of a run; the calibration sample is as large as its activations may be in memory."""
    per_image = 4 * sum(layer.units * layer.grid[0] * layer.grid[1] for layer in layers)
    sample = min(CALIBRATION_IMAGES, max(1, CALIBRATION_BYTES // max(per_image, 1)))
    assert settings.batch_size is not None  # decided for the device
    return Plan(images, settings.batch_size, settings.shard_size or SHARD_SIZE, sample, settings.seed)


def _scan_missing(
    runtime: ShardRuntime,
    task: Callable[[Any, Shard], ShardReceipt],
    shards: Sequence[Shard],
    receipts: dict[int, ShardReceipt | None],
    progress: Progress,
) -> int:
    """Scan the shards that have no receipt yet; return how many had one."""
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
            f"interrupted after {done + 1} of {len(shards) + 1} shards; the same command goes on from there"
        ) from interrupt
    return len(finished)


def _rescan_units(
    runtime: ShardRuntime,
    store: ArtifactStore,
    layers: Sequence[Layer],
    plan: Plan,
    thresholds: Mapping[str, Thresholds],
    images: int,
    settings: Settings,
    wanted: LayerRequest,
    progress: Progress,
) -> dict[str, NDArray[np.int64]]:
    """Scan again, without a bound, the units whose tail could not prove their threshold."""
    units = {name: found.short for name, found in thresholds.items() if found.short.size}
    if not units:
        return {}
    progress.start("scan again", plan.images)
    receipts = {shard.number: find_receipt(store, shard, list(units), "again") for shard in plan.shards}
    _scan_missing(runtime, RescanTask(units, wanted), plan.shards, receipts, progress)
    for layer in layers:
        if layer.name in units:
            short = units[layer.name]
            allowed = count_allowed_above(settings.exact_quantile, images * layer.grid[0] * layer.grid[1])
            again = find_thresholds(_make_scan_loader(store, plan, layer.name, "again"), short.size, allowed)
            thresholds[layer.name].value[short] = again.value
    return units


def _make_scan_loader(
    store: ArtifactStore, plan: Plan, layer: str, kind: str = "scan"
) -> Callable[[], Iterator[LayerScan]]:
    """Return a function that gives one layer's scans, shard by shard, anew at every call."""
    return lambda: (load_layer_scan(store, shard.number, layer, kind) for shard in plan.shards)


def _make_result(
    layer: Layer,
    vocabulary: Vocabulary,
    tally: ShardTally,
    thresholds: NDArray[np.float32],
    activity: Activity,
    row: Callable[[int], int],
    store: ArtifactStore,
    plan: Plan,
    images: int,
    images_per_unit: int,
) -> LayerResult:
    top = TopImages.empty(layer.units, images_per_unit, layer.grid)
    highest = np.full(layer.units, -np.inf, np.float32)
    maxima: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for found in _make_scan_loader(store, plan, layer.name)():
        top.absorb(TopImages.from_state_dict(found.exemplars))
        np.maximum(highest, found.highest, out=highest)
        if found.maxima.size:
            maxima.append((found.images, found.maxima))
    masks = tally.masks[layer.name]
    intersection = np.ascontiguousarray(masks.intersection[:, 1:])
    return LayerResult(
        layer=layer,
        vocabulary=vocabulary,
        counts=Counts(intersection, masks.per_category[:, vocabulary.primary], tally.labels),
        thresholds=thresholds,
        cells=images * layer.grid[0] * layer.grid[1],
        exemplars=_make_exemplars(top.compute(), thresholds, row),
        activity=replace(activity, maximum=highest),
        image_maxima=_order_maxima(maxima, plan.images),
    )


def _order_maxima(
    kept: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], images: int
) -> NDArray[np.float32] | None:
    """Put the maxima in the probe set's order, shape (N, U), NaN for an image left out; None if none were kept."""
    if not kept:
        return None
    table = np.full((images, kept[0][1].shape[1]), np.nan, np.float32)
    for positions, maxima in kept:
        table[positions] = maxima
    return table


def _make_exemplars(top: TopImages, thresholds: NDArray[np.float32], row: Callable[[int], int]) -> Exemplars:
    """Store grids as 16-bit shares of their distance from the threshold: fine where the mask's edge runs."""
    excess = top.grids.astype(np.float64) - thresholds[:, None, None, None].astype(np.float64)
    excess[top.images == NO_IMAGE] = 0
    scale = np.abs(excess).max(axis=(1, 2, 3), initial=0)
    scale[scale == 0] = 1
    grids = (excess / scale[:, None, None, None]).astype(np.float16)
    images = np.array([[-1 if n == NO_IMAGE else row(int(n)) for n in unit] for unit in top.images], dtype=np.int64)
    maxima = np.where(images < 0, np.float32(0), top.maxima)
    return Exemplars(images.reshape(top.images.shape), maxima.astype(np.float32), grids, scale.astype(np.float32))
