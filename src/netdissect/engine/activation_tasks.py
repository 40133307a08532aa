"""Sum the activations of all images in a second pass over the network, for scores that take no threshold."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from netdissect.engine.activation_tally import ActivationTally, make_grid_sums
from netdissect.engine.cell_weights import weigh_cells
from netdissect.engine.forward import ReadingLog, run_batches
from netdissect.geometry.upsample import make_label_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.engine.activation_tally import GridSums, SumSteps
    from netdissect.engine.cell_weights import CellWeights
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.plan import Shard
    from netdissect.engine.worker_context import WorkerContext
    from netdissect.geometry.upsample import UpsampleAxis
    from netdissect.layers import Layer

#: Bytes of cell weights that a task keeps; an image lends its labels many times.
_KEPT_BYTES = 2**28


@dataclass(frozen=True, slots=True, eq=False)
class LabelRows:
    """Which images' labels an image's activations are summed over, and to which row of the tables.

    Attributes:
        own: row for an image's own labels, int32, shape (N,); -1 for none.
        lenders: position of the image whose labels it takes, for every further row, int32, shape (S, N); -1 for none.
        first: number of rows for own labels; the first of `lenders` has this row.
    """

    own: NDArray[np.int32]
    lenders: NDArray[np.int32]
    first: int

    @property
    def count(self) -> int:
        """Number of rows of the tables."""
        return self.first + len(self.lenders)

    def list_labels(self, image: int) -> list[tuple[int, int]]:
        """Return the rows of an image, each with the image whose labels it takes."""
        own = [(int(self.own[image]), image)] if self.own[image] >= 0 else []
        lent = [(self.first + row, int(lender)) for row, lender in enumerate(self.lenders[:, image]) if lender >= 0]
        return own + lent


@dataclass(frozen=True, eq=False)
class ActivationTask:
    """Sum the activations of some shards.

    Attributes:
        steps: the steps of every layer's sums, by layer name.
        rows: which labels they are summed over.
        skip: whether images that cannot be read are left out.
    """

    steps: Mapping[str, SumSteps]
    rows: LabelRows
    skip: bool

    def __call__(self, context: WorkerContext, shards: Sequence[Shard]) -> dict[str, ActivationTally]:
        """Sum the shards; the network sees the images of a batch together, as in the scan."""
        layers, vocabulary = context.source.layers, context.concepts.vocabulary
        sums = {layer.name: ActivationTally.empty(self.rows.count, layer.units, vocabulary) for layer in layers}
        weights = _WeightCache(context)
        for shard in shards:
            for images, outputs in run_batches(context, shard.batches, ReadingLog(self.skip)):
                for layer in layers:
                    batch = outputs[layer.name].cpu().numpy()
                    for image, cells in zip(images.tolist(), batch, strict=True):
                        listed = self.rows.list_labels(image)
                        entries = [(row, weights.find(lender, layer)) for row, lender in listed]
                        if entries:
                            sums[layer.name].update(
                                cells, weights.find_grid(image, layer), self.steps[layer.name], entries, vocabulary, context.threads
                            )  # fmt: skip
            context.advance(shard.images.size)
        return sums


def sum_activations(
    runtime: TaskRuntime, shards: Sequence[Shard], task: ActivationTask, parts: int
) -> dict[str, ActivationTally]:
    """Sum the activations of all shards, in so many parts.

    Returns:
        the sums of every layer, by layer name.
    """
    pieces = [shards[part::parts] for part in range(min(parts, len(shards)))]
    return reduce(_merge_sums, runtime.map(task, pieces))


def _merge_sums(left: dict[str, ActivationTally], right: dict[str, ActivationTally]) -> dict[str, ActivationTally]:
    return {name: sums.merge(right[name]) for name, sums in left.items()}


class _WeightCache:
    """Cell weights of images' labels on the grids of layers; the last ones that were used are kept."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._kept: OrderedDict[tuple[int, str], CellWeights] = OrderedDict()
        self._grids: dict[tuple[tuple[int, int], str], GridSums] = {}
        self._bytes = 0

    def find(self, image: int, layer: Layer) -> CellWeights:
        """Return the cell weights of an image's labels."""
        key = (image, layer.name)
        if key not in self._kept:
            labels, concepts = self._context.concepts.read_labels(image), self._context.concepts
            for each in self._context.source.layers:
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
