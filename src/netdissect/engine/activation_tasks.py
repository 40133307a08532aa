"""Sum the activations of all images in a second pass over the network, for scores that take no threshold."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.activation_tally import ActivationTally, SumSteps, make_grid_sums
from netdissect.engine.cell_weights import weigh_cells
from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.geometry.upsample import make_label_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.engine.activation_tally import GridSums
    from netdissect.engine.cell_weights import CellWeights
    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.geometry.upsample import UpsampleAxis
    from netdissect.layers import Layer

#: Bytes of cell weights that a task keeps; an image lends its labels many times.
_KEPT_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class ActivationTask:
    """Sum the activations of some shards.

    Attributes:
        steps: the steps of every layer's sums, by layer name.
        comparisons: the label maps of every image, and the tables.
        block: first unit that is summed, and the end of the last, by layer name; other layers are left out.
        skip: whether images that cannot be read are left out.
    """

    steps: Mapping[str, SumSteps]
    comparisons: Comparisons
    block: Mapping[str, tuple[int, int]]
    skip: bool

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> dict[str, ActivationTally]:
        """Sum the shards; the network sees the images of a batch together, as in the scan."""
        vocabulary, lenders, tables = context.concepts.vocabulary, self.comparisons.lenders, self.comparisons.tables
        layers = [layer for layer in context.source.layers if layer.name in self.block]
        sums = {
            layer.name: ActivationTally.empty(
                self.comparisons.count, self.block[layer.name][1] - self.block[layer.name][0], vocabulary
            )
            for layer in layers
        }
        weights = _WeightCache(context, layers)
        for shard in shards:
            for images, outputs in run_batches(context, shard.batches, ReadingLog(self.skip)):
                for layer in layers:
                    units = slice(*self.block[layer.name])
                    batch = outputs[layer.name][..., units].contiguous().cpu().numpy()
                    steps = SumSteps(*(step[units] for step in self.steps[layer.name]))
                    for image, cells in zip(images.tolist(), batch, strict=True):
                        taken = np.flatnonzero(lenders[:, image] >= 0)
                        entries = [
                            (int(tables[row, image]), weights.find(int(lenders[row, image]), layer)) for row in taken
                        ]
                        grid = weights.find_grid(image, layer)
                        sums[layer.name].update(cells, grid, steps, entries, vocabulary, context.threads)
            context.advance(shard.images.size)
        return sums


def merge_sums(left: dict[str, ActivationTally], right: dict[str, ActivationTally]) -> dict[str, ActivationTally]:
    """Return the sums of both, by layer name; neither is changed."""
    return {name: sums.merge(right[name]) for name, sums in left.items()}


class _WeightCache:
    """Cell weights of images' labels on the grids of layers; the last ones that were used are kept."""

    def __init__(self, context: WorkerContext, layers: Sequence[Layer]) -> None:
        self._context = context
        self._layers = layers
        self._kept: OrderedDict[tuple[int, str], CellWeights] = OrderedDict()
        self._grids: dict[tuple[tuple[int, int], str], GridSums] = {}
        self._bytes = 0

    def find(self, image: int, layer: Layer) -> CellWeights:
        """Return the cell weights of an image's labels."""
        key = (image, layer.name)
        if key not in self._kept:
            labels, concepts = self._context.concepts.read_labels(image), self._context.concepts
            for each in self._layers:
                axes = self._make_axes(each, labels.shape)
                entry = weigh_cells(labels, *axes, len(concepts.vocabulary))
                self._bytes += entry.nbytes
                self._kept[image, each.name] = entry
        self._kept.move_to_end(key)
        found = self._kept[key]
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return found

    def find_grid(self, image: int, layer: Layer) -> GridSums:
        """Return how a layer's cells count in sums over an image's label map."""
        size = self._context.concepts.label_size(image)
        key = (size, layer.name)
        if key not in self._grids:
            self._grids[key] = make_grid_sums(*self._make_axes(layer, size))
        return self._grids[key]

    def _make_axes(self, layer: Layer, size: tuple[int, int]) -> tuple[UpsampleAxis, UpsampleAxis]:
        return make_label_axes(layer.field, layer.grid, self._context.source.input_size, size)
