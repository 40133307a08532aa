"""The compiled search for the best formula of three concepts.

With t the best IoU so far, M the pixels of the unit's masks and g = (1 + t) · mask pixels − t · label pixels, a formula has a
higher IoU if and only if its sum of g exceeds t·M. The sums of all forms of three concepts a, b, c follow from those over single
concepts and pairs, and from g(abc), which enters every form with +1 or −1. With P and N the sums of the positive and of the
negative parts of g, −min N(pairs) ≤ g(abc) ≤ min P(pairs), which bounds every form; and no form exceeds P(a) + P(b) + P(c).
Few triples pass both bounds; their 23 forms are computed in integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.compiled import cached_njit
from netdissect.stats.formula_kernel import offer

if TYPE_CHECKING:
    from numpy.typing import NDArray


@cached_njit()
def search_triples(
    g: NDArray[np.float64],
    P: NDArray[np.float64],
    bound: float,
    concepts: NDArray[np.int64],
    primary: NDArray[np.int64],
    group_of: NDArray[np.int64],
    group: int,
    tables: tuple[Any, ...],
    mask: NDArray[np.int64],
    M: int,
    best: NDArray[np.int64],
) -> int:
    """Offer the forms of all triples of one group of images that may exceed the bound; return how many triples.

    Args:
        g: sums over the signatures that have both of two concepts, shape (n, n).
        P: sums of the positive parts, shape (n, n); single concepts, on the diagonal, do not increase.
        bound: t·M, less what rounding may change.
        concepts: columns of the concepts, shape (n,).
        primary: category of every column, shape (C,).
        group_of: the group of three concepts' categories, shape (K, K, K).
        group: number of the group.
        tables: as in `offer_triple`.
        mask: pixels of the unit's masks that have every signature, shape (S,).
        M: pixels of the unit's masks on the group's images.
        best: the best formula so far, shape (7,), replaced.
    """
    size = concepts.size
    upper, own = np.empty(size), np.diag(P).copy()
    offered = 0
    for i in range(size):
        if own[i] * 3 < bound:
            break
        for j in range(i + 1, size):
            if own[i] + own[j] * 2 < bound:
                break
            end = j + 1
            while end < size and own[i] + own[j] + own[end] >= bound:
                end += 1
            bound_forms(i, j, end, g, P, upper)
            a, b = primary[concepts[i]], primary[concepts[j]]
            for k in range(j + 1, end):
                if upper[k] >= bound and group_of[a, b, primary[concepts[k]]] == group:
                    offer_triple(concepts[i], concepts[j], concepts[k], tables, mask, M, best)
                    offered += 1
    return offered


@cached_njit()
def extend_pair(
    concepts: NDArray[np.int64],
    primary: NDArray[np.int64],
    group_of: NDArray[np.int64],
    group: int,
    tables: tuple[Any, ...],
    mask: NDArray[np.int64],
    M: int,
    best: NDArray[np.int64],
) -> int:
    """Offer the forms of the best pair with every third concept, to begin with a high t; return how many triples.

    Args:
        concepts: as in `search_triples`, as all others.
        primary: category of every column.
        group_of: the group of three concepts' categories.
        group: number of the group.
        tables: as in `offer_triple`.
        mask: pixels of the unit's masks that have every signature.
        M: pixels of the unit's masks.
        best: the best formula so far, replaced.
    """
    first, second, offered = best[3], best[4], 0
    if best[2] < 2:
        return offered
    for third in concepts:
        if third not in (first, second) and group_of[primary[first], primary[second], primary[third]] == group:
            offer_triple(first, second, third, tables, mask, M, best)
            offered += 1
    return offered


@cached_njit()
def bound_forms(
    i: int, j: int, end: int, g: NDArray[np.float64], P: NDArray[np.float64], upper: NDArray[np.float64]
) -> None:
    """Fill in the bound on all forms of the pair (i, j) with every third concept.

    Args:
        i: first concept.
        j: second concept; the third ones are j + 1 to end − 1.
        end: one after the last third concept.
        g: as in `search_triples`.
        P: as in `search_triples`.
        upper: filled, shape (n,).
    """
    a, b, ab = g[i, i], g[j, j], g[i, j]
    positive, negative = P[i, j], P[i, j] - ab
    a_b, b_a = a - ab, b - ab
    for k in range(j + 1, end):
        c, ac, bc = g[k, k], g[i, k], g[j, k]
        most, least = min(positive, P[i, k], P[j, k]), min(negative, P[i, k] - ac, P[j, k] - bc)
        a_c, b_c, c_a, c_b = a - ac, b - bc, c - ac, c - bc
        plus = max(0.0, a + b + c - min(0.0, a, b, c) - ab - ac - bc, a_b - ac, b_a - bc, c_a - bc)
        plus = max(plus, a_b + c_a, b_a + c_b, a_c + b_a, c_a + b_c, b_c + a_b, c_b + a_c)
        minus = max(ac + bc, ab + bc, ab + ac, ab + c, ac + b, bc + a, ab, ac, bc)
        upper[k] = max(plus + most, minus + least)


@cached_njit()
def offer_triple(
    first: int,
    second: int,
    third: int,
    tables: tuple[Any, ...],
    mask: NDArray[np.int64],
    M: int,
    best: NDArray[np.int64],
) -> None:
    """Offer the 23 forms of three concepts.

    Args:
        first: column of a concept, as are `second` and `third`, in any order.
        second: another column.
        third: another column.
        tables: pixels of the unit's masks and label pixels that have both of two concepts, shape (n, n) each; the place of
            every column in them, shape (C,); the group's categories as bits; those of every signature's images, shape (S,);
            label pixels of every signature, shape (S,); the first place of every signature in the next, shape (S + 1,),
            columns of all signatures; the first place of every column in the next, shape (C + 1,), signatures of all columns.
        mask: pixels of the unit's masks that have every signature, shape (S,).
        M: pixels of the unit's masks on the group's images.
        best: the best formula so far, replaced.
    """
    X, Y, place, bits, presence, pixels, start, columns, first_signature, signatures = tables
    low, high = min(first, second, third), max(first, second, third)
    middle = first + second + third - low - high
    rare = low
    for column in (middle, high):
        if first_signature[column + 1] - first_signature[column] < first_signature[rare + 1] - first_signature[rare]:
            rare = column
    x, y = 0, 0
    for at in range(first_signature[rare], first_signature[rare + 1]):
        row = signatures[at]
        if presence[row] & bits == bits:
            found = 0
            for place_of_column in range(start[row], start[row + 1]):
                column = columns[place_of_column]
                found += column in (low, middle, high)
            if found == 3:
                x += mask[row]
                y += pixels[row]
    a, b, c = place[low], place[middle], place[high]
    both, area = np.empty(23, np.int64), np.empty(23, np.int64)
    join_three(X[a, a], X[b, b], X[c, c], X[a, b], X[a, c], X[b, c], x, both)
    join_three(Y[a, a], Y[b, b], Y[c, c], Y[a, b], Y[a, c], Y[b, c], y, area)
    for form in range(23):
        offer(both[form], M + area[form] - both[form], 3, low, middle, high, form, best)


@cached_njit()
def join_three(a: int, b: int, c: int, ab: int, ac: int, bc: int, abc: int, forms: NDArray[np.int64]) -> None:
    """Fill in the sums of the 23 forms, in the order of `netdissect.stats.formula_forms.FORMS`, from those of intersections."""
    union = a + b + c - ab - ac - bc + abc
    forms[0], forms[1] = union, abc
    forms[2], forms[3], forms[4] = ac + bc - abc, ab + bc - abc, ab + ac - abc
    forms[5], forms[6], forms[7] = ab + c - abc, ac + b - abc, bc + a - abc
    forms[8], forms[9], forms[10] = union - c, union - b, union - a
    forms[11], forms[12], forms[13] = ab - abc, ac - abc, bc - abc
    forms[14], forms[15] = a - ab + c - ac + abc, b - ab + c - bc + abc
    forms[16], forms[17] = a - ac + b - ab + abc, c - ac + b - bc + abc
    forms[18], forms[19] = b - bc + a - ab + abc, c - bc + a - ac + abc
    forms[20], forms[21], forms[22] = a - ab - ac + abc, b - ab - bc + abc, c - ac - bc + abc
