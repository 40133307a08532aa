"""Label signatures: the distinct sets of concepts that pixels have, in which formulas are counted without images or masks.

A formula of concepts has the same truth value at all pixels of one signature, so its intersection with a unit's masks and its
area are sums over signatures. As for a single concept (CVPR 2017, § 2.3), both are taken over the images that have labels of
every category that the formula names.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Sets of categories that the same images have, with the n concepts of these categories.

    Attributes:
        bits: categories that an image must have, bit k for category k.
        pixels: label pixels of the images that have them.
        concepts: columns of the concepts, rising, int64, shape (n,).
        place: place of every column in `concepts`, -1 for others, int64, shape (C,).
        pairs: label pixels that have both of two concepts, int64, shape (n, n).
    """

    bits: int
    pixels: int
    concepts: NDArray[np.int64]
    place: NDArray[np.int64]
    pairs: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSignatures:
    """Signatures with what the searches of all units share.

    Attributes:
        signatures: the signatures.
        first: place of every column's first signature in `of_column`, and the end of the last, int64, shape (C + 1,).
        of_column: signatures of all columns, rising for each, int64.
        groups: the different sets of images that have the categories of a formula of at most three concepts.
        group_of: the group of three concepts' categories, in any order and with repetitions, int64, shape (K, K, K); -1 where
            no image has them all.
    """

    signatures: Signatures
    first: NDArray[np.int64]
    of_column: NDArray[np.int64]
    groups: tuple[CategoryGroup, ...]
    group_of: NDArray[np.int64]


def prepare_signatures(signatures: Signatures) -> PreparedSignatures:
    """Return signatures with the tables that the searches of all units share.

    Args:
        signatures: the signatures; their order does not matter.
    """
    categories = np.unique(signatures.primary).tolist()
    group_of = np.full((max(categories, default=-1) + 1,) * 3, -1, np.int64)
    found: dict[bytes, tuple[int, set[int]]] = {}
    for size in range(1, EXACT_LENGTH + 1):
        for chosen in combinations(categories, size):
            includes = find_images_with(signatures, chosen)
            if signatures.pixels[includes].any():
                number, named = found.setdefault(includes.tobytes(), (len(found), set()))
                named.update(chosen)
                for three in product(chosen, repeat=EXACT_LENGTH):
                    if set(three) == set(chosen):
                        group_of[three] = number
    groups = tuple(_make_group(signatures, sorted(named)) for _, named in found.values())
    first = np.concatenate([[0], np.cumsum(np.bincount(signatures.columns, minlength=signatures.primary.size))])
    rows = np.repeat(np.arange(signatures.pixels.size), np.diff(signatures.start))
    of_column = rows[np.argsort(signatures.columns, kind="stable")]
    return PreparedSignatures(signatures, first.astype(np.int64), of_column, groups, group_of)


def find_images_with(signatures: Signatures, categories: Sequence[int]) -> NDArray[np.bool_]:
    """Return which signatures are of images that have labels of all the categories, bool, shape (S,)."""
    bits = join_bits(categories)
    includes: NDArray[np.bool_] = (signatures.presence & bits) == bits
    return includes


def join_bits(categories: Sequence[int]) -> int:
    """Return categories as bits, bit k for category k."""
    return sum(1 << category for category in categories)


def _make_group(signatures: Signatures, categories: Sequence[int]) -> CategoryGroup:
    from netdissect.stats.formula_kernel import add_pairs  # imports numba

    of_category = np.isin(signatures.primary, categories)
    concepts = np.flatnonzero(of_category)
    place = np.where(of_category, np.cumsum(of_category) - 1, -1)
    rows = np.flatnonzero(find_images_with(signatures, categories))
    pixels, pairs = signatures.pixels[rows], np.zeros((concepts.size, concepts.size), np.int64)
    add_pairs(signatures.start, signatures.columns, place, rows, pixels, pairs)
    return CategoryGroup(join_bits(categories), int(pixels.sum()), concepts, place, pairs)
