"""Read the concepts of a probe set from ``category.csv``, ``label.csv`` and ``c_<category>.csv``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.concepts import Concept, Vocabulary
from netdissect.errors import DataFileError
from netdissect.io.names import find_name_problem
from netdissect.probe_sets.broden.index_rows import INDEX_COLUMNS
from netdissect.probe_sets.broden.label_pngs import MAX_LABEL
from netdissect.probe_sets.broden.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.tables import BrodenTable


def read_vocabulary(folder: Path) -> tuple[Vocabulary, list[BrodenTable]]:
    """Read the vocabulary of a probe set.

    Returns:
        the vocabulary, and the tables it was read from, in a fixed order.

    Raises:
        DataNotFoundError: if a table is missing.
        DataFileError: if a table is damaged or contradicts another.
    """
    category_table = read_table(folder, "category.csv", ["name"])
    categories = _parse_categories(category_table)
    label_table = read_table(folder, "label.csv", ["number", "name"])
    names = _parse_names(label_table)
    use_tables = [read_table(folder, f"c_{category}.csv", ["number", "coverage"]) for category in categories]
    primary = _find_primary_categories(use_tables, names)
    unused = sorted(set(names) - set(primary))
    if unused:
        raise DataFileError(f"{folder}: label {unused[0]} ({names[unused[0]]}) of label.csv is in no c_<category>.csv")
    concepts = tuple(Concept(number, names[number], categories[primary[number]]) for number in sorted(names))
    return Vocabulary(categories, concepts), [category_table, label_table, *use_tables]


def _parse_categories(table: BrodenTable) -> tuple[str, ...]:
    categories = tuple(line["name"] for line in table.lines)
    if len(set(categories)) < len(categories) or not all(categories):
        raise DataFileError(f"{table.path}: category names must be distinct and not empty")
    if not categories:
        raise DataFileError(f"{table.path}: expected at least one category, got none")
    for category in categories:
        problem = find_name_problem(category)
        if problem is not None or category in INDEX_COLUMNS:
            raise DataFileError(
                f"{table.path}: the category {category!a} names a table, c_{category!a}.csv, and a column of index.csv, so "
                f"it cannot have that name: {problem or 'index.csv has such a column for every image'}"
            )
    return categories


def _parse_names(table: BrodenTable) -> dict[int, str]:
    """Return the name of every label number."""
    names: dict[int, str] = {}
    for line in table.lines:
        number = line.parse_integer("number", 1)
        if number in names:
            raise line.error(f"label {number} is listed twice")
        if number > MAX_LABEL:
            raise line.error(f"label {number} is beyond what a label map can hold, {MAX_LABEL}")
        names[number] = line["name"]
    if not names:
        raise DataFileError(f"{table.path}: expected at least one label, got none")
    return names


def _find_primary_categories(tables: Sequence[BrodenTable], names: Mapping[int, str]) -> dict[int, int]:
    """Return the position of every label's primary category: the one with the largest coverage, the last of equals."""
    best: dict[int, tuple[float, int]] = {}
    for position, table in enumerate(tables):
        for line in table.lines:
            number = line.parse_integer("number", 0)
            if number == 0:
                continue
            if number not in names:
                raise line.error(f"label {number} is not listed in label.csv")
            best[number] = max(best.get(number, (0.0, -1)), (line.parse_number("coverage"), position))
    return {number: position for number, (_, position) in best.items()}
