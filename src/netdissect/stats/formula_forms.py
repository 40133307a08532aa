"""The forms of formulas of up to three concepts: the four ways to join two, and the 23 ways to join three.

A form is the order in which the concepts a, b, c are read, and how each is joined to those before it. Formulas that are read from
left to right and have the same truth table count as one form.
"""

from __future__ import annotations

from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

#: How a concept is joined to the formula before it.
Join = Literal["or", "and", "and not"]
#: Order and operators of every form, by the number of concepts; the kernels number forms in this order.
FORMS: Mapping[int, tuple[tuple[tuple[int, ...], tuple[Join, ...]], ...]] = {
    1: (((0,), ()),),
    2: (
        ((0, 1), ("or",)),
        ((0, 1), ("and",)),
        ((0, 1), ("and not",)),
        ((1, 0), ("and not",)),
    ),
    3: (
        ((0, 1, 2), ("or", "or")),
        ((0, 1, 2), ("and", "and")),
        ((0, 1, 2), ("or", "and")),
        ((0, 2, 1), ("or", "and")),
        ((1, 2, 0), ("or", "and")),
        ((0, 1, 2), ("and", "or")),
        ((0, 2, 1), ("and", "or")),
        ((1, 2, 0), ("and", "or")),
        ((0, 1, 2), ("or", "and not")),
        ((0, 2, 1), ("or", "and not")),
        ((1, 2, 0), ("or", "and not")),
        ((0, 1, 2), ("and", "and not")),
        ((0, 2, 1), ("and", "and not")),
        ((1, 2, 0), ("and", "and not")),
        ((0, 1, 2), ("and not", "or")),
        ((1, 0, 2), ("and not", "or")),
        ((0, 2, 1), ("and not", "or")),
        ((2, 0, 1), ("and not", "or")),
        ((1, 2, 0), ("and not", "or")),
        ((2, 1, 0), ("and not", "or")),
        ((0, 1, 2), ("and not", "and not")),
        ((1, 0, 2), ("and not", "and not")),
        ((2, 0, 1), ("and not", "and not")),
    ),
}


def order_concepts(
    columns: Sequence[int], operators: tuple[Join, ...], iou: Mapping[int, float] | NDArray[np.float64]
) -> tuple[tuple[int, ...], tuple[Join, ...]]:
    """Return a formula with the concepts that may change places in the order of their own IoU, highest first.

    Args:
        columns: columns of its concepts.
        operators: how each is joined to those before it.
        iou: IoU of every concept by itself; of equal ones the lower column is first.

    Example:
        >>> order_concepts([3, 4, 5, 1, 2], ("or", "or", "and not", "and not"), {1: 0.1, 2: 0.2, 3: 0.1, 4: 0.1, 5: 0.3})
        ((5, 3, 4, 2, 1), ('or', 'or', 'and not', 'and not'))
    """
    joins: tuple[Join | None, ...] = (operators[0] if operators and operators[0] != "and not" else None, *operators)
    runs = groupby(zip(joins, columns, strict=True), key=itemgetter(0))
    ordered = [sorted((column for _, column in run), key=lambda column: (-iou[column], column)) for _, run in runs]
    return tuple(chain.from_iterable(ordered)), operators
