"""Phases 1 and 5, image by image: what a worker does with a batch (BRODEN, § 2).

Images and label maps of the sources are large, and decoding them is most of the work. So each is opened once: phase 1
counts its labels, and keeps the image in its new size and the labels, still with the source's own numbers, at the
size of the label maps. When the numbers are known, phase 5 only has to translate those.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.images import is_same_shape
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.compile import rescale, statistics
from netdissect.probe_sets.compile.build_cache import CacheMiss
from netdissect.probe_sets.source import hash_parts, stat_files, to_planes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.build_cache import BuildCache
    from netdissect.probe_sets.compile.build_options import BuildOptions
    from netdissect.probe_sets.compile.color_names import ColorNames
    from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage

#: Images a worker takes at once. It decides in which order shares are added up, so it never changes with the workers.
BATCH_SIZE = 16


@dataclass(frozen=True)
class BuildContext:
    """What every worker has.

    Attributes:
        sources: the sources.
        recipe: how the set is made.
        colors: the table of color names; None for no color plane.
        work: the work folder.
    """

    sources: Sequence[Source]
    recipe: BuildOptions
    colors: ColorNames | None
    work: BuildCache


@dataclass(frozen=True)
class ImageBatch:
    """Some images of one source.

    Attributes:
        source: position of the source.
        items: the images.
        names: what their images are called in the set.
        key: hash of all that decides what they give, but the numbers of their labels.
    """

    source: int
    items: tuple[SourceImage, ...]
    names: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class NumberedBatch:
    """A batch and the numbers of its labels.

    Attributes:
        batch: the batch.
        tables: per category, the number of every label of its source.
        key: hash of all that decides what it gives.
    """

    batch: ImageBatch
    tables: Mapping[str, NDArray[np.uint16]]
    key: str


def divide_into_batches(
    sources: Sequence[Source], listed: Sequence[Sequence[tuple[SourceImage, str]]], state_key: str
) -> list[ImageBatch]:
    """Divide the images of all sources into batches.

    Raises:
        DataNotFoundError: if images lack a file, before any work is done.
    """
    found = []
    for position, pairs in enumerate(listed):
        missing: list[Path] = []
        for start in range(0, len(pairs), BATCH_SIZE):
            items, names = zip(*pairs[start : start + BATCH_SIZE], strict=True)
            inputs = [stat_files(item.inputs) for item in items]
            missing += [
                path for item, states in zip(items, inputs, strict=True) for path in _first_missing(item, states)
            ]
            key = hash_parts(state_key, sources[position].name, [item.file for item in items], names, inputs)
            found.append(ImageBatch(position, items, names, key))
        if missing:
            raise DataNotFoundError(
                f"{sources[position].name}: {len(missing):,} of {len(pairs):,} images lack a file, the first of them "
                f"{missing[0]}: bring them, or leave those images out with --skip-missing"
            )
    return found


def _first_missing(item: SourceImage, states: Sequence[tuple[str, int, int]]) -> list[Path]:
    """Return the first file of an image that is not there; nothing if it is complete."""
    return [path for path, (_, size, _) in zip(item.inputs, states, strict=True) if size < 0][:1]


def count_batch_labels(bench: BuildContext, batch: ImageBatch) -> int:
    """Phase 1 for one batch: write its images, keep its labels and their counts; return how many images it has."""
    source = bench.sources[batch.source]
    folder = bench.work.set_folder / "images" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    counts: statistics.Counts = {}

    def read() -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
        for position, (item, name) in enumerate(zip(batch.items, batch.names, strict=True)):
            photo, labels = source.read_image(item), source.read_labels(item)
            _check_frames(source, item, labels, photo)
            try:
                statistics.count_labels(labels, counts)
            except DataFileError as error:
                raise DataFileError(f"{source.name}, {item.file}: {error}") from error
            kept = {category: _scale_labels(labeling, bench.recipe.label_size) for category, labeling in labels.items()}
            if bench.colors is not None:
                statistics.add_pixel_counts(
                    "color", bench.colors.counts(photo), photo.shape[0] * photo.shape[1], counts
                )
                kept["color"] = bench.colors.labels(rescale.sample_pixels(photo, bench.recipe.label_size))
            (folder / name).write_bytes(rescale.encode_scaled_jpeg(photo, bench.recipe.image_size))
            for category, labeling in kept.items():
                yield f"{position}/{category}", labeling

    bench.work.write_arrays(batch.key, read())
    bench.work.keep("counts", batch.key, counts)
    return len(batch.items)


def write_batch_label_maps(bench: BuildContext, job: NumberedBatch) -> int:
    """Phase 5 for one batch: write its label maps, keep its rows; return how many images it has."""
    try:
        fields = _write_maps(bench, job)
    except CacheMiss:
        count_batch_labels(bench, job.batch)
        fields = _write_maps(bench, job)
    rows = [
        {"image": f"{bench.sources[job.batch.source].name}/{name}", "split": item.split, "fields": own}
        for item, name, own in zip(job.batch.items, job.batch.names, fields, strict=True)
    ]
    bench.work.keep("rows", job.key, rows)
    return len(rows)


def _write_maps(bench: BuildContext, job: NumberedBatch) -> list[dict[str, list[str | int]]]:
    """Write a batch's label maps; return what stands in ``index.csv``, per image and category."""
    name, folder = bench.sources[job.batch.source].name, bench.work.set_folder / "images"
    fields: list[dict[str, list[str | int]]] = [{} for _ in job.batch.items]
    for key, labeling in bench.work.read_arrays(job.batch.key):
        position, category = key.split("/")
        if category in job.tables:
            image, table = f"{name}/{job.batch.names[int(position)]}", job.tables[category]
            if labeling.size and int(labeling.max()) >= len(table):
                raise DataFileError(f"{image}: its {category} labels changed while the set was made: run again")
            fields[int(position)][category] = _write(folder, image, category, table[labeling])
    return fields


def make_index_rows(recipe: BuildOptions, kept: Sequence[Sequence[Mapping[str, Any]]]) -> list[IndexRow]:
    """Return the rows of ``index.csv`` in their order, each with its split."""
    rows = [
        IndexRow(
            row["image"],
            row["split"] or ("train" if hash_to_unit_interval(row["image"]) <= recipe.train else "val"),
            recipe.image_size,
            recipe.label_size,
            row["fields"],
        )
        for rows in kept
        for row in rows
    ]
    return sorted(rows, key=lambda row: (hash_to_unit_interval(row.image), row.image))


def hash_to_unit_interval(image: str) -> float:
    """Return an image's place between 0 and 1: the first 8 bytes of the MD5 of its name, as a share of 2^64.

    >>> round(place("ade20k/ADE_train_00003891.jpg"), 6)
    8.5e-05
    """
    digest = hashlib.md5(image.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def _check_frames(
    source: Source, item: SourceImage, labels: Mapping[str, CategoryLabels], picture: NDArray[np.uint8]
) -> None:
    """Refuse a label map that cannot show the same frame as the image: one may be a smaller copy, not another shape."""
    photo = picture.shape[0], picture.shape[1]
    for category, labeling in labels.items():
        if isinstance(labeling, tuple) or not source.aligned:
            continue
        plane = labeling.shape[-2:]
        if not is_same_shape(photo, (plane[0], plane[1])):
            raise DataFileError(
                f"{source.name}, {item.file}: the {category} map is {plane[1]} x {plane[0]} pixels and the picture "
                f"{photo[1]} x {photo[0]}, so they do not show the same frame: bring the mask that belongs to the picture"
            )


def _scale_labels(labeling: CategoryLabels, size: tuple[int, int]) -> NDArray[np.integer[Any]]:
    """Return labels as they are kept: those of the whole image (n,), a plane (h, w) or planes (p, h, w), scaled."""
    if isinstance(labeling, tuple):
        return np.array(labeling, np.int64)
    return rescale.scale_label_planes(labeling, size).astype(np.uint16)


def _write(folder: Path, image: str, category: str, labels: NDArray[np.uint16]) -> list[str | int]:
    """Write the label maps of one category; return what stands in its field of ``index.csv``."""
    if labels.ndim == 1:
        return list(dict.fromkeys(number for number in labels.tolist() if number))
    stem = f"{image.removesuffix('.jpg')}_{category}"
    files: list[str | int] = []
    for level, plane in enumerate(to_planes(labels), start=1):
        file = f"{stem}_{level}.png" if labels.ndim == 3 else f"{stem}.png"
        (folder / file).write_bytes(label_pngs.encode_label_map(plane))
        files.append(file)
    return files
