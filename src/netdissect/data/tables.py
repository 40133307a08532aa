"""Whether the tables of a probe set agree with one another."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PART = re.compile(r"(?P<category>[^();]+)\((?P<frequency>\d+)\)")


def table_problems(folder: Path) -> tuple[dict[str, frozenset[int]], list[str]]:
    """Compare ``label.csv``, ``category.csv`` and every ``c_<category>.csv``; they have been read once without an error.

    Returns:
        the numbers that every category lists, and what does not agree, each in a sentence.
    """
    labels = {int(record["number"]): record for record in _records(folder / "label.csv")}
    listed: dict[str, frozenset[int]] = {}
    problems = []
    for record in _records(folder / "category.csv"):
        category = record["name"]
        table = [line for line in _records(folder / f"c_{category}.csv") if line["number"].strip() != "0"]
        numbers = [int(line["number"]) for line in table]
        listed[category] = frozenset(numbers)
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
        problems += _category_problems(folder, record, numbers, table)
    for number, label in labels.items():
        problems += _label_problems(folder, number, label, listed)
    return listed, problems


def _category_problems(
    folder: Path, record: dict[str, str], numbers: Sequence[int], table: Sequence[dict[str, str]]
) -> list[str]:
    found = {
        "first": str(min(numbers, default=0)),
        "last": str(max(numbers, default=0)),
        "count": str(len(numbers)),
        "frequency": str(sum(int(line["frequency"]) for line in table if line.get("frequency", "").isdigit())),
    }
    if any("frequency" not in line for line in table):
        del found["frequency"]
    return [
        f"{folder / 'category.csv'}: {record['name']} has {column} {record[column]}, and c_{record['name']}.csv {value}"
        for column, value in found.items()
        if record.get(column, value) != value
    ]


def _label_problems(folder: Path, number: int, label: dict[str, str], listed: dict[str, frozenset[int]]) -> list[str]:
    told = {match["category"] for match in _PART.finditer(label.get("category", ""))}
    if not told:
        return []
    where = {category for category, numbers in listed.items() if number in numbers}
    if told == where:
        return []
    return [
        (
            f"{folder / 'label.csv'}: label {number} ({label['name']}) names the categories {', '.join(sorted(told))}, and is "
            f"listed in {', '.join(f'c_{category}.csv' for category in sorted(where))}"
        )
    ]


def _records(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
