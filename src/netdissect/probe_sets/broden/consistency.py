"""Find contradictions between the tables of a probe set."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from netdissect.probe_sets.broden.index_rows import is_label_number
from netdissect.probe_sets.broden.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.tables import TableLine

_PART = re.compile(r"(?P<category>[^();]+)\((?P<frequency>\d+)\)")


def find_table_problems(folder: Path) -> tuple[dict[str, frozenset[int]], list[str]]:
    """Compare ``label.csv``, ``category.csv`` and every ``c_<category>.csv`` of a probe set that `Broden` can read.

    Returns:
        the label numbers that every category lists, and every contradiction as a sentence.
    """
    labels = {int(line["number"]): line for line in read_table(folder, "label.csv", ["number", "name"]).lines}
    uses: dict[str, dict[int, TableLine]] = {}
    problems: list[str] = []
    for category in read_table(folder, "category.csv", ["name"]).lines:
        table = read_table(folder, f"c_{category['name']}.csv", ["number", "coverage"])
        lines = [line for line in table.lines if line["number"].strip() != "0"]
        uses[category["name"]] = {int(line["number"]): line for line in lines}
        problems += _find_use_problems(table.path, lines, labels)
        problems += _find_category_problems(category, lines)
    for number, label in labels.items():
        problems += _find_label_problems(number, label, uses)
    return {category: frozenset(lines) for category, lines in uses.items()}, problems


def _find_use_problems(path: Path, lines: Sequence[TableLine], labels: Mapping[int, TableLine]) -> Iterator[str]:
    """Compare a ``c_<category>.csv`` with ``label.csv``."""
    if len({int(line["number"]) for line in lines}) < len(lines):
        yield f"{path}: a number is listed twice"
    if any(line.get("code", str(code)) != str(code) for code, line in enumerate(lines, start=1)):
        yield f"{path}: the codes are not 1, 2, 3, … in order"
    for line in lines:
        name = labels[int(line["number"])]["name"]
        if line.get("name", name) != name:
            yield f"{path}: number {line['number']} is called {line['name']!r}, but {name!r} in label.csv"


def _find_category_problems(category: TableLine, lines: Sequence[TableLine]) -> Iterator[str]:
    """Compare a line of ``category.csv`` with the ``c_<category>.csv`` that it sums up."""
    numbers = [int(line["number"]) for line in lines]
    sums = {"first": min(numbers, default=0), "last": max(numbers, default=0), "count": len(numbers)}
    if all("frequency" in line for line in lines):
        sums["frequency"] = sum(int(line["frequency"]) for line in lines if is_label_number(line["frequency"]))
    name = category["name"]
    for column, value in sums.items():
        if category.get(column, str(value)) != str(value):
            yield f"{category.path}: {name} has {column} {category[column]}, but c_{name}.csv has {value}"


def _find_label_problems(number: int, label: TableLine, uses: Mapping[str, Mapping[int, TableLine]]) -> Iterator[str]:
    """Compare a line of ``label.csv`` with the lines of its number in every ``c_<category>.csv``."""
    lines = {category: table[number] for category, table in uses.items() if number in table}
    start = f"{label.path}: label {number} ({label['name']})"
    parts = {match["category"]: match["frequency"] for match in _PART.finditer(label.get("category", ""))}
    if parts and set(parts) != set(lines):
        tables = ", ".join(f"c_{category}.csv" for category in sorted(lines))
        yield f"{start} names the categories {', '.join(sorted(parts))}, but is listed in {tables}"
        return
    wrong = [
        f"{start} has {parts[category]} images in {category}, but {line['frequency']} in c_{category}.csv"
        for category, line in lines.items()
        if parts and line.get("frequency", parts[category]) != parts[category]
    ]
    yield from wrong
    if not wrong and all("frequency" in line for line in lines.values()):
        images = sum(_parse_number(line["frequency"]) for line in lines.values())
        if _parse_number(label.get("frequency", str(images))) != images:
            yield f"{start} has the frequency {label['frequency']}, but its categories add up to {images:.0f}"
    covered = sum(_parse_number(line["coverage"]) for line in lines.values())
    if not math.isclose(_parse_number(label.get("coverage", str(covered))), covered, rel_tol=1e-4, abs_tol=1e-5):
        yield f"{start} has the coverage {label['coverage']}, but its categories add up to {covered:.6g}"


def _parse_number(text: str) -> float:
    """Return a text as a number; NaN, which equals no number, if it is not one."""
    try:
        return float(text)
    except ValueError:
        return math.nan
