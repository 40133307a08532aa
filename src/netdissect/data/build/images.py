"""Phases 1 and 5, image by image: what a worker does with a batch (BRODEN, § 2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.data import masks
from netdissect.data.build import scale, statistics
from netdissect.data.build.source import as_planes, hashed, state_of
from netdissect.data.writer import IndexRow
from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.data.build.colornames import ColorNames
    from netdissect.data.build.recipe import Recipe
    from netdissect.data.build.source import Item, Labelling, Source
    from netdissect.data.build.work import Work

#: Images a worker takes at once. It decides in which order shares are added up, so it never changes with the workers.
BATCH = 16


@dataclass(frozen=True)
class Bench:
    """What every worker has.

    Attributes:
        sources: the sources.
        recipe: how the set is made.
        colors: the table of colour names; None for no colour plane.
        work: the work folder.
    """

    sources: Sequence[Source]
    recipe: Recipe
    colors: ColorNames | None
    work: Work


@dataclass(frozen=True)
class Batch:
    """Some images of one source.

    Attributes:
        source: position of the source.
        items: the images.
        names: what their pictures are called in the set.
        key: hash of all that decides what they give, but the numbers of their labels.
    """

    source: int
    items: tuple[Item, ...]
    names: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Numbered:
    """A batch and the numbers of its labels.

    Attributes:
        batch: the batch.
        tables: per category, the number of every label of its source.
        key: hash of all that decides what it gives.
    """

    batch: Batch
    tables: Mapping[str, NDArray[np.uint16]]
    key: str


def batches(sources: Sequence[Source], listed: Sequence[Sequence[tuple[Item, str]]], state_key: str) -> list[Batch]:
    """Divide the images of all sources into batches."""
    found = []
    for position, pairs in enumerate(listed):
        for start in range(0, len(pairs), BATCH):
            items, names = zip(*pairs[start : start + BATCH], strict=True)
            inputs = [state_of(item.inputs) for item in items]
            key = hashed(state_key, sources[position].name, [item.file for item in items], names, inputs)
            found.append(Batch(position, items, names, key))
    return found


def count_batch(bench: Bench, batch: Batch) -> int:
    """Phase 1 for one batch: keep the counts of its labels; return how many images it has."""
    counts: statistics.Counts = {}
    source = bench.sources[batch.source]
    for item in batch.items:
        photo = source.photo(item) if bench.colors is not None else None
        labels = _labels(bench, source, item, photo)
        try:
            statistics.count(labels, counts)
        except DataFileError as error:
            raise DataFileError(f"{source.name}, {item.file}: {error}") from error
    bench.work.keep("counts", batch.key, counts)
    return len(batch.items)


def make_batch(bench: Bench, job: Numbered) -> int:
    """Phase 5 for one batch: write its pictures and label maps, keep its rows; return how many images it has."""
    source = bench.sources[job.batch.source]
    folder = bench.work.set_folder / "images"
    (folder / source.name).mkdir(parents=True, exist_ok=True)
    rows = []
    for item, name in zip(job.batch.items, job.batch.names, strict=True):
        image = f"{source.name}/{name}"
        photo = source.photo(item)
        labels = _labels(bench, source, item, photo)
        (folder / image).write_bytes(scale.jpeg(photo, bench.recipe.image_size))
        fields = {
            category: _write(folder, image, category, labelling, job.tables[category], bench.recipe.label_size)
            for category, labelling in labels.items()
            if category in job.tables
        }
        rows.append({"image": image, "split": item.split, "fields": fields})
    bench.work.keep("rows", job.key, rows)
    return len(rows)


def index_rows(recipe: Recipe, kept: Sequence[Sequence[Mapping[str, Any]]]) -> list[IndexRow]:
    """Return the rows of ``index.csv`` in their order, each with its split."""
    rows = [
        IndexRow(
            row["image"],
            row["split"] or ("train" if place(row["image"]) <= recipe.train else "val"),
            recipe.image_size,
            recipe.label_size,
            row["fields"],
        )
        for rows in kept
        for row in rows
    ]
    return sorted(rows, key=lambda row: (place(row.image), row.image))


def place(image: str) -> float:
    """Return an image's place between 0 and 1: the first 8 bytes of the MD5 of its name, as a share of 2^64.

    >>> round(place("ade20k/ADE_train_00003891.jpg"), 6)
    8.5e-05
    """
    digest = hashlib.md5(image.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def _labels(bench: Bench, source: Source, item: Item, photo: NDArray[np.uint8] | None) -> dict[str, Labelling]:
    """Return an image's labels, its colour plane among them."""
    labels = dict(source.labels(item))
    for category, labelling in labels.items():
        if source.aligned and photo is not None and not isinstance(labelling, tuple):
            _check_frame(source, item, category, labelling.shape[-2:], photo.shape[:2])
    if bench.colors is not None and photo is not None:
        labels["color"] = bench.colors.labels(photo)
    return labels


def _check_frame(source: Source, item: Item, category: str, plane: tuple[int, ...], photo: tuple[int, ...]) -> None:
    """Refuse a label map that cannot show the same frame as the picture: one may be a smaller copy, not another shape."""
    across, down = plane[1] * photo[0], plane[0] * photo[1]
    if abs(across - down) > max(0.03 * down, *plane, *photo):
        raise DataFileError(
            f"{source.name}, {item.file}: the {category} map is {plane[1]} x {plane[0]} pixels and the picture "
            f"{photo[1]} x {photo[0]}, so they do not show the same frame: bring the mask that belongs to the picture"
        )


def _write(
    folder: Path,
    image: str,
    category: str,
    labelling: Labelling,
    numbers: NDArray[np.uint16],
    size: tuple[int, int],
) -> list[str | int]:
    """Write the label maps of one category; return what stands in its field of ``index.csv``."""
    if isinstance(labelling, tuple):
        whole = (int(numbers[label]) for label in labelling if label < len(numbers))
        return list(dict.fromkeys(number for number in whole if number))
    if labelling.size and int(labelling.max()) >= len(numbers):
        raise DataFileError(f"{image}: its {category} map changed while the set was made: run again")
    stem = f"{image.removesuffix('.jpg')}_{category}"
    several = labelling.ndim == 3
    files: list[str | int] = []
    for level, plane in enumerate(as_planes(labelling), start=1):
        file = f"{stem}_{level}.png" if several else f"{stem}.png"
        (folder / file).write_bytes(masks.encode(numbers[scale.planes(plane, size)]))
        files.append(file)
    return files
