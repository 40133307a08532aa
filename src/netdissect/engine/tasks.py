"""The tasks of a scan, which a runtime maps over shards: pure functions of their fields and the shard."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.engine.calibrate import Bounds
from netdissect.engine.calibration_scan import calibrate_shard
from netdissect.engine.scan import LayerScan, rescan_shard, scan_shard
from netdissect.layers import make_file_stem
from netdissect.results.layer_result import Activity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.engine.plan import Shard
    from netdissect.engine.scan import LayerRequest, ShardScan
    from netdissect.engine.worker_context import ArtifactStore, WorkerContext

#: The key of the bounds and activities computed from the calibration sample.
CALIBRATION_KEY = "calibration"


@dataclass(frozen=True, slots=True, eq=False)
class ShardReceipt:
    """The images that a finished and stored scan of a shard read or skipped.

    Attributes:
        images: number of images that were read.
        skipped: why an image was left out, by its position in the probe set.
        fingerprints: hash of the network's input of every image that was read, in their order, uint32, shape (n,).
    """

    images: int
    skipped: Mapping[int, str]
    fingerprints: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class CalibrationTask:
    """Scan the calibration sample, and store its scan, the bounds and the distribution of activations."""

    quantile: Fraction
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        bounds, activity, scan = calibrate_shard(context, shard, self.quantile, self.request)
        receipt = store_scan(context.store, shard, scan)
        arrays: dict[str, NDArray[Any]] = {}
        for name in bounds:
            arrays |= {f"{name}.bounds.{f.name}": getattr(bounds[name], f.name) for f in fields(Bounds)}
            arrays |= {f"{name}.activity.{f.name}": getattr(activity[name], f.name) for f in fields(Activity)}
        context.store.put(CALIBRATION_KEY, arrays)
        return receipt


@dataclass(frozen=True, eq=False)
class ScanTask:
    """Scan a shard and store the scan."""

    bounds: Mapping[str, Bounds]
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(context.store, shard, scan_shard(context, shard, self.bounds, self.request))


@dataclass(frozen=True, eq=False)
class RescanTask:
    """Scan a shard again for units whose tail was too short, and store this scan in addition to the first."""

    units: Mapping[str, NDArray[np.int64]]
    request: LayerRequest

    def __call__(self, context: WorkerContext, shard: Shard) -> ShardReceipt:
        """Scan the shard."""
        return store_scan(context.store, shard, rescan_shard(context, shard, self.units, self.request), "again")


def store_scan(store: ArtifactStore, shard: Shard, scan: ShardScan, kind: str = "scan") -> ShardReceipt:
    """Store the scan of a shard, its receipt last."""
    for name, layer_scan in scan.layers.items():
        store.put(_make_scan_key(shard.number, name, kind), layer_scan.to_arrays())
    images = shard.images.size - len(scan.skipped)
    reasons = np.array(list(scan.skipped.values()), dtype=np.str_)
    positions = np.array(list(scan.skipped), dtype=np.int64)
    arrays = {
        "images": np.array(images), "skipped": positions, "reasons": reasons, "fingerprints": scan.fingerprints
    }  # fmt: skip
    store.put(_make_receipt_key(shard, kind), arrays)
    return ShardReceipt(images, scan.skipped, scan.fingerprints)


def find_receipt(store: ArtifactStore, shard: Shard, layers: Sequence[str], kind: str = "scan") -> ShardReceipt | None:
    """Return the receipt of a shard whose scan is stored completely, else None."""
    key = _make_receipt_key(shard, kind)
    if key not in store or any(_make_scan_key(shard.number, layer, kind) not in store for layer in layers):
        return None
    arrays = store.get(key)
    reasons = [str(reason) for reason in arrays["reasons"]]
    skipped = dict(zip(arrays["skipped"].tolist(), reasons, strict=True))
    return ShardReceipt(int(arrays["images"]), skipped, arrays["fingerprints"])


def load_calibration(store: ArtifactStore, layers: Sequence[str]) -> tuple[dict[str, Bounds], dict[str, Activity]]:
    """Return the stored bounds of every layer, and how its activations are distributed."""
    arrays = store.get(CALIBRATION_KEY)

    def read(name: str, part: str, kind: Any) -> Any:
        return kind(**{f.name: arrays[f"{name}.{part}.{f.name}"] for f in fields(kind)})

    return (
        {name: read(name, "bounds", Bounds) for name in layers},
        {name: read(name, "activity", Activity) for name in layers},
    )


def load_layer_scan(store: ArtifactStore, number: int, layer: str, kind: str = "scan") -> LayerScan:
    """Return the stored scan of one layer over shard `number`."""
    return LayerScan.from_arrays(store.get(_make_scan_key(number, layer, kind)))


def _make_receipt_key(shard: Shard, kind: str) -> str:
    return f"{kind}-{shard.number:05d}"


def _make_scan_key(number: int, layer: str, kind: str) -> str:
    return f"{kind}-{number:05d}-{make_file_stem(layer)}"
