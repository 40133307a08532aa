"""Reduce the tally's tables to best scores: by chance, within scenes, and on resampled images (docs/trust.md)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.results.counts import BestConcept, Counts, find_best_concepts
from netdissect.results.trust import Chance, Spread, Trust, Within
from netdissect.stats.spread import compute_honest, compute_logit_error, resample_best

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.engine.comparisons import Comparisons, LentTables
    from netdissect.engine.tally import MaskCounts
    from netdissect.results.activation_sums import ActivationSums
    from netdissect.results.scores import Score
    from netdissect.stats.spread import Measure

#: Scores that a compiled kernel resamples; others are computed resample by resample.
_COMPILED: dict[str, Measure] = {"iou": "iou", "f1": "f1"}


class ScoredTables:
    """Tables of some units of a layer, as scores read them: one for every fold, and one for every shift.

    Attributes:
        partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
        comparisons: what the tables hold.
        vocabulary: the concepts.
        score: what labels units.
        exact: whether q is computed from the shifts of each unit alone.
    """

    partial: NDArray[np.bool_]
    comparisons: Comparisons
    vocabulary: Vocabulary
    score: Score
    exact: bool = False

    @abstractmethod
    def count(self, table: int | None = None, row: int | None = None) -> Counts | ActivationSums:
        """Return what the score is computed from, of a table and a row of labels; None takes all images' own labels."""

    @abstractmethod
    def weigh(self, weight: NDArray[np.int64]) -> Counts | ActivationSums:
        """Return what the score is computed from, of a resample that draws every fold so often, shape (F,)."""

    def compute(self) -> NDArray[np.float64]:
        """Return the score of every unit and concept on all images, shape (U, C)."""
        return self.score.compute(self.count(), self.vocabulary)

    def measure(self, weights: NDArray[np.int64]) -> Trust | None:
        """Return the trust tables; None if nothing but the own labels was counted.

        Args:
            weights: how often a resample draws a fold, shape (B, F); B may be 0.
        """
        best = self._find_best(self.count())
        chance = self._measure_chance(self.comparisons.chance)
        within = self.measure_within(_select_labels(best))
        spread = self._measure_spread(weights, _select_labels(best)) if weights.size else None
        return None if chance is None and spread is None else Trust(chance, within, spread)

    def select_labels(self) -> NDArray[np.int32]:
        """Return the column of every unit's label, -1 for none, shape (U,)."""
        return _select_labels(self._find_best(self.count()))

    def _find_best(self, counts: Counts | ActivationSums) -> BestConcept:
        return find_best_concepts(self.score.compute(counts, self.vocabulary), self.vocabulary)

    def _measure_chance(self, lent: LentTables | None) -> Chance | None:
        if lent is None:
            return None
        shifts = [self._find_best(self.count(table, lent.label_row)) for table in _list_tables(lent.shifts)]
        observed = self._find_best(self.count(lent.observed, lent.label_row))
        return Chance(
            np.stack([best.score.max(axis=1, initial=0) for best in shifts]).astype(np.float32),
            np.stack([_select_labels(best) for best in shifts]),
            observed.score.max(axis=1, initial=0).astype(np.float32),
            lent.left_out,
            self.exact,
        )

    def measure_within(self, label: NDArray[np.int32]) -> Within | None:
        """Return the best scores among the concepts of the category of every unit's label; None if nothing was lent in scenes.

        Args:
            label: the column of every unit's label on all images, -1 for none, shape (U,).
        """
        lent, units = self.comparisons.within, np.arange(label.size)
        if lent is None:
            return None
        category = self.vocabulary.primary[label] if len(self.vocabulary) else np.zeros(label.size, np.int64)

        def score(table: int | None) -> NDArray[np.float32]:
            scores = self._find_best(self.count(table, lent.label_row)).score
            return np.where(label < 0, 0, scores[units, category]).astype(np.float32)

        return Within(
            lent.category,
            np.stack([score(table) for table in _list_tables(lent.shifts)]),
            score(lent.observed),
            (label >= 0) & self.partial[label],
            lent.left_out,
        )

    def _measure_spread(self, weights: NDArray[np.int64], label: NDArray[np.int32]) -> Spread:
        score, column, of_label = self.resample(weights, label)
        folds = self.comparisons.folds
        return Spread(score, column, compute_logit_error(of_label, folds), self.measure_honest(), folds)

    def resample(
        self, weights: NDArray[np.int64], label: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
        """Do what `resample_best` does for any score."""
        units = np.arange(label.size)
        best, of_label = [], []
        for weight in weights:
            scores = self.score.compute(self.weigh(weight), self.vocabulary)
            best.append(find_best_concepts(scores, self.vocabulary))
            of_label.append(np.where(label < 0, np.nan, scores[units, label]))
        return (
            np.stack([found.score for found in best]).astype(np.float32),
            np.stack([found.column for found in best]).astype(np.int32),
            np.stack(of_label),
        )

    def measure_honest(self) -> NDArray[np.float32]:
        """Do what `compute_honest` does for any score."""
        folds = self.comparisons.folds
        first = np.arange(folds) < folds // 2
        halves = [self.score.compute(self.weigh(half.astype(np.int64)), self.vocabulary) for half in (first, ~first)]
        labels = [_select_labels(find_best_concepts(scores, self.vocabulary)) for scores in halves]
        units = np.arange(len(labels[0]))
        held_out = [
            np.where(label < 0, 0, scores[units, label]) for label, scores in zip(labels, halves[::-1], strict=True)
        ]
        return np.asarray(sum(held_out) / 2, np.float32)


@dataclass(frozen=True, eq=False)
class TallyTables(ScoredTables):
    """Tables of the pixel counts of masks.

    Attributes:
        masks: the counts of their masks in T tables.
        labels: labeled pixels by row, int64, shape (L, C).
        partial: whether some image has a concept's label in a part of its pixels, bool, shape (C,).
        comparisons: what the tables hold.
        vocabulary: the concepts.
        score: what labels units.
        exact: whether q is computed from the shifts of each unit alone.
    """

    masks: MaskCounts
    labels: NDArray[np.int64]
    partial: NDArray[np.bool_]
    comparisons: Comparisons
    vocabulary: Vocabulary
    score: Score
    exact: bool = False

    def count(self, table: int | None = None, row: int | None = None) -> Counts:
        """Return the counts of a table over the images of a row of labels; None takes all images' own labels."""
        folds = self.comparisons.folds
        tables, rows = (slice(folds) if place is None else slice(place, place + 1) for place in (table, row))
        intersection = self.masks.intersection[:, tables].sum(axis=1, dtype=np.int64)
        per_category = self.masks.per_category[:, tables].sum(axis=1, dtype=np.int64)
        return Counts(
            intersection, per_category[:, self.vocabulary.primary], self.labels[rows].sum(axis=0, dtype=np.int64)
        )

    def weigh(self, weight: NDArray[np.int64]) -> Counts:
        """Return the counts of a resample of the folds."""
        folds = weight.size
        per_category = np.einsum("f,ufk->uk", weight, self.masks.per_category[:, :folds])
        return Counts(
            np.einsum("f,ufc->uc", weight, self.masks.intersection[:, :folds]),
            per_category[:, self.vocabulary.primary],
            weight @ self.labels[:folds],
        )

    def resample(
        self, weights: NDArray[np.int64], label: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
        """Do what `resample_best` does, which is compiled for some scores."""
        if self.score.name not in _COMPILED:
            return super().resample(weights, label)
        score, column, of_label = resample_best(*self._list_folds(), weights, label, _COMPILED[self.score.name])
        return np.minimum(score, 1), column, of_label

    def measure_honest(self) -> NDArray[np.float32]:
        """Do what `compute_honest` does, which is compiled for some scores."""
        if self.score.name not in _COMPILED:
            return super().measure_honest()
        return np.minimum(compute_honest(*self._list_folds(), _COMPILED[self.score.name]), 1)

    def _list_folds(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        """Return I, A and G of every fold, and the concepts' categories."""
        folds = self.comparisons.folds
        own = [np.moveaxis(table[:, :folds], 1, 0) for table in (self.masks.intersection, self.masks.per_category)]
        return own[0], own[1], self.labels[:folds], self.vocabulary.primary


def join_trusts(parts: Sequence[Trust | None]) -> Trust | None:
    """Return the trust tables of a layer's units from those of consecutive units."""
    if parts[0] is None or len(parts) == 1:
        return parts[0]
    return Trust(**{field.name: _join([getattr(part, field.name) for part in parts]) for field in fields(Trust)})


def _join(tables: Sequence[Any]) -> Any:
    """Join records whose arrays have units in axis 1, or in axis 0 if they have no other."""
    first = tables[0]
    if first is None:
        return None
    arrays = {
        field.name: [getattr(table, field.name) for table in tables]
        for field in fields(first)
        if isinstance(getattr(first, field.name), np.ndarray)
    }
    return replace(
        first, **{name: np.concatenate(values, axis=min(1, values[0].ndim - 1)) for name, values in arrays.items()}
    )


def _list_tables(tables: slice) -> range:
    return range(tables.start, tables.stop)


def _select_labels(best: BestConcept) -> NDArray[np.int32]:
    """Return the column of every unit's label, -1 for none, shape (U,)."""
    if not best.column.shape[1]:
        return np.full(len(best.category), -1, np.int32)
    column = best.column[np.arange(len(best.category)), best.category]
    return np.where(best.category < 0, -1, column).astype(np.int32)
