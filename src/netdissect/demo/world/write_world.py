"""Write the bundled probe set as a Broden folder, with several worker processes."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import netdissect
from netdissect.bounds import MAX_IMAGES, MAX_SEED, MAX_WORKERS, require_integer
from netdissect.demo.world.render import render_image
from netdissect.demo.world.world_concepts import NUMBERS
from netdissect.io import atomic
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.broden.writer import LabelUsage, write_tables
from netdissect.probe_sets.compile.image_batches import hash_to_unit_interval
from netdissect.protocols import NullProgress, Progress
from netdissect.runtime.port import PlainContext
from netdissect.runtime.worker_processes import start_local_workers

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Images that a worker draws at once.
_CHUNK = 32

_TEXT = """\
Drawn by netdissect {version} from seed {seed}: {images} images of {size} x {size} pixels, scenes with their objects, parts
and materials, textures, and the basic color of every pixel. An image depends on the seed and its own number alone. The
images and their labels may be used freely.
"""


def has_probe_set(folder: Path, *, images: int, size: int, seed: int) -> bool:
    """Return whether a folder holds this probe set, complete and drawn by this version."""
    if not all(atomic.is_regular_below(folder, name) for name in ("README.txt", "index.csv")):
        return False
    return _describe(images, size, seed).strip().encode() in (folder / "README.txt").read_bytes()


def _describe(images: int, size: int, seed: int) -> str:
    return _TEXT.format(version=netdissect.__version__, seed=seed, images=images, size=size)


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

    An image depends on the seed, its index and the size only, whatever the number of images or workers.

    Args:
        folder: folder of the probe set; created if it is missing.
        images: number of images; 114 show every scene and texture.
        size: side of the images in pixels; label maps have half of it.
        seed: seed of the probe set.
        workers: processes; None takes one per CPU core, 1 draws in this process.
        progress: receives the number of images drawn.

    Raises:
        SettingsError: if a number is out of bounds.
        OSError: if a file cannot be written.
    """
    require_integer("images", images, 1, MAX_IMAGES)
    require_integer("size", size, 32, 4096)
    require_integer("seed", seed, 0, MAX_SEED)
    if workers is not None:
        require_integer("workers", workers, 1, MAX_WORKERS)
    progress = progress or NullProgress()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").unlink(
        missing_ok=True
    )  # without it, the folder is no probe set until the new tables are written
    chunks = [range(start, min(start + _CHUNK, images)) for start in range(0, images, _CHUNK)]
    progress.start("draw", images)
    drawn: list[_WrittenImage] = []
    with start_local_workers(_WorldContext(folder, size, seed), min(workers or _count_cpus(), len(chunks))) as runtime:
        for written in runtime.map(_write_images, chunks):
            drawn.extend(written)
            progress.advance(len(written))
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
        text=_describe(images, size, seed),
    )


@dataclass(frozen=True)
class _WorldContext(PlainContext):
    """The settings of every worker: the folder, the side of the images in pixels, and the seed."""

    folder: Path
    size: int
    seed: int


@dataclass(frozen=True)
class _WrittenImage:
    """A written image: its row of ``index.csv``, and by category the share of pixels of every label."""

    row: IndexRow
    shares: dict[str, dict[int, float]]


def _count_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _write_images(context: _WorldContext, indices: range) -> list[_WrittenImage]:
    return [_write_image(context.folder, index, context.size, context.seed) for index in indices]


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
    """Return ``train`` or ``val`` by Broden's rule: by the hash of the image's name, 70 % train."""
    return "train" if hash_to_unit_interval(f"synthetic/{stem}.jpg") <= 0.7 else "val"


def _sum_usage(drawn: list[_WrittenImage]) -> LabelUsage:
    """Add up how much every label is used, in the order of the images, so that sums do not depend on the workers."""
    names = {number: name for category in NUMBERS.values() for name, number in category.items()}
    usage = LabelUsage(defaultdict(int), defaultdict(float))
    for image in drawn:
        for category, shares in image.shares.items():
            for number, share in shares.items():
                usage.add(names[number], category, share)
    return usage
