"""Label signatures: the distinct sets of concepts that pixels have, in which formulas are counted without images or masks.

A formula of concepts has the same truth value at all pixels of one signature, so its intersection with a unit's masks and its
area are sums over signatures. As for a single concept (CVPR 2017, § 2.3), both are taken over the images that have labels of
every category that the formula names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The most concepts of a formula whose best is found exactly, so also the most categories that it names.
EXACT_LENGTH = 3


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """The S distinct signatures of a probe set's label pixels.

    Attributes:
        start: place of every signature's first column, and the end of the last, int64, shape (S + 1,).
        columns: columns of the concepts of all signatures, labels of whole images among them, each once per signature, int32
            or int64.
        presence: categories of which the signature's images have labels, bit k for category k, int64, shape (S,).
        pixels: label pixels that have the signature, int64, shape (S,).
        primary: category of every column, int64, shape (C,).
    """

    start: NDArray[np.int64]
    columns: NDArray[np.integer]
    presence: NDArray[np.int64]
    pixels: NDArray[np.int64]
    primary: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CategoryGroup:
    """Sets of categories that the same images have, with the n concepts of these categories, numbered by column.

    Attributes:
        includes: which signatures are of images that have the categories, bool, shape (S,).
        concepts: columns of the concepts, rising, int64, shape (n,).
        start: as in `Signatures`; signatures that are not included are empty.
        columns: the places in `concepts` of the concepts of all signatures, int64.
        pixels: label pixels that have both of two concepts, int64, shape (n, n).
    """

    includes: NDArray[np.bool_]
    concepts: NDArray[np.int64]
    start: NDArray[np.int64]
    columns: NDArray[np.int64]
    pixels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSignatures:
    """Signatures with what the searches of all units share.

    Attributes:
        signatures: the signatures.
        groups: the different sets of images that have the categories of a formula of at most three concepts.
        group_of: the group of three concepts' categories, in any order and with repetitions, int64, shape (K, K, K); -1 where
            no image has them all.
    """

    signatures: Signatures
    groups: tuple[CategoryGroup, ...]
    group_of: NDArray[np.int64]


def prepare_signatures(signatures: Signatures) -> PreparedSignatures:
    """Return signatures with the tables that the searches of all units share.

    Args:
        signatures: the signatures; their order does not matter.
    """
    categories = np.unique(signatures.primary).tolist()
    sets = [chosen for size in range(1, EXACT_LENGTH + 1) for chosen in combinations(categories, size)]
    group_of = np.full((max(categories, default=-1) + 1,) * 3, -1, np.int64)
    numbers: dict[bytes, int] = {}
    members: list[tuple[NDArray[np.bool_], set[int]]] = []
    for chosen in sets:
        includes = find_images_with(signatures, chosen)
        if not signatures.pixels[includes].any():
            continue
        number = numbers.setdefault(includes.tobytes(), len(numbers))
        if number == len(members):
            members.append((includes, set()))
        members[number][1].update(chosen)
        _write_set(group_of, chosen, number)
    groups = tuple(_make_group(signatures, includes, sorted(named)) for includes, named in members)
    return PreparedSignatures(signatures, groups, group_of)


def find_images_with(signatures: Signatures, categories: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which signatures are of images that have labels of all the categories, bool, shape (S,)."""
    bits = sum(1 << category for category in categories)
    includes: NDArray[np.bool_] = (signatures.presence & bits) == bits
    return includes


def _write_set(group_of: NDArray[np.int64], chosen: tuple[int, ...], number: int) -> None:
    """Write a group's number wherever three categories are exactly the chosen ones."""
    grid = np.ix_(chosen, chosen, chosen)
    part = group_of[grid]
    places = np.indices(part.shape)
    named = np.zeros(part.shape, np.int64)
    for axis in places:
        named |= 1 << axis
    part[named == (1 << len(chosen)) - 1] = number
    group_of[grid] = part


def _make_group(signatures: Signatures, includes: NDArray[np.bool_], categories: list[int]) -> CategoryGroup:
    from netdissect.stats.formula_kernel import add_pairs  # imports numba

    of_category = np.isin(signatures.primary, categories)
    concepts = np.flatnonzero(of_category)
    place = np.cumsum(of_category) - 1
    sizes = np.diff(signatures.start)
    taken = of_category[signatures.columns] & np.repeat(includes, sizes)
    before = np.concatenate([[0], np.cumsum(taken)])
    start = before[signatures.start].astype(np.int64)
    columns = place[signatures.columns[taken]].astype(np.int64)
    pixels = np.zeros((concepts.size, concepts.size), np.int64)
    add_pairs(start, columns, np.flatnonzero(includes), signatures.pixels[includes], pixels)
    return CategoryGroup(includes, concepts.astype(np.int64), start, columns, pixels)
