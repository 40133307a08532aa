"""Strips: a unit's exemplar images side by side, darkened outside its mask.

A run stores the activation grid of every exemplar, so no forward pass is needed: the mask is where the upsampled grid is
positive (docs/method.md).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

from netdissect.compiled import cached_njit
from netdissect.geometry.upsample import make_image_axes
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
#: The darkened value of every value of a pixel.
_DARKENED = (np.arange(256) * OUTSIDE_BRIGHTNESS).astype(np.uint8)
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

    axes = _list_axis_arrays(layer, input_size, size)
    with (
        atomic.write_together() as write,
        ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="strips") as threads,
    ):

        def write_strip(channel: int) -> None:
            path = folder / f"{layer.layer.file_stem}-{channel:04d}.jpg"
            write(path, _draw_strip(layer, channel, axes, load_tile, size, None))

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
    axes = _list_axis_arrays(layer, input_size, size)
    return _draw_strip(layer, channel, axes, lambda row: read_tile(read_file(row), size), size, most)


def compute_tile_width(input_size: tuple[int, int], height: int = TILE_HEIGHT) -> int:
    """Return the width in pixels of a tile that shows the whole input."""
    return max(1, round(height * input_size[1] / input_size[0]))


def _list_axis_arrays(
    layer: LayerResult, input_size: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[Any], ...]:
    """Return, for rows and then columns of a tile, the two cells around every pixel and its position between them."""
    rows, columns = make_image_axes(layer.layer.field, layer.layer.grid, input_size, size)
    return rows.lower, rows.upper, rows.fraction, columns.lower, columns.upper, columns.fraction


def _draw_strip(
    layer: LayerResult,
    channel: int,
    axes: tuple[NDArray[Any], ...],
    load_tile: Callable[[int], NDArray[np.uint8]],
    size: tuple[int, int],
    most: int | None,
) -> bytes:
    rows = [int(row) for row in layer.exemplars.images[channel] if row >= 0][:most]
    height, width = size
    pixels = np.full((height, max(1, (width + GAP) * len(rows) - GAP), 3), 255, np.uint8)
    grids = layer.exemplars.grids[channel, : len(rows)].astype(np.float32)
    for position, row in enumerate(rows):
        left = position * (width + GAP)
        _draw_darkened(pixels[:, left : left + width], load_tile(row), grids[position], *axes, _DARKENED)
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=_QUALITY, colorsubsampling="420")
    return data


def read_tile(data: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image file as pixels of a given height and width, uint8, shape (H, W, 3)."""
    with images.open_image(data, "of the report") as image:
        image.draft("RGB", (size[1], size[0]))
        return images.resize_image(images.convert_to_rgb(image, "of the report"), size).copy()


@cached_njit()
def _draw_darkened(out, tile, grid, y0, y1, fy, x0, x1, fx, darkened):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Draw a tile, shape (H, W, 3), darkened where the upsampled grid, shape (h, w), is not positive."""
    at_row = np.empty(grid.shape[1], np.float64)
    for y in range(tile.shape[0]):
        for cell in range(grid.shape[1]):
            above = grid[y0[y], cell]
            at_row[cell] = above + fy[y] * (grid[y1[y], cell] - above)
        for x in range(tile.shape[1]):
            left = at_row[x0[x]]
            if left + fx[x] * (at_row[x1[x]] - left) > 0:
                for channel in range(3):
                    out[y, x, channel] = tile[y, x, channel]
            else:
                for channel in range(3):
                    out[y, x, channel] = darkened[tile[y, x, channel]]
