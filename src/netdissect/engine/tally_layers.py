"""The tally of all layers: map the counting of masks over shards, block of units by block of units, and score the counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.tally import choose_count_type
from netdissect.engine.tasks import ShardTally, TallyTask
from netdissect.engine.trust_tables import TallyTables, join_trusts
from netdissect.results.counts import Counts
from netdissect.stats.spread import draw_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.config import Settings
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.scores import Score
    from netdissect.results.trust import Trust

#: With a quantile up to this, masks cover so little that no count exceeds the pixels of the label maps, even where several
#: planes have the same label; above, it may reach this multiple of them.
_SMALL_QUANTILE, _MOST_PLANES = 0.05, 8


@dataclass(frozen=True, eq=False)
class CountedLayer:
    """The counts of a layer, and its trust tables.

    Attributes:
        counts: the pixel counts I, A and G.
        category_pixels: label pixels of the images that have each category, int64, shape (K,).
        trust: the trust tables; None if nothing was compared but the images' own labels.
    """

    counts: Counts
    category_pixels: NDArray[np.int64]
    trust: Trust | None


@dataclass(frozen=True, eq=False)
class LayerTally:
    """Counts masks, and scores the counts.

    Attributes:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        shards: all shards.
        layers: the probed layers.
        concepts: the probe set.
        comparisons: what the masks are compared with.
        settings: quantile, resamples and seed.
        score: what labels units.
        memory: bytes of the tables that are counted at a time.
        parts: number of parts the shards are divided into; each returns its tables.
    """

    runtime: TaskRuntime
    shards: Sequence[Shard]
    layers: Sequence[Layer]
    concepts: ConceptSource
    comparisons: Comparisons
    settings: Settings
    score: Score
    memory: int
    parts: int

    def count(
        self,
        thresholds: Mapping[str, NDArray[np.float32]],
        rescanned: Mapping[str, NDArray[np.int64]],
        progress: Progress,
    ) -> dict[str, CountedLayer]:
        """Count every layer.

        Args:
            thresholds: T_k of every layer's units, float32, shape (U,).
            rescanned: units that were scanned again, by layer name.
            progress: shows how many images are done.
        """
        settings, vocabulary = self.settings, self.concepts.vocabulary
        weights = draw_weights(
            settings.resamples if self.comparisons.folds > 1 else 0, self.comparisons.folds, settings.seed
        )
        most = self._bound_counts()
        blocks = list(self._divide_units(most))
        progress.start("tally", sum(shard.images.size for shard in self.shards) * len(blocks))
        pieces = [self.shards[part :: self.parts] for part in range(min(self.parts, len(self.shards)))]
        counts: dict[str, list[Counts]] = {layer.name: [] for layer in self.layers}
        trusts: dict[str, list[Trust | None]] = {layer.name: [] for layer in self.layers}
        category_pixels = np.zeros(len(vocabulary.categories), np.int64)
        for block in blocks:
            task = TallyTask(thresholds, rescanned, self.comparisons, block, most)
            tally: ShardTally = reduce(ShardTally.merge, self.runtime.map(task, pieces))
            category_pixels = tally.category_pixels  # the same in every block
            for name, masks in tally.masks.items():
                tables = TallyTables(
                    masks, tally.labels, tally.partial, self.comparisons, vocabulary, self.score, settings.null_exact
                )
                counts[name].append(tables.count())
                trusts[name].append(tables.measure(weights))
        return {
            layer.name: CountedLayer(
                _join_counts(counts[layer.name], vocabulary), category_pixels, join_trusts(trusts[layer.name])
            )
            for layer in self.layers
        }

    def _bound_counts(self) -> int:
        """Return a bound on all counts."""
        pixels = sum(int(np.prod(self.concepts.label_size(image))) for image in self._list_read_images())
        return pixels if self.settings.quantile <= _SMALL_QUANTILE else _MOST_PLANES * pixels

    def _list_read_images(self) -> list[int]:
        return np.flatnonzero(self.comparisons.lenders[0] >= 0).tolist()

    def _divide_units(self, most: int) -> Iterator[dict[str, tuple[int, int]]]:
        """Yield blocks of units, by layer name, whose tables fit into the memory; a block has at least one unit."""
        vocabulary = self.concepts.vocabulary
        each = self.comparisons.count * (len(vocabulary) + len(vocabulary.categories))
        room = max(1, self.memory // (each * np.dtype(choose_count_type(most)).itemsize or 1))
        block: dict[str, tuple[int, int]] = {}
        left = room
        for layer in self.layers:
            first = 0
            while first < layer.units:
                last = min(layer.units, first + left)
                block[layer.name] = (first, last)
                left -= last - first
                first = last
                if not left:
                    yield block
                    block, left = {}, room
        if block:
            yield block


def _join_counts(parts: Sequence[Counts], vocabulary: Vocabulary) -> Counts:
    """Return the counts of a layer's units from those of consecutive units."""
    if not parts:
        none = np.zeros((0, len(vocabulary)), np.int64)
        return Counts(none, none, np.zeros(len(vocabulary), np.int64))
    return Counts(np.concatenate([part.I for part in parts]), np.concatenate([part.A for part in parts]), parts[0].G)
