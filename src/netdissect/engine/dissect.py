"""The algorithm: calibrate → scan → thresholds → tally → result, in one forward pass (docs/method.md, § 1 to 3).

The scan and the tally of a shard are pure functions of the shard and the settings, but for exemplars that the worker knows
to be beaten; their results are merged by concatenation and addition. So the result does not depend on how shards are
divided among workers, and what an interrupted run has stored is not computed again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.choose_exemplars import ExemplarChooser
from netdissect.engine.comparison_plan import plan_comparisons
from netdissect.engine.layer_scans import LayerScans
from netdissect.engine.plan import Plan
from netdissect.engine.range_tally import count_ranges, list_quantiles
from netdissect.engine.tally_layers import LayerTally
from netdissect.errors import DataError
from netdissect.protocols import NullProgress
from netdissect.results.layer_result import Exemplars, LayerResult
from netdissect.stats.top_images import NO_IMAGE, TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.config import Settings
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.tally_layers import CountedLayer
    from netdissect.engine.worker_context import ArtifactStore
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.layer_result import Activity
    from netdissect.results.scores import Score

_LOG = logging.getLogger("netdissect")
#: Images of a shard, at least.
SHARD_SIZE = 256
#: Batches of a shard, at least: the last one of a shard is scanned while a GPU has no other to compute.
SHARD_BATCHES = 8
#: Images of the calibration sample, at most.
CALIBRATION_IMAGES = 256
#: Bytes of the tables of counts that are held at a time, unless they are given.
TABLE_MEMORY = 2**28
#: Bytes of the calibration sample's activations, at most.
CALIBRATION_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class DissectionOutcome:
    """The results of a dissection, and the facts of the run that they come from.

    Attributes:
        layers: results by layer name.
        images: number of images that were read.
        rescanned: units that were scanned again, by layer name.
        skipped: why an image was left out, by its position in the probe set.
        resumed: number of shards that an earlier run had scanned.
        notes: what a reader of the results should know about how they can be trusted.
    """

    layers: Mapping[str, LayerResult]
    images: int
    rescanned: Mapping[str, list[int]]
    skipped: Mapping[int, str]
    resumed: int
    notes: tuple[str, ...] = ()


def dissect_layers(
    runtime: TaskRuntime,
    store: ArtifactStore,
    layers: Sequence[Layer],
    concepts: ConceptSource,
    plan: Plan,
    settings: Settings,
    progress: Progress | None = None,
    *,
    score: Score,
    table_memory: int = TABLE_MEMORY,
    tally_parts: int = 1,
) -> DissectionOutcome:
    """Dissect layers of a network.

    Args:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        store: where scans are kept until the thresholds are known.
        layers: the probed layers.
        concepts: the probe set.
        plan: the shards, in the order in which they are scanned.
        settings: the quantile, what is kept of every unit, and how chance and uncertainty are measured.
        progress: shows how many images are done.
        score: what labels units.
        table_memory: bytes of the tables of counts that are held at a time.
        tally_parts: number of parts the tally is divided into; each returns a table of all units and concepts.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read, unless the settings skip it, or if none can be read.
    """
    progress = progress or NullProgress()
    scans = LayerScans(runtime, store, layers, plan, settings, progress, lowest=score.of == "activations")
    activity, receipts, resumed = scans.scan()
    images = sum(receipt.images for receipt in receipts.values())
    skipped = {image: reason for receipt in receipts.values() for image, reason in receipt.skipped.items()}
    if not images:
        raise DataError(f"none of the {plan.images} images could be read: {next(iter(skipped.values()))}")
    spans = settings.counted_ranges if len(concepts.vocabulary) else []
    at_quantiles, rescanned = scans.find_thresholds(images, list_quantiles(settings.exact_quantile, spans))
    thresholds = at_quantiles[0].values
    compared = plan_comparisons(runtime, concepts, plan, receipts, settings, progress)
    tally = LayerTally(
        runtime, plan.shards, layers, concepts, compared.comparisons, settings, score, table_memory, tally_parts
    )
    grouped = settings.images_per_unit > 0
    if score.of == "masks":
        counted = tally.count(thresholds, rescanned, progress, keep_areas=grouped)
    else:
        own = tally.at_quantile(settings.exact_quantile)
        counted = own.count(thresholds, rescanned, progress, keep_areas=grouped)
        for name, (scores, trust) in tally.correlate(scans.find_largest(), progress).items():
            counted[name] = replace(counted[name], score=scores, trust=trust)
    ranges = count_ranges(tally, spans, at_quantiles, counted, rescanned, progress)
    results = {
        layer.name: replace(
            _make_result(
                scans, layer, concepts, counted[layer.name], thresholds[layer.name], activity[layer.name], images
            ),
            ranges=ranges[layer.name],
        )
        for layer in layers
    }
    if grouped:
        chooser = ExemplarChooser(
            runtime, store, plan.shards, concepts, tally.make_task(thresholds, rescanned), settings.seed
        )
        groups = chooser.choose(results, progress)
        results = {name: replace(result, groups=groups[name]) for name, result in results.items()}
    again = {name: units.tolist() for name, units in rescanned.items()}
    return DissectionOutcome(results, images, again, skipped, resumed, compared.notes)


def make_plan(layers: Sequence[Layer], images: int, settings: Settings) -> Plan:
    """Return the plan of a run; its calibration sample is limited by the memory that the activations need."""
    per_image = 4 * sum(layer.units * layer.grid[0] * layer.grid[1] for layer in layers)
    sample = min(CALIBRATION_IMAGES, max(1, CALIBRATION_BYTES // max(per_image, 1)))
    assert settings.batch_size is not None  # it has been chosen for the device
    shard_size = settings.shard_size or max(SHARD_SIZE, SHARD_BATCHES * settings.batch_size)
    return Plan(images, settings.batch_size, shard_size, sample, settings.seed)


def _make_result(
    scans: LayerScans,
    layer: Layer,
    concepts: ConceptSource,
    counted: CountedLayer,
    thresholds: NDArray[np.float32],
    activity: Activity,
    images: int,
) -> LayerResult:
    """Merge the scans of one layer, and make its result."""
    top = TopImages.empty(layer.units, scans.settings.images_per_unit, layer.grid)
    highest = np.full(layer.units, -np.inf, np.float32)
    maxima: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    for scan in scans.load(layer.name)():
        top.absorb_state(scan.exemplars)
        np.maximum(highest, scan.highest, out=highest)
        if scan.maxima.size:
            maxima.append((scan.images, scan.maxima))
    return LayerResult(
        layer=layer,
        vocabulary=concepts.vocabulary,
        counts=counted.counts,
        thresholds=thresholds,
        cells=images * layer.grid[0] * layer.grid[1],
        exemplars=_make_exemplars(top.compute(), thresholds, concepts.row),
        activity=replace(activity, maximum=highest),
        image_maxima=_order_maxima(maxima, scans.plan.images),
        score_table=counted.score,
        trust=counted.trust,
        category_pixels=counted.category_pixels,
    )


def _order_maxima(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], images: int
) -> NDArray[np.float32] | None:
    """Return the maxima in the order of the probe set, shape (N, U), NaN for a skipped image; None if there are none."""
    if not parts:
        return None
    table = np.full((images, parts[0][1].shape[1]), np.nan, np.float32)
    for positions, maxima in parts:
        table[positions] = maxima
    return table


def _make_exemplars(top: TopImages, thresholds: NDArray[np.float32], row: Callable[[int], int]) -> Exemplars:
    """Return exemplars whose grids are 16-bit distances from the threshold: precise at the edge of the mask."""
    excess = top.grids.astype(np.float64) - thresholds[:, None, None, None].astype(np.float64)
    excess[top.images == NO_IMAGE] = 0
    scale = np.abs(excess).max(axis=(1, 2, 3), initial=0)
    scale[scale == 0] = 1
    grids = (excess / scale[:, None, None, None]).astype(np.float16)
    images = np.array([[-1 if n == NO_IMAGE else row(int(n)) for n in unit] for unit in top.images], dtype=np.int64)
    maxima = np.where(images < 0, np.float32(0), top.maxima)
    return Exemplars(images.reshape(top.images.shape), maxima.astype(np.float32), grids, scale.astype(np.float32))
