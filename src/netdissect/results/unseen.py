"""Say why no unit detects a concept: its size, chance, another label, or a score below the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.concepts import display_name
from netdissect.results.findings import format_probability
from netdissect.results.unit_trust import LEVEL
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.found_concepts import ConceptUnit
    from netdissect.results.layer_result import LayerResult

#: Why no unit detects a concept, from the first reason that applies to the last, with its heading in a list.
REASONS = {
    "absent": "no labeled pixel in these images",
    "size": "too few or too many labeled pixels for masks of these units' size",
    "chance": "the label of units, none of them beyond chance",
    "other label": "reached by units that have a higher score with another concept",
    "below": "below the threshold",
}


#: Where a concept's size allows less than this IoU, the sentence says so.
_LITTLE = 0.25


class BestUnit(NamedTuple):
    """The unit with the best score with a concept."""

    score: float
    layer: LayerResult
    channel: int


@dataclass(frozen=True, eq=False)
class ConceptSight:
    """How all units of a run see one concept.

    Attributes:
        layers: the run's layers.
        column: the concept's column.
        threshold: score from which a unit counts as a detector.
    """

    layers: Sequence[LayerResult]
    column: int
    threshold: float

    @property
    def pixels(self) -> int:
        """G, the concept's labeled pixels."""
        return int(self.layers[0].counts.G[self.column])

    @cached_property
    def best(self) -> BestUnit:
        """The unit with the best score, the first of equals."""
        channels = [int(layer.scores[:, self.column].argmax()) for layer in self.layers]
        scores = [float(layer.scores[at, self.column]) for layer, at in zip(self.layers, channels, strict=True)]
        return max(map(BestUnit, scores, self.layers, channels), key=lambda unit: unit.score)

    def describe_best(self) -> str:
        """Return the unit with the best score, and its own label if that is another concept."""
        _, layer, channel = self.best
        own = int(layer.labels[channel])
        label = "" if own in (self.column, -1) else display_name(layer.vocabulary.names[own])
        return f"{layer.name} unit {channel + 1}" + (f": {label} {layer.label_scores[channel]:.3f}" if label else "")

    @cached_property
    def attainable(self) -> float | None:
        """The largest IoU that a mask of the size of any unit's can reach; None where the score is not IoU."""
        return None if self.layers[0].score_table is not None else float(self._attainable.max(initial=0.0))

    @property
    def is_small(self) -> bool:
        """Whether the concept has fewer pixels than the mask that could reach most of it."""
        return bool(self._areas.size and self._areas[self._attainable.argmax()] > self.pixels)

    @cached_property
    def _areas(self) -> NDArray[np.int64]:
        return np.concatenate([layer.counts.A[:, self.column] for layer in self.layers])

    @cached_property
    def _attainable(self) -> NDArray[np.float64]:
        return np.minimum(self._areas, self.pixels) / np.maximum(np.maximum(self._areas, self.pixels), 1)


def explain_unseen(sight: ConceptSight, units: Sequence[ConceptUnit]) -> tuple[str, str]:
    """Return why no unit detects a concept: one of `REASONS`, and a sentence.

    Args:
        sight: how all units see it.
        units: units whose label it is, best score first, and those that score high with it.
    """
    labeled = [unit for unit in units if unit.relation == "label"]
    others = [unit for unit in units if unit.relation == "high"]
    allowed, title = sight.attainable, sight.layers[0].score_title
    if not sight.pixels:
        return "absent", "no image of the run has a pixel of it"
    if allowed is not None and allowed < sight.threshold:
        size = "few" if sight.is_small else "many"
        return (
            "size",
            f"too {size} labeled pixels: with {sight.pixels:,}, no unit's mask can reach more than IoU {allowed:.3f}",
        )
    if labeled and labeled[0].score >= sight.threshold:
        reaching = sum(unit.score >= sight.threshold for unit in labeled)
        trust = labeled[0].trust
        q = "" if trust is None else f", q {format_probability(trust.q)}"
        where = f"{labeled[0].layer} unit {labeled[0].unit}{q}"
        return (
            "chance",
            f"the label of {count_noun(reaching, 'unit')}, none beyond chance (q < {LEVEL:g}): best {title} {labeled[0].score:.3f} ({where})",
        )
    if others:
        found, first = f"best {title} {others[0].score:.3f}", others[0]
        where = f"{first.layer} unit {first.unit}: {display_name(first.label)} {first.label_score:.3f}"
        return "other label", f"{found}, of a unit that has a higher score with another concept ({where})"
    found, where = f"best {title} {sight.best.score:.3f}", sight.describe_best()
    if sight.best.score >= sight.threshold:
        return "chance", f"{found}, no more than the unit reaches by chance in 5 % of shifts ({where})"
    limit = (
        f"; with {sight.pixels:,} labeled pixels, {allowed:.2f} can be reached" if allowed and allowed < _LITTLE else ""
    )
    if not sight.best.score:
        return "below", f"no unit's mask meets it{limit}"
    known = f"the label of {count_noun(len(labeled), 'unit')}; " if labeled else ""
    return "below", f"{known}{found}, below {sight.threshold:g} ({where}){limit}"
