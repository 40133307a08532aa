"""Make probe sets to measure on, with any number of images and concepts, once; they stay in a cache folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

from benchmarks.machine import CACHE
from netdissect.demo.world import DEMO_IMAGES, write_probe_set
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.broden.writer import LabelUsage, write_tables

if TYPE_CHECKING:
    from pathlib import Path

CATEGORIES = ("object", "part", "scene", "material", "texture", "color")


def make_noise(images: int, *, concepts: int = 1200, size: int = 224, distinct: int = 500) -> Broden:
    """Return a probe set of smooth noise with rectangles as labels: four planes and a scene per image, as in Broden.

    Only `distinct` images differ; the others are hard links to them, which cost as much to decode but no disk space.
    """
    folder = CACHE / f"noise-{images}-{concepts}-{size}"
    if not (folder / "index.csv").exists():
        _write_probe_set(folder, images, concepts, size, min(distinct, images))
    return Broden(folder)


def make_demo(images: int = DEMO_IMAGES) -> Broden:
    """Return the first images of the demo's probe set."""
    folder = CACHE / f"demo-{images}"
    if not (folder / "index.csv").exists():
        write_probe_set(folder, images=images)
    return Broden(folder)


def _write_probe_set(folder: Path, images: int, concepts: int, size: int, distinct: int) -> None:
    names = [f"concept{n}" for n in range(concepts)]
    category = {name: CATEGORIES[n % len(CATEGORIES)] for n, name in enumerate(names)}
    of_category = {
        kind: [n + 1 for n in range(concepts) if n % len(CATEGORIES) == k] for k, kind in enumerate(CATEGORIES)
    }
    usage = LabelUsage()
    for name in names:
        usage.add(name, category[name], 1.0)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(images):
        rng = np.random.default_rng([number % distinct, 7])
        image = f"{number:06d}.jpg"
        fields: dict[str, list[str | int]] = {"scene": [int(rng.choice(of_category["scene"]))]}
        files = {"": image} | {kind: f"{number:06d}_{kind}.png" for kind in ("object", "part", "material", "color")}
        if number < distinct:
            (folder / "images" / image).write_bytes(_encode_image(rng, size))
            for kind, name in files.items():
                if kind:
                    plane = _draw_labels(rng, size // 2, of_category[kind])
                    (folder / "images" / name).write_bytes(label_pngs.encode_label_map(plane))
        else:
            for name in files.values():
                source = folder / "images" / (f"{number % distinct:06d}" + name[6:])
                target = folder / "images" / name
                if not target.exists():
                    os.link(source, target)
        fields |= {kind: [name] for kind, name in files.items() if kind}
        rows.append(IndexRow(image, "train", (size, size), (size // 2, size // 2), fields))
    write_tables(
        folder, rows=rows, numbers={name: n + 1 for n, name in enumerate(names)}, usage=usage, title="noise",
        text="Smooth noise with blobs as labels, for measurements.",
    )  # fmt: skip


def _encode_image(rng: np.random.Generator, size: int) -> bytes:
    coarse = rng.integers(0, 256, size=(size // 8 + 2, size // 8 + 2, 3)).astype(np.float32)
    smooth = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)[:size, :size]
    pixels = np.clip(smooth + rng.normal(0, 12, size=smooth.shape), 0, 255).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=85))


def _draw_labels(rng: np.random.Generator, size: int, numbers: list[int]) -> np.ndarray:
    plane = np.zeros((size, size), np.int64)
    for number in rng.choice(numbers, size=6):
        y, x, h, w = (int(v) for v in rng.integers(0, size, size=4))
        plane[y : y + h // 2 + 2, x : x + w // 2 + 2] = number
    return plane
