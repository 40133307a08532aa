"""The scan: one forward pass over a shard, after which the network is not needed any more (docs/engine.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.engine.batch_scan import copy_grids, scan_batch
from netdissect.engine.calibrate import Bounds
from netdissect.engine.candidates import Candidates, join_candidates
from netdissect.engine.cuda_overlap import overlap_batches
from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.errors import ActivationError
from netdissect.stats.top_images import TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from netdissect.engine.plan import Shard
    from netdissect.engine.row_threads import RowThreads
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.layers import Layer


@dataclass(frozen=True, slots=True)
class LayerRequest:
    """What a scan keeps besides candidates.

    Attributes:
        images_per_unit: number of exemplars per unit.
        maxima: whether the maximum of every (image, unit) is kept.
        skip: whether an image that cannot be read is left out instead of ending the run.
        lowest: whether the smallest activation of every unit is kept.
    """

    images_per_unit: int
    maxima: bool = False
    skip: bool = False
    lowest: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LayerScan:
    """The scan of one layer over one shard of n images.

    Attributes:
        images: positions of the shard's images in the probe set, int64, shape (n,).
        bounds: the bounds it was scanned with.
        equal: number of cells exactly at the bound, for the units in `bounds.tied`, int64, shape (U,); 0 for others.
        candidates: the candidates.
        exemplars: the images that activate every unit most: the state of a TopImages.
        highest: largest activation of every unit, float32, shape (U,).
        maxima: maximum of every (image, unit), float32, shape (n, U); (0, U) unless it was requested.
        lowest: smallest activation of every unit, float32, shape (U,); infinity unless it was requested.
    """

    images: NDArray[np.int64]
    bounds: Bounds
    equal: NDArray[np.int64]
    candidates: Candidates
    exemplars: Mapping[str, NDArray[Any]]
    highest: NDArray[np.float32]
    maxima: NDArray[np.float32]
    lowest: NDArray[np.float32]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the scan as named arrays."""
        parts: dict[str, Mapping[str, Any]] = {
            "bounds": {name: getattr(self.bounds, name) for name in ("bound", "tied")},
            "candidates": {
                name: getattr(self.candidates, name)
                for name in ("pair_unit", "pair_image", "pair_start", "cells", "values")
            },
            "exemplars": self.exemplars,
        }
        arrays = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}
        whole = {name: getattr(self, name) for name in ("images", "equal", "highest", "maxima", "lowest")}
        return whole | arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LayerScan:
        """Return the scan from the arrays that `to_arrays` made."""

        def select_part(name: str) -> dict[str, Any]:
            return {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

        return cls(
            arrays["images"],
            Bounds(**select_part("bounds")),
            arrays["equal"],
            Candidates(units=arrays["equal"].size, **select_part("candidates")),
            select_part("exemplars"),
            arrays["highest"],
            arrays["maxima"],
            arrays["lowest"],
        )


class LayerScanner:
    """Builds the LayerScan of one layer, batch by batch."""

    def __init__(self, layer: Layer, units: int, bounds: Bounds, request: LayerRequest, threads: RowThreads) -> None:
        self._layer = layer
        self._bounds = bounds
        self._request = request
        self._threads = threads
        self._images: list[NDArray[np.int64]] = []
        self._blocks: list[Candidates] = []
        self._maxima: list[NDArray[np.float32]] = []
        self._equal = np.zeros(units, np.int64)
        self._highest = np.full(units, -np.inf, np.float32)
        self._lowest = np.full(units, np.inf, np.float32)
        self._top = TopImages.empty(units, request.images_per_unit, layer.grid)

    def update(self, images: NDArray[np.int64], activations: torch.Tensor, name: Callable[[int], str]) -> None:
        """Scan a batch.

        Args:
            images: positions of the batch's images in the probe set, shape (B,).
            activations: float32, shape (B, h, w, U), contiguous.
            name: returns the name of the image at a position, for messages.

        Raises:
            ActivationError: if an activation is NaN or infinite, naming layer, unit and image.
        """
        batch = scan_batch(activations, self._bounds, self._threads)
        if batch.non_finite.any():
            raise_non_finite(self._layer, batch.non_finite, images, name)
        self._blocks.append(batch.candidates)
        self._equal += batch.equal
        self._images.append(images)
        np.maximum(self._highest, batch.maxima.max(axis=0), out=self._highest)
        if self._request.lowest:
            np.minimum(self._lowest, activations.amin(dim=(0, 1, 2)).cpu().numpy(), out=self._lowest)
        if self._request.maxima:
            self._maxima.append(batch.maxima)
        self._top.update(images, batch.maxima, partial(copy_grids, activations, self._threads), self._bounds.floor)

    def finish(self) -> LayerScan:
        """Return the scan of all batches."""
        units = self._highest.size
        return LayerScan(
            np.concatenate([np.zeros(0, np.int64), *self._images]),
            self._bounds,
            self._equal,
            join_candidates(self._blocks, [images.size for images in self._images], units),
            self._top.state_dict(),
            self._highest,
            np.concatenate([np.zeros((0, units), np.float32), *self._maxima]),
            self._lowest,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ShardScan:
    """The scan of one shard.

    Attributes:
        layers: the scans of its layers, by layer name.
        skipped: why an image was left out, by its position in the probe set.
        fingerprints: hash of the network's input of every image that was read, in their order, uint32, shape (n,).
    """

    layers: Mapping[str, LayerScan]
    skipped: Mapping[int, str]
    fingerprints: NDArray[np.uint32]

    @classmethod
    def from_log(cls, layers: Mapping[str, LayerScan], log: ReadingLog) -> ShardScan:
        """Return the scan of images that were read with a log."""
        return cls(layers, log.skipped, np.fromiter(log.fingerprints.values(), np.uint32))


def scan_shard(context: WorkerContext, shard: Shard, bounds: Mapping[str, Bounds], request: LayerRequest) -> ShardScan:
    """Scan a shard.

    Args:
        context: network, probe set and threads.
        shard: the shard.
        bounds: the bounds of every layer.
        request: what is kept besides candidates.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read and may not be skipped.
    """
    scanners = {}
    for layer in context.source.layers:
        bound = bounds[layer.name]
        raised = replace(bound, floor=context.floors.raise_floor(layer.name, bound.floor))
        scanners[layer.name] = LayerScanner(layer, layer.units, raised, request, context.threads)
    scan = _run_scanners(context, shard, scanners, request, {})
    raise_floors(context, shard, scan)
    return scan


def raise_floors(context: WorkerContext, shard: Shard, scan: ShardScan) -> None:
    """Raise the floors of a worker by the exemplars of a shard that it has scanned."""
    context.floors.add(shard.number, {name: layer.exemplars["maxima"] for name, layer in scan.layers.items()})


def rescan_shard(
    context: WorkerContext, shard: Shard, units: Mapping[str, NDArray[np.int64]], request: LayerRequest
) -> ShardScan:
    """Scan a shard again for the few units whose tail was too short: without a bound and without exemplars.

    Args:
        context: network, probe set and threads.
        shard: the shard.
        units: the units to scan, by layer name.
        request: whether images that cannot be read are skipped.
    """
    candidates_only = LayerRequest(images_per_unit=0, skip=request.skip)
    scanners = {}
    for layer in context.source.layers:
        if layer.name in units:
            no_bounds = Bounds(np.full(units[layer.name].size, -np.inf, np.float32), np.zeros(0, np.int64))
            scanners[layer.name] = LayerScanner(
                layer, units[layer.name].size, no_bounds, candidates_only, context.threads
            )
    return _run_scanners(context, shard, scanners, request, units)


def _run_scanners(
    context: WorkerContext,
    shard: Shard,
    scanners: Mapping[str, LayerScanner],
    request: LayerRequest,
    units: Mapping[str, NDArray[np.int64]],
) -> ShardScan:
    """Run the network over a shard, and update every layer's scanner with all units, or with those in `units`."""
    log = ReadingLog(request.skip)
    for images, outputs in overlap_batches(run_batches(context, shard.batches, log)):
        for name, scanner in scanners.items():
            activations = outputs[name]
            if name in units:
                activations = activations[..., torch.from_numpy(units[name])].contiguous()
            scanner.update(images, activations, context.concepts.image_name)
        context.advance(images.size)
    return ShardScan.from_log({name: scanner.finish() for name, scanner in scanners.items()}, log)


def raise_non_finite(
    layer: Layer, non_finite: NDArray[np.bool_], images: NDArray[np.int64], name: Callable[[int], str]
) -> None:
    """Raise the error for a batch in which an activation is NaN or infinite.

    Args:
        layer: the layer.
        non_finite: which (image, unit) has such an activation, shape (B, U).
        images: positions of the batch's images in the probe set, shape (B,).
        name: returns the name of the image at a position.

    Raises:
        ActivationError: naming layer, unit and image.
    """
    image, unit = (int(axis[0]) for axis in np.nonzero(non_finite))
    raise ActivationError(
        f"layer {layer.name}, unit {unit + 1}: expected finite activations, got NaN or infinity on image "
        f"{name(int(images[image]))}; check the weights and the preprocessing"
    )
