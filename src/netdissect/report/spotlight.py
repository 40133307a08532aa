"""Draw an exemplar as the page does: untouched inside the unit's mask, darker and grayer outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.geometry.upsample import make_image_axes
from netdissect.report.strips import compute_tile_width, read_tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netdissect.results.exemplar_groups import ExemplarGroup
    from netdissect.results.layer_result import Exemplars, LayerResult

#: Shares of light and of saturation that the outside loses, as in ``masks.js``.
_DIMMED, _GRAYED = 0.45, 0.65
_LIGHT = np.array([0.299, 0.587, 0.114])


def list_card_exemplars(layer: LayerResult, channel: int) -> list[tuple[int, NDArray[np.floating]]]:
    """Return the row and the grid of the exemplars on a unit's card: three strongest and two typical, or five strongest."""
    parts: list[tuple[Exemplars | ExemplarGroup, int]] = [(layer.exemplars, 5 if layer.groups is None else 3)]
    if layer.groups is not None:
        parts.append((layer.groups.typical, 2))
    found = []
    for part, most in parts:
        pairs = zip(part.images[channel].tolist(), part.grids[channel], strict=True)
        found += [(row, grid) for row, grid in pairs if row >= 0][:most]
    return found


def draw_spotlight(
    layer: LayerResult, grid: NDArray[np.floating], data: bytes, input_size: tuple[int, int], height: int
) -> NDArray[np.uint8]:
    """Return an image file as pixels, uint8, shape (H, W, 3), in which the unit's mask stands out.

    Args:
        layer: the unit's layer.
        grid: activation minus threshold in every cell, at any scale, shape (h, w).
        data: the image file.
        input_size: height and width of the network's input.
        height: H in pixels.
    """
    size = (height, compute_tile_width(input_size, height))
    pixels = read_tile(data, size).astype(np.float64)
    rows, columns = make_image_axes(layer.layer.field, layer.layer.grid, input_size, size)
    cells = grid.astype(np.float64)
    lines = cells[rows.lower] + rows.fraction[:, None] * (cells[rows.upper] - cells[rows.lower])
    values = lines[:, columns.lower] + columns.fraction * (lines[:, columns.upper] - lines[:, columns.lower])
    gray = (pixels @ _LIGHT)[..., None]
    outside = (1 - _DIMMED) * (_GRAYED * gray + (1 - _GRAYED) * pixels)
    return np.rint(np.where((values > 0)[..., None], pixels, outside)).astype(np.uint8)


def draw_card_tiles(
    layer: LayerResult,
    channel: int,
    input_size: tuple[int, int],
    read_file: Callable[[int], bytes | None],
    height: int,
    most: int = 5,
) -> list[NDArray[np.uint8]]:
    """Return the first exemplars of a unit's card (`draw_spotlight`); images that are not available are left out."""
    tiles = []
    for row, grid in list_card_exemplars(layer, channel)[:most]:
        data = read_file(row)
        if data is not None:
            tiles.append(draw_spotlight(layer, grid, data, input_size, height))
    return tiles
