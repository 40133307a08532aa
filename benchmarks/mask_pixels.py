"""Label signatures and units' mask pixels of a finished run, collected in plain numpy from another pass of its network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.geometry.upsample import make_label_axes, upsample
from netdissect.protocols import read_segments
from netdissect.stats.signatures import Signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class LabelPixels:
    """The labels of N images of P label pixels each.

    Attributes:
        signatures: their S distinct signatures.
        of_pixel: signature of every pixel, int32, shape (N, P).
    """

    signatures: Signatures
    of_pixel: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class UnitPixels:
    """The pixels of one unit's masks.

    Attributes:
        image: image of every pixel, int32.
        pixel: its place in the image, int32.
    """

    image: NDArray[np.int32]
    pixel: NDArray[np.int32]

    def count(self, labels: LabelPixels, lender: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the signatures that the masks meet and their pixels; every image takes the labels of its lender, shape (N,)."""
        count = np.bincount(labels.of_pixel[lender[self.image], self.pixel], minlength=labels.signatures.pixels.size)
        met = np.flatnonzero(count)
        return met, count[met]


def collect_labels(concepts: Any) -> LabelPixels:
    """Return the labels of a probe set whose label maps have one size."""
    primary, numbers = concepts.vocabulary.primary, {}
    of_pixel = np.empty((len(concepts), np.prod(concepts.label_size(0))), np.int32)
    for image in range(len(concepts)):
        segments = read_segments(concepts, image)
        whole = {int(code) - 1 for code in segments.whole}
        parts = [frozenset(int(code) - 1 for code in row if code) | whole for row in segments.table]
        has = {int(primary[column]) for part in parts for column in part}
        presence = sum(1 << category for category in has)
        rows = [numbers.setdefault((tuple(sorted(part)), presence), len(numbers)) for part in parts]
        of_pixel[image] = np.array(rows, np.int32)[segments.map.reshape(-1)]
    columns = [np.array(key[0], np.int64) for key in numbers]
    start = np.cumsum([0, *map(len, columns)])
    signatures = Signatures(
        start, np.concatenate(columns), np.array([key[1] for key in numbers]),
        np.bincount(of_pixel.reshape(-1), minlength=len(numbers)), np.asarray(primary, np.int64),
    )  # fmt: skip
    return LabelPixels(signatures, of_pixel)


def collect_masks(result: Any, network: Any, concepts: Any, layers: Sequence[str]) -> dict[str, list[UnitPixels]]:
    """Return the mask pixels of all units of some layers, from another pass of the network."""
    size, labels = result.network.input_size, int(np.prod(concepts.label_size(0)))
    found: dict[str, list[list[NDArray[np.int32]]]] = {name: [] for name in layers}
    with network.probe(layers, size, geometry=result.settings.geometry, device=torch.device("cpu")) as probe:
        axes = {
            layer.name: make_label_axes(layer.field, layer.grid, size, concepts.label_size(0)) for layer in probe.layers
        }
        for first in range(0, len(concepts), _BATCH):
            images = range(first, min(first + _BATCH, len(concepts)))
            inputs = np.stack([probe.model_input(concepts, image) for image in images])
            for name, tensor in probe.activations(inputs).items():
                maps = tensor.numpy().transpose(0, 3, 1, 2)
                thresholds = np.asarray(result[name].thresholds, np.float32)
                for image, grids in zip(images, maps, strict=True):
                    active = np.flatnonzero((grids > thresholds[:, None, None]).any(axis=(1, 2)))
                    masks = upsample(grids[active], *axes[name]) > thresholds[active, None, None]
                    unit, pixel = np.nonzero(masks.reshape(active.size, labels))
                    found[name].append(np.stack([active[unit], np.full(unit.size, image), pixel]).astype(np.int32))
    return {
        name: _divide_by_unit(np.concatenate(rows, axis=1), result[name].thresholds.size)
        for name, rows in found.items()
    }


def _divide_by_unit(rows: NDArray[np.int32], units: int) -> list[UnitPixels]:
    rows = rows[:, np.argsort(rows[0], kind="stable")]
    ends = np.searchsorted(rows[0], np.arange(units + 1))
    return [UnitPixels(rows[1, a:b], rows[2, a:b]) for a, b in pairwise(ends)]
