"""Whether the tables of a probe set agree with one another."""

from __future__ import annotations

import csv
import io
import math
import re
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text
from netdissect.probe_sets.broden.index_rows import is_label_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PART = re.compile(r"(?P<category>[^();]+)\((?P<frequency>\d+)\)")


def find_table_problems(folder: Path) -> tuple[dict[str, frozenset[int]], list[str]]:
    """Compare ``label.csv``, ``category.csv`` and every ``c_<category>.csv``; they have been read once without an error.

    Returns:
        the numbers that every category lists, and what does not agree, each in a sentence.
    """
    labels = {int(record["number"]): record for record in _records(folder / "label.csv")}
    uses: dict[str, dict[int, dict[str, str]]] = {}
    problems = []
    for record in _records(folder / "category.csv"):
        category = record["name"]
        table = [line for line in _records(folder / f"c_{category}.csv") if line["number"].strip() != "0"]
        numbers = [int(line["number"]) for line in table]
        uses[category] = dict(zip(numbers, table, strict=True))
        name = f"c_{category}.csv"
        if len(set(numbers)) < len(numbers):
            problems.append(f"{folder / name}: a number is listed twice")
        if "code" in (table[0] if table else {}) and [line["code"] for line in table] != [
            str(code) for code in range(1, len(table) + 1)
        ]:
            problems.append(f"{folder / name}: the codes are not 1, 2, 3, … in order")
        for line in table:
            wanted = labels[int(line["number"])]["name"]
            if line.get("name", wanted) != wanted:
                problems.append(
                    f"{folder / name}: number {line['number']} is called {line['name']!r}, and {wanted!r} in label.csv"
                )
        problems += _find_category_problems(folder, record, numbers, table)
    for number, label in labels.items():
        problems += _find_label_problems(folder, number, label, uses)
    return {category: frozenset(lines) for category, lines in uses.items()}, problems


def _find_category_problems(
    folder: Path, record: dict[str, str], numbers: Sequence[int], table: Sequence[dict[str, str]]
) -> list[str]:
    found = {
        "first": str(min(numbers, default=0)),
        "last": str(max(numbers, default=0)),
        "count": str(len(numbers)),
        "frequency": str(sum(int(line["frequency"]) for line in table if is_label_number(line.get("frequency", "")))),
    }
    if any("frequency" not in line for line in table):
        del found["frequency"]
    return [
        f"{folder / 'category.csv'}: {record['name']} has {column} {record[column]}, and c_{record['name']}.csv {value}"
        for column, value in found.items()
        if record.get(column, value) != value
    ]


def _find_label_problems(
    folder: Path, number: int, label: dict[str, str], uses: dict[str, dict[int, dict[str, str]]]
) -> list[str]:
    """Compare a line of ``label.csv`` with those of its number in every ``c_<category>.csv``."""
    where = {category: lines[number] for category, lines in uses.items() if number in lines}
    start = f"{folder / 'label.csv'}: label {number} ({label['name']})"
    told = {match["category"]: match["frequency"] for match in _PART.finditer(label.get("category", ""))}
    if told and set(told) != set(where):
        return [
            (
                f"{start} names the categories {', '.join(sorted(told))}, and is listed in "
                f"{', '.join(f'c_{category}.csv' for category in sorted(where))}"
            )
        ]
    problems = [
        f"{start} has {told[category]} images in {category}, and {line['frequency']} in c_{category}.csv"
        for category, line in where.items()
        if told and line.get("frequency", told[category]) != told[category]
    ]
    if not problems and all("frequency" in line for line in where.values()):
        images = sum(_parse_number(line["frequency"]) for line in where.values())
        if _parse_number(label.get("frequency", str(images))) != images:
            problems.append(
                f"{start} has the frequency {label['frequency']}, and its categories add up to {images:.0f}"
            )
    covered = sum(_parse_number(line["coverage"]) for line in where.values())
    if not math.isclose(_parse_number(label.get("coverage", str(covered))), covered, rel_tol=1e-4, abs_tol=1e-5):
        problems.append(f"{start} has the coverage {label['coverage']}, and its categories add up to {covered:.6g}")
    return problems


def _parse_number(text: str) -> float:
    """Return a number; one that is none, or is infinite, agrees with nothing."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _records(path: Path) -> list[dict[str, str]]:
    text = read_text(path, "a table", missing=DataNotFoundError, wrong=DataFileError)
    return list(csv.DictReader(io.StringIO(text, newline="")))
