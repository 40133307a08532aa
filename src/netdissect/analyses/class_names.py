"""Class names as people write them: the outputs of a network, folders, concepts and tables name one class in many ways."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.class_list import read_numbered_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: A class list: a file, or the names of a network's class outputs in their order.
ClassNamesLike: TypeAlias = "str | Path | Sequence[str]"

_SYNSET = re.compile(r"(n\d{8})(?:[\s_:,.-]+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class ClassIndex:
    """The classes of a network, found by any usual spelling of their names.

    Attributes:
        written: the names as the list has them, in the order of the network's outputs.
        numbers: the number that the list gives to each class; from 0 if it gives none.
    """

    written: tuple[str, ...]
    numbers: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.written)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names for display: the first synonym, without a synset id, where this is no other class's."""
        short = [_shorten(name) for name in self.written]
        common = Counter(short)
        return tuple(name if common[name] == 1 else full for name, full in zip(short, self.written, strict=True))

    def find(self, name: str) -> int:
        """Return the position of the class that a name means; -1 for none.

        Case, ``_``, ``-``, ``/``, spaces and the ending ``-s`` of scenes do not count; a synset id (``n01440764``), also
        before the name, or one of several synonyms between commas, is enough, where it is not shared by two classes.

        Example:
            >>> classes = ClassIndex(("/a/abbey", "n02124075 Egyptian cat", "living_room"), (0, 1, 2))
            >>> [classes.find(name) for name in ("abbey-s", "n02124075", "egyptian-cat", "Living Room", "dog")]
            [0, 1, 1, 2, -1]
        """
        return next((self._positions[key] for key in _list_keys(name) if key in self._positions), -1)

    def find_number(self, number: int) -> int:
        """Return the position of the class that has a number; -1 for none."""
        return self._by_number.get(number, -1)

    @cached_property
    def _by_number(self) -> Mapping[int, int]:
        return {number: position for position, number in enumerate(self.numbers)}

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        """The class of every spelling that belongs to one class only; whole names come before synonyms."""
        keys = [_list_keys(name) for name in self.written]
        whole = _keep_distinct([(own[0], position) for position, own in enumerate(keys) if own])
        return _keep_distinct([(key, position) for position, own in enumerate(keys) for key in own[1:]]) | whole


def index_classes(given: ClassNamesLike) -> ClassIndex:
    """Return the classes of a list.

    Args:
        given: the names of a network's class outputs in their order, or a file: any format of
            `netdissect.probe_sets.importers.class_lists.formats`; numbers in it are those of the outputs.

    Raises:
        DataNotFoundError: if there is no such file.
        DataFileError: if it is no class list, or its numbers leave gaps.
    """
    if not isinstance(given, (str, Path)):
        return ClassIndex(tuple(given), tuple(range(len(given))))
    pairs = sorted(read_numbered_names(given))
    numbers = tuple(number for number, _ in pairs)
    if numbers and numbers != tuple(range(numbers[0], numbers[0] + len(numbers))):
        gap = next(number + 1 for number, after in itertools.pairwise(numbers) if after != number + 1)
        raise DataFileError(
            f"{given}: expected the classes of a network's outputs, numbered without gaps or repetitions, got "
            f"{len(numbers)} classes from {numbers[0]} to {numbers[-1]} and a fault at {gap}: list every output"
        )
    return ClassIndex(tuple(name for _, name in pairs), numbers)


def match_classes(
    where: object, names: Sequence[str], index: ClassIndex | None, notes: list[str]
) -> tuple[ClassIndex, NDArray[np.int64]]:
    """Find the class of every name.

    Args:
        where: what the names were read from, for errors.
        names: names or numbers of classes, one per image.
        index: the classes; None takes the names themselves.
        notes: a sentence is added for names that are no class.

    Returns:
        the classes, and the position of every name, -1 for none, int64.

    Raises:
        DataFileError: if no name is a class.
    """
    counts = Counter(names)
    are_numbers = all(name.isascii() and name.isdigit() and len(name) < 10 for name in counts)
    if index is None:
        last = max(map(int, counts)) if are_numbers else 0
        if are_numbers and last < 100_000:
            index = ClassIndex(tuple(map(str, range(last + 1))), tuple(range(last + 1)))
        else:
            index = index_classes(sorted(counts))
    found = {name: index.find(name) for name in counts}
    if are_numbers and max(found.values()) < 0:
        found = {name: index.find_number(int(name)) for name in counts}
    if max(found.values()) < 0 and all(map(is_synset, counts)):
        from netdissect.analyses.imagenet_synsets import list_imagenet_synsets

        synsets = list_imagenet_synsets(index) or (sorted(counts) if len(counts) == len(index) else [])
        if synsets:
            notes.append(
                f"{where}: the class list has no synset ids; its {len(index)} classes are taken in their order"
            )
        found |= {name: synsets.index(name) for name in counts if name in synsets}
    lost = [name for name, position in found.items() if position < 0]
    if len(lost) == len(found):
        raise DataFileError(_describe_mismatch(where, lost, index))
    if lost:
        images = sum(counts[name] for name in lost)
        shown = ", ".join(lost[:5]) + (f" and {len(lost) - 5:,} more" if len(lost) > 5 else "")
        notes.append(
            f"{where}: {len(lost):,} of {len(found):,} labels are none of the {len(index):,} classes and are left out "
            f"with their images ({images:,} labels): {shown}"
        )
    return index, np.array([found[name] for name in names], np.int64)


def _describe_mismatch(where: object, lost: Sequence[str], index: ClassIndex) -> str:
    advice = "give the network's own class list with --classes"
    if any(map(is_synset, lost)):
        advice = "give a class list with synset ids with --classes, such as ImageNet's imagenet_class_index.json"
    labels = (
        f"its label {lost[0]} is not"
        if len(lost) == 1
        else f"none of its {len(lost):,} labels ({_list_first(lost)}) is"
    )
    return f"{where}: {labels} one of the {len(index):,} classes ({_list_first(index.names)}): {advice}"


def _list_first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def normalize_class_name(name: str) -> str:
    """Return a class's name for comparisons: small letters and digits with single spaces between words.

    Places365's ``/a/`` before names and the ending ``-s`` of scenes are left out.

    >>> normalize_class_name("/a/apartment_building/outdoor"), normalize_class_name("apartment_building-outdoor-s")
    ('apartment building outdoor', 'apartment building outdoor')
    """
    plain = re.sub(r"^/\w/|-s$", "", name.strip())
    return " ".join(re.findall(r"[^\W_]+", plain.casefold()))


def is_synset(name: str) -> bool:
    """Return whether a name is a synset id of WordNet, such as ``n01440764``."""
    return re.fullmatch(r"n\d{8}", name.strip()) is not None


def _split_synset(name: str) -> tuple[str, str]:
    """Return the synset id at the start of a name, and the rest; either may be empty."""
    match = _SYNSET.fullmatch(name.strip())
    return (match[1], match[2] or "") if match else ("", name.strip())


def _list_keys(name: str) -> list[str]:
    """Return the spellings under which a name is found, the whole name first."""
    synset, rest = _split_synset(name)
    synonyms = rest.split(",") if "," in rest else []
    return list(dict.fromkeys(filter(None, (normalize_class_name(rest), synset, *map(normalize_class_name, synonyms)))))


def _shorten(name: str) -> str:
    synset, rest = _split_synset(name)
    first = rest.split(",")[0].strip() if synset else rest
    return re.sub(r"^/\w/", "", first) or synset


def _keep_distinct(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return the spellings that one class has; those of several classes are left out."""
    owners: dict[str, set[int]] = {}
    for key, position in pairs:
        owners.setdefault(key, set()).add(position)
    return {key: next(iter(positions)) for key, positions in owners.items() if len(positions) == 1}
