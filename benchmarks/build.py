"""Time of building a probe set from ADE20K's files, compared with a loop that does every step once in memory."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.io import savemat

from benchmarks import machine
from benchmarks.probe_sets import CACHE
from netdissect.probe_sets.compile.build_broden import build_broden
from netdissect.probe_sets.compile.color_names import load_built_in_colors
from netdissect.probe_sets.compile.rescale import find_nearest_positions

if TYPE_CHECKING:
    from collections.abc import Callable

_STREET = "ADE20K_2016_07_26/images/training/s/street"


def main(words: list[str]) -> None:
    """Print images per second and CPU seconds per image, for images of 1,280 x 960 pixels."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks build --")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--size", type=int, default=227)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args(words)
    sources = write_sources(options.images)
    machine.print_title(f"Building {options.size} pixels from {options.images} images with object map and part map")
    rows = [["loop in one process", *measure(lambda: build_in_a_loop(sources, options.size), options.images)]]
    for workers in options.workers:
        with tempfile.TemporaryDirectory() as folder:

            def build(workers: int = workers, out: Path = Path(folder) / "set") -> None:
                build_broden(sources, out, size=options.size, workers=workers, min_frequency=1, min_coverage=0)

            speed, processor = measure(build, options.images)
            rows.append([f"data build --workers {workers}", speed, processor if workers == 1 else "not measured"])
    machine.print_table(["", "images/s", "CPU s/image", "÷ loop"], [[*row, row[1] / rows[0][1]] for row in rows])


def measure(run: Callable[[], object], images: int) -> tuple[float, float]:
    """Return images per second and CPU seconds per image, those of worker processes aside."""
    before, start = _read_cpu_seconds(), time.perf_counter()
    run()
    return images / (time.perf_counter() - start), (_read_cpu_seconds() - before) / images


def write_sources(images: int) -> Path:
    """Write ADE20K's files, one image and its maps under many names, and return their folder."""
    root = CACHE / f"ade20k-{images}"
    folder = root / "ade20k" / _STREET
    index = root / "ade20k" / "ADE20K_2016_07_26" / "index_ade20k.mat"
    if index.exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"ADE_train_{number:08d}" for number in range(images)]
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (61, 81, 3), dtype=np.uint8)
    noise = rng.normal(0, 9, (960, 1280, 3))
    image = np.asarray(Image.fromarray(coarse).resize((1280, 960), Image.Resampling.BICUBIC)) + noise
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{names[0]}.jpg", quality=90)
    for level, (cells, classes) in {"seg": (20, 300), "parts_1": (60, 900)}.items():
        labels = rng.integers(0, classes, (cells * 3 // 4, cells)).repeat(1280 // cells, 0).repeat(1280 // cells, 1)
        rgb = np.stack([labels // 256 * 10, labels % 256, labels % 7], axis=-1).astype(np.uint8)
        Image.fromarray(rgb[:960]).save(folder / f"{names[0]}_{level}.png")
    for name in names[1:]:
        for ending in (".jpg", "_seg.png", "_parts_1.png"):
            os.link(folder / f"{names[0]}{ending}", folder / f"{name}{ending}")
    fields = {
        "filename": [f"{name}.jpg" for name in names], "folder": [_STREET] * images, "scene": ["street"] * images,
        "objectnames": [f"thing {number}" for number in range(900)],
    }  # fmt: skip
    savemat(index, {"index": {name: np.array(values, dtype=object) for name, values in fields.items()}})
    return root


def build_in_a_loop(sources: Path, size: int) -> int:
    """Decode, count, scale and encode every image and map in memory; return the number of encoded bytes."""
    colors, side, total = load_built_in_colors(), size // 2, 0
    for path in sorted((sources / "ade20k" / _STREET).glob("*.jpg")):
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        total += _count_encoded_bytes(photo.resize((size, size), Image.Resampling.BILINEAR), "JPEG")
        maps = [colors.label_pixels(np.asarray(photo))]
        for level in ("seg", "parts_1"):
            with Image.open(f"{path.with_suffix('')}_{level}.png") as opened:
                rgb = np.asarray(opened)
            maps.append((rgb[..., 0] // 10).astype(np.uint16) * np.uint16(256) + rgb[..., 1])
        for labels in maps:
            np.bincount(labels.ravel())
            small = labels[
                np.ix_(find_nearest_positions(labels.shape[0], side), find_nearest_positions(labels.shape[1], side))
            ]
            total += _count_encoded_bytes(
                Image.fromarray(np.stack([small & 255, small >> 8, 0 * small], -1).astype(np.uint8)), "PNG"
            )
    return total


def _count_encoded_bytes(image: Image.Image, kind: str) -> int:
    out = io.BytesIO()
    image.save(out, format=kind)
    return len(out.getvalue())


def _read_cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
