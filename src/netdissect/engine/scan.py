"""The scan: one forward pass over a shard, from which everything else can be computed (docs/engine.md)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from netdissect.engine.calibrate import Bounds, calibrate
from netdissect.engine.candidates import Candidates, cell_type, extract, joined, measure
from netdissect.errors import ActivationError
from netdissect.stats.activity import ActivityStats
from netdissect.stats.top import TopImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.candidates import UnitPool
    from netdissect.engine.plan import Shard
    from netdissect.layers import Layer
    from netdissect.protocols import ActivationSource, ConceptSource

_T = TypeVar("_T")

#: Batches read ahead of the network.
_AHEAD = 2


@dataclass(frozen=True, slots=True, eq=False)
class LayerScan:
    """What the scan of one shard keeps of one layer.

    Attributes:
        images: positions of the shard's images in the probe set, int64, shape (n,).
        bounds: the bounds it was scanned with.
        equal: cells exactly at the bound, int64, shape (U,).
        candidates: the cells that can decide anything.
        top: the images that excite every unit most.
        activity: how the activations are distributed.
    """

    images: NDArray[np.int64]
    bounds: Bounds
    equal: NDArray[np.int64]
    candidates: Candidates
    top: TopImages
    activity: ActivityStats

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the scan as named arrays, to be stored."""
        parts: dict[str, Mapping[str, Any]] = {
            "bounds": {name: getattr(self.bounds, name) for name in Bounds.__slots__},
            "candidates": {name: getattr(self.candidates, name) for name in Candidates.__slots__},
            "top": self.top.state_dict(),
            "activity": self.activity.state_dict(),
        }
        arrays = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}
        return {"images": self.images, "equal": self.equal, **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LayerScan:
        """Return a scan from its arrays."""

        def part(name: str) -> dict[str, Any]:
            return {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}

        return cls(
            arrays["images"],
            Bounds(**part("bounds")),
            arrays["equal"],
            Candidates(**part("candidates")),
            TopImages.from_state_dict(part("top")),
            ActivityStats.from_state_dict(part("activity")),
        )


class LayerScanner:
    """Collects one layer's LayerScan, batch by batch."""

    def __init__(self, layer: Layer, bounds: Bounds, images_per_unit: int, pool: UnitPool) -> None:
        self._layer = layer
        self._bounds = bounds
        self._pool = pool
        self._seen: list[NDArray[np.int64]] = []
        self._blocks: list[Candidates] = []
        self._equal = np.zeros(layer.units, np.int64)
        self._top = TopImages.empty(layer.units, images_per_unit, layer.grid)
        self._activity = ActivityStats.empty(bounds.low, bounds.high)

    def see(self, images: NDArray[np.int64], activations: NDArray[np.float32], name: Callable[[int], str]) -> None:
        """See a batch.

        Args:
            images: positions of the batch's images in the probe set, shape (B,).
            activations: float32, shape (B, U, h, w).
            name: tells an image's name, for messages.

        Raises:
            ActivationError: if an activation is NaN or infinite, naming layer, unit and image.
        """
        bounds = self._bounds
        edges = (bounds.low, bounds.high)
        measures = measure(activations, bounds.bound, self._activity.histogram, edges, self._pool)
        if measures.broken != (-1, -1):
            image, unit = measures.broken
            raise ActivationError(
                f"layer {self._layer.name}, unit {unit + 1}: expected finite activations, got NaN or infinity on "
                f"image {name(int(images[image]))}; check the weights and the preprocessing"
            )
        first = sum(seen.size for seen in self._seen)
        self._blocks.append(extract(activations, bounds.bound, measures.needed, first, self._pool))
        self._seen.append(images)
        self._equal += measures.equal
        self._top.update(images, measures.peak, activations)
        cells = activations.shape[0] * activations.shape[2] * activations.shape[3]
        self._activity.update(measures.total, measures.lowest, measures.peak.max(axis=0), cells)

    def finish(self) -> LayerScan:
        """Return what was collected."""
        h, w = self._layer.grid
        return LayerScan(
            np.concatenate(self._seen) if self._seen else np.zeros(0, np.int64),
            self._bounds,
            self._equal,
            joined(self._blocks, self._layer.units, cell_type(h * w)),
            self._top.compute(),
            self._activity,
        )


def forward(
    batches: Sequence[NDArray[np.int64]], source: ActivationSource, concepts: ConceptSource, threads: int
) -> Iterator[tuple[NDArray[np.int64], Mapping[str, NDArray[np.float32]]]]:
    """Run the network once over batches of images, reading pictures ahead of it.

    Yields:
        the images' positions and, per layer, their activations, float32, shape (B, U, h, w).
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="pictures") as readers:

        def read(batch: NDArray[np.int64]) -> list[Any]:
            return [readers.submit(concepts.picture, int(image), source.input_size) for image in batch]

        for batch, reading in _ahead(((batch, read(batch)) for batch in batches), _AHEAD):
            pictures = np.stack([picture.result() for picture in reading])
            outputs = source.activations(pictures)
            yield batch, {name: _as_array(output) for name, output in outputs.items()}


def scan(
    shard: Shard,
    source: ActivationSource,
    concepts: ConceptSource,
    bounds: Mapping[str, Bounds],
    *,
    images_per_unit: int,
    pool: UnitPool,
    progress: Callable[[int], None],
) -> dict[str, LayerScan]:
    """Scan a shard; a pure function of its arguments, whose results merge over shards.

    Raises:
        ActivationError: if an activation is NaN or infinite.
    """
    scanners = {layer.name: LayerScanner(layer, bounds[layer.name], images_per_unit, pool) for layer in source.layers}
    for images, outputs in forward(shard.batches, source, concepts, pool.threads):
        for name, scanner in scanners.items():
            scanner.see(images, outputs[name], concepts.image_name)
        progress(len(images))
    return {name: scanner.finish() for name, scanner in scanners.items()}


def scan_and_calibrate(
    shard: Shard,
    source: ActivationSource,
    concepts: ConceptSource,
    *,
    quantile: Fraction,
    images_per_unit: int,
    pool: UnitPool,
    progress: Callable[[int], None],
) -> tuple[dict[str, Bounds], dict[str, LayerScan]]:
    """Scan the calibration sample, keeping its activations until they have given the bounds: no image runs twice."""
    batches: list[tuple[NDArray[np.int64], Mapping[str, NDArray[np.float32]]]] = []
    for images, outputs in forward(shard.batches, source, concepts, pool.threads):
        batches.append((images, {name: output.copy() for name, output in outputs.items()}))
        progress(len(images))
    bounds, scans = {}, {}
    for layer in source.layers:
        sample = np.concatenate([outputs[layer.name] for _, outputs in batches])
        _refuse_broken(layer, sample, shard, concepts)
        bounds[layer.name] = calibrate(sample, quantile, len(concepts), pool)
        scanner = LayerScanner(layer, bounds[layer.name], images_per_unit, pool)
        for images, outputs in batches:
            scanner.see(images, outputs[layer.name], concepts.image_name)
        scans[layer.name] = scanner.finish()
    return bounds, scans


def rescan(
    shard: Shard,
    source: ActivationSource,
    concepts: ConceptSource,
    bounds: Mapping[str, Bounds],
    units: Mapping[str, NDArray[np.int64]],
    *,
    pool: UnitPool,
    progress: Callable[[int], None],
) -> dict[str, LayerScan]:
    """Scan a shard again for the few units whose tail was too short; nothing else is looked at."""
    scanners = {
        layer.name: LayerScanner(replace(layer, units=units[layer.name].size), bounds[layer.name], 0, pool)
        for layer in source.layers
        if layer.name in units
    }
    for images, outputs in forward(shard.batches, source, concepts, pool.threads):
        for name, scanner in scanners.items():
            scanner.see(images, np.ascontiguousarray(outputs[name][:, units[name]]), concepts.image_name)
        progress(len(images))
    return {name: scanner.finish() for name, scanner in scanners.items()}


def _refuse_broken(layer: Layer, sample: NDArray[np.float32], shard: Shard, concepts: ConceptSource) -> None:
    finite = np.isfinite(sample)
    if not finite.all():
        image, unit = (int(axis[0]) for axis in np.nonzero(~finite)[:2])
        raise ActivationError(
            f"layer {layer.name}, unit {unit + 1}: expected finite activations, got NaN or infinity on image "
            f"{concepts.image_name(int(shard.images[image]))}; check the weights and the preprocessing"
        )


def _as_array(output: Any) -> NDArray[np.float32]:
    array: NDArray[np.float32] = output.detach().cpu().numpy()
    return array


def _ahead(items: Iterable[_T], count: int) -> Iterator[_T]:
    """Yield items, asking for each `count` items before it is needed."""
    source = iter(items)
    waiting = list(islice(source, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(source, 1))
