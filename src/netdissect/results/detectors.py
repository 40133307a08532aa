"""Count detectors and unique detectors by both definitions, by label and by category (docs/method.md, § 5)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netdissect.config import Definition
    from netdissect.results.units import UnitTable
    from netdissect.stats.spread import CountSpread


@dataclass(frozen=True, slots=True, repr=False)
class Detectors(ShortRepr):
    """The detectors of a layer.

    Attributes:
        definition: ``"label"`` or ``"category"``, how detectors were counted.
        threshold: the score that had to be reached (label) or exceeded (category).
        units: number of units that detect a concept.
        total: number of the layer's units.
        concepts: number of detectors per (category, label).
        score_title: what the score is called.
    """

    REPR_MORE = ".unique, .unique_by_category, .describe()"

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

    def describe(self, spread: CountSpread | None = None) -> str:
        """Return the counts, with their standard deviations if they are given, and their definition as text."""
        sign = "≥" if self.definition == "label" else ">"
        units = format_count(self.units, None if spread is None else spread.units_sd)
        unique = format_count(self.unique, None if spread is None else spread.unique_sd)
        return (
            f"{units} of {self.total:,} units detect {unique} unique concepts "
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


def format_deviation(value: float) -> str:
    """Return the standard deviation of a count as text: whole, or with one decimal below 1.

    >>> [format_deviation(value) for value in (0.0, 0.26, 0.97, 2.9)]
    ['0', '0.3', '1', '3']
    """
    return f"{value:.1f}" if 0.05 <= value < 0.95 else f"{value:.0f}"


def format_count(count: int, deviation: float | None = None) -> str:
    """Return a count with its standard deviation, if there is one, as text.

    >>> format_count(1220, 1.2), format_count(55)
    ('1,220 ± 1', '55')
    """
    return f"{count:,}" if deviation is None else f"{count:,} ± {format_deviation(deviation)}"


def format_times(value: float) -> str:
    """Return how many times chance a layer's scores are as text: two digits.

    >>> [format_times(value) for value in (0.984, 6.62, 24.7)]
    ['0.98', '6.6', '25']
    """
    return f"{value:.2f}" if value < 0.995 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
