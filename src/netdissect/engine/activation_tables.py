"""The tables of the activation tally, as scores read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.engine.trust_tables import ScoredTables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.activation_tally import ActivationTally, SumSteps
    from netdissect.engine.comparisons import Comparisons
    from netdissect.results.activation_sums import ActivationSums
    from netdissect.results.scores import Score


@dataclass(frozen=True, eq=False)
class ActivationTables(ScoredTables):
    """Tables of the sums of activations; labeled pixels are those of the labels that the images take.

    Attributes:
        sums: the sums in T tables.
        steps: their steps.
        partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
        comparisons: what the tables hold.
        vocabulary: the concepts.
        score: what labels units.
        exact: whether q is computed from the shifts of each unit alone.
    """

    sums: ActivationTally
    steps: SumSteps
    partial: NDArray[np.bool_]
    comparisons: Comparisons
    vocabulary: Vocabulary
    score: Score
    exact: bool = False

    def count(self, table: int | None = None, row: int | None = None) -> ActivationSums:  # noqa: ARG002 - a table has its own labels
        """Return the sums of a table; None takes all images' own labels."""
        if table is None:
            return self.weigh(np.ones(self.comparisons.folds, np.int64))
        return self.weigh(np.eye(1, self.comparisons.count, table, np.int64)[0])

    def weigh(self, weight: NDArray[np.int64]) -> ActivationSums:
        """Return the sums of the first tables, each counted so often; of a resample, if it weighs the folds."""
        return self.sums.make_sums(weight, self.steps, self.vocabulary)
