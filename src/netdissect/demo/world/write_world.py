"""Write the bundled probe set as a Broden folder, with several processes."""

from __future__ import annotations

import hashlib
import io
import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from netdissect.bounds import MAX_IMAGES, MAX_SEED, MAX_WORKERS, require_integer
from netdissect.demo.world.render import render_image
from netdissect.demo.world.world_concepts import NUMBERS
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.broden.writer import LabelUsage, write_tables
from netdissect.protocols import NullProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Images a process draws before it reports.
_CHUNK = 32

_TEXT = """\
Drawn by netdissect from seed {seed}: {images} images of {size} x {size} pixels, scenes with their objects, parts and
materials, textures, and the basic color of every pixel. An image depends on the seed and its own number alone. The
images and their labels may be used freely.
"""


def write_probe_set(
    folder: Path,
    *,
    images: int,
    size: int = 112,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Draw the bundled probe set and write it as a complete Broden folder.

    Every image is drawn from (seed, index) alone: any number of images or workers gives the same files.

    Args:
        folder: where it is written; made if it is not there.
        images: how many; a few hundred have a little of everything.
        size: side of the images in pixels; label maps are half as large.
        seed: another seed draws another set.
        workers: processes; None takes one per processor, 1 draws in this process.
        progress: shown how far it is.

    Raises:
        SettingsError: if there are no images to draw or they are too small to show anything.
        OSError: as any write does.
    """
    require_integer("images", images, 1, MAX_IMAGES)
    require_integer("size", size, 32, 4096)
    require_integer("seed", seed, 0, MAX_SEED)
    if workers is not None:
        require_integer("workers", workers, 1, MAX_WORKERS)
    progress = progress or NullProgress()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").unlink(missing_ok=True)  # until the new tables are written, there is no whole probe set
    chunks = [_Chunk(folder, start, min(start + _CHUNK, images), size, seed) for start in range(0, images, _CHUNK)]
    progress.start("draw", images)
    drawn: list[_WrittenImage] = []
    for chunk in _map_chunks(chunks, min(workers or _count_cpus(), len(chunks))):
        drawn.extend(chunk)
        progress.advance(len(chunk))
    drawn.sort(key=lambda image: image.row.image)
    usage = _sum_usage(drawn)
    numbers = {name: number for names in NUMBERS.values() for name, number in names.items()}
    write_tables(
        folder,
        rows=[image.row for image in drawn],
        numbers={
            name: numbers[name] for name in sorted({name for name, _ in usage.frequency}, key=numbers.__getitem__)
        },
        usage=usage,
        title="The bundled probe set of netdissect",
        text=_TEXT.format(seed=seed, images=images, size=size),
    )


@dataclass(frozen=True)
class _Chunk:
    """Images to draw: first, one past the last."""

    folder: Path
    start: int
    stop: int
    size: int
    seed: int


@dataclass(frozen=True)
class _WrittenImage:
    """An image that has been written: its line of the index, and the share of pixels of every label, by category."""

    row: IndexRow
    shares: dict[str, dict[int, float]]


def _count_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _map_chunks(chunks: list[_Chunk], workers: int) -> Iterator[list[_WrittenImage]]:
    """Yield what becomes of every chunk, in whatever order."""
    if workers <= 1:
        yield from map(_draw_chunk, chunks)
        return
    # Fresh processes: a fork of one that has threads (torch's) can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_draw_chunk, chunk) for chunk in chunks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _draw_chunk(chunk: _Chunk) -> list[_WrittenImage]:
    return [_write_image(chunk.folder, index, chunk.size, chunk.seed) for index in range(chunk.start, chunk.stop)]


def _write_image(folder: Path, index: int, size: int, seed: int) -> _WrittenImage:
    """Write one image and its label maps."""
    image, labels = render_image(index, size=size, seed=seed)
    stem = f"{index:06d}"
    images = folder / "images"
    (images / f"{stem}.jpg").write_bytes(_encode_jpeg(image))
    fields: dict[str, list[str | int]] = {}
    shares: dict[str, dict[int, float]] = {}
    for category, label in labels.items():
        if isinstance(label, int):
            fields[category], shares[category] = [label], {label: 1.0}
            continue
        name = f"{stem}_{category}.png"
        (images / name).write_bytes(label_pngs.encode_label_map(label))
        fields[category] = [name]
        numbers, counts = np.unique(label, return_counts=True)
        shares[category] = {
            int(number): int(count) / label.size for number, count in zip(numbers, counts, strict=True) if number
        }
    cells = size // 2
    return _WrittenImage(IndexRow(f"{stem}.jpg", choose_split(stem), (size, size), (cells, cells), fields), shares)


def _encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, format="JPEG", quality=92)
    return out.getvalue()


def choose_split(stem: str) -> str:
    """Return ``train`` or ``val`` by Broden's rule: the first 8 bytes of a name's md5, as a share, up to 0.7."""
    share = int.from_bytes(hashlib.md5(f"synthetic/{stem}.jpg".encode(), usedforsecurity=False).digest()[:8], "big")
    return "train" if share / 2**64 <= 0.7 else "val"


def _sum_usage(drawn: list[_WrittenImage]) -> LabelUsage:
    """Add up how much every label is used, in the images' order, so that sums do not depend on the workers."""
    names = {number: name for category in NUMBERS.values() for name, number in category.items()}
    usage = LabelUsage(defaultdict(int), defaultdict(float))
    for image in drawn:
        for category, shares in image.shares.items():
            for number, share in shares.items():
                usage.add(names[number], category, share)
    return usage
