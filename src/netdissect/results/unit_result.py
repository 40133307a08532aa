"""One unit of a layer: its label, its scores with all concepts and its exemplars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from netdissect.concepts import display_name
from netdissect.errors import RunError
from netdissect.results.exemplar_groups import list_exemplars
from netdissect.results.formula_findings import describe_unit_formula

if TYPE_CHECKING:
    from netdissect.results.exemplar_groups import ExemplarImage
    from netdissect.results.formulas import UnitFormula
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.presenter import Displayed
    from netdissect.results.trust import UnitTrust
    from netdissect.results.units import UnitRow


@dataclass(frozen=True, eq=False, repr=False)
class UnitResult:
    """The dissection of one unit, from ``result["layer4"].unit(107)``.

    Attributes:
        layer: the unit's layer.
        number: the unit's number, counted from 1.
    """

    layer: LayerResult
    number: int

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0."""
        return self.number - 1

    @cached_property
    def row(self) -> UnitRow:
        """The unit's row of the result table."""
        return next(row for row in self.layer.units if row.unit == self.number)

    @property
    def trust(self) -> UnitTrust | None:
        """How far the unit's label can be trusted; None if the run has no trust tables."""
        return self.layer.unit_trust[self.channel] if self.layer.unit_trust else None

    @property
    def formula(self) -> UnitFormula | None:
        """The unit's best formula; None if it was not searched (`Result.explain`)."""
        return None if self.layer.formulas is None else self.layer.formulas.units[self.channel]

    @cached_property
    def panel(self) -> dict[str, float | None]:
        """Scores of the unit with its label by name (`ScorePanel`), and the lift over chance; empty for a unit without a label."""
        column = int(self.layer.labels[self.channel])
        if column < 0:
            return {}
        return self.layer.panel.select(self.channel, column) | {
            "lift": self.trust.lift if self.trust is not None else None
        }

    @cached_property
    def profile(self) -> list[tuple[str, str, float]]:
        """Every concept with a score above 0 as (category, concept, score), best first."""
        scores, concepts = self.layer.scores[self.channel], self.layer.vocabulary.concepts
        order = sorted(range(len(concepts)), key=lambda column: -scores[column])
        return [(concepts[c].category, concepts[c].name, float(scores[c])) for c in order if scores[c] > 0]

    @cached_property
    def exemplars(self) -> dict[str, list[ExemplarImage]]:
        """The unit's exemplars by group: strongest, typical, on_concept, missed, levels (docs/method.md, § 8)."""
        return list_exemplars(self.layer, self.channel)

    def strip(self, most: int = 8) -> bytes | None:
        """Return the first `most` exemplars, darkened outside the unit's mask, as a JPEG file; None if images are missing."""
        presenter = self.layer.presenter
        return presenter.draw_strip(self, most) if presenter is not None else None

    def show(self, height: int = 760) -> Displayed:
        """Return the report's page of the unit in a frame, which a notebook shows; it needs no report and no server.

        Args:
            height: height of the frame in pixels.

        Raises:
            DataNotFoundError: if the images of the unit are not available.
            RunError: if the layer belongs to no run.
        """
        presenter = self.layer.presenter
        if presenter is None:
            raise RunError("this layer belongs to no run and cannot be drawn: load the run with netdissect.load")
        return presenter.embed_unit_page(self, height)

    def __repr__(self) -> str:
        row, q = self.row, None if self.trust is None else self.trust.q
        formula = describe_unit_formula(self.layer, self.channel)
        return (
            f"unit {self.number} (channel {self.channel}) of {self.layer.name}: {display_name(row.label) or 'no concept'}"
            f"{f' ({row.category})' if row.category else ''}, {self.layer.score_title} {row.score:.4f}"
            f"{'' if q is None else f', q {q:.4f}'}{f'; {formula}' if formula else ''}\n"
            "  .row, .trust, .panel (scores of the label), .profile (all concepts), .exemplars, .show()"
        )

    def _repr_html_(self) -> str | None:
        presenter = self.layer.presenter
        return presenter.render_unit(self) if presenter is not None else None
