"""Which layers are measured, and what their field maps say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import FieldMap, Layer

#: Smallest grid that is measured.
_LEAST_CELLS = 4
#: Layers of one grid and field map that are measured.
_MOST_ALIKE = 2


def find_standing(layer: Layer) -> str:
    """Return how a layer's cells were placed: "traced", "position", "even", or "single" for a single cell."""
    if layer.grid == (1, 1):
        return "single"
    if layer.geometry == "receptive-field":
        return "traced"
    return "position" if "keeps its position" in layer.note else "even"


def breaks_law(layer: Layer, input_size: tuple[int, int]) -> bool:
    """Return whether a layer's steps times cells miss the input by more than a step, or centers lie outside of the image.

    Convolutions without padding lose what their windows reach over the border.
    """
    for axis, side in enumerate(input_size):
        offset, size, step = (one[axis] for one in layer.field)
        surplus = step * layer.grid[axis] - side
        lost = max(0.0, size + 2 * offset - step)
        first, last = compute_center(layer.field, 0, axis), compute_center(layer.field, layer.grid[axis] - 1, axis)
        if not (-step - lost <= surplus <= step and first >= -step / 2 - 1 and last <= side + step / 2):
            return True
    return False


def compute_center(field_map: FieldMap, cell: float, axis: int) -> float:
    """Return the center of a cell along an axis, in pixels."""
    return field_map.offset[axis] + (field_map.size[axis] - 1) / 2 + cell * field_map.step[axis]


def choose_layers(layers: Sequence[Layer], suggested: Sequence[str]) -> list[Layer]:
    """Return the layers to measure: first, middle and last of every standing, and the suggested ones; of alike ones two."""
    chosen: dict[str, None] = {}
    for standing in ("traced", "position", "even"):
        group = [one.name for one in layers if find_standing(one) == standing and not one.name.endswith(":in")]
        chosen |= dict.fromkeys(group[round(place * (len(group) - 1))] for place in (0, 0.5, 1) if group)
    by_name = {one.name: one for one in layers if min(one.grid) >= _LEAST_CELLS}
    kept: list[Layer] = []
    for name in dict.fromkeys((*reversed(suggested), *reversed(chosen))):
        one = by_name.get(name)
        if one is not None and sum(_are_alike(one, other) for other in kept) < _MOST_ALIKE:
            kept.append(one)
    return [one for one in layers if one in kept]


def _are_alike(one: Layer, other: Layer) -> bool:
    return (one.grid, one.field, find_standing(one)) == (other.grid, other.field, find_standing(other))
