"""The panel of scores: what pixel counts say about a unit and a concept besides the score that labels the unit.

None of these chooses labels except IoU and F1 (docs/trust.md): the others do not fall when labels are missing or added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.results.counts import Counts, compute_f1, compute_iou
from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class ScorePanel(ShortRepr):
    """Scores of every unit with every concept, each of shape (U, C); 0 where a denominator is 0.

    Attributes:
        counts: the pixel counts I, A and G.
        pixels: P, label pixels of the images that have a concept's primary category, int64, shape (C,); None if unknown.
    """

    REPR_MORE = ".iou, .f1, .precision, .recall, .attainable, .attained, .independence, each (U, C)"

    counts: Counts
    pixels: NDArray[np.int64] | None = None

    @property
    def iou(self) -> NDArray[np.float64]:
        """I / (A + G − I), the paper's score."""
        return compute_iou(self.counts)

    @property
    def f1(self) -> NDArray[np.float64]:
        """2 I / (A + G), the Dice coefficient, 2 IoU / (1 + IoU): it gives a unit the same label."""
        return compute_f1(self.counts)

    @property
    def precision(self) -> NDArray[np.float64]:
        """I / A, the share of the unit's mask that has the label; above 1 only where label maps overlap.

        NeuronEval (Oikarinen et al., ICML 2025) calls this share of the active inputs "recall".
        """
        return _divide(self.counts.I, self.counts.A)

    @property
    def recall(self) -> NDArray[np.float64]:
        """I / G, the share of the concept's pixels that are in the unit's mask."""
        return _divide(self.counts.I, self.counts.G)

    @property
    def attainable(self) -> NDArray[np.float64]:
        """The largest IoU that a mask of the unit's size can reach, min(A, G) / max(A, G)."""
        A, G = self.counts.A, self.counts.G
        return _divide(np.minimum(A, G), np.maximum(A, G))

    @property
    def attained(self) -> NDArray[np.float64]:
        """IoU / attainable, how much of what its mask's size allows a unit reaches."""
        return _divide(self.iou, self.attainable)

    @property
    def independence(self) -> NDArray[np.float64] | None:
        """I P / (A G), how many times more pixels of the mask have the label than if both were independent; None without P.

        It is not the lift over chance (`UnitTrust.lift`), which is that of the best of all concepts on other images.
        """
        if self.pixels is None:
            return None
        return _divide(self.counts.I.astype(np.float64) * self.pixels, self.counts.A.astype(np.float64) * self.counts.G)

    def select(self, unit: int, column: int) -> dict[str, float | None]:
        """Return the scores of one unit with one concept by name.

        Args:
            unit: the unit's position in the layer, from 0.
            column: the concept's column.
        """
        I, A, G = (array[..., column : column + 1] for array in (self.counts.I, self.counts.A, self.counts.G))
        pixels = None if self.pixels is None else self.pixels[column : column + 1]
        one = ScorePanel(Counts(I[unit : unit + 1], A[unit : unit + 1], G), pixels)
        found = {name: getattr(one, name) for name in PANEL_SCORES}
        return {name: None if values is None else float(values[0, 0]) for name, values in found.items()}


#: Names of the scores of a panel.
PANEL_SCORES = ("iou", "f1", "precision", "recall", "attainable", "attained", "independence")


def _divide(over: NDArray[Any], under: NDArray[Any]) -> NDArray[np.float64]:
    """Return the quotient, 0 where the denominator is 0."""
    result = np.zeros(over.shape, np.float64)
    np.divide(over, under, out=result, where=under > 0)
    return result
