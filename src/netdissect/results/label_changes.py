"""Compare the labels of the same units in two runs, where resamples keep both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: A label counts as kept if more than this share of resamples gives it; about as many such labels are right (docs/trust.md, § 5).
KEPT = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class LayerLabels:
    """The labels of a layer's units in one run.

    Attributes:
        run: the run's name.
        layer: the layer's name.
        names: name of every concept, by column.
        column: column of every unit's label, int64, shape (U,); -1 for none.
        score: its score, float64, shape (U,).
        keep: share of resamples that give the label, float64, shape (U,); NaN for a unit without a label.
        is_resampled: whether the run has resamples; if not, every `keep` is NaN.
    """

    run: str
    layer: str
    names: Sequence[str]
    column: NDArray[np.int64]
    score: NDArray[np.float64]
    keep: NDArray[np.float64]
    is_resampled: bool


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A unit whose label is another in the later run; each field of a pair is that of the earlier and the later run.

    Attributes:
        unit: the unit's number, counted from 1.
        labels: its labels.
        scores: their scores.
        keeps: share of resamples that give them.
    """

    unit: int
    labels: tuple[str, str]
    scores: tuple[float, float]
    keeps: tuple[float, float]


@dataclass(frozen=True, slots=True)
class LabelChanges:
    """The label changes of a layer from one run to another.

    Attributes:
        layer: the layer's name.
        runs: names of the earlier and the later run.
        compared: number of units whose labels resamples keep in both; None if one has no resamples.
        changes: those of them whose label is another.
    """

    layer: str
    runs: tuple[str, str]
    compared: int | None
    changes: tuple[LabelChange, ...]

    def describe(self) -> str:
        """Return how many of the labels that resamples keep are others, as text."""
        return "not measured" if self.compared is None else f"{len(self.changes)} of {self.compared}"


def record_labels(run: str, layer: LayerResult) -> LayerLabels:
    """Return what a comparison of labels needs of a layer, without its tables."""
    keeps = [trust.keep for trust in layer.unit_trust] or [None] * layer.layer.units
    return LayerLabels(
        run, layer.name, layer.vocabulary.names, layer.labels, layer.label_scores,
        np.array([np.nan if keep is None else keep for keep in keeps], np.float64),
        layer.trust is not None and layer.trust.spread is not None,
    )  # fmt: skip


def find_label_changes(before: LayerLabels, after: LayerLabels) -> LabelChanges:
    """Return the label changes from one run to another of the same units over the same concepts.

    Only units count whose labels are both given by more than 95 % of resamples: others change their label by chance.
    """
    runs = before.run, after.run
    if not (before.is_resampled and after.is_resampled):
        return LabelChanges(before.layer, runs, None, ())
    kept = (before.keep > KEPT) & (after.keep > KEPT)  # False for NaN
    changed = np.flatnonzero(kept & (before.column != after.column))
    return LabelChanges(
        before.layer, runs, int(kept.sum()),
        tuple(
            LabelChange(
                channel + 1,
                (before.names[before.column[channel]], after.names[after.column[channel]]),
                (float(before.score[channel]), float(after.score[channel])),
                (float(before.keep[channel]), float(after.keep[channel])),
            )
            for channel in changed.tolist()
        ),
    )  # fmt: skip
