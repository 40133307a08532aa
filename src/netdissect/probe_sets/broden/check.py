"""Check every table, image and label map of a probe set, and summarize its labels (``netdissect data check``).

Tables are read first; a damaged table is an error, because nothing else can be checked without it. Then every image and
every label map is decoded, and all problems with them are collected.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError
from netdissect.io import images
from netdissect.probe_sets.broden.consistency import find_table_problems
from netdissect.probe_sets.broden.index_rows import read_index_rows
from netdissect.probe_sets.broden.label_pngs import read_label_map
from netdissect.probe_sets.broden.reader import Broden
from netdissect.protocols import NullProgress
from netdissect.runtime.port import PlainContext
from netdissect.runtime.worker_processes import start_local_workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.index_rows import IndexRow
    from netdissect.protocols import Progress

#: Number of images per task of a worker.
_BATCH = 32


class ConceptUse(NamedTuple):
    """How often a concept occurs in one category.

    Attributes:
        name: the concept.
        images: number of images that have it.
        share: its share of the pixels of the images that have a label of the category.
    """

    name: str
    images: int
    share: float


@dataclass(frozen=True)
class CategorySummary:
    """One category of a probe set.

    Attributes:
        name: the category.
        images: number of images that have a label of it.
        uses: its concepts that occur, the one with the largest share first.
        unlabeled: share of those images' pixels without a label of it.
        absent: concepts that are listed and do not occur.
    """

    name: str
    images: int
    uses: tuple[ConceptUse, ...]
    unlabeled: float
    absent: tuple[str, ...]


@dataclass(frozen=True)
class CheckReport:
    """The result of a check.

    Attributes:
        folder: the probe set.
        images: number of images that carry a label.
        unlabeled_images: number of images without a label, which a dissection leaves out.
        splits: number of images of every split.
        sizes: number of images of every image size (height, width).
        label_sizes: number of images of every label map size (height, width).
        concepts: number of concepts listed.
        categories: the categories, in the order of ``category.csv``.
        unlabeled: share of all pixels that carry no label but a color.
        groups: number of images of every group that ``index.csv`` names (its column ``group``).
        copies: numbers of images whose files are identical, of every such file.
        problems: every problem, as a sentence.
    """

    folder: Path
    images: int
    unlabeled_images: int
    splits: Mapping[str, int]
    sizes: Mapping[tuple[int, int], int]
    label_sizes: Mapping[tuple[int, int], int]
    concepts: int
    categories: tuple[CategorySummary, ...]
    unlabeled: float
    groups: Mapping[str, int]
    copies: tuple[int, ...]
    problems: tuple[str, ...]


@dataclass
class _CheckTally:
    """Counts over images.

    Attributes:
        pixels: number of pixels with each (category, label number).
        touched: number of images with each (category, label number).
        labeled: number of images with a label of each category.
        area: number of pixels of the images with a label of each category; under ``""``, of all images.
        files: number of images with each file, by its hash.
        uncovered: how many pixels of `area` have no label of the category; under ``""``, none but a color.
        problems: every problem, as a sentence.
    """

    pixels: Counter[tuple[str, int]] = field(default_factory=Counter)
    touched: Counter[tuple[str, int]] = field(default_factory=Counter)
    labeled: Counter[str] = field(default_factory=Counter)
    area: Counter[str] = field(default_factory=Counter)
    files: Counter[bytes] = field(default_factory=Counter)
    uncovered: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def merge(self, other: _CheckTally) -> None:
        """Add the counts of other images."""
        for name in ("pixels", "touched", "labeled", "area", "files", "uncovered"):
            getattr(self, name).update(getattr(other, name))
        self.problems += other.problems


@dataclass(frozen=True)
class _CheckContext(PlainContext):
    """What every worker needs: the probe set's folder, and the label numbers that each category lists."""

    folder: Path
    listed: Mapping[str, frozenset[int]]


def check_probe_set(folder: str | Path, *, workers: int = 1, progress: Progress | None = None) -> CheckReport:
    """Check a probe set in Broden's format.

    Args:
        folder: the folder of ``index.csv``.
        workers: number of processes.
        progress: reports the progress.

    Raises:
        DataError: a subclass, if a table is missing or damaged.
        SettingsError: if `workers` is out of its range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from netdissect.demo.world import write_probe_set
        >>> from netdissect.probe_sets.broden.check import check_probe_set
        >>> folder = tempfile.TemporaryDirectory()
        >>> write_probe_set(Path(folder.name), images=3, size=32, workers=1)
        >>> check_probe_set(folder.name).problems
        ()
        >>> folder.cleanup()
    """
    require_integer("workers", workers, 1, MAX_WORKERS)
    progress = progress or NullProgress()
    probe_set = Broden(folder)
    categories = probe_set.vocabulary.categories
    listed, problems = find_table_problems(probe_set.folder)
    rows, unlabeled_images = read_index_rows(probe_set.folder, categories)
    tally = _CheckTally(problems=problems)
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    progress.start("check", len(rows))
    with start_local_workers(_CheckContext(probe_set.folder, listed), min(workers, len(batches))) as runtime:
        for batch, part in zip(batches, runtime.map(_check_rows, batches), strict=True):
            tally.merge(part)
            progress.advance(len(batch))
    names = {concept.number: concept.name for concept in probe_set.vocabulary.concepts}
    return CheckReport(
        folder=probe_set.folder,
        images=len(rows),
        unlabeled_images=unlabeled_images,
        splits=Counter(row.split for row in rows),
        sizes=Counter(row.image_size for row in rows),
        label_sizes=Counter(row.label_size for row in rows),
        concepts=len(probe_set.vocabulary),
        categories=tuple(_summarize(category, listed[category], names, tally) for category in categories),
        unlabeled=tally.uncovered[""] / max(1, tally.area[""]),
        groups=Counter(row.group for row in rows if row.group),
        copies=tuple(sorted(count for count in tally.files.values() if count > 1)),
        problems=tuple(tally.problems),
    )


def _check_rows(context: _CheckContext, rows: Sequence[IndexRow]) -> _CheckTally:
    tally = _CheckTally()
    for row in rows:
        path = context.folder / "images" / row.image
        try:
            data = images.read_indexed_image(path)
            tally.files[hashlib.sha256(data).digest()] += 1
            images.decode_image(data, path, row.image_size)
        except DataError as error:
            tally.problems.append(str(error))
        labeled = np.zeros(row.label_size, bool)
        for category in row.fields:
            covered = _check_category(context, row, category, tally)
            if category != "color":
                labeled |= covered
        tally.area[""] += labeled.size
        tally.uncovered[""] += labeled.size - int(labeled.sum())
    return tally


def _check_category(context: _CheckContext, row: IndexRow, category: str, tally: _CheckTally) -> NDArray[np.bool_]:
    """Count one category's labels of an image; return which pixels carry one, shape (sh, sw)."""
    covered = np.zeros(row.label_size, bool)
    seen: set[int] = set()
    for plane in _read_category_planes(context, row, category, tally):
        covered |= plane > 0
        counts = np.bincount(plane.ravel())
        for number in np.flatnonzero(counts).tolist():
            if number:
                tally.pixels[category, number] += int(counts[number])
                seen.add(number)
    if unlisted := seen - context.listed[category]:
        tally.problems.append(
            f"{context.folder / 'images' / row.image}: its {category} labels hold number {min(unlisted)}, which "
            f"c_{category}.csv does not list"
        )
    if seen:
        tally.labeled[category] += 1
        tally.area[category] += covered.size
        tally.uncovered[category] += covered.size - int(covered.sum())
        tally.touched.update((category, number) for number in seen)
    return covered


def _read_category_planes(
    context: _CheckContext, row: IndexRow, category: str, tally: _CheckTally
) -> Iterator[NDArray[np.uint16]]:
    """Yield the label planes of one category, shape (sh, sw); a label of the whole image is a plane of its own."""
    items = row.fields[category]
    for number in sorted({item for item in items if isinstance(item, int)} - {0}):
        yield np.full(row.label_size, number, np.uint16)
    for item in items:
        if isinstance(item, str):
            try:
                yield read_label_map(context.folder / "images" / item, row.label_size)
            except DataError as error:
                tally.problems.append(str(error))


def _summarize(category: str, listed: frozenset[int], names: Mapping[int, str], tally: _CheckTally) -> CategorySummary:
    area = max(1, tally.area[category])
    numbers = sorted(listed, key=lambda number: (-tally.pixels[category, number], number))
    uses = tuple(
        ConceptUse(names[number], tally.touched[category, number], tally.pixels[category, number] / area)
        for number in numbers
        if tally.touched[category, number]
    )
    absent = tuple(names[number] for number in numbers if not tally.touched[category, number])
    return CategorySummary(category, tally.labeled[category], uses, tally.uncovered[category] / area, absent)
