"""The last known field map of every grid on the way to a tensor, for outputs on the same grid whose own was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netdissect.networks.trace.field_path import FieldPath
    from netdissect.networks.trace.tensor_trace import TensorTrace


def remember_centers(trace: TensorTrace, inputs: Iterable[TensorTrace]) -> TensorTrace:
    """Return an operation's output trace with the field maps known before it, and its own.

    A grid's field map is remembered if it fits the input and follows no operation that mixes positions. One that was never
    coarser has precedence over one that was scaled up; of equals, the last.
    """
    known: dict[tuple[int, int], FieldPath] = {}
    for source in inputs:
        for grid, path in source.known_paths.items():
            _remember(known, grid, path)
    own, cells = trace.cell_path, trace.cells
    if own is not None and not own.is_mixed and cells is not None and own.fits(cells):
        _remember(known, cells, own)
    return replace(trace, known_paths=known)


def _remember(known: dict[tuple[int, int], FieldPath], grid: tuple[int, int], path: FieldPath) -> None:
    before = known.get(grid)
    if before is None or max(path.coarsest) <= max(before.coarsest):
        known[grid] = path
