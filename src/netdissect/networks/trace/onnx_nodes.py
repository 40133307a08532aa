"""One node of an ONNX graph, and all that is known of the tensors around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import TensorTrace

#: Inputs that are numbers to steer a node, by operator: they are read, not looked at as tensors.
STEERING: Mapping[str, tuple[int, ...]] = {
    "Slice": (1, 2, 3, 4), "Pad": (1, 3), "Gather": (1,), "Unsqueeze": (1,), "Tile": (1,),
    **{f"Reduce{kind}": (1,) for kind in (
        "Mean", "Max", "Min", "Sum", "SumSquare", "L1", "L2", "LogSum", "LogSumExp", "Prod",
    )},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SliceSpec:
    """A slice along one axis, remembered because a roll is two of them laid end to end."""

    source: str
    axis: int
    start: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class KnownTensor:
    """What is known of a graph's tensors.

    Attributes:
        shapes: of the tensors that depend on the image, of what they are joined with, and of weights.
        values: of the inputs that steer nodes (`STEERING`), as far as they do not depend on the image.
        opset: version of ONNX's operators.
        tracks: of the tensors that depend on the image, as far as they were followed.
        cuts: the tensors that are slices.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, NDArray[np.generic]]
    opset: int
    tracks: dict[str, TensorTrace] = field(default_factory=dict)
    cuts: dict[str, SliceSpec] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnnxCall:
    """One node, and the output whose track is asked for."""

    known: KnownTensor
    node: Any
    attributes: Mapping[str, Any]
    index: int

    @property
    def output(self) -> str:
        """Name of the output."""
        return str(self.node.output[self.index])

    @property
    def shape(self) -> Shape:
        """Shape of the output."""
        return self.known.shapes[self.output]

    def track(self, position: int) -> TensorTrace | None:
        """Return the track of an input; None if it does not depend on the image."""
        return self.known.tracks.get(self.node.input[position]) if position < len(self.node.input) else None

    def shape_of(self, position: int) -> Shape | None:
        """Return the shape of an input, where it is known."""
        return self.known.shapes.get(self.node.input[position]) if position < len(self.node.input) else None

    @property
    def first(self) -> TensorTrace:
        """Track of the first input that depends on the image."""
        return next(track for name in self.node.input if (track := self.known.tracks.get(name)) is not None)

    @property
    def parts(self) -> list[tuple[TensorTrace, Shape]]:
        """Tracks and shapes of all inputs that depend on the image."""
        tracks, shapes = self.known.tracks, self.known.shapes
        return [(tracks[name], shapes[name]) for name in self.node.input if name in tracks]

    def numbers(self, position: int, attribute: str = "") -> list[int] | None:
        """Return whole numbers that are an input, or were an attribute in older files; None if there are none."""
        if position < len(self.node.input) and self.node.input[position]:
            value = self.known.values.get(self.node.input[position])
            return None if value is None else [int(number) for number in value.reshape(-1)]
        found = self.attributes.get(attribute)
        return None if found is None else [int(number) for number in found]


def read_attribute(entry: Any) -> Any:
    """Return the value of a node's attribute; None for one that no rule reads."""
    kind = entry.type
    if kind == entry.INT:
        return entry.i
    if kind == entry.FLOAT:
        return entry.f
    if kind == entry.STRING:
        return entry.s.decode(errors="replace")
    return list(entry.ints) if kind == entry.INTS else None
