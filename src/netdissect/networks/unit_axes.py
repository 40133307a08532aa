"""Find the axes of a layer's output: images, rows, columns and units, for any layout (channels last, tokens, windows, vectors).

They follow from the output's trace, never from the network's name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.layers import Layer
from netdissect.networks.trace.borders import NO_BORDER
from netdissect.networks.trace.tensor_trace import AxisPart, iterate_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from netdissect.config import Geometry
    from netdissect.layers import FieldMap
    from netdissect.networks.trace.borders import Border
    from netdissect.networks.trace.field_path import FieldPath
    from netdissect.networks.trace.tensor_trace import TensorTrace

#: Note of a layer after attention, whose cells keep their positions.
GLOBAL_VIEW = "a cell may depend on the whole image and keeps its position"
#: Beginning of the note of a layer after which the network fails.
FAILS_AFTER = "the network fails after it"
#: Note of a layer with an even grid although its dimensions are known.
GLOBAL_VIEW_GRID = "a cell may depend on the whole image: an even grid"
#: Note of a layer with an even grid because what was traced cannot be right.
UNFIT_GRID = "its traced receptive fields do not fit the input: an even grid"
#: Note of a layer with an even grid because it could not be traced.
UNTRACED_GRID = "its receptive fields cannot be traced: an even grid"


@dataclass(frozen=True, slots=True)
class UnitAxes:
    """How a layer's output becomes activations, shape (B, h, w, U).

    Attributes:
        units: U.
        grid: (h, w).
        lengths: of the parts of all dimensions; -1 for the images.
        tokens: position of the token part, tokens before the patches, lengths of the patches' parts; or None.
        order: of the parts, tokens split into their patches' parts: images, rows, columns, channels.
        rolled: cells by which rows and columns were rolled.
        left_out: number of tokens that are not patches.
        border: rows and columns of padding, which are cut off.
    """

    units: int
    grid: tuple[int, int]
    lengths: tuple[int, ...]
    tokens: tuple[int, int, tuple[int, ...]] | None
    order: tuple[int, ...]
    rolled: tuple[int, int] = (0, 0)
    left_out: int = 0
    border: Border = NO_BORDER

    @property
    def padding(self) -> int:
        """Number of cells that are cut off."""
        (top, bottom), (left, right), _ = self.border
        return (self.grid[0] + top + bottom) * (self.grid[1] + left + right) - self.grid[0] * self.grid[1]

    def __call__(self, output: torch.Tensor, images: int) -> torch.Tensor:
        """Return an output for B images as activations, shape (B, h, w, U): a view if possible."""
        x = output.reshape([images if length < 0 else length for length in self.lengths])
        if self.tokens is not None:
            position, before, lengths = self.tokens
            x = x.narrow(position, before, math.prod(lengths))
            x = x.reshape(*x.shape[:position], *lengths, *x.shape[position + 1 :])
        if self.order != tuple(range(x.ndim)):
            x = x.permute(self.order)
        (top, bottom), (left, right), is_outside = self.border
        h, w = self.grid
        x = x.reshape(images, top + h + bottom, left + w + right, self.units)
        if is_outside:
            x = x[:, top : top + h, left : left + w]
        if self.rolled != (0, 0):
            x = x.roll((-self.rolled[0], -self.rolled[1]), (1, 2))
        return x if is_outside else x[:, top : top + h, left : left + w]


def find_unit_axes(trace: TensorTrace) -> UnitAxes | None:
    """Return the axes of units of a tensor; None if its rows, columns or images cannot be combined.

    A tensor of channels only is a single cell; one number per image is no unit. A dimension of images may be missing if there
    is only one image.
    """
    parts = [part for dim in trace.dims for part in dim]
    resolved = [piece for part in parts for piece in iterate_parts((part,))]
    grid = trace.cells
    if grid is None:
        if trace.has_grid or any(part.meaning not in "nc" for part in resolved if part.length > 1):
            return None
        grid = (1, 1)
    if min(grid) < 1 or all(part.meaning == "n" for part in parts):
        return None
    places = {meaning: [i for i, part in enumerate(resolved) if _find_role(part) == meaning] for meaning in "ncyx"}
    alone = not any(part.meaning == "n" and part.length > 1 for part in parts)
    if len(places["n"]) + alone < 1 or len(places["n"]) > 1 or sum(part.meaning == "t" for part in parts) > 1:
        return None
    for axis in "yx":
        places[axis].sort(key=lambda i: -resolved[i].inner)
    units = math.prod(resolved[i].length for i in places["c"])
    tokens, left_out = _find_tokens(parts)
    return UnitAxes(
        units,
        grid,
        tuple(-1 if part.meaning == "n" else part.length for part in parts),
        tokens,
        tuple(i for meaning in "nyxc" for i in places[meaning]),
        trace.rolled,
        left_out,
        NO_BORDER if trace.grid is None else trace.border,
    )


def _find_role(part: AxisPart) -> str:
    """Return the axis of (B, h, w, U) that a part belongs to; an unknown part of length 1 belongs to the channels."""
    return part.meaning if part.meaning in "nyx" else "c"


def _find_tokens(parts: list[AxisPart]) -> tuple[tuple[int, int, tuple[int, ...]] | None, int]:
    for position, part in enumerate(parts):
        if part.meaning == "t":
            lengths = tuple(piece.length for piece in part.grid)
            return (position, part.before, lengths), part.length - part.patches
    return None, 0


def describe_layer(
    name: str, kind: str, axes: UnitAxes, trace: TensorTrace, input_size: tuple[int, int], geometry: Geometry, *,
    note: str = "",
    is_traced: bool = True,
    known: Mapping[tuple[int, int], FieldPath] | None = None,
) -> Layer:  # fmt: skip
    """Return the description of a layer.

    Args:
        name: of the layer.
        kind: type of the module or operation.
        axes: of its units.
        trace: of its output.
        input_size: height and width of the network's input in pixels.
        geometry: "grid" for an even grid.
        note: what else a reader should know.
        is_traced: whether the output was traced; False if it was guessed.
        known: the last known path of every grid on the way to the layer, which places an even grid's cells.
    """
    notes = [note] if note else []
    if axes.left_out == 1:
        notes.append("class token left out")
    elif axes.left_out:
        notes.append(f"{axes.left_out} tokens that are not patches (class, registers, distillation) left out")
    if axes.padding:
        notes.append(f"{axes.padding} cells of padding left out")
    field, own_geometry, reason = _place_cells(axes, trace, input_size, geometry, known or {}, is_traced=is_traced)
    notes += [reason] if reason else []
    return Layer(name, axes.units, axes.grid, field, own_geometry, kind, "; ".join(notes), get_shape_per_image(trace))


def _place_cells(
    axes: UnitAxes, trace: TensorTrace, input_size: tuple[int, int], geometry: Geometry,
    known: Mapping[tuple[int, int], FieldPath], *,
    is_traced: bool,
) -> tuple[FieldMap, str, str]:  # fmt: skip
    """Return a layer's field map, its geometry, and a note if it is not the traced one."""
    if geometry == "grid":
        return fieldmap.divide_into_whole_steps(input_size, axes.grid), "grid", ""
    path = trace.cell_path
    fits = path is not None and path.fits(axes.grid)
    is_single = axes.grid == (1, 1)
    if path is not None and fits and not (trace.is_global and is_single):
        return path.field, "grid" if trace.is_global else "receptive-field", GLOBAL_VIEW if trace.is_global else ""
    if is_single:
        return fieldmap.divide_evenly(input_size, axes.grid), "grid", ""
    nearest = known.get(axes.grid)
    field = fieldmap.divide_evenly(input_size, axes.grid) if nearest is None else fieldmap.keep_centers(nearest.field)
    if path is not None and not fits:
        return field, "grid", UNFIT_GRID
    return field, "grid", GLOBAL_VIEW_GRID if trace.grid is not None and is_traced else UNTRACED_GRID


def get_shape_per_image(trace: TensorTrace) -> tuple[int, ...]:
    """Return the shape of an output for a single image."""
    own = [[part.length for part in dim if part.meaning != "n"] for dim in trace.dims]
    return tuple(math.prod(lengths) for dim, lengths in zip(trace.dims, own, strict=True) if lengths or not dim)
