"""Count detectors and unique detectors by both definitions, by label and by category (docs/method.md, § 5)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.config import Definition
    from netdissect.results.units import UnitTable


@dataclass(frozen=True, slots=True)
class Detectors:
    """The detectors of a layer.

    Attributes:
        definition: ``"label"`` or ``"category"``, how detectors were counted.
        threshold: the score that had to be reached (label) or exceeded (category).
        units: number of units that detect a concept.
        total: number of the layer's units.
        concepts: number of detectors per (category, label).
        score_title: what the score is called.
    """

    definition: Definition
    threshold: float
    units: int
    total: int
    concepts: Mapping[tuple[str, str], int]
    score_title: str = "IoU"

    @property
    def unique(self) -> int:
        """Number of distinct concepts detected."""
        return len(self.concepts)

    def describe(self) -> str:
        """Return the counts and their definition as text."""
        sign = "≥" if self.definition == "label" else ">"
        return (
            f"{self.units} of {self.total} units detect {self.unique} unique concepts "
            f"({self.score_title} {sign} {self.threshold:g}, by {self.definition})"
        )

    @property
    def unique_by_category(self) -> dict[str, int]:
        """Number of distinct concepts detected, per category that has any."""
        return dict(Counter(category for category, _ in self.concepts))

    @property
    def units_by_category(self) -> dict[str, int]:
        """Number of (unit, concept) pairs per category that has any."""
        count: Counter[str] = Counter()
        for (category, _), units in self.concepts.items():
            count[category] += units
        return dict(count)


def count_detectors(units: UnitTable, *, threshold: float = 0.04, definition: Definition = "label") -> Detectors:
    """Count the detectors of a table of units.

    By ``"label"``, as in the paper's text, a unit counts once, under its label, if its score ≥ threshold. By
    ``"category"``, as in the paper's figure, it counts in every category whose best score > threshold.

    Raises:
        SettingsError: if the definition is neither.
    """
    found: Counter[tuple[str, str]] = Counter()
    detecting = 0
    for row in units:
        if definition == "label":
            seen = [(row.category, row.label)] if row.label and row.score >= threshold else []
        elif definition == "category":
            seen = [(best.category, best.label) for best in row.profile if best.label and best.score > threshold]
        else:
            raise SettingsError(f"--definition must be label or category, not {definition!r}")
        found.update(seen)
        detecting += bool(seen)
    return Detectors(definition, threshold, detecting, len(units), dict(found), units.score_title)
