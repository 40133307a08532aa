"""Compute IoU and F1, the best concept of every category and the label of units from pixel counts (docs/method.md, § 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Counts(ShortRepr):
    """Pixel counts of a layer, summed over the images of a probe set.

    Attributes:
        I: |M_k ∧ L_c|, pixels where a unit's mask and a concept's label intersect, int64, shape (U, C).
        A: |M_k|, pixels of a unit's mask on the images that have the concept's primary category, int64, shape (U, C).
        G: |L_c|, labeled pixels of every concept, int64, shape (C,).
    """

    I: NDArray[np.int64]
    A: NDArray[np.int64]
    G: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.I.shape != self.A.shape or self.I.shape[1:] != self.G.shape:
            raise ValueError(f"I {self.I.shape}, A {self.A.shape} and G {self.G.shape} do not fit together")
        for name in ("I", "A", "G"):
            if getattr(self, name).dtype != np.int64:
                raise ValueError(f"{name} must be int64, not {getattr(self, name).dtype}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of units and of concepts, (U, C)."""
        return self.I.shape


def compute_iou(counts: Counts) -> NDArray[np.float64]:
    """Return the IoU of every unit with every concept, I / (A + G − I), shape (U, C) (paper, § 3.3); 0 for 0 / 0."""
    union = counts.A + counts.G - counts.I
    result = np.zeros(counts.I.shape, dtype=np.float64)
    np.divide(counts.I, union, out=result, where=union > 0)
    return result


def compute_f1(counts: Counts) -> NDArray[np.float64]:
    """Return the F1 of every unit with every concept, 2·I / (A + G), shape (U, C); 0 for 0 / 0.

    It is 2·IoU / (1 + IoU), so it gives every unit the same label as IoU, and other numbers. It is at most 1 also where planes that
    overlap label a pixel twice.
    """
    both = counts.A + counts.G
    result = np.zeros(counts.I.shape, dtype=np.float64)
    np.divide(2 * counts.I, both, out=result, where=both > 0)
    return np.minimum(result, 1)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BestConcept(ShortRepr):
    """The best concepts of every unit.

    Attributes:
        column: column of the best concept per category, int64, shape (U, K); -1 if no concept scores above 0.
        score: its score, float64, shape (U, K); 0 if no concept scores above 0.
        category: position of the unit's best category, int64, shape (U,); -1 for a unit without a label.
    """

    column: NDArray[np.int64]
    score: NDArray[np.float64]
    category: NDArray[np.int64]


def find_best_concepts(scores: NDArray[np.float64], vocabulary: Vocabulary) -> BestConcept:
    """Return the best concept per category and the label of every unit.

    Among equal scores, the first concept of a category and the last category are chosen, as in the released code.

    Args:
        scores: score of every unit with every concept, shape (U, C).
        vocabulary: the C concepts and their K categories.
    """
    units, width = scores.shape[0], len(vocabulary.categories)
    column = np.full((units, width), -1, dtype=np.int64)
    best = np.zeros((units, width), dtype=np.float64)
    for position, category in enumerate(vocabulary.categories):
        members = vocabulary.find_columns(category)
        if members.size:
            winner = members[scores[:, members].argmax(axis=1)]
            best[:, position] = scores[np.arange(units), winner]
            column[:, position] = np.where(best[:, position] > 0, winner, -1)
    if width == 0:
        return BestConcept(column, best, np.full(units, -1, dtype=np.int64))
    last_of_equals = width - 1 - best[:, ::-1].argmax(axis=1)
    return BestConcept(column, best, np.where(best.max(axis=1) > 0, last_of_equals, -1))
