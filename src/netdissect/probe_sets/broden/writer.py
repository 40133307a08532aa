"""Write the tables of a probe set in Broden's format (format: docs/broden.md).

Images and label maps are written first, one by one. Then these functions write ``label.csv``, ``category.csv``,
``c_<category>.csv``, ``README.txt`` and last ``index.csv``: a folder that has an index is complete.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.io import atomic
from netdissect.io.names import find_name_problem
from netdissect.probe_sets.broden.index_rows import INDEX_COLUMNS
from netdissect.probe_sets.broden.tables import write_table
from netdissect.protocols import GROUP_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.index_rows import IndexRow

_README = """\
{title}
{rule}

{text}

A probe set in Broden's format (Network Dissection, CVPR 2017):

    images/         images (.jpg) and label maps (.png, label number = R + 256 * G)
    index.csv       image,split,ih,iw,sh,sw,{categories}
                    A category's field is empty, or several items joined by ';', the dominant one first:
                    a label number holds for the whole image, a file for each pixel. 0 is no label.
    label.csv       number,name,category,frequency,coverage,syns
    category.csv    name,first,last,count,frequency
    c_CATEGORY.csv  code,number,name,frequency,coverage

frequency counts images, coverage adds up shares of their pixels.
"""


@dataclass
class LabelUsage:
    """Count how many images every label touches and how many pixels it covers, per category.

    Attributes:
        frequency: number of images that a (label name, category) touches.
        coverage: sum over these images of the share of pixels that it covers.
    """

    frequency: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    coverage: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, name: str, category: str, share: float) -> None:
        """Count an image of which the label covers a share of the pixels in a category."""
        self.frequency[name, category] += 1
        self.coverage[name, category] += share

    def merge(self, other: LabelUsage) -> None:
        """Add the counts of another LabelUsage."""
        for key, frequency in other.frequency.items():
            self.frequency[key] += frequency
            self.coverage[key] += other.coverage[key]

    def number_names(self, *, min_frequency: int = 0, min_coverage: float = 0.0) -> dict[str, int]:
        """Number the names from 1 by falling frequency, then falling coverage, then name; drop the rare ones.

        Args:
            min_frequency: least number of images, over all categories together.
            min_coverage: least coverage, over all categories together.
        """
        frequency: dict[str, int] = defaultdict(int)
        coverage: dict[str, float] = defaultdict(float)
        for (name, category), count in self.frequency.items():
            frequency[name] += count
            coverage[name] += self.coverage[name, category]
        names = [name for name in frequency if frequency[name] >= min_frequency and coverage[name] >= min_coverage]
        names.sort(key=lambda name: (-frequency[name], -coverage[name], name))
        return {name: number for number, name in enumerate(names, start=1)}


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
    """Write every table of a probe set, after its images and label maps.

    Args:
        folder: the probe set.
        rows: its images, in the order of ``index.csv``.
        numbers: the label number of every name, 1..C.
        usage: how often every name is used in every category; names without a number are left out.
        title: first line of ``README.txt``.
        text: body of ``README.txt``: sources, settings, licenses.
        synonyms: other names of a label.

    Returns:
        the categories in the order of the tables: by the smallest label number of each.
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
    """Write every table but ``index.csv``; arguments and result are those of `write_tables`."""
    used = {
        (numbers[name], category): (frequency, usage.coverage[name, category])
        for (name, category), frequency in usage.frequency.items()
        if name in numbers
    }
    names = {number: name for name, number in numbers.items()}
    members: dict[str, list[int]] = defaultdict(list)
    for number, category in used:
        members[category].append(number)
    categories = tuple(sorted(members, key=lambda category: (min(members[category]), category)))
    for category in categories:
        if (problem := find_name_problem(category)) is not None:
            raise SettingsError(f"the category {category!a} cannot be part of a file's name: {problem}")
    write_table(
        folder / "label.csv",
        ["number", "name", "category", "frequency", "coverage", "syns"],
        [
            _make_label_line(number, names[number], categories, used, (synonyms or {}).get(names[number], ()))
            for number in sorted(names)
        ],
    )
    write_table(
        folder / "category.csv",
        ["name", "first", "last", "count", "frequency"],
        [
            [name, min(own), max(own), len(own), sum(used[number, name][0] for number in own)]
            for name, own in ((category, members[category]) for category in categories)
        ],
    )
    for category in categories:
        _write_category_table(folder, category, {n: (names[n], *used[n, category]) for n in members[category]})
    readme = _README.format(title=title, rule="=" * len(title), text=text.strip(), categories=",".join(categories))
    atomic.write_text(folder / "README.txt", readme)
    return categories


def write_index(
    folder: Path,
    rows: Iterable[IndexRow],
    categories: Sequence[str],
    *,
    more: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write ``index.csv``, which makes the folder complete; it has a column of groups if any image has one.

    Args:
        folder: the probe set.
        rows: its images.
        categories: the categories in the order of the tables.
        more: further columns, and the text of every image in each.

    Raises:
        SettingsError: if a category has the name of one of these columns.
    """
    rows = list(rows)
    groups = {GROUP_COLUMN: [row.group for row in rows]} if any(row.group for row in rows) else {}
    extra = {**groups, **(more or {})}
    for column in extra.keys() & set(categories):
        reason = "images have groups" if column == GROUP_COLUMN else "index.csv has a column of that name"
        raise SettingsError(f"a category cannot be called {column!r} where {reason}: call it otherwise")
    write_table(
        folder / "index.csv",
        [*INDEX_COLUMNS, *extra, *categories],
        [
            [
                row.image, row.split, *row.image_size, *row.label_size, *(column[at] for column in extra.values()),
                *(";".join(str(item) for item in row.fields.get(category, ())) for category in categories),
            ]
            for at, row in enumerate(rows)
        ],
    )  # fmt: skip


def _write_category_table(folder: Path, category: str, members: Mapping[int, tuple[str, int, float]]) -> None:
    """Write ``c_<category>.csv`` from name, frequency and coverage of every label number."""
    ordered = sorted(members, key=lambda number: (-members[number][1], -members[number][2], number))
    write_table(
        folder / f"c_{category}.csv",
        ["code", "number", "name", "frequency", "coverage"],
        [
            [code, number, name, frequency, _format_coverage(coverage)]
            for code, number in enumerate(ordered, start=1)
            for name, frequency, coverage in [members[number]]
        ],
    )


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
    """Return a number as the published tables spell it: 12 digits, and whole numbers with ``.0``."""
    text = f"{coverage:.12g}"
    return text if set(text) & set(".en") else f"{text}.0"
