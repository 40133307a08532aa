"""Concepts: the vocabulary of a probe set, and the labels of one image.

A probe set numbers its concepts from 1 (``label.csv``); 0 is no label. The engine uses *codes*: 0 for no label, then 1 to C
in the order of the numbers, so code - 1 is the concept's column in every (units, concepts) table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from netdissect.short_reprs import ShortRepr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: The order of the categories in the paper's figures; others follow in their own order.
CATEGORY_ORDER = ("object", "scene", "part", "material", "texture", "color")


def display_name(name: str) -> str:
    """Return a concept's name for display: with spaces for ``_``, without the endings ``-c`` and ``-s``.

    >>> display_name("living_room-s"), display_name("red-c"), display_name("t-shirt")
    ('living room', 'red', 't-shirt')
    """
    return re.sub(r"-[sc]$", "", name).replace("_", " ")


def sort_categories(categories: Iterable[str]) -> tuple[str, ...]:
    """Return distinct categories in the order of the paper's figures; unknown ones come last, in their own order."""
    distinct = dict.fromkeys(categories)
    known = [category for category in CATEGORY_ORDER if category in distinct]
    return (*known, *(category for category in distinct if category not in CATEGORY_ORDER))


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept of a vocabulary.

    Attributes:
        number: its number in ``label.csv``, from 1, which label maps hold.
        name: as in ``label.csv``, such as ``"sky"``.
        category: the category that it counts for, κ(c).
    """

    number: int
    name: str
    category: str


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary(ShortRepr):
    """The concepts of a probe set and their categories.

    Attributes:
        categories: the K category names, in the order of ``category.csv``.
        concepts: the C concepts in the order of their numbers, each with its primary category κ(c).
    """

    categories: tuple[str, ...]
    concepts: tuple[Concept, ...]

    def __post_init__(self) -> None:
        numbers = [concept.number for concept in self.concepts]
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] < 1):
            raise ValueError("concept numbers must be distinct, rising and at least 1")
        unknown = {concept.category for concept in self.concepts} - set(self.categories)
        if unknown:
            raise ValueError(f"concepts name categories that are not listed: {sorted(unknown)}")

    def __len__(self) -> int:
        return len(self.concepts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.categories == other.categories and self.concepts == other.concepts

    def __hash__(self) -> int:
        return hash((self.categories, self.concepts))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The C names, as written in ``label.csv``."""
        return tuple(concept.name for concept in self.concepts)

    @cached_property
    def primary(self) -> NDArray[np.int64]:
        """Position of every concept's primary category in `categories`, int64, shape (C,)."""
        position = {category: index for index, category in enumerate(self.categories)}
        return np.array([position[concept.category] for concept in self.concepts], dtype=np.int64)

    @cached_property
    def largest_number(self) -> int:
        """The largest concept number; 0 if there are no concepts."""
        return self.concepts[-1].number if self.concepts else 0

    @cached_property
    def codes(self) -> NDArray[np.int32]:
        """Code of every concept number, int32, shape (largest_number + 1,); -1 for a number that is not used."""
        table = np.full(self.largest_number + 1, -1, dtype=np.int32)
        table[0] = 0
        for code, concept in enumerate(self.concepts, start=1):
            table[concept.number] = code
        return table

    def find_columns(self, category: str) -> NDArray[np.int64]:
        """Return the columns of the concepts with this primary category."""
        return np.flatnonzero(self.primary == self.categories.index(category))


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of one image, as codes: concepts by their position in the vocabulary, from 1; 0 is no label.

    Attributes:
        planes: label planes, uint16, shape (P, sh, sw); P may be 0.
        whole: codes of labels for the whole image, each once, int64, shape (W,).
    """

    planes: NDArray[np.uint16]
    whole: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the label planes, (sh, sw), in pixels."""
        return self.planes.shape[1], self.planes.shape[2]
