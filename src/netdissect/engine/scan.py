"""The scan: one forward pass over a shard, from which everything else can be computed (docs/engine.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.engine.batch_scan import copy_grids, find_maxima, scan_batch
from netdissect.engine.calibrate import Bounds, calibrate
from netdissect.engine.candidates import Candidates, join_candidates
from netdissect.engine.cuda_overlap import overlap_batches
from netdissect.engine.forward import run_batches
from netdissect.errors import ActivationError, DataError
from netdissect.stats.top_images import TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.plan import Shard
    from netdissect.engine.row_threads import RowThreads
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.layers import Layer
    from netdissect.results.layer_result import Activity


@dataclass(frozen=True, slots=True)
class LayerRequest:
    """What a scan keeps besides candidates.

    Attributes:
        images_per_unit: exemplars of every unit.
        maxima: whether the maximum of every (image, unit) is kept.
        skip: whether an image that cannot be read is left out instead of ending the run.
    """

    images_per_unit: int
    maxima: bool = False
    skip: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LayerScan:
    """What the scan of one shard keeps of one layer.

    Attributes:
        images: positions of the shard's images in the probe set, int64, shape (n,).
        bounds: the bounds it was scanned with.
        equal: cells exactly at the bound, for the units where they may decide, int64, shape (U,).
        candidates: the cells that can decide anything.
        exemplars: the images that excite every unit most: the state of a TopImages.
        highest: largest activation of every unit, float32, shape (U,).
        maxima: maximum of every (image, unit), float32, shape (n, U), or (0, U) if they were not wanted.
    """

    images: NDArray[np.int64]
    bounds: Bounds
    equal: NDArray[np.int64]
    candidates: Candidates
    exemplars: Mapping[str, NDArray[Any]]
    highest: NDArray[np.float32]
    maxima: NDArray[np.float32]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the scan as named arrays, to be stored."""
        parts: dict[str, Mapping[str, Any]] = {
            "bounds": {name: getattr(self.bounds, name) for name in ("bound", "tied")},
            "candidates": {
                name: getattr(self.candidates, name)
                for name in ("pair_unit", "pair_image", "pair_start", "cells", "values")
            },
            "exemplars": self.exemplars,
        }
        arrays = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}
        return {"images": self.images, "equal": self.equal, "highest": self.highest, "maxima": self.maxima, **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LayerScan:
        """Return a scan from its arrays."""

        def part(name: str) -> dict[str, Any]:
            return {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

        return cls(
            arrays["images"],
            Bounds(**part("bounds")),
            arrays["equal"],
            Candidates(units=arrays["equal"].size, **part("candidates")),
            part("exemplars"),
            arrays["highest"],
            arrays["maxima"],
        )


class LayerScanner:
    """Collects one layer's LayerScan, batch by batch."""

    def __init__(
        self,
        layer: Layer,
        units: int,
        bounds: Bounds,
        wanted: LayerRequest,
        threads: RowThreads,
    ) -> None:
        self._layer = layer
        self._bounds = bounds
        self._wanted = wanted
        self._threads = threads
        self._images: list[NDArray[np.int64]] = []
        self._blocks: list[Candidates] = []
        self._maxima: list[NDArray[np.float32]] = []
        self._equal = np.zeros(units, np.int64)
        self._highest = np.full(units, -np.inf, np.float32)
        self._top = TopImages.empty(units, wanted.images_per_unit, layer.grid)

    def update(self, images: NDArray[np.int64], activations: torch.Tensor, name: Callable[[int], str]) -> None:
        """See a batch.

        Args:
            images: positions of the batch's images in the probe set, shape (B,).
            activations: float32, shape (B, h, w, U), contiguous.
            name: tells an image's name, for messages.

        Raises:
            ActivationError: if an activation is NaN or infinite, naming layer, unit and image.
        """
        found = scan_batch(activations, self._bounds, self._threads)
        if found.broken.any():
            raise_non_finite(self._layer, found.broken, images, name)
        self._blocks.append(found.candidates)
        self._equal += found.equal
        self._images.append(images)
        np.maximum(self._highest, found.most.max(axis=0), out=self._highest)
        if self._wanted.maxima:
            self._maxima.append(found.most)
        self._top.update(
            images,
            found.most,
            partial(copy_grids, activations, self._threads),
            self._bounds.floor,
        )

    def finish(self) -> LayerScan:
        """Return what was collected."""
        units = self._highest.size
        return LayerScan(
            np.concatenate([np.zeros(0, np.int64), *self._images]),
            self._bounds,
            self._equal,
            join_candidates(self._blocks, [images.size for images in self._images], units),
            self._top.state_dict(),
            self._highest,
            np.concatenate([np.zeros((0, units), np.float32), *self._maxima]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ShardScan:
    """What the scan of one shard found.

    Attributes:
        layers: by layer name.
        skipped: why an image was left out, by its position in the probe set.
    """

    layers: Mapping[str, LayerScan]
    skipped: Mapping[int, str]


def scan_shard(bench: WorkerContext, shard: Shard, bounds: Mapping[str, Bounds], wanted: LayerRequest) -> ShardScan:
    """Scan a shard; a pure function of the shard and the settings, whose results merge over shards.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read and may not be skipped.
    """
    skipped: dict[int, str] | None = {} if wanted.skip else None
    scanners = {
        layer.name: LayerScanner(layer, layer.units, bounds[layer.name], wanted, bench.threads)
        for layer in bench.source.layers
    }
    for images, outputs in overlap_batches(run_batches(bench, shard.batches, skipped)):
        for name, scanner in scanners.items():
            scanner.update(images, outputs[name], bench.concepts.image_name)
        bench.advance(images.size)
    return ShardScan({name: scanner.finish() for name, scanner in scanners.items()}, skipped or {})


def calibrate_shard(
    bench: WorkerContext, shard: Shard, quantile: Fraction, wanted: LayerRequest
) -> tuple[dict[str, Bounds], dict[str, Activity], ShardScan]:
    """Scan the calibration sample, keeping its activations until they have given the bounds: no image runs twice.

    Raises:
        ActivationError: if an activation is NaN or infinite.
        DataError: if an image cannot be read and may not be skipped, or none of the sample can.
    """
    skipped: dict[int, str] | None = {} if wanted.skip else None
    seen: list[tuple[NDArray[np.int64], dict[str, torch.Tensor]]] = []
    for images, outputs in run_batches(bench, shard.batches, skipped):
        for layer in bench.source.layers:
            broken = find_maxima(outputs[layer.name], bench.threads)[1]
            if broken.any():
                raise_non_finite(layer, broken, images, bench.concepts.image_name)
        seen.append((images, outputs))
        bench.advance(images.size)
    if not seen:
        raise DataError(
            f"none of the first {shard.images.size} images could be read: {next(iter((skipped or {}).values()))}"
        )
    bounds, activity, scans = {}, {}, {}
    for layer in bench.source.layers:
        sample = torch.cat([outputs[layer.name].flatten(1, 2) for _, outputs in seen])
        bounds[layer.name], activity[layer.name] = calibrate(sample, quantile, len(bench.concepts), bench.threads)
        scanner = LayerScanner(layer, layer.units, bounds[layer.name], wanted, bench.threads)
        for images, outputs in seen:
            scanner.update(images, outputs.pop(layer.name), bench.concepts.image_name)
        scans[layer.name] = scanner.finish()
        bounds[layer.name] = replace(bounds[layer.name], floor=_find_floor(scans[layer.name]))
    return bounds, activity, ShardScan(scans, skipped or {})


def _find_floor(sample: LayerScan) -> NDArray[np.float32]:
    """Return below which maximum no image can be an exemplar any more, for the sample has as many above, shape (U,)."""
    floor: NDArray[np.float32] = sample.exemplars["maxima"].min(axis=1, initial=np.inf)
    return floor


def rescan_shard(
    bench: WorkerContext, shard: Shard, units: Mapping[str, NDArray[np.int64]], wanted: LayerRequest
) -> ShardScan:
    """Scan a shard again for the few units whose tail was too short, without a bound; nothing else is looked at."""
    skipped: dict[int, str] | None = {} if wanted.skip else None
    scanners = {}
    for layer in bench.source.layers:
        if layer.name in units:
            none = Bounds(np.full(units[layer.name].size, -np.inf, np.float32), np.zeros(0, np.int64))
            only = LayerRequest(images_per_unit=0, skip=wanted.skip)
            scanners[layer.name] = LayerScanner(layer, units[layer.name].size, none, only, bench.threads)
    for images, outputs in overlap_batches(run_batches(bench, shard.batches, skipped)):
        for name, scanner in scanners.items():
            chosen = outputs[name][..., torch.from_numpy(units[name])].contiguous()
            scanner.update(images, chosen, bench.concepts.image_name)
        bench.advance(images.size)
    return ShardScan({name: scanner.finish() for name, scanner in scanners.items()}, skipped or {})


def raise_non_finite(
    layer: Layer, broken: NDArray[np.bool_], images: NDArray[np.int64], name: Callable[[int], str]
) -> None:
    """Refuse a batch in which an activation is NaN or infinite.

    Args:
        layer: the layer.
        broken: which (image, unit) is, shape (B, U).
        images: positions of the batch's images.
        name: tells an image's name.

    Raises:
        ActivationError: naming layer, unit and image.
    """
    image, unit = (int(axis[0]) for axis in np.nonzero(broken))
    raise ActivationError(
        f"layer {layer.name}, unit {unit + 1}: expected finite activations, got NaN or infinity on image "
        f"{name(int(images[image]))}; check the weights and the preprocessing"
    )
