"""Trust tables: the best scores that a layer's units reach by chance, and on images drawn again (docs/trust.md).

A dissection is three tables of best scores over the same units: on the data, with the labels of other images (`Chance`), and
on resampled images (`Spread`). Significance, intervals and the error of every count are pure functions of these tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.short_reprs import ShortRepr, describe_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Fewest images from which chance and spread are measured.
MIN_IMAGES = 40


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Chance(ShortRepr):
    """Best scores of units whose masks are compared with the labels of other images.

    Attributes:
        score: best score over all concepts under every shift, float32, shape (S, U); 0 where no concept scores above 0.
        label: column of its concept, int32, shape (S, U); -1 where no concept scores above 0.
        observed: best score with the images' own labels, over the images that take part, float32, shape (U,).
        left_out: number of images that no other image can lend labels to.
        exact: whether q is computed from the shifts of each unit alone (``null_exact``).
    """

    score: NDArray[np.float32]
    label: NDArray[np.int32]
    observed: NDArray[np.float32]
    left_out: int = 0
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Within(ShortRepr):
    """Best scores with the labels of other images of the same scene.

    Attributes:
        category: the category whose image-level labels say which images are alike, such as ``"scene"``.
        score: best score over the concepts of the category of the unit's label, float32, shape (S, U).
        observed: the same with the images' own labels, over the images that take part, float32, shape (U,).
        applies: whether the unit's label is one that some image has in a part of its pixels, bool, shape (U,).
        left_out: number of images without such a label, or with too few others that share it.
    """

    category: str
    score: NDArray[np.float32]
    observed: NDArray[np.float32]
    applies: NDArray[np.bool_]
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Spread(ShortRepr):
    """Best scores on resampled images: a bootstrap of folds.

    Attributes:
        score: best score of every category, float32, shape (B, U, K); 0 where no concept scores above 0.
        column: column of its concept, int32, shape (B, U, K); -1 where no concept scores above 0.
        error: standard error of the logit of the label's score, float64, shape (U,); NaN for a unit without a label.
        honest: score on one half of the images of the label that the other half chose, mean of both directions, float32,
            shape (U,).
        folds: number of folds F.
    """

    score: NDArray[np.float32]
    column: NDArray[np.int32]
    error: NDArray[np.float64]
    honest: NDArray[np.float32]
    folds: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reference(ShortRepr):
    """How far units exceed untrained networks.

    Attributes:
        excess: largest excess of a unit's score over the best of the untrained networks for the same concept, mean over the
            sets that leave out one of them, float32, shape (U,).
        p: rank among the untrained networks' own excesses, float64, shape (U,).
        runs: name of every untrained run.
    """

    excess: NDArray[np.float32]
    p: NDArray[np.float64]
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Trust(ShortRepr):
    """The trust tables of a layer; a part is None where it was not measured.

    Attributes:
        chance: from ``null`` shifts.
        within: from as many shifts within scenes.
        spread: from ``resamples`` resamples.
        reference: from ``--reference`` runs.
    """

    REPR_MORE = "layer.unit_trust has low, high, q and keep of every unit, and layer.units their columns"

    chance: Chance | None = None
    within: Within | None = None
    spread: Spread | None = None
    reference: Reference | None = None


@dataclass(frozen=True, slots=True, repr=False)
class UnitTrust:
    """How far one unit's label can be trusted; None where it was not measured or does not apply.

    Attributes:
        low: lower end of the 95 % interval of the score.
        high: its upper end.
        chance: score that the unit reaches by chance (geometric mean over shifts).
        cut: score that it exceeds by chance in 5 % of shifts.
        lift: score / chance.
        p: probability of such a score by chance, by the layer's pooled null.
        p_own: the same from the unit's own shifts alone.
        q: false discovery rate among the layer's units of at most this p (Benjamini-Hochberg).
        p_within: `p` with labels exchanged within scenes.
        q_within: its false discovery rate.
        q_reference: false discovery rate of "no better than an untrained network".
        keep: share of resamples that give the unit the same label.
        labels: the fewest labels that 90 % of resamples name, most frequent first.
        honest: score on images that did not choose the label.
    """

    low: float | None = None
    high: float | None = None
    chance: float | None = None
    cut: float | None = None
    lift: float | None = None
    p: float | None = None
    p_own: float | None = None
    q: float | None = None
    p_within: float | None = None
    q_within: float | None = None
    q_reference: float | None = None
    keep: float | None = None
    labels: tuple[str, ...] = ()
    honest: float | None = None

    def __repr__(self) -> str:
        found = {name: value for name, value in self.as_dict().items() if value is not None and value != ()}
        shown = ", ".join(f"{name}={describe_value(value)}" for name, value in found.items())
        return f"UnitTrust({shown}){'' if found else ' without any figure: chance and resamples were not measured'}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name, in the order of the columns of ``LAYER-trust.csv``."""
        return {name: getattr(self, name) for name in self.__slots__}
