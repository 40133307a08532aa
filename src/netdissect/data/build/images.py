"""Phases 1 and 5, image by image: what a worker does with a batch (BRODEN, § 2).

Pictures and label maps of the sources are large, and decoding them is most of the work. So each is opened once: phase 1
counts its labels, and keeps the picture in its new size and the labels, still with the source's own numbers, at the
size of the label maps. When the numbers are known, phase 5 only has to translate those.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data import masks
from netdissect.data.build import scale, statistics
from netdissect.data.build.source import as_planes, hashed, state_of
from netdissect.data.build.work import Lost
from netdissect.data.writer import IndexRow
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.images import same_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
    """Divide the images of all sources into batches.

    Raises:
        DataNotFoundError: if images lack a file, before any work is done.
    """
    found = []
    for position, pairs in enumerate(listed):
        missing: list[Path] = []
        for start in range(0, len(pairs), BATCH):
            items, names = zip(*pairs[start : start + BATCH], strict=True)
            inputs = [state_of(item.inputs) for item in items]
            missing += [path for item, states in zip(items, inputs, strict=True) for path in _missing(item, states)]
            key = hashed(state_key, sources[position].name, [item.file for item in items], names, inputs)
            found.append(Batch(position, items, names, key))
        if missing:
            raise DataNotFoundError(
                f"{sources[position].name}: {len(missing):,} of {len(pairs):,} images lack a file, the first of them "
                f"{missing[0]}: bring them, or leave those images out with --skip-missing"
            )
    return found


def _missing(item: Item, states: Sequence[tuple[str, int, int]]) -> list[Path]:
    """Return the first file of an image that is not there; nothing if it is complete."""
    return [path for path, (_, size, _) in zip(item.inputs, states, strict=True) if size < 0][:1]


def count_batch(bench: Bench, batch: Batch) -> int:
    """Phase 1 for one batch: write its pictures, keep its labels and their counts; return how many images it has."""
    source = bench.sources[batch.source]
    folder = bench.work.set_folder / "images" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    counts: statistics.Counts = {}

    def read() -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
        for position, (item, name) in enumerate(zip(batch.items, batch.names, strict=True)):
            photo, labels = source.photo(item), source.labels(item)
            _check_frames(source, item, labels, photo)
            try:
                statistics.count(labels, counts)
            except DataFileError as error:
                raise DataFileError(f"{source.name}, {item.file}: {error}") from error
            kept = {category: _scaled(labelling, bench.recipe.label_size) for category, labelling in labels.items()}
            if bench.colors is not None:
                statistics.add_counts("color", bench.colors.counts(photo), photo.shape[0] * photo.shape[1], counts)
                kept["color"] = bench.colors.labels(scale.pixels(photo, bench.recipe.label_size))
            (folder / name).write_bytes(scale.jpeg(photo, bench.recipe.image_size))
            for category, labelling in kept.items():
                yield f"{position}/{category}", labelling

    bench.work.keep_arrays(batch.key, read())
    bench.work.keep("counts", batch.key, counts)
    return len(batch.items)


def make_batch(bench: Bench, job: Numbered) -> int:
    """Phase 5 for one batch: write its label maps, keep its rows; return how many images it has."""
    try:
        fields = _write_maps(bench, job)
    except Lost:
        count_batch(bench, job.batch)
        fields = _write_maps(bench, job)
    rows = [
        {"image": f"{bench.sources[job.batch.source].name}/{name}", "split": item.split, "fields": own}
        for item, name, own in zip(job.batch.items, job.batch.names, fields, strict=True)
    ]
    bench.work.keep("rows", job.key, rows)
    return len(rows)


def _write_maps(bench: Bench, job: Numbered) -> list[dict[str, list[str | int]]]:
    """Write a batch's label maps; return what stands in ``index.csv``, per image and category."""
    name, folder = bench.sources[job.batch.source].name, bench.work.set_folder / "images"
    fields: list[dict[str, list[str | int]]] = [{} for _ in job.batch.items]
    for key, labelling in bench.work.recall_arrays(job.batch.key):
        position, category = key.split("/")
        if category in job.tables:
            image, table = f"{name}/{job.batch.names[int(position)]}", job.tables[category]
            if labelling.size and int(labelling.max()) >= len(table):
                raise DataFileError(f"{image}: its {category} labels changed while the set was made: run again")
            fields[int(position)][category] = _write(folder, image, category, table[labelling])
    return fields


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


def _check_frames(source: Source, item: Item, labels: Mapping[str, Labelling], picture: NDArray[np.uint8]) -> None:
    """Refuse a label map that cannot show the same frame as the picture: one may be a smaller copy, not another shape."""
    photo = picture.shape[0], picture.shape[1]
    for category, labelling in labels.items():
        if isinstance(labelling, tuple) or not source.aligned:
            continue
        plane = labelling.shape[-2:]
        if not same_shape(photo, (plane[0], plane[1])):
            raise DataFileError(
                f"{source.name}, {item.file}: the {category} map is {plane[1]} x {plane[0]} pixels and the picture "
                f"{photo[1]} x {photo[0]}, so they do not show the same frame: bring the mask that belongs to the picture"
            )


def _scaled(labelling: Labelling, size: tuple[int, int]) -> NDArray[np.integer[Any]]:
    """Return labels as they are kept: those of the whole image (n,), a plane (h, w) or planes (p, h, w), scaled."""
    if isinstance(labelling, tuple):
        return np.array(labelling, np.int64)
    return scale.planes(labelling, size).astype(np.uint16)


def _write(folder: Path, image: str, category: str, labels: NDArray[np.uint16]) -> list[str | int]:
    """Write the label maps of one category; return what stands in its field of ``index.csv``."""
    if labels.ndim == 1:
        return list(dict.fromkeys(number for number in labels.tolist() if number))
    stem = f"{image.removesuffix('.jpg')}_{category}"
    files: list[str | int] = []
    for level, plane in enumerate(as_planes(labels), start=1):
        file = f"{stem}_{level}.png" if labels.ndim == 3 else f"{stem}.png"
        (folder / file).write_bytes(masks.encode(plane))
        files.append(file)
    return files
