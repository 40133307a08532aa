"""The tables of a probe set in Broden's format, written (format: docs/broden.md).

Images and label maps are written one by one, by whoever makes them; when all are there, these functions write
``label.csv``, ``category.csv``, ``c_<category>.csv``, ``index.csv`` and ``README.txt``, ``index.csv`` last: a folder
that has one is complete.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.io import atomic
from netdissect.io.names import find_name_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_README = """\
{title}
{rule}

{text}

A probe set in Broden's format (Network Dissection, CVPR 2017):

    images/         pictures (.jpg) and label maps (.png, label number = R + 256 * G)
    index.csv       image,split,ih,iw,sh,sw,{categories}
                    A category's field is empty, or several items joined by ';', the dominant one first:
                    a label number holds for the whole image, a file for each pixel. 0 is nothing.
    label.csv       number,name,category,frequency,coverage,syns
    category.csv    name,first,last,count,frequency
    c_CATEGORY.csv  code,number,name,frequency,coverage

frequency counts images, coverage adds up shares of their pixels.
"""


@dataclass
class LabelUsage:
    """How much every label is used: images it touches and shares of pixels it covers, per category.

    Attributes:
        frequency: images touched by a (label, category).
        coverage: added-up shares of pixels of a (label, category).
    """

    frequency: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    coverage: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, name: str, category: str, share: float) -> None:
        """Count an image of which the label covers a share of the pixels in a category."""
        self.frequency[name, category] += 1
        self.coverage[name, category] += share

    def merge(self, other: LabelUsage) -> None:
        """Count what another Usage counted."""
        for key, frequency in other.frequency.items():
            self.frequency[key] += frequency
            self.coverage[key] += other.coverage[key]

    def number_names(self, *, min_frequency: int = 0, min_coverage: float = 0.0) -> dict[str, int]:
        """Number the names from 1 by falling frequency, then falling coverage, then name; leave rare ones out."""
        frequency: dict[str, int] = defaultdict(int)
        coverage: dict[str, float] = defaultdict(float)
        for (name, category), count in self.frequency.items():
            frequency[name] += count
            coverage[name] += self.coverage[name, category]
        kept = [name for name in frequency if frequency[name] >= min_frequency and coverage[name] >= min_coverage]
        kept.sort(key=lambda name: (-frequency[name], -coverage[name], name))
        return {name: number for number, name in enumerate(kept, start=1)}


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One line of ``index.csv``; `fields` holds per category its items, files or numbers, the dominant one first."""

    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    fields: Mapping[str, Sequence[str | int]]


def write_tables(
    folder: Path,
    *,
    rows: Iterable[IndexRow],
    numbers: Mapping[str, int],
    usage: LabelUsage,
    title: str,
    text: str,
    synonyms: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Write every table of a probe set whose images and label maps are already there.

    Args:
        folder: the probe set's folder.
        rows: its images, in the order of ``index.csv``.
        numbers: the label number of every name, 1..C.
        usage: how much every name is used in every category; names without a number are left out.
        title: first line of ``README.txt``.
        text: what a reader should know: sources, settings, licences.
        synonyms: other names of a label.

    Returns:
        the categories, in the order of the tables: by the smallest number used in each.
    """
    categories = write_label_tables(folder, numbers=numbers, usage=usage, title=title, text=text, synonyms=synonyms)
    write_index(folder, rows, categories)
    return categories


def write_label_tables(
    folder: Path,
    *,
    numbers: Mapping[str, int],
    usage: LabelUsage,
    title: str,
    text: str,
    synonyms: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Write every table but ``index.csv``; arguments and result as `write_tables`."""
    used = {
        (numbers[name], category): (frequency, usage.coverage[name, category])
        for (name, category), frequency in usage.frequency.items()
        if name in numbers
    }
    names = {number: name for name, number in numbers.items()}
    per_category: dict[str, list[int]] = defaultdict(list)
    for number, category in used:
        per_category[category].append(number)
    categories = tuple(sorted(per_category, key=lambda category: (min(per_category[category]), category)))
    _write(
        folder / "label.csv",
        ["number", "name", "category", "frequency", "coverage", "syns"],
        [
            _make_label_line(number, names[number], categories, used, (synonyms or {}).get(names[number], ()))
            for number in sorted(names)
        ],
    )
    _write(
        folder / "category.csv",
        ["name", "first", "last", "count", "frequency"],
        [
            [category, min(members), max(members), len(members), sum(used[number, category][0] for number in members)]
            for category, members in ((category, per_category[category]) for category in categories)
        ],
    )
    for category in categories:
        problem = find_name_problem(category)
        if problem is not None:
            raise SettingsError(f"the category {category!a} cannot be part of a file's name: {problem}")
        members = sorted(per_category[category], key=lambda n: (-used[n, category][0], -used[n, category][1], n))
        _write(
            folder / f"c_{category}.csv",
            ["code", "number", "name", "frequency", "coverage"],
            [
                [code, number, names[number], used[number, category][0], _format_coverage(used[number, category][1])]
                for code, number in enumerate(members, start=1)
            ],
        )
    readme = _README.format(title=title, rule="=" * len(title), text=text.strip(), categories=",".join(categories))
    atomic.write_text(folder / "README.txt", readme)
    return categories


def write_index(folder: Path, rows: Iterable[IndexRow], categories: Sequence[str]) -> None:
    """Write ``index.csv``: the folder is complete."""
    _write(
        folder / "index.csv",
        ["image", "split", "ih", "iw", "sh", "sw", *categories],
        [
            [
                row.image, row.split, *row.image_size, *row.label_size,
                *(";".join(str(item) for item in row.fields.get(category, ())) for category in categories),
            ]
            for row in rows
        ],
    )  # fmt: skip


def _make_label_line(
    number: int,
    name: str,
    categories: Sequence[str],
    used: Mapping[tuple[int, str], tuple[int, float]],
    synonyms: Sequence[str],
) -> list[object]:
    parts = [(category, *used[number, category]) for category in categories if (number, category) in used]
    parts.sort(key=lambda part: -part[1])
    spelled = ";".join(f"{category}({frequency})" for category, frequency, _ in parts)
    frequency = sum(part[1] for part in parts)
    coverage = sum(part[2] for part in parts)
    return [number, name, spelled, frequency, f"{coverage:f}", ";".join(synonyms)]


def _format_coverage(coverage: float) -> str:
    """Return a number as the genuine tables spell it: 12 digits, and whole numbers with ``.0``."""
    text = f"{coverage:.12g}"
    return text if set(text) & set(".en") else f"{text}.0"


def _write(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    atomic.write_text(path, out.getvalue())
