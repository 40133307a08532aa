"""Strips: a unit's exemplar images side by side, darkened outside its mask.

A run stores the activation grid of every exemplar, so no forward pass is needed: the mask is where the upsampled grid is
positive (docs/method.md).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

from netdissect.compiled import cached_njit
from netdissect.geometry.upsample import UpsampleAxis, make_image_axes
from netdissect.io import atomic, images
from netdissect.report.cache import read_cached_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.protocols import Progress
    from netdissect.results.layer_result import LayerResult

#: Height of a strip and the white gap between two images, in pixels.
TILE_HEIGHT = 112
GAP = 3
#: Brightness outside the mask, as a share of the image's own.
OUTSIDE_BRIGHTNESS = 0.2
_QUALITY = 80
#: Decoded images held in memory, in bytes.
_CACHE_BYTES = 256 * 2**20


def write_strips(
    layer: LayerResult, input_size: tuple[int, int], files: Mapping[int, Path], folder: Path, progress: Progress
) -> None:
    """Write ``<layer>-%04d.jpg``, a unit's exemplars side by side, for every unit (counted from 0), on all cores.

    Args:
        layer: the layer.
        input_size: height and width of the network's input.
        files: the image files by row in ``index.csv``.
        folder: where the strips are written.
        progress: advanced by one for each unit.
    """
    size = (TILE_HEIGHT, compute_tile_width(input_size))

    @lru_cache(maxsize=max(1, _CACHE_BYTES // (3 * size[0] * size[1])))  # units share images
    def load_tile(row: int) -> NDArray[np.uint8]:
        return read_tile(read_cached_file(files[row]), size)

    def write_strip(channel: int) -> None:
        path = folder / f"{layer.layer.file_stem}-{channel:04d}.jpg"
        atomic.write_bytes(path, _draw_strip(layer, channel, input_size, load_tile, size, None))

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="strips") as threads:
        for _ in threads.map(write_strip, range(layer.layer.units)):
            progress.advance(1)


def encode_strip(
    layer: LayerResult,
    channel: int,
    input_size: tuple[int, int],
    read_file: Callable[[int], bytes],
    *,
    height: int = TILE_HEIGHT,
    most: int | None = None,
) -> bytes:
    """Return a unit's exemplars side by side, darkened outside its mask, as a JPEG file.

    Args:
        layer: the unit's layer.
        channel: the unit, counted from 0.
        input_size: height and width of the network's input.
        read_file: returns an image file by its row in ``index.csv``.
        height: height of the strip in pixels.
        most: number of exemplars; None shows all.
    """
    size = (height, compute_tile_width(input_size, height))
    return _draw_strip(layer, channel, input_size, lambda row: read_tile(read_file(row), size), size, most)


def compute_tile_width(input_size: tuple[int, int], height: int = TILE_HEIGHT) -> int:
    """Return the width in pixels of a tile that shows the whole input."""
    return max(1, round(height * input_size[1] / input_size[0]))


def _draw_strip(
    layer: LayerResult,
    channel: int,
    input_size: tuple[int, int],
    load_tile: Callable[[int], NDArray[np.uint8]],
    size: tuple[int, int],
    most: int | None,
) -> bytes:
    rows = [int(row) for row in layer.exemplars.images[channel] if row >= 0][:most]
    height, width = size
    pixels = np.full((height, max(1, (width + GAP) * len(rows) - GAP), 3), 255, np.uint8)
    axes = make_image_axes(layer.layer.field, layer.layer.grid, input_size, (height, width))
    for position, row in enumerate(rows):
        left = position * (width + GAP)
        pixels[:, left : left + width] = darken(load_tile(row), layer.exemplars.grids[channel, position], *axes)
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorsubsampling="420")
    return data


def read_tile(data: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image file as pixels of a given height and width, uint8, shape (H, W, 3)."""
    with images.open_image(data, "of the report") as image:
        image.draft("RGB", (size[1], size[0]))
        return images.resize_image(images.convert_to_rgb(image, "of the report"), size).copy()


def darken(
    tile: NDArray[np.uint8], grid: NDArray[np.float16], rows: UpsampleAxis, columns: UpsampleAxis
) -> NDArray[np.uint8]:
    """Return an image, shape (H, W, 3), darkened where the upsampled grid, shape (h, w), is not positive."""
    result = tile.copy()
    _darken(
        result, grid.astype(np.float32), rows.lower, rows.upper, rows.fraction, columns.lower, columns.upper,
        columns.fraction,
    )  # fmt: skip
    return result


@cached_njit()
def _darken(tile, grid, y0, y1, fy, x0, x1, fx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for y in range(tile.shape[0]):
        for x in range(tile.shape[1]):
            left = grid[y0[y], x0[x]] + fy[y] * (grid[y1[y], x0[x]] - grid[y0[y], x0[x]])
            right = grid[y0[y], x1[x]] + fy[y] * (grid[y1[y], x1[x]] - grid[y0[y], x1[x]])
            if not left + fx[x] * (right - left) > 0:
                for channel in range(3):
                    tile[y, x, channel] = np.uint8(tile[y, x, channel] * OUTSIDE_BRIGHTNESS)
