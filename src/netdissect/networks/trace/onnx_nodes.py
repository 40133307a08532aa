"""Nodes of an ONNX graph, and what is known about its tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import TensorTrace
    from netdissect.networks.trace.written_regions import WrittenRegion

#: Positions of the inputs that control an operator (axes, starts, widths), whose values are read.
CONTROL_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Slice": (1, 2, 3, 4), "Pad": (1, 3), "Gather": (1,), "GatherElements": (1,), "DFT": (1, 2), "CumSum": (1,), "ScatterND": (1,), "Col2Im": (1, 2), "Unsqueeze": (1,), "Tile": (1,),
    "Resize": (2,), "Upsample": (1,),
    **{f"Reduce{kind}": (1,) for kind in (
        "Mean", "Max", "Min", "Sum", "SumSquare", "L1", "L2", "LogSum", "LogSumExp", "Prod",
    )},
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class GraphTensors:
    """What is known about a graph's tensors.

    Attributes:
        shapes: of the tensors that depend on the image, of their operands, and of weights.
        values: of the inputs that control nodes (`STEERING`), unless they depend on the image.
        opset: version of ONNX's operators.
        traces: of the tensors that depend on the image, as far as nodes were traced.
        written: of the tensors that were written piece by piece, the first part.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, NDArray[np.generic]]
    opset: int
    traces: dict[str, TensorTrace] = field(default_factory=dict)
    written: dict[str, WrittenRegion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnnxCall:
    """One node, and one of its outputs."""

    tensors: GraphTensors
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
        return self.tensors.shapes[self.output]

    def trace(self, position: int) -> TensorTrace | None:
        """Return the trace of an input; None if it does not depend on the image."""
        return self.tensors.traces.get(self.node.input[position]) if position < len(self.node.input) else None

    def shape_of(self, position: int) -> Shape | None:
        """Return the shape of an input; None if it is unknown."""
        return self.tensors.shapes.get(self.node.input[position]) if position < len(self.node.input) else None

    @property
    def first(self) -> TensorTrace:
        """Trace of the first input that depends on the image."""
        return next(trace for name in self.node.input if (trace := self.tensors.traces.get(name)) is not None)

    @property
    def parts(self) -> list[tuple[TensorTrace, Shape]]:
        """Traces and shapes of all inputs that depend on the image."""
        traces, shapes = self.tensors.traces, self.tensors.shapes
        return [(traces[name], shapes[name]) for name in self.node.input if name in traces]

    def values(self, position: int) -> list[float] | None:
        """Return numbers given as an input; None if they are unknown or none were given."""
        name = self.node.input[position] if position < len(self.node.input) else ""
        value = self.tensors.values.get(name)
        return None if value is None or not value.size else [float(number) for number in value.reshape(-1)]

    def numbers(self, position: int, attribute: str = "") -> list[int] | None:
        """Return integers given as an input, or as an attribute in older files; None if unknown."""
        if position < len(self.node.input) and self.node.input[position]:
            value = self.tensors.values.get(self.node.input[position])
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
