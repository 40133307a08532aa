"""Phases 2 and 3: from the labels of several sources to one list of concepts (docs/broden.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.probe_sets.broden.writer import LabelUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.statistics import Statistics


class SourceLabel(NamedTuple):
    """A label of a source: the number it has there, in one category."""

    source: str
    category: str
    number: int


@dataclass(frozen=True)
class NameTable:
    """What phase 2 finds.

    Attributes:
        name: the name of every label; empty if it has none.
        owner: for every word, the label that claimed it first.
    """

    name: Mapping[SourceLabel, str]
    owner: Mapping[str, SourceLabel]


def name_labels(statistics: Statistics, words: Callable[[SourceLabel], Sequence[str]]) -> NameTable:
    """Phase 2: give every label a name; labels that mean the same get the same.

    In order of falling frequency (of equals, the smaller label first) a label claims every word of its own that nobody
    has claimed, and is called by the first it owns. One that owns none merges: with the owner of its only word, or of
    several owners with the one whose mean object size (coverage / frequency) is nearest, then the more frequent.

    Args:
        statistics: frequency and coverage of every label.
        words: a label's names, the best first.
    """
    name: dict[SourceLabel, str] = {}
    owner: dict[str, SourceLabel] = {}
    for label in sorted(statistics.frequency, key=lambda label: (-statistics.frequency[label], label)):
        own = words(label)
        for word in own:
            owner.setdefault(word, label)
        claimed = next((word for word in own if owner[word] == label), None)
        if claimed is not None:
            name[label] = claimed
        elif own:
            name[label] = name[_nearest_owner(label, [owner[word] for word in own], statistics)]
        else:
            name[label] = ""
    return NameTable(name, owner)


def _nearest_owner(label: SourceLabel, owners: Sequence[SourceLabel], statistics: Statistics) -> SourceLabel:
    if len(owners) == 1:
        return owners[0]
    size = statistics.mean_size(label)
    return min(owners, key=lambda other: (abs(size - statistics.mean_size(other)), -statistics.frequency[other], other))


def sum_usage(statistics: Statistics, naming: NameTable) -> LabelUsage:
    """Add up frequency and coverage of every name, per category."""
    usage = LabelUsage()
    for label in sorted(statistics.frequency):
        if naming.name[label]:
            key = naming.name[label], label.category
            usage.frequency[key] += statistics.frequency[label]
            usage.coverage[key] += statistics.coverage[label]
    return usage


@dataclass(frozen=True)
class Assignment:
    """What phase 3 finds: the number of every label of every source.

    Attributes:
        numbers: the number of every name that is kept, 1..C.
        tables: per (source, category), the number of every label, uint16; 0 for what is not kept.
        synonyms: for every name that is kept, the other words its labels claimed.
    """

    numbers: Mapping[str, int]
    tables: Mapping[tuple[str, str], NDArray[np.uint16]]
    synonyms: Mapping[str, Sequence[str]]


def assign_numbers(statistics: Statistics, naming: NameTable, numbers: Mapping[str, int]) -> Assignment:
    """Phase 3: turn names into numbers, label by label.

    Args:
        statistics: the labels there are.
        naming: their names.
        numbers: the number of every name that is frequent enough.
    """
    largest: dict[tuple[str, str], int] = {}
    for label in statistics.frequency:
        key = label.source, label.category
        largest[key] = max(largest.get(key, 0), label.number)
    tables = {key: np.zeros(number + 1, np.uint16) for key, number in largest.items()}
    for label, name in naming.name.items():
        tables[label.source, label.category][label.number] = numbers.get(name, 0)
    synonyms: dict[str, list[str]] = {}
    for word, label in naming.owner.items():
        name = naming.name[label]
        if name in numbers and word != name:
            synonyms.setdefault(name, []).append(word)
    return Assignment(numbers, tables, synonyms)
