"""Find the units that see a concept, over all layers of a run, and the concepts that no unit sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.bounds import describe_type, require_between, require_integer
from netdissect.concepts import display_name
from netdissect.errors import SettingsError
from netdissect.results.concept_words import VocabularyNotes, match_word
from netdissect.results.counts import Counts
from netdissect.results.found_concepts import RELATIONS, ConceptUnit, FoundConcept, FoundConcepts
from netdissect.results.panel import ScorePanel
from netdissect.results.unit_trust import LEVEL
from netdissect.results.unseen import REASONS, ConceptSight, explain_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netdissect.concepts import Concept
    from netdissect.results.ablation import ConceptAblation
    from netdissect.results.formulas import UnitFormula
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.results.trust import UnitTrust

#: Number of units that are listed for a concept that no unit sees.
_NEAREST = 5


def find_units(
    run: Result, words: Sequence[str] = (), *, threshold: float | None = None, images: int = 5,
    notes: VocabularyNotes | None = None,
) -> FoundConcepts:  # fmt: skip
    """Return the units that see each concept; `Result.find` documents the arguments.

    First come the units whose label the concept is. Another unit follows if its score with the concept reaches the threshold and,
    where chance was measured, exceeds its `UnitTrust.cut`, which it exceeds with the labels of other images in 5 % of shifts. Then
    come units whose formula names the concept, if the run has formulas.

    Raises:
        SettingsError: if a word names no concept.
    """
    limit = run.settings.threshold if threshold is None else threshold
    require_between("threshold", limit, "lie between 0 and 1, an IoU", 0, 1)
    require_integer("images", images, 0, np.inf)
    wrong: object = next((word for word in words if not isinstance(word, str)), None)
    if wrong is not None:
        raise SettingsError(f"find takes names of concepts, such as 'sky', not {describe_type(wrong)}")
    notes, vocabulary, layers = notes or VocabularyNotes(), run.probe_set.vocabulary, list(run.layers.values())
    matches = [match_word(word, vocabulary, notes.synonyms, f"the probe set {run.probe_set.name}") for word in words]
    columns = dict.fromkeys(column for match in matches for column in match.columns)
    tables = [_LayerColumns(layer, list(columns) or list(range(len(vocabulary))), limit) for layer in layers]
    found = [
        _describe_concept(run, tables, position, column, notes.images, images)
        for position, column in enumerate(columns or range(len(vocabulary)))
    ]
    if not words:
        found.sort(key=_rank)
    remarks = [match.remark for match in matches if match.remark is not None]
    return FoundConcepts(found, list(run.layers), limit, run.score_title, remarks, is_everything=not words)


def _rank(found: FoundConcept) -> tuple[int, int, float]:
    """Return a sort key: detected concepts by their number of units, then the others by reason, each by best score."""
    reason = -1 if found.reason is None else list(REASONS).index(found.reason)
    return reason, -found.detectors, -found.best_score


class _LayerColumns:
    """Some concepts' columns of a layer's tables, and which units see each."""

    def __init__(self, layer: LayerResult, columns: Sequence[int], threshold: float) -> None:
        self.layer, self.threshold = layer, threshold
        counts = layer.counts
        panel = ScorePanel(Counts(counts.I[:, columns], counts.A[:, columns], counts.G[columns]))
        self.scores, self.precision, self.recall = layer.scores[:, columns], panel.precision, panel.recall
        self.labels, self.label_scores = layer.labels.tolist(), layer.label_scores.tolist()
        self.is_label = layer.labels[:, None] == np.array(columns, np.int64)
        self.trust: Sequence[UnitTrust | None] = layer.unit_trust or (None,) * layer.layer.units
        cuts = np.array([[trust.cut if trust is not None and trust.cut is not None else 0] for trust in self.trust])
        self.is_high = (self.scores >= threshold) & (self.scores > cuts) & ~self.is_label
        found = layer.formulas.units if layer.formulas is not None else (None,) * layer.layer.units
        self.formulas = [item if item is not None and item.is_beyond_chance else None for item in found]
        self.is_named = np.zeros(self.scores.shape, np.bool_)
        for channel, item in enumerate(self.formulas):
            if item is not None:
                self.is_named[channel] = np.isin(columns, list(_list_asserted(item)))
        self.words = [display_name(name) for name in layer.vocabulary.names]

    def list_units(
        self, position: int, names: Mapping[int, str], images: int, *, nearest: bool = False
    ) -> Iterator[ConceptUnit]:
        """Yield the units that see the concept at a position among the columns; or the nearest ones, whatever their score."""
        layer = self.layer
        relations = np.select(
            [self.is_label[:, position], self.is_high[:, position], self.is_named[:, position]],
            [RELATIONS.index(relation) for relation in ("label", "high", "formula")],
            RELATIONS.index("near"),
        )
        scores, unseen = self.scores[:, position], RELATIONS.index("near")
        chosen = np.argsort(-scores, kind="stable")[:_NEAREST] if nearest else np.flatnonzero(relations < unseen)
        for channel in chosen.tolist():
            score, relation = float(scores[channel]), RELATIONS[relations[channel]]
            own, trust = self.labels[channel], self.trust[channel]
            rows = tuple(row for row in layer.exemplars.images[channel, :images].tolist() if row >= 0)
            yield ConceptUnit(
                layer.name, channel + 1, score, float(self.precision[channel, position]),
                float(self.recall[channel, position]), layer.vocabulary.names[own] if own >= 0 else "",
                self.label_scores[channel], relation,
                relation == "label" and score >= self.threshold and _is_beyond_chance(trust),
                None if trust is None else trust.cut, trust if relation == "label" else None, rows,
                tuple(names.get(row, "") for row in rows), self._describe_formula(channel),
            )  # fmt: skip

    def _describe_formula(self, channel: int) -> str | None:
        """Return a unit's formula and its IoU, if it gains more than chance."""
        found = self.formulas[channel]
        if found is None or found.formula is None:
            return None
        return f"{found.formula.describe(self.words)} {found.iou:.2f}"


def _list_asserted(found: UnitFormula) -> set[int]:
    """Return the columns of the concepts that a formula joins by AND or OR, not by AND NOT."""
    formula = found.formula
    if formula is None:
        return set()
    return {
        column
        for column, operator in zip(formula.columns, ("or", *formula.operators), strict=True)
        if operator != "and not"
    }


def _describe_concept(
    run: Result, tables: Sequence[_LayerColumns], position: int, column: int, counts: Mapping[str, int], images: int
) -> FoundConcept:
    """Return a concept with its units, whose label it is first, each part by falling score."""
    concept = run.probe_set.vocabulary.concepts[column]
    units = [unit for table in tables for unit in table.list_units(position, run.image_names, images)]
    if not units:
        near = [unit for table in tables for unit in table.list_units(position, run.image_names, images, nearest=True)]
        units = sorted((unit for unit in near if unit.score > 0), key=lambda unit: -unit.score)[:_NEAREST]
    units.sort(key=lambda unit: (RELATIONS.index(unit.relation), -unit.score))
    sight = ConceptSight([table.layer for table in tables], column, tables[0].threshold)
    reason, why = (None, None) if any(unit.detects for unit in units) else explain_unseen(sight, units)
    return FoundConcept(
        concept.name, concept.category, sight.pixels, counts.get(concept.name), sight.best.score, sight.attainable,
        tuple(units), why, reason, _list_ablations(run, concept),
    )  # fmt: skip


def _list_ablations(run: Result, concept: Concept) -> dict[str, ConceptAblation]:
    """Return by layer what class outputs lose without its units of a concept, where that was measured."""
    return {
        name: found
        for name, layer in run.layers.items() if layer.ablation is not None
        for found in layer.ablation.concepts if (found.concept, found.category) == (concept.name, concept.category)
    }  # fmt: skip


def _is_beyond_chance(trust: UnitTrust | None) -> bool:
    """Return whether a unit's label is beyond chance; True where chance was not measured."""
    if trust is None or trust.p is None:
        return True
    return trust.q is not None and trust.q < LEVEL
