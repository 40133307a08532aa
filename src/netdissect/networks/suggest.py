"""Suggest layers to dissect: the last one of every resolution; in a network of equal blocks, four at equal distances.

Only names, types and grids are used, so that it works for any network.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.networks.layer_names import INPUT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import Layer

#: Maximum number of suggested layers.
_MAX_SUGGESTIONS = 5
#: Minimum number of equal blocks from which a network counts as a sequence of blocks.
_MIN_BLOCKS = 4
#: Types that only change the resolution or the border of the previous layer's output.
_POOL = re.compile(r"(pool(ing|er)?|pad|padding)(\dd)?$|upsample", re.IGNORECASE)
#: Types that return their input unchanged, or are not layers.
_NO_OPERATION = re.compile(r"input|data|dropout|identity|flatten", re.IGNORECASE)
_NUMBERED = re.compile(r"(.*[._])\d+$")


@dataclass(frozen=True, slots=True)
class _NamedOutput:
    """One output and all its names; a container and its last part have the same output."""

    layers: tuple[Layer, ...]

    @property
    def names(self) -> list[str]:
        """Its names, the shortest first."""
        return sorted((layer.name for layer in self.layers), key=_count_depth)

    @property
    def name(self) -> str:
        """Its shortest name."""
        return self.names[0]

    @property
    def repeats_previous(self) -> bool:
        """Whether it only repeats the previous output."""
        return bool(_POOL.search(self.layers[0].kind) or _NO_OPERATION.fullmatch(self.layers[-1].kind))


def suggest_layers(layers: Sequence[Layer]) -> list[str]:
    """Return the layers of a network to start with, in the order of computation.

    Args:
        layers: all that can be dissected, in the order of computation.

    Example:
        >>> from netdissect.layers import FieldMap, Layer
        >>> field = FieldMap((0, 0), (1, 1), (1, 1))
        >>> def layer(name, side, kind="Conv2d"): return Layer(name, 8, (side, side), field, "grid", kind)
        >>> suggest_layers([layer("stem", 56), layer("body.0", 28), layer("body.1", 28), layer("pool", 14, "MaxPool2d")])
        ['stem', 'body.1']
    """
    outputs = [one for one in _group_outputs(layers) if not one.repeats_previous]
    by_grid: dict[tuple[int, int], list[_NamedOutput]] = defaultdict(list)
    for one in outputs:
        by_grid[one.layers[0].grid].append(one)
    most = max(by_grid.values(), key=len, default=[])
    if len(most) > 0.9 * len(outputs):
        blocks = _find_blocks(most)
        if len(blocks) >= _MIN_BLOCKS:
            chosen = [blocks[math.ceil(len(blocks) * quarter / 4) - 1] for quarter in (1, 2, 3, 4)]
            names = [layer.name for layer in chosen]
            return [*names[:-1], *_find_neurons(chosen[-1], layers), names[-1]]
    parents = {name[:cut] for layer in layers for name in [layer.name] for cut in range(len(name)) if name[cut] == "."}
    found = sorted((_pick_last(group, parents) for group in by_grid.values()), key=outputs.index)[-_MAX_SUGGESTIONS:]
    return [_pick_name(one, found) for one in found]


def _group_outputs(layers: Sequence[Layer]) -> list[_NamedOutput]:
    """Return the outputs that have a grid; a container and its last part are one output."""
    rows: list[list[Layer]] = []
    for layer in layers:
        if layer.grid == (1, 1) or layer.name.endswith(INPUT_SUFFIX):
            continue
        last = rows[-1][-1] if rows else None
        if last is not None and last.name.startswith(f"{layer.name}.") and _are_same(last, layer):
            rows[-1].append(layer)
        else:
            rows.append([layer])
    return [_NamedOutput(tuple(row)) for row in rows]


def _are_same(one: Layer, other: Layer) -> bool:
    return (one.units, one.grid, one.field, one.shape) == (other.units, other.grid, other.field, other.shape)


def _pick_last(group: Sequence[_NamedOutput], parents: set[str]) -> _NamedOutput:
    """Return the last stage or block among outputs with the same grid; if there is none, the last of the outermost layers."""
    stages = [one for one in group if one.name in parents] or group
    least = min(_count_depth(one.name) for one in stages)
    return [one for one in stages if _count_depth(one.name) <= least + (one.name in parents and _is_numbered(one))][-1]


def _is_numbered(one: _NamedOutput) -> bool:
    """Return whether an output is that of one of several stages, such as stages.0."""
    return one.name.rpartition(".")[2].isdigit()


def _find_blocks(outputs: Sequence[_NamedOutput]) -> list[Layer]:
    """Return the longest sequence of numbered layers of one type; the outermost if several are equally long."""
    rows: dict[tuple[str, str], list[Layer]] = defaultdict(list)
    for one in outputs:
        for layer in one.layers:
            if match := _NUMBERED.fullmatch(layer.name):
                rows[match[1], layer.kind].append(layer)
    return max(rows.values(), key=lambda row: (len(row), -_count_depth(row[0].name)), default=[])


def _find_neurons(block: Layer, layers: Sequence[Layer]) -> list[str]:
    """Return the widest output within a block: its neurons, after the activation function."""
    inside = [
        layer
        for layer in layers
        if layer.name.startswith(f"{block.name}.")
        and layer.grid == block.grid
        and not layer.name.endswith(INPUT_SUFFIX)
    ]
    widest = max((layer.units for layer in inside), default=0)
    return [[layer.name for layer in inside if layer.units == widest][-1]] if widest > block.units else []


def _pick_name(one: _NamedOutput, chosen: Sequence[_NamedOutput]) -> str:
    """Return an output's shortest name that is not a prefix of another chosen one's."""
    others = [name for other in chosen if other is not one for name in other.names]
    return next((name for name in one.names if not any(o.startswith(f"{name}.") for o in others)), one.name)


def _count_depth(name: str) -> int:
    return sum(name.count(mark) for mark in "./[")
