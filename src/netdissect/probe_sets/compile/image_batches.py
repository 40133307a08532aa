"""Phases 1 and 5 of a build, which workers run batch by batch.

Decoding the images and label maps of the sources is most of the work, so every file is opened once. Phase 1 counts the
labels, writes the scaled image, and caches the labels, still with the source's numbers, at the size of the label maps.
Phase 5 only has to replace those numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.images import is_same_shape
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.broden.label_pngs import encode_label_map
from netdissect.probe_sets.compile import rescale
from netdissect.probe_sets.compile.build_cache import CacheMiss
from netdissect.probe_sets.compile.statistics import add_pixel_counts, count_labels
from netdissect.probe_sets.source import check_image_and_labels, hash_parts, stat_files, to_planes
from netdissect.runtime.port import PlainContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.build_cache import BuildCache
    from netdissect.probe_sets.compile.build_options import BuildOptions
    from netdissect.probe_sets.compile.color_names import ColorNames
    from netdissect.probe_sets.compile.statistics import Counts
    from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage

#: Images of a batch. Shares of pixels are summed per batch, so the size must not depend on the number of workers.
BATCH_SIZE = 16


@dataclass(frozen=True)
class BuildContext(PlainContext):
    """What every worker needs.

    Attributes:
        sources: the sources.
        options: how the probe set is built.
        colors: the table of color names; None for no label map of colors.
        cache: the build's cache.
    """

    sources: Sequence[Source] = field(metadata={"called": "the sources"})
    options: BuildOptions
    colors: ColorNames | None
    cache: BuildCache


@dataclass(frozen=True)
class ImageBatch:
    """Some images of one source.

    Attributes:
        source: position of the source.
        images: the images.
        names: their names in the probe set.
        key: hash of everything that determines their pixels and labels.
    """

    source: int
    images: tuple[SourceImage, ...]
    names: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class NumberedBatch:
    """A batch and the label numbers of its labels.

    Attributes:
        batch: the batch.
        tables: per category, the label number of every label of the source.
        key: hash of everything that determines its label maps.
    """

    batch: ImageBatch
    tables: Mapping[str, NDArray[np.uint16]]
    key: str


def divide_into_batches(
    sources: Sequence[Source], listed: Sequence[Sequence[tuple[SourceImage, str]]], state_key: str
) -> list[ImageBatch]:
    """Divide the images of all sources into batches.

    Args:
        sources: the sources.
        listed: for every source, its images and their names in the probe set.
        state_key: hash of the options and the sources' tables.

    Raises:
        DataNotFoundError: if files of images are missing.
    """
    batches = []
    for position, pairs in enumerate(listed):
        missing: list[Path] = []
        for start in range(0, len(pairs), BATCH_SIZE):
            images, names = zip(*pairs[start : start + BATCH_SIZE], strict=True)
            inputs = [stat_files(image.inputs) for image in images]
            for image, states in zip(images, inputs, strict=True):
                missing += [path for path, (_, size, _) in zip(image.inputs, states, strict=True) if size < 0][:1]
            key = hash_parts(state_key, sources[position].name, [image.file for image in images], names, inputs)
            batches.append(ImageBatch(position, images, names, key))
        if missing:
            raise DataNotFoundError(
                f"{sources[position].name}: {len(missing):,} of {len(pairs):,} images lack a file, the first of them "
                f"{missing[0]}: add the files, or leave those images out with --skip-missing"
            )
    return batches


def count_batch_labels(context: BuildContext, batch: ImageBatch) -> None:
    """Phase 1 for one batch: write its scaled images; cache its labels and their counts."""
    counts: Counts = {}
    context.cache.write_arrays(batch.key, _read_batch(context, batch, counts))
    context.cache.write_piece("counts", batch.key, counts)


def _read_batch(
    context: BuildContext, batch: ImageBatch, counts: Counts
) -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
    """Write the scaled images of a batch and count their labels; yield the scaled labels of every image and category."""
    source, options = context.sources[batch.source], context.options
    folder = context.cache.set_folder / "images" / source.name
    folder.mkdir(parents=True, exist_ok=True)
    for position, (image, name) in enumerate(zip(batch.images, batch.names, strict=True)):
        pixels, labels = source.read_image(image), source.read_labels(image)
        try:
            check_image_and_labels(pixels, labels)
            if source.aligned:
                _require_same_frame(labels, pixels)
            count_labels(labels, counts)
        except DataFileError as error:
            raise DataFileError(f"{source.name}, {image.file}: {error}") from error
        scaled = {category: _scale_labels(own, options.label_size) for category, own in labels.items()}
        if context.colors is not None:
            height, width = pixels.shape[:2]
            add_pixel_counts("color", context.colors.count_pixels(pixels), height * width, counts)
            scaled["color"] = context.colors.label_pixels(rescale.sample_pixels(pixels, options.label_size))
        (folder / name).write_bytes(rescale.encode_scaled_jpeg(pixels, options.image_size))
        for category, own in scaled.items():
            yield f"{position}/{category}", own


def write_batch_label_maps(context: BuildContext, numbered: NumberedBatch) -> None:
    """Phase 5 for one batch: write its label maps; cache the rows of ``index.csv`` of its images."""
    batch = numbered.batch
    try:
        fields = _write_label_maps(context, numbered)
    except CacheMiss:
        count_batch_labels(context, batch)
        fields = _write_label_maps(context, numbered)
    rows = [
        {
            "image": f"{context.sources[batch.source].name}/{name}", "split": image.split, "fields": own,
            "group": image.group and f"{context.sources[batch.source].name}/{image.group}",
        }
        for image, name, own in zip(batch.images, batch.names, fields, strict=True)
    ]  # fmt: skip
    context.cache.write_piece("rows", numbered.key, rows)


def _write_label_maps(context: BuildContext, numbered: NumberedBatch) -> list[dict[str, list[str | int]]]:
    """Write a batch's label maps; return the fields of ``index.csv``, per image and category."""
    batch, folder = numbered.batch, context.cache.set_folder / "images"
    fields: list[dict[str, list[str | int]]] = [{} for _ in batch.images]
    for key, labels in context.cache.read_arrays(batch.key):
        position, category = key.split("/")
        if category in numbered.tables:
            image = f"{context.sources[batch.source].name}/{batch.names[int(position)]}"
            table = numbered.tables[category]
            if labels.size and int(labels.max()) >= len(table):
                raise DataFileError(f"{image}: its {category} labels changed during the build: run again")
            fields[int(position)][category] = _write_field(folder, image, category, table[labels])
    return fields


def make_index_rows(options: BuildOptions, images: Iterable[Mapping[str, Any]]) -> list[IndexRow]:
    """Return the rows of ``index.csv``, sorted by the hash of the image's name, which also determines the split.

    Args:
        options: how the probe set is built.
        images: ``image``, ``split``, ``fields`` and ``group`` of every image; an empty split is replaced.
    """
    rows = [
        IndexRow(
            image["image"],
            image["split"] or ("train" if hash_to_unit_interval(image["image"]) <= options.train else "val"),
            options.image_size,
            options.label_size,
            image["fields"],
            image.get("group", ""),
        )
        for image in images
    ]
    return sorted(rows, key=lambda row: (hash_to_unit_interval(row.image), row.image))


def hash_to_unit_interval(name: str) -> float:
    """Return the first 8 bytes of the MD5 of an image's name as a number between 0 and 1.

    >>> round(hash_to_unit_interval("ade20k/ADE_train_00003891.jpg"), 6)
    8.5e-05
    """
    digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def _require_same_frame(labels: Mapping[str, CategoryLabels], pixels: NDArray[np.uint8]) -> None:
    """Refuse label maps whose aspect ratio differs from the image's; a smaller copy is allowed."""
    height, width = pixels.shape[:2]
    for category, own in labels.items():
        if isinstance(own, tuple):
            continue
        rows, columns = own.shape[-2:]
        if not is_same_shape((height, width), (rows, columns)):
            raise DataFileError(
                f"the {category} map is {columns} x {rows} pixels and the image "
                f"{width} x {height}, so they do not show the same frame: use the mask that belongs to the image"
            )


def _scale_labels(labels: CategoryLabels, size: tuple[int, int]) -> NDArray[np.integer[Any]]:
    """Return labels as they are cached: those of the whole image, shape (n,), or scaled planes, (h, w) or (p, h, w)."""
    if isinstance(labels, tuple):
        return np.array(labels, np.int64)
    return rescale.scale_label_planes(labels, size).astype(np.uint16)


def _write_field(folder: Path, image: str, category: str, labels: NDArray[np.uint16]) -> list[str | int]:
    """Write the label maps of one image and category; return its field of ``index.csv``."""
    if labels.ndim == 1:
        return list(dict.fromkeys(number for number in labels.tolist() if number))
    stem = f"{image.removesuffix('.jpg')}_{category}"
    files: list[str | int] = []
    for level, plane in enumerate(to_planes(labels), start=1):
        file = f"{stem}_{level}.png" if labels.ndim == 3 else f"{stem}.png"
        (folder / file).write_bytes(encode_label_map(plane))
        files.append(file)
    return files
