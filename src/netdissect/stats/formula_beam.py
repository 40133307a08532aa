"""Formulas of four and five concepts by beam search, from the best one of three (Mu and Andreas, NeurIPS 2020, § 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from netdissect.stats.formula_kernel import add_extensions, is_greater
from netdissect.stats.signatures import join_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.stats.formula_forms import Join
    from netdissect.stats.signatures import PreparedSignatures

#: Number of formulas of each length that are extended.
_WIDTH = 10
_JOINS: tuple[Join, ...] = ("or", "and", "and not")


@dataclass(frozen=True, slots=True, eq=False)
class BeamFormula:
    """A formula of a beam.

    Attributes:
        columns: columns of its concepts, in the order in which they are read.
        operators: how each is joined to those before it.
        both: pixels of the unit's masks that satisfy it, on the images that have all its categories.
        union: pixels that are in the masks or satisfy it.
        truth: which signatures satisfy it, bool, shape (S,).
    """

    columns: tuple[int, ...]
    operators: tuple[Join, ...]
    both: int
    union: int
    truth: NDArray[np.bool_] = field(repr=False)


def extend_by_beam(
    prepared: PreparedSignatures,
    mask: NDArray[np.int64],
    columns: tuple[int, ...],
    operators: tuple[Join, ...],
    best: tuple[int, int],
    length: int,
) -> BeamFormula:
    """Return the best formula that a beam of ten finds from one formula, or that formula if none has a higher IoU.

    Args:
        prepared: the probe set's signatures.
        mask: pixels of the unit's masks that have every signature, shape (S,).
        columns: columns of the formula to start from, at least one.
        operators: how each is joined to those before it.
        best: its intersection and union in pixels.
        length: the most concepts of a formula.
    """
    truth = _find_column(prepared, columns[0])
    for column, operator in zip(columns[1:], operators, strict=True):
        truth = _join(truth, operator, _find_column(prepared, column))
    found = BeamFormula(columns, operators, *best, truth)
    beam = [found]
    while beam and len(beam[0].columns) < length:
        beam = _extend(prepared, mask, beam)
        if beam and is_greater(beam[0].both, beam[0].union, found.both, found.union):
            found = beam[0]
    return found


def _extend(prepared: PreparedSignatures, mask: NDArray[np.int64], beam: list[BeamFormula]) -> list[BeamFormula]:
    """Return the best formulas with one concept more, best first; of those that the same signatures satisfy only the first."""
    both, union = (
        np.stack(tables) for tables in zip(*(_measure(prepared, mask, entry) for entry in beam), strict=True)
    )
    score = np.where(both > 0, both / np.maximum(union, 1), 0.0)
    extended: dict[bytes, BeamFormula] = {}
    for at in np.argsort(-score, axis=None, kind="stable").tolist():
        number, join, column = (int(place) for place in np.unravel_index(at, score.shape))
        if score[number, join, column] == 0 or len(extended) == _WIDTH:
            break
        parent, operator = beam[number], _JOINS[join]
        truth = _join(parent.truth, operator, _find_column(prepared, column))
        counts = int(both[number, join, column]), int(union[number, join, column])
        formula = BeamFormula((*parent.columns, column), (*parent.operators, operator), *counts, truth)
        extended.setdefault(truth.tobytes(), formula)
    return list(extended.values())


def _measure(
    prepared: PreparedSignatures, mask: NDArray[np.int64], formula: BeamFormula
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return intersection and union of the formula with every further concept, shape (3, C); 0 for those that it has."""
    signatures = prepared.signatures
    primary = signatures.primary
    named = join_bits(np.unique(primary[list(formula.columns)]).tolist())
    of_concept = np.zeros((4, primary.size), np.int64)
    of_category = np.zeros((3, len(prepared.group_of)), np.int64)
    add_extensions(
        signatures.start, signatures.columns, signatures.presence, signatures.pixels, mask, formula.truth, named,
        of_concept, of_category,
    )  # fmt: skip
    x, y, x_both, y_both = of_concept
    M, X, Y = of_category[:, primary]
    both = np.stack([X + x - x_both, x_both, X - x_both])
    area = np.stack([Y + y - y_both, y_both, Y - y_both])
    both[:, list(formula.columns)] = 0
    return both, M + area - both


def _find_column(prepared: PreparedSignatures, column: int) -> NDArray[np.bool_]:
    """Return which signatures have a concept, bool, shape (S,)."""
    has = np.zeros(prepared.signatures.pixels.size, np.bool_)
    has[prepared.of_column[prepared.first[column] : prepared.first[column + 1]]] = True
    return has


def _join(truth: NDArray[np.bool_], operator: Join, other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if operator == "or":
        return truth | other
    return truth & (other if operator == "and" else ~other)
