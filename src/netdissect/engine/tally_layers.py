"""The tally of all layers: map the counting of masks over shards, block of units by block of units, and score the counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.activation_tables import ActivationTables
from netdissect.engine.activation_tally import SumSteps, choose_steps
from netdissect.engine.activation_tasks import ActivationTask, merge_sums
from netdissect.engine.mask_counter import MaskCounter
from netdissect.engine.tally import choose_count_type
from netdissect.engine.tally_tasks import TallyTask
from netdissect.engine.trust_tables import join_trusts
from netdissect.results.counts import Counts
from netdissect.results.scores import IOU, ScoreTable, find_score
from netdissect.results.trust import Trust
from netdissect.stats.spread import draw_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.config import Settings
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.layers import Layer
    from netdissect.protocols import ConceptSource, Progress
    from netdissect.results.scores import Score

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
        score: the scores; None where they are IoU.
    """

    counts: Counts
    category_pixels: NDArray[np.int64]
    trust: Trust | None
    score: ScoreTable | None = None


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

    def at_quantile(self, quantile: Fraction) -> LayerTally:
        """Return a tally of masks at a quantile with the images' own labels alone; by IoU if the score is none of masks."""
        settings = replace(self.settings, quantile=float(quantile))
        score = self.score if self.score.of == "masks" else find_score(IOU)
        return replace(self, comparisons=self.comparisons.keep_own(), settings=settings, score=score)

    def count(
        self,
        thresholds: Mapping[str, NDArray[np.float32]],
        rescanned: Mapping[str, NDArray[np.int64]],
        progress: Progress,
        *,
        keep_areas: bool = False,
    ) -> dict[str, CountedLayer]:
        """Count every layer.

        Args:
            thresholds: T_k of every layer's units, float32, shape (U,).
            rescanned: units that were scanned again, by layer name.
            progress: shows how many images are done.
            keep_areas: whether the area of every mask is stored.
        """
        comparisons, within = self.comparisons.split()
        weights, most = self._draw_weights(), self._bound_counts()
        task = TallyTask(thresholds, rescanned, comparisons, {}, most, keep_labels=within is not None)
        vocabulary, exact = self.concepts.vocabulary, self.settings.null_exact
        counter = MaskCounter(self.runtime, self._pieces, vocabulary, self.score, task, exact)
        counted: dict[str, list[CountedLayer]] = {layer.name: [] for layer in self.layers}
        for block in self._divide_units(np.dtype(choose_count_type(most)).itemsize):
            rows = {
                layer.name: _number_rows(layer.units, *block[layer.name])
                for layer in self.layers
                if layer.name in block
            }
            progress.start("tally", self._count_images())
            tally = counter.count(comparisons, rows, keep_areas=keep_areas)
            tables = {name: counter.make_tables(tally, name, comparisons) for name in rows}
            trusts = {name: tables[name].measure(weights) for name in rows}
            if within is not None:
                progress.start("tally within scenes", self._count_images())
                labels = {name: tables[name].select_labels() for name in rows}
                for name, part in counter.measure_within(within, rows, labels, tally.labels.partial).items():
                    trusts[name] = replace(trusts[name] or Trust(), within=part)
            for name in rows:
                counted[name].append(CountedLayer(tables[name].count(), tally.labels.in_category, trusts[name]))
        joined = {name: _join_parts(parts, vocabulary) for name, parts in counted.items()}
        return {name: replace(layer, score=self.score_counts(layer.counts)) for name, layer in joined.items()}

    def make_task(
        self, thresholds: Mapping[str, NDArray[np.float32]], rescanned: Mapping[str, NDArray[np.int64]]
    ) -> TallyTask:
        """Return the task with the images' own labels alone, which counts no units; the arguments are those of `count`."""
        keep = self.comparisons.within is not None
        return TallyTask(thresholds, rescanned, self.comparisons.keep_own(), {}, self._bound_counts(), keep_labels=keep)

    def correlate(
        self, largest: Mapping[str, NDArray[np.float32]], progress: Progress
    ) -> dict[str, tuple[ScoreTable, Trust | None]]:
        """Score every layer by its activations without a threshold, in a second pass over the network for every block of units.

        Args:
            largest: largest absolute activation of every layer's units, float32, shape (U,).
            progress: shows how many images are done.

        Returns:
            the scores and the trust tables of every layer.
        """
        vocabulary, weights = self.concepts.vocabulary, self._draw_weights()
        steps = {name: choose_steps(values, self._count_pixels()) for name, values in largest.items()}
        scores: dict[str, list[NDArray[np.float64]]] = {layer.name: [] for layer in self.layers}
        trusts: dict[str, list[Trust | None]] = {layer.name: [] for layer in self.layers}
        blocks = list(self._divide_units(np.dtype(np.int64).itemsize))
        progress.start("activations", self._count_images() * len(blocks))
        for block in blocks:
            task = ActivationTask(steps, self.comparisons, block, skip=self.settings.on_error == "skip")
            for name, sums in reduce(merge_sums, self.runtime.map(task, self._pieces)).items():
                own = SumSteps(*(step[slice(*block[name])] for step in steps[name]))
                tables = ActivationTables(
                    sums, own, sums.partial > 0, self.comparisons, vocabulary, self.score, self.settings.null_exact
                )
                scores[name].append(tables.compute())
                trusts[name].append(tables.measure(weights))
        return {
            name: (ScoreTable(self.score.title, np.concatenate(parts)), join_trusts(trusts[name]))
            for name, parts in scores.items()
        }

    def score_counts(self, counts: Counts) -> ScoreTable | None:
        """Return the scores of counts; None if they are IoU."""
        if self.score.name == IOU:
            return None
        return ScoreTable(self.score.title, self.score.compute(counts, self.concepts.vocabulary))

    def _draw_weights(self) -> NDArray[np.int64]:
        folds = self.comparisons.folds
        return draw_weights(self.settings.resamples if folds > 1 else 0, folds, self.settings.seed)

    @property
    def _pieces(self) -> list[Sequence[Shard]]:
        return [self.shards[part :: self.parts] for part in range(min(self.parts, len(self.shards)))]

    def _count_images(self) -> int:
        return sum(shard.images.size for shard in self.shards)

    def _bound_counts(self) -> int:
        """Return a bound on all counts."""
        return self._count_pixels() * (1 if self.settings.quantile <= _SMALL_QUANTILE else _MOST_PLANES)

    def _count_pixels(self) -> int:
        """Return the number of pixels of the label maps of all images that were read."""
        images = np.flatnonzero(self.comparisons.lenders[0] >= 0).tolist()
        return sum(int(np.prod(self.concepts.label_size(image))) for image in images)

    def _divide_units(self, item_size: int) -> Iterator[dict[str, tuple[int, int]]]:
        """Yield blocks of units, by layer name, whose tables of such items fit into the memory; a block has at least one unit."""
        vocabulary = self.concepts.vocabulary
        each = self.comparisons.count * (len(vocabulary) + len(vocabulary.categories))
        room = max(1, self.memory // (each * item_size or 1))
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


def _number_rows(units: int, first: int, last: int) -> NDArray[np.int64]:
    """Return the row of every unit if those from `first` to before `last` are counted; -1 for others."""
    rows = np.arange(units) - first
    rows[:first] = rows[last:] = -1
    return rows


def _join_parts(parts: Sequence[CountedLayer], vocabulary: Vocabulary) -> CountedLayer:
    """Return the counts of a layer's units from those of consecutive units."""
    if not parts:
        none = np.zeros((0, len(vocabulary)), np.int64)
        counts = Counts(none, none, np.zeros(len(vocabulary), np.int64))
        return CountedLayer(counts, np.zeros(len(vocabulary.categories), np.int64), None)
    I, A = (np.concatenate([getattr(part.counts, name) for part in parts]) for name in ("I", "A"))
    trust = join_trusts([part.trust for part in parts])
    return CountedLayer(Counts(I, A, parts[0].counts.G), parts[0].category_pixels, trust)
