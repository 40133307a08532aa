"""Collect what the atlas shows of every unit: its place on the map, the units that are most like it, and what to draw of it.

The file `atlas` numbers the units of all layers through, the layers in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.report.html.script_data import pack_arrays
from netdissect.results.unit_likeness import match_neighboring_layers, measure_likeness, place_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

KEY = "atlas"
#: Units that are stored as the most alike ones of each.
_NEAR = 6


def pack_atlas(layers: Sequence[LayerResult], input_size: tuple[int, int]) -> str:
    """Return the file of the atlas.

    Its arrays, for U units: `x` and `y`, uint16, shape (U,), 65,535 at the right and lower end of the map's longer side; `near`,
    shape (U, 6), the units that are most like each, -1 where there are fewer; `before`, shape (U,), the unit of the layer before
    that is most like it and that it is most like, -1 for none; `peak`, uint8, shape (U, 2), where on its strongest image it is
    most active, down and right in 255ths.

    Args:
        layers: the layers.
        input_size: height and width of the network's input.
    """
    likeness = measure_likeness(layers)
    places = np.rint(place_units(layers, likeness) * 65535).astype(np.uint16)
    near = likeness.points[:, :_NEAR]
    near = np.pad(near, ((0, 0), (0, _NEAR - near.shape[1])), constant_values=-1)
    arrays: dict[str, NDArray[Any]] = {
        "x": places[:, 0].copy(),
        "y": places[:, 1].copy(),
        "near": near,
        "before": match_neighboring_layers(layers, likeness),
        "peak": np.concatenate([find_peaks(layer, input_size) for layer in layers]),
    }
    return pack_arrays(KEY, None, arrays)


def find_peaks(layer: LayerResult, input_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return where each unit is most active on its strongest image: down and right in 255ths, uint8, shape (U, 2)."""
    grids, field = layer.exemplars.grids, layer.layer.field
    units = grids.shape[0]
    if not grids[:, :1].size:
        return np.full((units, 2), 128, np.uint8)
    cells = np.unravel_index(grids[:, 0].reshape(units, -1).argmax(axis=1), layer.layer.grid)
    middle = [
        (field.offset[side] + field.size[side] / 2 + cells[side] * field.step[side]) / input_size[side]
        for side in range(2)
    ]
    peaks: NDArray[np.uint8] = np.rint(np.clip(np.stack(middle, axis=1), 0, 1) * 255).astype(np.uint8)
    return peaks
