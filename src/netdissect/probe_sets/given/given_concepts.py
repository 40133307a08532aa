"""``concepts=``: what the numbers, colors and planes of masks mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netdissect.bounds import describe_type
from netdissect.concepts import Vocabulary
from netdissect.errors import DataFileError, SettingsError
from netdissect.probe_sets.importers.class_list import ClassList, number_classes, read_class_list
from netdissect.probe_sets.importers.class_lists.rows import ClassRow
from netdissect.probe_sets.source import check_category

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: What `open_probe_set` takes as the concepts of masks.
ConceptsLike: TypeAlias = (
    Vocabulary
    | Sequence[str]
    | Mapping[int, str]
    | Mapping[int, tuple[str, str]]
    | Mapping[str, int]
    | Mapping[str, Sequence[str]]
    | str
    | Path
)


@dataclass(frozen=True)
class GivenConcepts:
    """The concepts of the masks of some images.

    Attributes:
        numbers: the label number of every name, from 1.
        lists: the class list of every category that masks are given for; under an empty text, the one for all categories.
    """

    numbers: Mapping[str, int]
    lists: Mapping[str, ClassList]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The name and category of every concept, as often as it is listed."""
        return [pair for own in self.lists.values() for pair in zip(own.names, own.categories, strict=True)]

    def find_list(self, category: str, where: str) -> ClassList:
        """Return the class list for the masks of a category.

        Args:
            category: the category; empty for masks that are given for all.
            where: which item of the data it is, for errors.

        Raises:
            DataFileError: if there is none.
        """
        found = self.lists.get(category)
        if found is not None:
            return found
        if category and "" in self.lists:
            if category in self.lists[""].categories:
                return self.lists[""]
            raise DataFileError(
                f"{where}: its masks have the category {category!r}, and concepts= has none of it: give it as "
                f"{{{category!r}: [names]}}, or number → (name, category)"
            )
        asked = f"the category {category!r}" if category else "no category"
        raise DataFileError(
            f"{where}: its masks have {asked}, and concepts= has lists for {', '.join(map(repr, self.lists))}: give the masks as a "
            f"dict of the same categories"
        )

    def to_numbers(self, own: ClassList, labels: NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
        """Return label numbers for the labels of a class list."""
        table = np.array([0, *(self.numbers[name] for name in own.names)], np.uint16)
        numbers: NDArray[np.uint16] = table[labels]
        return numbers


def read_given_concepts(given: Any, category: str | None, *, whole_images: bool = False) -> GivenConcepts:
    """Read the concepts of masks.

    Args:
        given: names, from number 1, or from 0 if the first means "no label" (``background``); number → name or → (name,
            category); category → names, for masks of several categories; a vocabulary; a file with a class list.
        category: of concepts without one; None for object, and scene if they hold for whole images.
        whole_images: whether they hold for whole images: then the first of names has number 0, and the names of scenes end in
            ``-s``, as in probe sets that importers make.

    Raises:
        DataFileError: if they are none of these.
        SettingsError: if a category has no valid name.
    """
    category = category or ("scene" if whole_images else "object")
    by_category = isinstance(given, Mapping) and given and all(_is_category(*item) for item in given.items())
    lists = (
        {str(name): _read_list(names, str(name), from_zero=whole_images) for name, names in given.items()}
        if by_category
        else {"": _read_list(given, category, from_zero=whole_images)}
    )
    if whole_images:
        lists = {key: _name_scenes(own) for key, own in lists.items()}
    names = dict.fromkeys(name for own in lists.values() for name in own.names)
    for name in {name for own in lists.values() for name in own.categories}:
        check_category(name)
    return GivenConcepts({name: number for number, name in enumerate(names, start=1)}, lists)


def _name_scenes(own: ClassList) -> ClassList:
    """Return a class list in which the names of scenes end in ``-s``."""
    pairs = zip(own.names, own.categories, strict=True)
    names = (f"{name.removesuffix('-s')}-s" if category == "scene" else name for name, category in pairs)
    return replace(own, names=tuple(names))


def _is_category(key: object, value: object) -> bool:
    """Return whether an entry of a mapping is a category and its names."""
    is_listed = (
        isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(name, str) for name in value)
    )
    return isinstance(key, str) and not key.strip().lstrip("-").isdigit() and is_listed


def _read_list(given: Any, category: str, *, from_zero: bool) -> ClassList:
    where = "concepts="
    if isinstance(given, Vocabulary):
        rows = [ClassRow(concept.number, concept.name, concept.category) for concept in given.concepts]
        return number_classes(rows, category, where)
    if isinstance(given, (str, Path)):
        return read_class_list(given, category)
    if isinstance(given, Mapping):
        if given and all(isinstance(value, tuple) and len(value) == 2 for value in given.values()):
            return number_classes([_make_row(*item) for item in given.items()], category, where)
        return read_class_list(given, category)
    if not isinstance(given, Sequence) and not hasattr(given, "__array__"):
        raise SettingsError(
            f"concepts= takes a list of names, a dict number → name, or a netdissect.Vocabulary, not {describe_type(given)}"
        )
    names = [name.item() if isinstance(name, np.generic) else name for name in given]
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None:
        raise SettingsError(f"concepts= takes a list of names, and one of them is {describe_type(wrong)}")
    return read_class_list(names, category, first=0 if from_zero else None)


def _make_row(number: object, value: tuple[object, object]) -> ClassRow:
    name, category = value
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not isinstance(name, str):
        raise DataFileError(f"concepts= takes number → (name, category), got {number!r} → {value!r}")
    return ClassRow(int(number), name, str(category or ""))
