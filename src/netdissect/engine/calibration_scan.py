"""The scan of the calibration sample, whose activations are kept until the bounds are known (docs/engine.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.batch_scan import find_maxima
from netdissect.engine.calibrate import calibrate
from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.engine.level_images import collect_levels, store_levels
from netdissect.engine.scan import LayerScanner, ShardScan, raise_floors, raise_non_finite
from netdissect.errors import DataError
from netdissect.results.exemplar_groups import GROUP_SIZES

if TYPE_CHECKING:
    from fractions import Fraction

    import torch
    from numpy.typing import NDArray

    from netdissect.engine.calibrate import Bounds
    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerRequest
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.results.layer_result import Activity


def calibrate_shard(
    context: WorkerContext, shard: Shard, quantile: Fraction, request: LayerRequest
) -> tuple[dict[str, Bounds], dict[str, Activity], ShardScan]:
    """Scan the calibration sample; its activations are kept until the bounds are known, so no image runs twice.

    Args:
        context: network, probe set and threads.
        shard: the calibration sample.
        quantile: q.
        request: what is kept besides candidates.

    Returns:
        the bounds of every layer, how its activations are distributed, and the scan.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read and may not be skipped, or if none can be read.
    """
    log = ReadingLog(request.skip)
    batches = _read_sample(context, shard, log)
    if not batches:
        raise DataError(
            f"none of the first {shard.images.size} images could be read: {next(iter(log.skipped.values()))}"
        )
    bounds, activity, scans = {}, {}, {}
    for layer in context.source.layers:
        parts = [outputs.pop(layer.name) for _, outputs, _ in batches]
        bound, activity[layer.name] = calibrate(parts, quantile, len(context.concepts), context.threads)
        peaks = np.concatenate([maxima[layer.name] for _, _, maxima in batches])
        floor = _find_floor(peaks, request.images_per_unit)
        bounds[layer.name] = replace(bound, floor=floor)
        scanner = LayerScanner(layer, layer.units, bounds[layer.name], request, context.threads)
        for (images, _, _), part in zip(batches, parts, strict=True):
            scanner.update(images, part, context.concepts.image_name)
        scans[layer.name] = scanner.finish()
        if request.images_per_unit:
            levels = collect_levels(scans[layer.name].images, peaks, parts, GROUP_SIZES["levels"], context.threads)
            store_levels(context.store, layer.name, levels)
    scan = ShardScan.from_log(scans, log)
    raise_floors(context, shard, scan)
    return bounds, activity, scan


def _read_sample(
    context: WorkerContext, shard: Shard, log: ReadingLog
) -> list[tuple[NDArray[np.int64], dict[str, torch.Tensor], dict[str, NDArray[np.float32]]]]:
    """Return the activations of the calibration sample and their maxima, batch by batch; refuse any that are not finite."""
    batches = []
    for images, outputs in run_batches(context, shard.batches, log):
        maxima = {}
        for layer in context.source.layers:
            maxima[layer.name], non_finite = find_maxima(outputs[layer.name], context.threads)
            if non_finite.any():
                raise_non_finite(layer, non_finite, images, context.concepts.image_name)
        batches.append((images, outputs, maxima))
        context.advance(images.size)
    return batches


def _find_floor(maxima: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return every unit's k-th highest maximum; an image below it cannot be an exemplar, shape (U,).

    Args:
        maxima: of every (image, unit), shape (n, U).
        k: number of exemplars per unit.
    """
    n, units = maxima.shape
    if not 0 < k <= n:
        return np.full(units, -np.inf, np.float32)
    floor: NDArray[np.float32] = np.partition(maxima, n - k, axis=0)[n - k]
    return floor
