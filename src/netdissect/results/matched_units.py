"""Match the units of a layer in two runs: by their numbers, or by how alike their scores with all concepts are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.stats.unit_assignment import assign_rows, correlate_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: Units are matched by number if that gives at least this share of the likeness that the best match gives.
FAIR_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class UnitProfiles:
    """The scores of a layer's units with all concepts.

    Attributes:
        concepts: category and name of every concept.
        roots: square roots of the scores, float32, shape (U, C), by channel; IoU is long-tailed.
    """

    concepts: tuple[tuple[str, str], ...]
    roots: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class UnitMatch:
    """The units of a layer in a later run that correspond to those of the first.

    Likeness is the correlation of the square roots of their scores with the concepts that both runs have, from -1 to 1.

    Attributes:
        partner: channel of the most alike unit, one partner each, int64, shape (U,); -1 for units that are left over.
        likeness: with the partner, float32, shape (U,); NaN for -1.
        same_number: with the unit of the same number, float32, shape (U,); None if the runs differ in the number of units.
        usual: mean likeness of all pairs of units.
    """

    partner: NDArray[np.int64]
    likeness: NDArray[np.float32]
    same_number: NDArray[np.float32] | None
    usual: float

    @property
    def is_by_number(self) -> bool:
        """Whether units of the same number correspond.

        They do if their likeness exceeds that of any two units by at least half as much as the best match does: the same
        channel of two trainings is no more alike than any two units, and that of two checkpoints of one is almost the best.
        """
        if self.same_number is None or not self.same_number.size:
            return False
        best = float(np.nanmean(self.likeness)) - self.usual
        return float(self.same_number.mean()) - self.usual >= FAIR_SHARE * best


def make_profiles(layer: LayerResult) -> UnitProfiles:
    """Return the profiles of a layer's units."""
    concepts = tuple((concept.category, concept.name) for concept in layer.vocabulary.concepts)
    return UnitProfiles(concepts, np.sqrt(np.maximum(layer.scores, 0)).astype(np.float32))


def match_units(first: UnitProfiles, later: UnitProfiles) -> UnitMatch:
    """Match the units of a later run to those of the first, over the concepts that both have."""
    columns = {concept: column for column, concept in enumerate(later.concepts)}
    common = [
        (column, columns[concept]) for column, concept in enumerate(first.concepts) if concept in columns
    ]  # of the first run, of the later one
    likeness = correlate_rows(*(profiles.roots[:, list(picked)] for profiles, picked in zip((first, later), zip(*common, strict=True), strict=True))) if common else np.zeros((len(first.roots), len(later.roots)), np.float32)  # fmt: skip
    partner = assign_rows(likeness)
    reached = np.where(partner >= 0, likeness[np.arange(partner.size), partner], np.nan).astype(np.float32)
    same = np.diagonal(likeness).copy() if likeness.shape[0] == likeness.shape[1] else None
    return UnitMatch(partner, reached, same, float(likeness.mean()) if likeness.size else 0.0)
