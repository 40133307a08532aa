"""The trace rule of sums of products given by an equation, such as ``nchw,oc->nohw``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netdissect.networks.trace.borders import NO_BORDER
from netdissect.networks.trace.rules import is_placeless, join_known_paths
from netdissect.networks.trace.tensor_trace import (
    AxisPart,
    TensorTrace,
    collect_meanings,
    make_channels,
    make_unknown_trace,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.networks.trace.rules import Shape
    from netdissect.networks.trace.tensor_trace import Dim


def multiply_by_equation(equation: str, operands: Sequence[TensorTrace | None], shape: Shape) -> TensorTrace:
    """Return the trace of a sum of products.

    Sums over channels leave cells where they are. After a sum over rows or columns of two tensors, as in attention, a cell
    depends on the whole image and has the position of the operand that has rows and columns left.

    Args:
        equation: letters of every operand's dimensions and of the output's.
        operands: their traces; None for one that does not depend on the image.
        shape: of the output.
    """
    terms, arrow, output = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    known = [(term, trace) for term, trace in zip(letters, operands, strict=True) if trace is not None]
    if not arrow or "." in terms or len(output) != len(shape) or any(len(t) != len(trace.dims) for t, trace in known):
        return make_unknown_trace(shape)
    found: dict[str, Dim] = {}
    for term, trace in sorted(known, key=lambda pair: not pair[1].has_grid):
        for letter, dim in zip(term, trace.dims, strict=True):
            if letter not in found or (found[letter] and not collect_meanings(found[letter])):
                found[letter] = dim
    summed = [dim for letter, dim in found.items() if letter not in output]
    dims = tuple(found.get(letter) or make_channels(size) for letter, size in zip(output, shape, strict=True))
    sources = [trace for term, trace in known if not is_placeless(trace) or len(known) == 1]
    if all(collect_meanings(dim) <= {"c"} for dim in summed):
        path = join_known_paths([trace.path for trace in sources], TensorTrace(dims, None).grid)
        first = sources[0] if sources else known[0][1]
        is_global = any(trace.is_global for _, trace in known)
        return replace(first, dims=_keep_one_grid(dims), path=path, is_global=is_global, heads=0)
    if len(known) == 1:
        return make_unknown_trace(shape)
    placed = [trace for term, trace in known if _has_places(term, trace, output)]
    path = placed[0].path and placed[0].path.mix() if placed else None
    border = placed[0].border if placed else NO_BORDER
    return replace(known[0][1], dims=_keep_one_grid(dims), path=path, is_global=True, heads=0, border=border)


def _has_places(term: str, trace: TensorTrace, output: str) -> bool:
    """Return whether an operand has rows or columns that the output has too."""
    return any(
        letter in output and collect_meanings(dim) & {"y", "x"} for letter, dim in zip(term, trace.dims, strict=True)
    )


def _keep_one_grid(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Return dimensions in which places that come twice, as in attention's matrix, are known only the first time."""
    seen: set[str] = set()
    result = []
    for dim in dims:
        places = collect_meanings(dim) & {"y", "x"}
        result.append((AxisPart("?", TensorTrace((dim,), None).shape[0]),) if places & seen else dim)
        seen |= places
    return tuple(result)
