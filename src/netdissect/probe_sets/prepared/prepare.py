"""Prepare a probe set: write tables, images and decoded labels into one file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.concepts import Labels
from netdissect.errors import DataError, DataFileError, SettingsError
from netdissect.io import atomic, images
from netdissect.io.reading import read_bytes
from netdissect.probe_sets.broden.label_pngs import read_label_map
from netdissect.probe_sets.broden.reader import LATENTS_FILE, Broden
from netdissect.probe_sets.prepared.prepared_file import PreparedFile, is_own_file
from netdissect.probe_sets.prepared.prepared_schema import (
    FACTS_TABLE,
    IMAGE,
    PIXELS,
    STAMPS_TABLE,
    PreparedFacts,
    list_columns,
    make_schema,
)
from netdissect.probe_sets.prepared.prepared_set import PreparedSet
from netdissect.probe_sets.prepared.probe_folder import name_prepared_file
from netdissect.probe_sets.prepared.stamps import stamp_images
from netdissect.probe_sets.prepared.stored_rows import encode_segments
from netdissect.progress import show_progress
from netdissect.runtime.port import PlainContext
from netdissect.runtime.worker_processes import start_local_workers
from netdissect.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.probe_images import ProbeImage
    from netdissect.protocols import Progress

#: Most rows of a record batch, and most bytes of its images or labels.
_ROWS_PER_BATCH, _MAX_BATCH_BYTES = 16, 2**30
#: Tables that a probe set may have besides those that every one has.
_OTHER_TABLES = ("README.txt", "label_assignment.csv", LATENTS_FILE)


@dataclass(frozen=True)
class PreparedResult:
    """A finished prepared file.

    Attributes:
        file: its path.
        images: number of images.
        is_new: whether it was written; False if it was there already and is current.
    """

    file: Path
    images: int
    is_new: bool


@dataclass(frozen=True)
class _PrepareContext(PlainContext):
    """What every worker needs: the probe set's folder, and the images' size."""

    folder: Path
    size: tuple[int, int] | None


def prepare_probe_set(
    data: str | Path,
    out: str | Path | None = None,
    *,
    images: str | int = "original",
    workers: int = 1,
    progress: Progress | bool = True,
) -> PreparedResult:
    """Write a probe set into one file, which is read in place of the folder: its labels are decoded already, and it is easy to copy.

    Args:
        data: a folder in Broden's format, or its fsspec URL.
        out: the file; None writes it beside the folder, where it is found.
        images: ``original`` keeps the images as the files they are; a number decodes them and scales them to that side in
            pixels, for networks of that input size alone.
        workers: number of processes.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Raises:
        DataError: a subclass, if the probe set is damaged, or `out` is another file.
        SettingsError: if an option is out of its range.

    Example:
        >>> import tempfile
        >>> import netdissect as nd
        >>> from netdissect.demo.world import write_probe_set
        >>> place = tempfile.TemporaryDirectory()
        >>> folder = Path(place.name) / "shapes"
        >>> write_probe_set(folder, images=3, size=32, workers=1)
        >>> prepared = nd.prepare_probe_set(folder)
        >>> prepared.file.name, prepared.images
        ('shapes.arrow', 3)
        >>> place.cleanup()
    """
    require_integer("workers", workers, 1, MAX_WORKERS)
    side = None if images == "original" else _require_side(images)
    size = None if side is None else (side, side)
    probe_set = Broden(data)
    target = _choose_target(probe_set, data, out)
    stamps = stamp_images(probe_set.folder, probe_set.rows) if isinstance(probe_set.folder, Path) else None
    if _is_current(target, probe_set, size):
        return PreparedResult(target, len(probe_set), is_new=False)
    rows = choose_batch_rows(probe_set.rows, size)
    facts = PreparedFacts(probe_set.name, len(probe_set), rows, size, probe_set.tables_fingerprint)
    batches = [probe_set.rows[start : start + rows] for start in range(0, len(probe_set), rows)]
    context = _PrepareContext(probe_set.folder, size)
    with show_progress(progress) as shown, start_local_workers(context, min(workers, len(batches))) as runtime:
        shown.start("prepare", len(probe_set))
        write_batches(target, facts, read_tables(probe_set), runtime.map(_encode_batch, batches), shown, stamps=stamps)
    return PreparedResult(target, len(probe_set), is_new=True)


def write_batches(
    target: Path,
    facts: PreparedFacts,
    tables: Mapping[str, bytes],
    batches: Iterable[Mapping[str, list[Any]]],
    progress: Progress,
    *,
    stamps: NDArray[np.int64] | None = None,
) -> None:
    """Write a prepared file.

    Args:
        target: the file.
        facts: its facts.
        tables: the probe set's tables by name.
        batches: the columns of every record batch, as `encode_rows` gives them.
        progress: reports the progress.
        stamps: of the images' files, if it is made of a folder on this machine.
    """
    schema = make_schema(facts)
    tables = {**tables, FACTS_TABLE: facts.to_json()}
    if stamps is not None:
        tables[STAMPS_TABLE] = stamps.astype("<i8").tobytes()
    listed = [{"name": name, "data": data} for name, data in tables.items()]
    with atomic.open_replacement(target) as file, pa.ipc.new_file(file, schema) as writer:
        for number, columns in enumerate(batches):
            count = len(columns["row"])
            own = {**columns, "tables": [listed if number == 0 else None, *[None] * (count - 1)]}
            writer.write_batch(pa.record_batch([pa.array(own[f.name], f.type) for f in schema], schema=schema))
            progress.advance(count)


def _require_side(images: str | int) -> int:
    text = str(images)
    if isinstance(images, bool) or not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) > 0):
        raise SettingsError(f"images must be original or a side in pixels, such as 224, not {text[:40]!r}")
    return int(text)


def _choose_target(probe_set: Broden, data: str | Path, out: str | Path | None) -> Path:
    """Return the file to write, after checking that nothing else is there."""
    if out is None and not isinstance(probe_set.folder, Path):
        raise SettingsError(f"{data} is a URL, beside which nothing is written: name the file with --out")
    target = Path(out) if out is not None else name_prepared_file(probe_set.folder)
    require_own_target(target)
    return target


def require_own_target(target: Path) -> None:
    """Refuse a path at which something else than a prepared file is.

    Raises:
        DataError: if it is a folder, or another file.
    """
    if target.is_dir():
        raise DataError(f"{target} is a folder: name the file to write with --out")
    if (target.exists() or target.is_symlink()) and not is_own_file(target):
        raise DataError(
            f"{target} exists and is not a prepared probe set, so it is not replaced: name another file with --out"
        )


def _is_current(target: Path, probe_set: Broden, size: tuple[int, int] | None) -> bool:
    """Return whether a file is the one that would be written."""
    if not target.exists() or not isinstance(probe_set.folder, Path):
        return False
    try:
        file = PreparedFile(target)
        return file.facts.size == size and PreparedSet(file, beside=probe_set.folder).find_change() is None
    except DataError:
        return False


def choose_batch_rows(rows: Sequence[ProbeImage], size: tuple[int, int] | None) -> int:
    """Return the number of rows of a record batch: few if images or labels are large."""
    largest = max(2 * row.label_size[0] * row.label_size[1] * max(1, len(row.planes)) for row in rows)
    pixels = max(3 * row.image_size[0] * row.image_size[1] for row in rows)
    largest = max(largest, pixels if size is None else 3 * size[0] * size[1])
    return max(1, min(_ROWS_PER_BATCH, _MAX_BATCH_BYTES // largest))


def list_table_names(probe_set: Broden) -> list[str]:
    """Return the names of the tables that are kept of a probe set: those that every one has, then others."""
    names = ["index.csv", "category.csv", "label.csv", *(f"c_{name}.csv" for name in probe_set.vocabulary.categories)]
    return [*names, *_OTHER_TABLES]


def read_tables(probe_set: Broden) -> dict[str, bytes]:
    """Return the probe set's tables by name."""
    paths = [probe_set.folder / name for name in list_table_names(probe_set)]
    return {path.name: _read_file(path, "table") for path in paths if path.is_file()}


def _read_file(path: Path, what: str) -> bytes:
    try:
        data = read_bytes(path, most=2**31 - 1)
    except Exception as error:
        raise images.make_read_error(what, path, error) from error
    return data


def _encode_batch(context: _PrepareContext, rows: Sequence[ProbeImage]) -> dict[str, list[Any]]:
    """Return the columns of some rows."""
    found = []
    for row in rows:
        path = context.folder / "images" / row.image
        data = images.read_indexed_image(path)
        if len(data) > (2**31 - 1) // len(rows):
            raise DataFileError(f"image {path}: it has {len(data):,} bytes, which are too many for a prepared file")
        if context.size is not None:
            data = images.resize_image(images.decode_image(data, path, row.image_size), context.size).tobytes()
        found.append((row, data, *_read_planes(context.folder, row)))
    return encode_rows(found, context.size)


def encode_rows(
    rows: Iterable[tuple[ProbeImage, bytes, Segments, NDArray[np.uint16]]], size: tuple[int, int] | None
) -> dict[str, list[Any]]:
    """Return the columns of some rows, without the tables.

    Args:
        rows: every image, the bytes of its file or pixels, the segments of its label numbers, and its label planes.
        size: the size that images were scaled to; None if the bytes are files.
    """
    columns: dict[str, list[Any]] = {name: [] for name in list_columns(size) if name != "tables"}
    for row, data, found, planes in rows:
        segments, labels = encode_segments(found, planes)
        image = {"bytes": data, "path": row.image} if size is None else data
        values = {
            "row": row.number, "name": row.image, "split": row.split, "label_height": row.label_size[0],
            "label_width": row.label_size[1], "segments": segments, "labels": labels, IMAGE: image, PIXELS: image,
            "image_crc32": zlib.crc32(data), "labels_crc32": zlib.crc32(labels.tobytes(), zlib.crc32(segments)),
        }  # fmt: skip
        for name, column in columns.items():
            column.append(values[name])
    return columns


def _read_planes(folder: Path, row: ProbeImage) -> tuple[Segments, NDArray[np.uint16]]:
    """Return the segments of an image's label numbers, and its label planes."""
    planes = np.zeros((len(row.planes), *row.label_size), np.uint16)
    for plane, name in zip(planes, row.planes, strict=True):
        plane[...] = read_label_map(folder / "images" / name, row.label_size)
    return Segments.from_labels(Labels(planes, np.zeros(0, np.int64))), planes
