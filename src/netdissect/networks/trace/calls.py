"""Calls of operators, and trace rules that need only a call's inputs and its output's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from netdissect.networks.trace import rules
from netdissect.networks.trace.block_rules import regroup_cells
from netdissect.networks.trace.tensor_trace import make_unknown_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import TensorTrace


class TracedCall(Protocol):
    """One call of an operator of torch or ONNX, and one of its outputs."""

    @property
    def index(self) -> int: ...  # noqa: D102 - of the output

    @property
    def shape(self) -> Shape: ...  # noqa: D102 - of the output

    @property
    def first(self) -> TensorTrace: ...  # noqa: D102 - of the inputs that depend on the image

    @property
    def parts(self) -> list[tuple[TensorTrace, Shape]]: ...  # noqa: D102 - all of them, with their shapes


@dataclass(frozen=True, slots=True)
class TorchCall:
    """One call of an operator, and one of its outputs."""

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    traced: Sequence[tuple[torch.Tensor, TensorTrace]]
    output: torch.Tensor
    index: int
    get_trace: Callable[[torch.Tensor], TensorTrace | None]

    @property
    def first(self) -> TensorTrace:
        """Trace of the first input that depends on the image."""
        return self.traced[0][1]

    @property
    def shape(self) -> Shape:
        """Shape of the output."""
        return tuple(self.output.shape)

    @property
    def parts(self) -> list[tuple[TensorTrace, Shape]]:
        """Traces and shapes of all inputs that depend on the image."""
        return [(trace, tuple(tensor.shape)) for tensor, trace in self.traced]

    def argument(self, position: int, name: str = "", default: Any = None) -> Any:
        """Return an argument by position or name."""
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)


def trace_pointwise(call: TracedCall) -> TensorTrace:
    """Return the trace of an elementwise operation."""
    return rules.join_paths(call.parts, call.shape)


def trace_normalization(call: TracedCall) -> TensorTrace:
    """Return the trace of a normalization, which returns statistics after its result."""
    return trace_pointwise(call) if call.index == 0 else make_unknown_trace(call.shape)


def trace_unknown(call: TracedCall) -> TensorTrace:
    """Return the trace of an operation that may mix positions."""
    return rules.keep_shape(call.parts, call.shape)


def trace_view(call: TracedCall) -> TensorTrace:
    """Return the trace of a view or reshaped copy."""
    return regroup_cells(call.first, call.shape)


def trace_expansion(call: TracedCall) -> TensorTrace:
    """Return the trace of a tensor repeated along dimensions of length 1."""
    return rules.expand_dims(call.first, call.shape)
