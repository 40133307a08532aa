"""Phases 2 and 3 of a build: merge the labels of several sources into one list of concepts (docs/broden.md, Names)."""

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
    """A label of a source: its number there, in one category."""

    source: str
    category: str
    number: int


@dataclass(frozen=True)
class NameTable:
    """The result of phase 2.

    Attributes:
        name: the name of every label; empty if it has none.
        owner: for every word, the label that claimed it first.
    """

    name: Mapping[SourceLabel, str]
    owner: Mapping[str, SourceLabel]


def name_labels(statistics: Statistics, words: Callable[[SourceLabel], Sequence[str]]) -> NameTable:
    """Name every label; labels that mean the same get the same name (phase 2).

    In order of falling frequency (of equals, the smaller label first) every label claims those of its words that are
    unclaimed, and is named after the first that it owns. A label that owns none merges with the owner of its only word;
    of several owners, with the one of the nearest mean object size (coverage / frequency), then the more frequent.

    Args:
        statistics: frequency and coverage of every label.
        words: returns a label's names, the preferred one first.
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
            name[label] = name[_find_nearest_owner(label, [owner[word] for word in own], statistics)]
        else:
            name[label] = ""
    return NameTable(name, owner)


def _find_nearest_owner(label: SourceLabel, owners: Sequence[SourceLabel], statistics: Statistics) -> SourceLabel:
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
    """The result of phase 3: the label number of every label of every source.

    Attributes:
        numbers: the label number of every name that is kept, 1..C.
        tables: per (source, category), the label number of every label of the source, uint16; 0 for dropped ones.
        synonyms: for every name that is kept, the other words that its labels claimed.
    """

    numbers: Mapping[str, int]
    tables: Mapping[tuple[str, str], NDArray[np.uint16]]
    synonyms: Mapping[str, Sequence[str]]


def assign_numbers(statistics: Statistics, naming: NameTable, numbers: Mapping[str, int]) -> Assignment:
    """Give every label of every source the label number of its name (phase 3).

    Args:
        statistics: the labels that occur.
        naming: their names.
        numbers: the label number of every name that is frequent enough.
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
