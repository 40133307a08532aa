"""Find the formula of concepts that a unit's masks agree with most: concepts joined by AND, OR and AND NOT.

Mu and Andreas: "Compositional Explanations of Neurons", NeurIPS 2020. They search by beam; here the best formula of at most
three concepts is found exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from netdissect.stats.signatures import PreparedSignatures

#: The forms of two concepts a, b: the order in which they are read, and how the second is joined.
_PAIR_FORMS: tuple[tuple[tuple[int, int], str], ...] = (
    ((0, 1), "or"),
    ((0, 1), "and"),
    ((0, 1), "and not"),
    ((1, 0), "and not"),
)


@dataclass(frozen=True, slots=True)
class BestFormula:
    """The best formula of one unit.

    Attributes:
        columns: columns of its concepts, in the order in which they are read, each once; empty if no concept meets the masks.
        operators: how the second concept is joined to the first, the third to both, and so on.
        iou: its IoU, over the images that have every category that it names.
        single: IoU of the best single concept.
        is_proved: whether no formula of at most three concepts has a higher IoU, and no longer one was asked for.
    """

    columns: tuple[int, ...]
    operators: tuple[Literal["or", "and", "and not"], ...]
    iou: float
    single: float
    is_proved: bool


def find_best_formula(
    prepared: PreparedSignatures,
    signature: NDArray[np.integer],
    count: NDArray[np.integer],
    length: int = 3,
) -> BestFormula:
    """Return the formula with the highest IoU with a unit's masks.

    Args:
        prepared: the probe set's signatures.
        signature: the signatures that the unit's masks meet, each once, shape (n,).
        count: pixels of the masks that have each of them, shape (n,).
        length: the most concepts of a formula, from 1 to 5.

    Raises:
        ValueError: `length` is not from 1 to 5.
    """
    if not 1 <= length <= 5:
        raise ValueError(f"expected a length from 1 to 5, got {length}")
    single = _search(prepared, signature, count, 1)
    best = _search(prepared, signature, count, min(length, 2))
    columns, operators = _read_formula(best)
    return BestFormula(columns, operators, _divide(best), _divide(single), length <= 2)


def find_chance_gain(
    lent: Iterable[tuple[PreparedSignatures, NDArray[np.integer], NDArray[np.integer]]], length: int = 3
) -> float:
    """Return the largest gain of a formula over a single concept under several pairings with the labels of other images.

    Args:
        lent: under every pairing the signatures, and which of them the unit's masks meet how often, as in
            `find_best_formula`.
        length: the most concepts of a formula, from 1 to 5.
    """
    found = [find_best_formula(prepared, signature, count, length) for prepared, signature, count in lent]
    return max((best.iou - best.single for best in found), default=0.0)


def _search(
    prepared: PreparedSignatures, signature: NDArray[np.integer], count: NDArray[np.integer], length: int
) -> NDArray[np.int64]:
    from netdissect.stats.formula_kernel import add_pairs, search_pairs, search_singles  # imports numba

    signature, count = signature.astype(np.int64), count.astype(np.int64)
    best = np.array([0, 1, 0, -1, -1, -1, 0], np.int64)
    for number, group in enumerate(prepared.groups):
        taken = group.includes[signature]
        X = np.zeros_like(group.pixels)
        add_pairs(group.start, group.columns, signature[taken], count[taken], X)
        M = int(count[taken].sum())
        tables = (X, group.pixels, M, group.concepts, prepared.signatures.primary, prepared.group_of, number, best)
        search_singles(*tables)
        if length > 1:
            search_pairs(*tables)
    return best


def _read_formula(best: NDArray[np.int64]) -> tuple[tuple[int, ...], tuple[Literal["or", "and", "and not"], ...]]:
    length, concepts, form = int(best[2]), best[3:6].tolist(), int(best[6])
    if length < 2:
        return tuple(concepts[:length]), ()
    order, operator = _PAIR_FORMS[form]
    return tuple(concepts[place] for place in order), (operator,)  # type: ignore[return-value]


def _divide(best: NDArray[np.int64]) -> float:
    return float(best[0] / best[1])
