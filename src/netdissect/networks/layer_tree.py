"""The layers of a network as a tree, by their names: which are stages and blocks, and which are only parts of a block."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdissect.networks.layer_names import INPUT_SUFFIX, OUTPUT_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import Layer

#: Types that only change the resolution or the border of the previous layer's output.
_POOL = re.compile(r"(pool(ing|er)?|pad|padding)(\dd)?$|upsample", re.IGNORECASE)
#: Types that return their input unchanged, or are not layers.
_NO_OPERATION = re.compile(r"input|data|\w*drop(out|path)?(\dd)?|identity|flatten|reshape", re.IGNORECASE)
#: Names of one of several equal parts, such as layers.3.
_NUMBERED = re.compile(r".*\.\d+")
#: Names of a part of such a part.
_IN_NUMBERED = re.compile(r".*\.\d+\..*")
#: Types of layers without an activation function.
_PROJECTION = re.compile(r"conv|linear", re.IGNORECASE)
#: Most units of the pixels themselves, and of predictions such as depths, boxes and colors.
_FEW_UNITS = 4


@dataclass(eq=False)
class LayerNode:
    """A layer and what is inside it.

    Attributes:
        layer: the layer.
        place: its position in the order of computation.
        module: name of the module whose output it is; a further output has a name of its own.
        parent: the innermost listed module around it.
        parts: the outermost listed modules in it.
        is_extra: whether it is a further output of a module, or a module that returns several, of which the first is none of
            its last.
        size: listed layers inside, itself included.
        other_grids: grids of its further outputs.
    """

    layer: Layer
    place: int
    module: str
    parent: LayerNode | None = None
    parts: list[LayerNode] = field(default_factory=list)
    is_extra: bool = False
    size: int = 1
    other_grids: set[tuple[int, int]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def root(self) -> str:
        """Name of the outermost module around it."""
        return self.module.partition(".")[0]

    @property
    def area(self) -> int:
        """Number of its cells."""
        return self.layer.grid[0] * self.layer.grid[1]

    @property
    def is_block(self) -> bool:
        """Whether it is one of several numbered modules with parts."""
        return bool(self.parts) and _NUMBERED.fullmatch(self.module) is not None

    @property
    def holds_blocks(self) -> bool:
        """Whether it is a stage or a larger part of the network: numbered modules are in it, but it is no single block."""
        if any(part.is_block for part in self.parts):
            return True
        return not self.module[-1].isdigit() and any(part.holds_blocks for part in self.parts)

    @property
    def is_chain(self) -> bool:
        """Whether it only runs single layers one after the other."""
        is_single = all(not part.parts and _NUMBERED.fullmatch(part.module) for part in self.parts)
        return is_single and self.last_leaf is not self

    @property
    def is_list(self) -> bool:
        """Whether it is only a list of stages, the last of which is listed as well."""
        last = self.parts[-1] if self.parts else self
        return last.is_block and last.is_same(self) and len(self.grids) > 1 and not self.module[-1].isdigit()

    @property
    def grids(self) -> set[tuple[int, int]]:
        """The grids of the stages and blocks inside, or of its layers if there are none."""
        parts = [part for part in self.parts if part.parts] or self.parts
        return {part.layer.grid for part in parts}.union(*(part.grids for part in parts if part.holds_blocks))

    @property
    def depth(self) -> int:
        """Number of modules around it, by its name."""
        return sum(self.name.count(mark) for mark in "./[")

    @property
    def repeats_previous(self) -> bool:
        """Whether it only repeats the previous output, or ends with a layer that changes only its resolution."""
        if _NO_OPERATION.fullmatch(self.layer.kind):
            return True
        return any(_POOL.search(node.layer.kind) is not None for node in (self, self.last_leaf))

    @property
    def last_leaf(self) -> LayerNode:
        """The innermost layer with the same output; itself if there is none."""
        last = self
        while last.parts and last.parts[-1].is_same(last):
            last = last.parts[-1]
        return last

    @property
    def amount(self) -> int:
        """Number of listed layers with its own grid inside it; at least 1."""
        return max(1, sum(part.size for part in self.parts if part.layer.grid == self.layer.grid))

    @property
    def block_amount(self) -> int:
        """The `amount` of its largest block."""
        if not self.holds_blocks:
            return self.amount
        return max((part.block_amount for part in self.parts if part.layer.grid == self.layer.grid), default=1)

    @property
    def can_decode(self) -> bool:
        """Whether it may be the output of a decoder: no norm, no layer within a block, no guess of what its dimensions mean."""
        if not self.parts and (_IN_NUMBERED.fullmatch(self.module) or "norm" in self.layer.kind.lower()):
            return False
        return "assumed" not in self.layer.note

    def take_output(self, others: list[LayerNode]) -> None:
        """Stand for the output of the last layer inside instead, if it is among its further outputs."""
        for other in others:
            if other.layer.grid == self.parts[-1].layer.grid:
                self.layer, other.layer, self.is_extra = other.layer, self.layer, False
                return

    def is_in(self, other: LayerNode) -> bool:
        """Return whether it is inside another."""
        outer = self.parent
        while outer is not None and outer is not other:
            outer = outer.parent
        return outer is other

    def is_same(self, other: LayerNode) -> bool:
        """Return whether two layers may have the same output."""
        own, its = self.layer, other.layer
        return (own.units, own.grid, own.field, own.shape) == (its.units, its.grid, its.field, its.shape)


class LayerTree:
    """The layers with a grid, as a tree.

    Attributes:
        nodes: in the order of computation.
        roots: the outermost.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.nodes = [
            LayerNode(layer, place, layer.name)
            for place, layer in enumerate(layers)
            if layer.grid != (1, 1) and not layer.name.endswith(INPUT_SUFFIX)
        ]
        by_name: dict[str, LayerNode] = {}
        for node in self.nodes:  # a module's first output that has a grid stands for it
            module = node.name.partition("[")[0]
            if by_name.setdefault(module, node) is node:
                node.module = module
        for node in self.nodes:
            cuts = [cut for cut, mark in enumerate(node.module) if mark in ".[" and node.module[:cut] in by_name]
            node.parent = by_name[node.module[: cuts[-1]]] if cuts else None
            node.is_extra = node.parent is not None and node.parent.place < node.place
        for node in self.nodes:
            outer = node.parent
            if outer is not None and not node.is_extra:
                outer.parts.append(node)
            while outer is not None and not node.is_extra:
                outer.size += 1
                outer = outer.parent
            if node.is_extra and node.parent is not None:
                node.parent.other_grids.add(node.layer.grid)
        for node in self.nodes:
            last = node.parts[-1] if node.other_grids and node.parts else node
            node.is_extra |= last.is_extra or last.layer.grid != node.layer.grid
            if node.is_block and node.is_extra:
                node.take_output([one for one in self.nodes if one.is_extra and one.parent is node])
        self.roots = [node for node in self.nodes if node.parent is None]
        self._count = sum(not node.is_extra for node in self.nodes)

    def is_whole(self, node: LayerNode) -> bool:
        """Return whether a module holds most of the network, several resolutions included, such as a backbone."""
        return node.size > self._count / 2 and len(node.grids) > 1

    def is_in_backbone(self, node: LayerNode) -> bool:
        """Return whether a layer is in the module that holds most of the network."""
        return any(self.is_whole(one) and node.is_in(one) for one in self.nodes)

    def list_candidates(self) -> list[LayerNode]:
        """Return stages, blocks and single layers in the order of computation, without the parts of blocks and without predictions."""
        found = [node for root in self.roots for node in self._walk(root)]
        usual = {node.layer.grid for node in self.nodes if not node.is_extra}
        found += [node for node in self.nodes if node.layer.grid not in usual and not _is_output(node)]
        found = [node for node in found if not node.repeats_previous and not self._is_gate(node)]
        few = [node for node in found if node.layer.units > _FEW_UNITS]
        return sorted(few or found, key=lambda node: node.place)

    def is_prediction(self, node: LayerNode) -> bool:
        """Return whether a layer, or the last one in an outermost module, only projects and ends the network or a head."""
        leaf = node
        while leaf.parts and leaf.parts[-1].layer.units == node.layer.units:
            leaf = leaf.parts[-1]
        if _PROJECTION.search(leaf.layer.kind) is None:
            return False
        is_end = leaf.is_in(self.nodes[-1]) or leaf is self.nodes[-1] or (node.parent is None and node is not leaf)
        return (is_end and not node.is_block) or self._is_in_head(node)

    def _is_in_head(self, node: LayerNode) -> bool:
        """Return whether a projection is in the outermost module that ends the network, with others of other numbers of units."""
        head = self.nodes[-1].root
        ends = {one.layer.units for one in self.nodes if one.root == head and _PROJECTION.search(one.layer.kind)}
        return "." in node.module and node.root == head and len(ends) > 1

    def _walk(self, node: LayerNode) -> list[LayerNode]:
        if (node.is_extra and not node.parts) or _is_output(node):
            return []
        is_large = self.is_whole(node) or (node.size > self._count / 3 and len(node.grids) > 2)
        opens = is_large or node.holds_blocks or node.repeats_previous
        inside = [one for part in node.parts for one in self._walk(part)] if opens else []
        return [*inside, *([] if node.is_extra or node.is_list or is_large else [node])]

    def _is_gate(self, node: LayerNode) -> bool:
        """Return whether a layer is coarser than the output of a module around it, as a squeezed branch is."""
        outer = node.parent
        while outer is not None:
            is_main = not (outer.is_extra or outer.repeats_previous or outer.is_chain or self.is_whole(outer))
            is_coarser = is_main and outer.area > node.area and node.layer.grid not in outer.other_grids
            if is_coarser and not (node.is_block and self._comes_back(node, outer)):
                return True
            outer = outer.parent
        return False

    def _comes_back(self, node: LayerNode, outer: LayerNode) -> bool:
        """Return whether a layer before a module has the same grid as a layer inside it."""
        earlier = (one for one in self.nodes[: self.nodes.index(node)] if not one.is_in(outer))
        return any(one.layer.grid == node.layer.grid for one in earlier)


def _is_output(node: LayerNode) -> bool:
    """Return whether a layer is one of several outputs of the whole network."""
    return node.name.startswith((f"{OUTPUT_NAME}.", f"{OUTPUT_NAME}["))
