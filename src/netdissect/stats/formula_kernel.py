"""The compiled loops of the search for formulas: pair tables, and the best single concept and pair of one group of images.

A formula that is found is ten integers: intersection and union in pixels, the number of concepts, their columns, rising, with -1
for none, and the place of its form in `FORMS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: Below this share of the best IoU in floating point, another is certainly lower.
_NEAR = 1 - 1e-9


@cached_njit()
def add_pairs(
    start: NDArray[np.int64],
    columns: NDArray[np.integer],
    place: NDArray[np.int64],
    signatures: NDArray[np.int64],
    weights: NDArray[np.number],
    table: NDArray[np.number],
) -> None:
    """Add the weight of every signature to all pairs of its concepts.

    Args:
        start: place of every signature's first column, shape (S + 1,).
        columns: columns of all signatures.
        place: place of every column in the table, shape (C,); -1 for those that are left out.
        signatures: the signatures to add, shape (m,).
        weights: their weights, shape (m,).
        table: filled, shape (n, n); symmetric, with the sums of single concepts on the diagonal.
    """
    for at in range(signatures.size):
        first, end, weight = start[signatures[at]], start[signatures[at] + 1], weights[at]
        for i in range(first, end):
            a = place[columns[i]]
            if a >= 0:
                for j in range(first, end):
                    b = place[columns[j]]
                    if b >= 0:
                        table[a, b] += weight


@cached_njit()
def add_singles(
    start: NDArray[np.int64],
    columns: NDArray[np.integer],
    place: NDArray[np.int64],
    signatures: NDArray[np.int64],
    weights: NDArray[np.number],
    sums: NDArray[np.number],
) -> None:
    """Add the weight of every signature to each of its concepts, as `add_pairs` does to pairs; `sums` has shape (n,)."""
    for at in range(signatures.size):
        for i in range(start[signatures[at]], start[signatures[at] + 1]):
            if place[columns[i]] >= 0:
                sums[place[columns[i]]] += weights[at]


@cached_njit()
def add_extensions(
    start: NDArray[np.int64],
    columns: NDArray[np.integer],
    presence: NDArray[np.int64],
    pixels: NDArray[np.int64],
    mask: NDArray[np.int64],
    truth: NDArray[np.bool_],
    named: int,
    of_concept: NDArray[np.int64],
    of_category: NDArray[np.int64],
) -> None:
    """Count what a formula and every further concept have in common, on the images that have the categories of both.

    Args:
        start: place of every signature's first column, shape (S + 1,).
        columns: columns of all signatures.
        presence: categories that the signature's images have, as bits, shape (S,).
        pixels: label pixels of every signature, shape (S,).
        mask: pixels of the unit's masks of every signature, shape (S,).
        truth: which signatures satisfy the formula, shape (S,).
        named: the formula's categories, as bits.
        of_concept: zeros, shape (4, C), filled with the concept's pixels in the masks and in all, and the same where the formula
            is true.
        of_category: zeros, shape (3, K), filled for a further concept of category k with the pixels of the masks, and with those
            of masks and of all where the formula is true.
    """
    for row in range(presence.size):
        if presence[row] & named == named:
            for k in range(of_category.shape[1]):
                if presence[row] >> k & 1:
                    of_category[0, k] += mask[row]
                    if truth[row]:
                        of_category[1, k] += mask[row]
                        of_category[2, k] += pixels[row]
            for at in range(start[row], start[row + 1]):
                column = columns[at]
                of_concept[0, column] += mask[row]
                of_concept[1, column] += pixels[row]
                if truth[row]:
                    of_concept[2, column] += mask[row]
                    of_concept[3, column] += pixels[row]


@cached_njit()
def is_greater(a: int, b: int, c: int, d: int) -> bool:
    """Return whether a / b > c / d exactly, for a, c ≥ 0 and b, d > 0, without multiplying large numbers."""
    while True:
        whole, other = a // b, c // d
        if whole != other:
            return bool(whole > other)
        a -= whole * b
        c -= other * d
        if c == 0 or a == 0:
            return bool(a > 0)
        a, b, c, d = d, c, b, a


@cached_njit()
def offer(
    both: int, union: int, length: int, first: int, second: int, third: int, form: int, best: NDArray[np.int64]
) -> bool:
    """Replace the best formula if another has a higher IoU, or the same and comes before it; return whether it was replaced.

    Of equal formulas the shortest comes first, then that of the lowest columns, then that of the first form.
    """
    if both <= 0 or float(both) * best[1] < float(best[0]) * union * _NEAR:
        return False
    if not is_greater(both, union, best[0], best[1]):
        if is_greater(best[0], best[1], both, union):
            return False
        mine, other = (length, first, second, third, form), (best[2], best[3], best[4], best[5], best[6])
        if mine >= other:
            return False
    best[0], best[1], best[2] = both, union, length
    best[3], best[4], best[5], best[6] = first, second, third, form
    return True


@cached_njit()
def search_singles(
    X: NDArray[np.int64],
    Y: NDArray[np.int64],
    M: int,
    concepts: NDArray[np.int64],
    primary: NDArray[np.int64],
    group_of: NDArray[np.int64],
    group: int,
    own: NDArray[np.float64],
    best: NDArray[np.int64],
) -> None:
    """Offer all single concepts of one group of images.

    Args:
        X: pixels of the unit's masks that have every concept, shape (n,).
        Y: label pixels that have every concept, shape (n,).
        M: pixels of the unit's masks on the group's images.
        concepts: columns of the concepts, rising, shape (n,).
        primary: category of every column, shape (C,).
        group_of: the group of three concepts' categories, shape (K, K, K).
        group: number of the group.
        own: filled with the IoU of every single concept, shape (C,).
        best: the best formula so far, shape (7,), replaced.
    """
    for a in range(concepts.size):
        k = primary[concepts[a]]
        if group_of[k, k, k] == group:
            union = M + Y[a] - X[a]
            own[concepts[a]] = X[a] / max(1, union)
            offer(X[a], union, 1, concepts[a], -1, -1, 0, best)


@cached_njit()
def search_pairs(
    X: NDArray[np.int64],
    Y: NDArray[np.int64],
    M: int,
    concepts: NDArray[np.int64],
    primary: NDArray[np.int64],
    group_of: NDArray[np.int64],
    group: int,
    best: NDArray[np.int64],
) -> None:
    """Offer all formulas of two concepts of one group of images: a OR b, a AND b, a AND NOT b, b AND NOT a.

    Args:
        X: pixels of the unit's masks that have both of two concepts, shape (n, n).
        Y: label pixels that have both of two concepts, shape (n, n).
        M: as in `search_singles`, as all others.
        concepts: columns of the concepts.
        primary: category of every column.
        group_of: the group of three concepts' categories.
        group: number of the group.
        best: the best formula so far, replaced.
    """
    for a in range(concepts.size):
        k = primary[concepts[a]]
        for b in range(a + 1, concepts.size):
            other = primary[concepts[b]]
            if group_of[k, k, other] != group:
                continue
            x, y = X[a, b], Y[a, b]
            u, v = X[a, a] + X[b, b] - x, Y[a, a] + Y[b, b] - y
            offer(u, M + v - u, 2, concepts[a], concepts[b], -1, 0, best)
            offer(x, M + y - x, 2, concepts[a], concepts[b], -1, 1, best)
            u, v = X[a, a] - x, Y[a, a] - y
            offer(u, M + v - u, 2, concepts[a], concepts[b], -1, 2, best)
            u, v = X[b, b] - x, Y[b, b] - y
            offer(u, M + v - u, 2, concepts[a], concepts[b], -1, 3, best)
