"""``netdissect data check``: is a folder a sound probe set, and what is in it?

Tables are read first; what is wrong there is told at once, because nothing can be trusted behind it. Then every image
and every label map is decoded, and everything that is wrong with any of them is collected.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.errors import DataError
from netdissect.io import images
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.consistency import find_table_problems
from netdissect.probe_sets.broden.index_rows import is_label_number, read_index_rows
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.compile.build_workers import BuildWorkers
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.index_rows import IndexedRow
    from netdissect.protocols import Progress

_BATCH = 32


class ConceptUse(NamedTuple):
    """How a concept is used in one category: images that have it, and its share of their category's pixels."""

    name: str
    images: int
    share: float


@dataclass(frozen=True)
class CategorySummary:
    """One category of a probe set.

    Attributes:
        name: the category.
        images: images that have a label of it.
        uses: its concepts, the one that covers most first; those that no image has are left out.
        unlabelled: share of those images' pixels that carry no label of it.
        absent: concepts that are listed, and that no image has.
    """

    name: str
    images: int
    uses: tuple[ConceptUse, ...]
    unlabelled: float
    absent: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        folder: the probe set.
        images: images that carry a label.
        bare: images that carry none and are left out of any dissection.
        splits: images of every split.
        sizes: image sizes (height, width) and how many images have them.
        label_sizes: the same of the label maps.
        concepts: how many concepts are listed.
        categories: the categories, in the order of ``category.csv``.
        unlabelled: share of all pixels that carry no label at all, colors aside.
        problems: what is wrong, each in a sentence.
    """

    folder: Path
    images: int
    bare: int
    splits: Mapping[str, int]
    sizes: Mapping[tuple[int, int], int]
    label_sizes: Mapping[tuple[int, int], int]
    concepts: int
    categories: tuple[CategorySummary, ...]
    unlabelled: float
    problems: tuple[str, ...]


@dataclass
class _Tally:
    """Pixels and images of every (category, number), added up over images."""

    pixels: Counter[tuple[str, int]] = field(default_factory=Counter)
    touched: Counter[tuple[str, int]] = field(default_factory=Counter)
    having: Counter[str] = field(default_factory=Counter)
    area: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, other: _Tally) -> None:
        for name in ("pixels", "touched", "having", "area", "bare"):
            getattr(self, name).update(getattr(other, name))
        self.problems += other.problems


@dataclass(frozen=True)
class _Bench:
    folder: Path
    listed: Mapping[str, frozenset[int]]


def check_probe_set(folder: str | Path, *, workers: int = 1, progress: Progress | None = None) -> CheckReport:
    """Check a probe set in Broden's format.

    Args:
        folder: where ``index.csv`` lies.
        workers: processes that decode.
        progress: shown how far it is.

    Raises:
        DataError: one of its leaves, if a table is missing or damaged: then nothing else can be checked.

    Example:
        >>> from netdissect.probe_sets.broden.check import check
        >>> check("dataset/broden1_227").problems  # doctest: +SKIP
        ()
    """
    shown = progress or NullProgress()
    source = Broden(folder)
    where = source.folder
    categories = source.vocabulary.categories
    listed, problems = find_table_problems(where)
    rows, bare = read_index_rows(where, categories)
    shown.start("check", len(rows))
    tally = _Tally(problems=list(problems))
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    with BuildWorkers(workers, _Bench(where, listed)) as pool:
        for batch, part in zip(batches, pool.map(_check_rows, batches), strict=True):
            tally.add(part)
            shown.advance(len(batch))
    names = {concept.number: concept.name for concept in source.vocabulary.concepts}
    return CheckReport(
        where,
        len(rows),
        bare,
        Counter(row.split for row in rows),
        Counter(row.image_size for row in rows),
        Counter(row.label_size for row in rows),
        len(source.vocabulary),
        tuple(_summarize(category, listed[category], names, tally) for category in categories),
        tally.bare[""] / max(1, tally.area[""]),
        tuple(tally.problems),
    )


def _check_rows(bench: _Bench, rows: Sequence[IndexedRow]) -> _Tally:
    tally = _Tally()
    for row in rows:
        path = bench.folder / "images" / row.image
        try:
            images.decode_image(images.read_indexed_image(path), path, row.image_size)
        except DataError as error:
            tally.problems.append(str(error))
        pixels = row.label_size[0] * row.label_size[1]
        anything = np.zeros(row.label_size, bool)
        for category, items in row.fields.items():
            covered = np.zeros(row.label_size, bool)
            seen: set[int] = set()
            for numbers in _read_category_planes(bench, row, items, tally):
                covered |= numbers > 0
                counted = np.bincount(numbers.ravel())
                for number in np.flatnonzero(counted):
                    if number:
                        tally.pixels[category, int(number)] += int(counted[number])
                        seen.add(int(number))
            strange = sorted(seen - bench.listed[category])
            if strange:
                tally.problems.append(
                    f"{path}: its {category} labels hold number {strange[0]}, which c_{category}.csv does not list"
                )
            if seen:
                tally.having[category] += 1
                tally.area[category] += pixels
                tally.bare[category] += pixels - int(covered.sum())
                tally.touched.update((category, number) for number in seen)
            if category != "color":
                anything |= covered
        tally.area[""] += pixels
        tally.bare[""] += pixels - int(anything.sum())
    return tally


def _read_category_planes(
    bench: _Bench, row: IndexedRow, items: Sequence[str], tally: _Tally
) -> Iterator[NDArray[np.uint16]]:
    """Yield the planes of one category; a label of the whole image is a plane of it."""
    whole = {int(item) for item in items if is_label_number(item)}
    for number in sorted(whole - {0}):
        yield np.full(row.label_size, number, np.uint16)
    for item in items:
        if not is_label_number(item):
            try:
                yield label_pngs.read_label_map(bench.folder / "images" / item, row.label_size)
            except DataError as error:
                tally.problems.append(str(error))


def _summarize(category: str, listed: frozenset[int], names: Mapping[int, str], tally: _Tally) -> CategorySummary:
    area = max(1, tally.area[category])
    numbers = sorted(listed, key=lambda number: (-tally.pixels[category, number], number))
    uses = tuple(
        ConceptUse(names[number], tally.touched[category, number], tally.pixels[category, number] / area)
        for number in numbers
        if tally.touched[category, number]
    )
    absent = tuple(names[number] for number in numbers if not tally.touched[category, number])
    return CategorySummary(category, tally.having[category], uses, tally.bare[category] / area, absent)
