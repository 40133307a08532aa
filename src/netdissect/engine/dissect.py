"""The algorithm: calibrate → scan → thresholds → tally → result, one forward pass (METHOD, § 1 to 3).

Scan and tally of a shard are pure functions of the shard and the settings; what they find merges by concatenation and
addition. That is all a runtime needs to know, and why the result is the same however the work is divided.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netdissect.engine.plan import Plan
from netdissect.engine.scan import Wanted
from netdissect.engine.tasks import Calibrate, Rescan, Scan, ShardTally, Tally, scans_of
from netdissect.engine.thresholds import Thresholds, allowed_above, exact_thresholds
from netdissect.protocols import Silent
from netdissect.results.counts import Counts
from netdissect.results.layer import Exemplars, LayerResult
from netdissect.stats.top import NONE, TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.config import Settings
    from netdissect.engine.scan import LayerScan
    from netdissect.engine.tasks import Store
    from netdissect.layers import Layer
    from netdissect.protocols import Progress
    from netdissect.results.layer import Activity

#: Images of a shard, and bytes of activations kept for calibration at most.
SHARD_SIZE = 256
_CALIBRATION_IMAGES = 256
_CALIBRATION_BYTES = 256 * 2**20


class Runtime(Protocol):
    """Maps a task over items."""

    def map(self, task: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a dissection found, and what it had to do.

    Attributes:
        layers: results by layer name.
        rescanned: units whose tail was too short, per layer.
    """

    layers: dict[str, LayerResult]
    rescanned: dict[str, list[int]] = field(default_factory=dict)


def dissect(
    runtime: Runtime,
    store: Store,
    layers: Sequence[Layer],
    vocabulary: Vocabulary,
    row: Callable[[int], int],
    plan: Plan,
    settings: Settings,
    progress: Progress | None = None,
) -> Outcome:
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

    Raises:
        ActivationError: if an activation is NaN or infinite.
    """
    progress = progress or Silent()
    quantile = settings.exact_quantile
    first, *others = plan.shards

    progress.start("scan", plan.images)
    wanted = Wanted(settings.images_per_unit, settings.image_maxima)
    ((bounds, activity),) = runtime.map(Calibrate(quantile, wanted), [first])
    for _ in runtime.map(Scan(bounds, wanted), others):
        pass

    thresholds: dict[str, Thresholds] = {}
    for layer in layers:
        allowed = allowed_above(quantile, plan.images * layer.grid[0] * layer.grid[1])
        thresholds[layer.name] = exact_thresholds(scans_of(store, plan, layer.name), layer.units, allowed)
    rescanned = _rescan_short(runtime, store, layers, plan, thresholds, settings, progress)

    progress.start("tally", plan.images)
    values = {name: found.value for name, found in thresholds.items()}
    tally = reduce(ShardTally.merge, runtime.map(Tally(values, rescanned), plan.shards))
    results = {
        layer.name: _result(layer, vocabulary, tally, values[layer.name], activity[layer.name], row, store, plan)
        for layer in layers
    }
    return Outcome(results, {name: units.tolist() for name, units in rescanned.items()})


def plan_for(layers: Sequence[Layer], images: int, settings: Settings, *, shard_size: int = SHARD_SIZE) -> Plan:
    """Return the order of a run; the calibration sample is as large as its activations may be in memory."""
    per_image = 4 * sum(layer.units * layer.grid[0] * layer.grid[1] for layer in layers)
    sample = min(_CALIBRATION_IMAGES, max(1, _CALIBRATION_BYTES // max(per_image, 1)))
    return Plan(images, settings.batch_size, shard_size, sample, settings.seed)


def _rescan_short(
    runtime: Runtime,
    store: Store,
    layers: Sequence[Layer],
    plan: Plan,
    thresholds: dict[str, Thresholds],
    settings: Settings,
    progress: Progress,
) -> dict[str, NDArray[np.int64]]:
    """Scan again, without a bound, the units whose tail could not prove their threshold."""
    units = {name: found.short for name, found in thresholds.items() if found.short.size}
    if not units:
        return {}
    progress.start("scan again", plan.images)
    for _ in runtime.map(Rescan(units), plan.shards):
        pass
    for layer in layers:
        if layer.name in units:
            short = units[layer.name]
            allowed = allowed_above(settings.exact_quantile, plan.images * layer.grid[0] * layer.grid[1])
            again = exact_thresholds(scans_of(store, plan, layer.name, "again"), short.size, allowed)
            thresholds[layer.name].value[short] = again.value
    return units


def _result(
    layer: Layer,
    vocabulary: Vocabulary,
    tally: ShardTally,
    thresholds: NDArray[np.float32],
    activity: Activity,
    row: Callable[[int], int],
    store: Store,
    plan: Plan,
) -> LayerResult:
    scans = scans_of(store, plan, layer.name)
    top = reduce(TopImages.merge, (found.top for found in scans()))
    highest = np.max([found.highest for found in scans()], axis=0)
    masks = tally.masks[layer.name]
    intersection = np.ascontiguousarray(masks.intersection[:, 1:])
    return LayerResult(
        layer=layer,
        vocabulary=vocabulary,
        counts=Counts(intersection, masks.per_category[:, vocabulary.primary], tally.labels),
        thresholds=thresholds,
        cells=plan.images * layer.grid[0] * layer.grid[1],
        exemplars=_exemplars(top, thresholds, row),
        activity=replace(activity, maximum=highest),
        image_maxima=_image_maxima(scans(), plan.images),
    )


def _image_maxima(scans: Iterable[LayerScan], images: int) -> NDArray[np.float32] | None:
    """Put the maxima of every (image, unit) in the probe set's order, shape (N, U); None if none were kept."""
    kept = [(found.images, found.maxima) for found in scans if found.maxima.size]
    if not kept:
        return None
    table = np.empty((images, kept[0][1].shape[1]), np.float32)
    for positions, maxima in kept:
        table[positions] = maxima
    return table


def _exemplars(top: TopImages, thresholds: NDArray[np.float32], row: Callable[[int], int]) -> Exemplars:
    """Store grids as 16-bit shares of their distance from the threshold: fine where the mask's edge runs."""
    excess = top.grids.astype(np.float64) - thresholds[:, None, None, None].astype(np.float64)
    excess[top.images == NONE] = 0
    scale = np.abs(excess).max(axis=(1, 2, 3), initial=0)
    scale[scale == 0] = 1
    grids = (excess / scale[:, None, None, None]).astype(np.float16)
    images = np.array([[-1 if n == NONE else row(int(n)) for n in unit] for unit in top.images], dtype=np.int64)
    maxima = np.where(images < 0, np.float32(0), top.maxima)
    return Exemplars(images.reshape(top.images.shape), maxima.astype(np.float32), grids, scale.astype(np.float32))
