"""Find the formula of concepts that a unit's masks agree with most: concepts joined by AND, OR and AND NOT.

Mu and Andreas: "Compositional Explanations of Neurons", NeurIPS 2020. They search by beam; here the best formula of at most
three concepts is found exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.stats.formula_beam import extend_by_beam
from netdissect.stats.formula_forms import order_concepts
from netdissect.stats.signatures import EXACT_LENGTH
from netdissect.stats.unit_search import UnitSearch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netdissect.stats.formula_forms import Join
    from netdissect.stats.signatures import PreparedSignatures


@dataclass(frozen=True, slots=True)
class BestFormula:
    """The best formula of one unit.

    Attributes:
        columns: columns of its concepts, in the order in which they are read, each once; empty if no concept meets the masks.
        operators: how the second concept is joined to the first, the third to both, and so on.
        iou: its IoU, over the images that have every category that it names.
        single: IoU of the best single concept.
        is_proved: whether no formula of as many concepts has a higher IoU; False where longer ones were searched by beam.
    """

    columns: tuple[int, ...]
    operators: tuple[Join, ...]
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

    Of formulas with equal IoU the shortest is chosen, then that of the lowest columns. Concepts that may change places are
    ordered by their own IoU, highest first.

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
    unit = UnitSearch(prepared, signature, count)
    unit.search_singles()
    if length >= 2:
        unit.search_pairs()
    if length >= EXACT_LENGTH:
        unit.search_triples()
    columns, operators = unit.read()
    if length <= EXACT_LENGTH or not columns:
        return BestFormula(columns, operators, unit.iou, unit.single, is_proved=length <= EXACT_LENGTH)
    longer = extend_by_beam(prepared, unit.mask, columns, operators, unit.counts, length)
    columns, operators = order_concepts(longer.columns, longer.operators, unit.own)
    return BestFormula(columns, operators, longer.both / longer.union, unit.single, is_proved=False)
