"""Count the masks of blocks of units on all workers, and within scenes only where that can say something."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.tally_tasks import ShardTally, TallyTask
from netdissect.engine.trust_tables import TallyTables
from netdissect.results.trust import Within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.comparison_plan import TaskRuntime
    from netdissect.engine.comparisons import Comparisons
    from netdissect.engine.plan import Shard
    from netdissect.results.scores import Score


@dataclass(frozen=True, eq=False)
class MaskCounter:
    """Counts masks against label maps.

    Attributes:
        runtime: runs the tasks; its workers' context is a WorkerContext.
        pieces: the shards of every task.
        vocabulary: the concepts.
        score: what labels units.
        task: the task, without comparisons and units.
        exact: whether q is computed from the shifts of each unit alone.
    """

    runtime: TaskRuntime
    pieces: Sequence[Sequence[Shard]]
    vocabulary: Vocabulary
    score: Score
    task: TallyTask
    exact: bool

    def count(
        self, comparisons: Comparisons, rows: Mapping[str, NDArray[np.int64]], *, keep_areas: bool = False
    ) -> ShardTally:
        """Return the counts of units.

        Args:
            comparisons: the label maps that their masks are compared with.
            rows: the row of every unit in the tables, -1 for units that are not counted, by layer name.
            keep_areas: whether the area of every mask is stored.
        """
        task = replace(self.task, comparisons=comparisons, rows=rows, keep_areas=keep_areas)
        total: ShardTally = reduce(ShardTally.merge, self.runtime.map(task, self.pieces))
        return total

    def make_tables(self, tally: ShardTally, layer: str, comparisons: Comparisons) -> TallyTables:
        """Return the tables of a layer's units."""
        labels = tally.labels
        return TallyTables(
            tally.masks[layer], labels.pixels, labels.partial, comparisons, self.vocabulary, self.score, self.exact
        )

    def measure_within(
        self,
        comparisons: Comparisons,
        rows: Mapping[str, NDArray[np.int64]],
        labels: Mapping[str, NDArray[np.int32]],
        partial: NDArray[np.bool_],
    ) -> dict[str, Within]:
        """Return the best scores within scenes, by layer name; 0 for units whose label no image has in a part of its pixels.

        Those units are not counted, because images that exchange such labels within scenes mostly have the same.

        Args:
            comparisons: the comparisons within scenes.
            rows: as for `count`.
            labels: the column of the label of every unit that has a row, -1 for none, by layer name.
            partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
        """
        applies = {name: (label >= 0) & partial[label] for name, label in labels.items()}
        chosen = {name: _number_again(rows[name], applies[name]) for name in rows if applies[name].any()}
        tally = self.count(comparisons, chosen) if chosen else None
        assert comparisons.within is not None
        shifts = comparisons.within.shifts.stop - comparisons.within.shifts.start
        found = {}
        for name, applying in applies.items():
            observed, score = np.zeros(applying.size, np.float32), np.zeros((shifts, applying.size), np.float32)
            if tally is not None and name in chosen:
                part = self.make_tables(tally, name, comparisons).measure_within(labels[name][applying])
                assert part is not None
                observed[applying], score[:, applying] = part.observed, part.score
            found[name] = Within(comparisons.within.category, score, observed, applying, comparisons.within.left_out)
        return found


def _number_again(rows: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the rows of units if only the chosen ones among those that have a row are counted."""
    numbers = np.where(chosen, np.cumsum(chosen) - 1, -1)
    return np.where(rows < 0, -1, numbers[rows])
