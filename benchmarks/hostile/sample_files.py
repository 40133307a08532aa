"""Write small valid and malicious input files, and return commands that read them."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.hostile.attempts import AttemptFolder

#: Size of photos, in pixels.
WIDTH, HEIGHT = 96, 64


def write_photo(
    path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), color: tuple[int, int, int] = (90, 120, 160)
) -> Path:
    """Write a plain photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def write_mask(
    path: Path, boxes: dict[int, tuple[int, int, int, int]], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Path:
    """Write a mask in which every number fills a box (left, top, right, bottom)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.zeros(size[::-1], np.uint8)
    for number, (left, top, right, bottom) in boxes.items():
        numbers[top:bottom, left:right] = number
    Image.fromarray(numbers).save(path)
    return path


def prepare_from_masks(folder: AttemptFolder, classes: str, text: str | bytes, *more: object) -> list[object]:
    """Write a photo and a mask (number 1 covers an eighth, 2 a quarter); return the from-masks command."""
    write_photo(folder.path / "photos/a.png")
    write_mask(folder.path / "masks/a.png", {1: (0, 0, 24, 32), 2: (48, 32, 96, 64)})
    folder.write(classes, text)
    return ["data", "from-masks", folder.path / "photos", folder.path / "masks", "--classes",
            folder.path / classes, "--out", folder.out, *IMPORT_OPTIONS, *more]  # fmt: skip


#: Options of every importer command.
IMPORT_OPTIONS = ("--size", "64", "--workers", "1", "--preview", "0", "--quiet", "--no-colors")


def make_polygon(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """Return a box as COCO's polygon."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def make_annotation(
    number: int, category: object, box: tuple[float, float, float, float], **more: Any
) -> dict[str, Any]:
    """Return a COCO annotation; `more` replaces its fields, and removes those that are `...`."""
    left, top, right, bottom = box
    fields: dict[str, Any] = {
        "id": number, "image_id": 1, "category_id": category, "iscrowd": 0, "segmentation": make_polygon(*box),
        "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top),
    }  # fmt: skip
    fields.update(more)
    return {name: value for name, value in fields.items() if value is not ...}


def prepare_from_coco(
    folder: AttemptFolder, annotations: list[Any], *more: object, text: str | bytes | None = None, **document: Any
) -> Any:
    """Write an image and a COCO file with categories table (1) and plate (2); return the from-coco command."""
    write_photo(folder.path / "photos/a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "table"}, {"id": 2, "name": "plate"}],
        "annotations": annotations, **document,
    }  # fmt: skip
    folder.write("instances.json", json.dumps(content) if text is None else text)
    return ["data", "from-coco", folder.path / "instances.json", folder.path / "photos", "--out", folder.out,
            *IMPORT_OPTIONS, *more]  # fmt: skip


def make_png(width: int, height: int, pixels: bytes = b"", depth: int = 8, color: int = 2) -> bytes:
    """Return a PNG whose header claims a size, whatever its pixels are."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels or zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def make_png_bomb(width: int = 11000, height: int = 11000) -> bytes:
    """Return a valid PNG of a few kilobytes that unpacks to hundreds of megabytes."""
    squeezed = zlib.compressobj(9)
    row = b"\0" * (1 + width * 3)
    return make_png(width, height, b"".join(squeezed.compress(row) for _ in range(height)) + squeezed.flush())


def encode_image(image: Image.Image, kind: str, **more: Any) -> bytes:
    """Return an image file."""
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()
