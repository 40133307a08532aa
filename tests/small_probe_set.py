"""Write small probe sets in Broden's format, for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.index_rows import IndexRow
from netdissect.probe_sets.broden.writer import LabelUsage, write_tables

#: Concepts of the small probe set: name -> category.
CONCEPTS = {
    "sky": "object",
    "tree": "object",
    "leaf": "part",
    "red-c": "color",
    "street-s": "scene",
    "dotted": "texture",
}


def encode_jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="JPEG", quality=95)
    return out.getvalue()


def write_probe_set(
    folder: Path,
    *,
    images: int = 6,
    size: tuple[int, int] = (32, 32),
    labels: tuple[int, int] = (16, 16),
    seed: int = 0,
    groups: Sequence[str] = (),
) -> Path:
    """Write a probe set whose images have one, two or no planes and one, several or no whole-image labels.

    With `groups`, a name for every image, its index has a column of groups.
    """
    rng = np.random.default_rng(seed)
    usage = LabelUsage()
    for name, category in CONCEPTS.items():
        usage.add(name, category, 0.1)
    numbers = {name: number for number, name in enumerate(CONCEPTS, start=1)}
    (folder / "images" / "a").mkdir(parents=True)
    rows = []
    for n in range(images):
        image = f"a/image {n}.jpg"
        (folder / "images" / image).write_bytes(encode_jpeg(rng.integers(0, 256, size=(*size, 3)).astype(np.uint8)))

        def plane(kind, choices, n=n):
            name = f"a/image {n}_{kind}.png"
            (folder / "images" / name).write_bytes(label_pngs.encode_label_map(rng.choice([0, *choices], size=labels)))
            return name

        fields = {
            "object": [plane("object", [1, 2])] if n % 3 else [],
            "part": [plane("part_1", [3]), plane("part_2", [2, 3])] if n % 2 else [],
            "color": [plane("color", [4])],
            "scene": [5] if n % 2 else [],
            "texture": [6, 0] if n == 0 else [],
        }
        rows.append(IndexRow(image, "train" if n % 3 else "val", size, labels, fields, groups[n] if groups else ""))
    write_tables(folder, rows=rows, numbers=numbers, usage=usage, title="small", text="For tests.")
    return folder
