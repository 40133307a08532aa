"""Suggest layers to dissect: the last block of every resolution; in a network of equal blocks, four at equal distances.

Only names, types, grids and the order of computation are used, so that it works for any network.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from netdissect.networks.layer_tree import LayerTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netdissect.layers import Layer
    from netdissect.networks.layer_tree import LayerNode

#: Maximum number of suggested layers.
_MAX_SUGGESTIONS = 5
#: Minimum number of equal layers from which a network counts as a sequence of them.
_MIN_LAYERS = 4
#: Minimum number of resolutions that a backbone passes one after the other.
_MIN_STAGES = 3
#: Least share of a network's layers in the blocks of its one resolution, if a decoder follows.
_LEAST_SHARE = 0.35
#: Names of one of several equal layers, with what goes before the number.
_EQUAL = re.compile(r"(.*[._])\d+")
#: Types of operations that join branches.
_JOIN = re.compile(r"concat|eltwise|add|sum", re.IGNORECASE)
#: Types of activation functions.
_ACTIVATION = re.compile(r"\w*(lu|swish|mish|act|activation|tanh)(\d)?", re.IGNORECASE)


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
    tree = LayerTree(layers)
    candidates = tree.list_candidates()
    blocks = _find_blocks(tree)
    if blocks:
        count = len(blocks)
        chosen = [blocks[place - 1] for place in sorted({math.ceil(count * n / 4) for n in (1, 2, 3, 4)})]
        names = [node.name for node in chosen]
        names = [*names[:-1], *_find_neurons(chosen[-1], tree), names[-1]]
        return [*names, *(node.name for node in _find_decoded(tree, candidates, chosen[-1:]))]
    stages = _find_stages(tree, candidates)
    decoded = _find_decoded(tree, candidates, stages)
    return [node.name for node in (*stages[len(decoded) - _MAX_SUGGESTIONS :], *decoded)]


def _drop_minor(candidates: Sequence[LayerNode]) -> list[LayerNode]:
    """Return the candidates without those that compute little beside others of the same grid, such as norms after blocks."""
    most: dict[tuple[int, int], int] = defaultdict(int)
    for node in candidates:
        most[node.layer.grid] = max(most[node.layer.grid], node.block_amount)
    kept = [node for node in candidates if node.amount >= most[node.layer.grid] / 2]
    first = next((node.place for node in candidates if node.parts), math.inf)
    return [node for node in kept if node.parts or node.is_extra or node.place < first] or kept


def _find_stages(tree: LayerTree, candidates: Sequence[LayerNode]) -> list[LayerNode]:
    """Return the last candidate of every grid of the backbone: the longest way from fine to coarse grids."""
    ways: list[list[LayerNode]] = []
    start = 0
    for place, node in enumerate(candidates, start=1):
        if place == len(candidates) or candidates[place].area > node.area:
            descent = candidates[start:place]
            if ways and descent[-1].area <= min(one.area for one in ways[-1]):  # parallel branches of one backbone
                ways[-1] += descent
            else:
                ways.append([*descent])
            start = place
    longest = max(ways, key=_count_grids, default=[])
    is_backbone = _count_grids(longest) >= min(_MIN_STAGES, _count_grids(candidates))
    return _pick_last(_drop_minor(longest if is_backbone else candidates), tree)


def _count_grids(nodes: Iterable[LayerNode]) -> int:
    return len({node.layer.grid for node in nodes})


def _pick_last(candidates: Sequence[LayerNode], tree: LayerTree) -> list[LayerNode]:
    """Return the last candidate of every grid, of those in the backbone module if there are any, in the order of computation."""
    groups: dict[tuple[int, int], list[LayerNode]] = defaultdict(list)
    for node in candidates:
        groups[node.layer.grid].append(node)
    inside = [[node for node in group if tree.is_in_backbone(node)] or group for group in groups.values()]
    return sorted((_pick_joined(group) for group in inside), key=lambda node: node.place)


def _pick_joined(group: Sequence[LayerNode]) -> LayerNode:
    """Return the last of a group; of single layers, the last after branches joined, before the next block's first branch."""
    joins = [place for place, node in enumerate(group) if _JOIN.fullmatch(node.layer.kind)]
    if not joins or any(node.parts for node in group):
        return group[-1]
    last = group[joins[-1]]
    for node in group[joins[-1] + 1 :]:
        is_pointwise = _ACTIVATION.fullmatch(node.layer.kind) or "norm" in node.layer.kind.lower()
        if not is_pointwise or node.place != last.place + 1 or node.layer.units != last.layer.units:
            break
        last = node
    return last


def _find_decoded(tree: LayerTree, candidates: Sequence[LayerNode], stages: Sequence[LayerNode]) -> list[LayerNode]:
    """Return the last output of a decoder or pyramid after the stages, if there is one."""
    if not stages:
        return []
    last = stages[-1]
    several = [
        node for node in tree.nodes if node.is_extra and node.parts and not any(one.is_in(node) for one in stages)
    ]
    later = [node for node in (*candidates, *several) if node.place > last.place and node.can_decode]
    later = [node for node in later if not tree.is_prediction(node)]
    finest = max((node.area for node in later), default=0)
    if finest > last.area:
        finer = [node for node in later if node.area == finest]
        most = max(node.amount for node in finer)
        return [node for node in finer if node.amount >= most / 2][-1:]
    same = [node for node in later if node.layer.grid == last.layer.grid and node.size >= last.block_amount]
    return same[-1:] if tree.is_in_backbone(last) else []


def _find_blocks(tree: LayerTree) -> list[LayerNode]:
    """Return the blocks of a network that is a sequence of equal ones of a single resolution; else nothing."""
    rows: dict[tuple[str, str, tuple[int, int]], list[LayerNode]] = defaultdict(list)
    for node in tree.nodes:
        if (match := _EQUAL.fullmatch(node.module)) and not node.is_extra:
            rows[match[1], node.layer.kind, node.layer.grid].append(node)
    longest = max(rows.values(), key=lambda row: (len(row), -row[0].depth), default=[])
    if len(longest) < (2 if longest and longest[0].parts else _MIN_LAYERS):
        return []
    own = longest[0].layer
    if sum(node.layer.grid == own.grid for node in tree.nodes) > 0.9 * len(tree.nodes):
        return longest
    others = [row[0] for row in rows.values() if row[0].parts and row[0].layer.grid != own.grid]
    if any(
        node.layer.kind == own.kind or node.place < longest[0].place for node in others
    ):  # stages of several resolutions
        return []
    share = sum(node.size for node in longest) / len(tree.nodes)
    return longest if longest[0].parts and share > _LEAST_SHARE else []


def _find_neurons(block: LayerNode, tree: LayerTree) -> list[str]:
    """Return the widest activation function's output within a block, or the widest of all: its neurons."""
    inside = [node for node in tree.nodes if node.is_in(block) and node.layer.grid == block.layer.grid]
    wide = [node for node in inside if node.layer.units > block.layer.units and not node.is_extra]
    activations = [node for node in wide if _ACTIVATION.fullmatch(node.layer.kind)]
    widest = max((node.layer.units for node in activations or wide), default=0)
    return [[node.name for node in activations or wide if node.layer.units == widest][-1]] if wide else []
