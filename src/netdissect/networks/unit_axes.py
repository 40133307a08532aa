"""How a layer's output is read as units on a grid, whatever its shape: images, channels last, tokens, windows, vectors.

What every dimension means was watched (`tracks`), so nothing depends on a network's name. Only where nobody could watch,
in files that run elsewhere, shapes alone must do (`tokens`), and then the layer's note says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.geometry import fieldmap
from netdissect.layers import Layer
from netdissect.networks.trace.tensor_trace import AxisPart, iterate_parts

if TYPE_CHECKING:
    import torch

    from netdissect.config import Geometry
    from netdissect.networks.trace.tensor_trace import TensorTrace

#: What attention, or anything like it, makes of receptive fields.
GLOBAL_VIEW = "a cell may see the whole picture and counts where it lies"
#: Why a layer whose dimensions are known has an even grid all the same.
GLOBAL_VIEW_GRID = "a cell may see the whole picture: an even grid"
#: Why a layer of which nothing is known has one.
UNTRACED_GRID = "its receptive fields cannot be traced: an even grid"


@dataclass(frozen=True, slots=True)
class UnitAxes:
    """How a layer's output becomes activations, shape (B, h, w, U).

    Attributes:
        units: U.
        grid: (h, w).
        lengths: of the output's atoms, of all dimensions in a row; -1 for the images.
        tokens: position of the token atom, tokens before the patches, lengths of the patches' atoms; or None.
        order: of the atoms, tokens resolved: images, rows, columns, channels.
        rolled: by how many cells rows and columns were rolled.
        left_out: tokens that are no patches.
    """

    units: int
    grid: tuple[int, int]
    lengths: tuple[int, ...]
    tokens: tuple[int, int, tuple[int, ...]] | None
    order: tuple[int, ...]
    rolled: tuple[int, int] = (0, 0)
    left_out: int = 0

    def __call__(self, output: torch.Tensor, pictures: int) -> torch.Tensor:
        """Return an output as activations, shape (B, h, w, U): a view where one is possible."""
        x = output.reshape([pictures if length < 0 else length for length in self.lengths])
        if self.tokens is not None:
            position, before, lengths = self.tokens
            x = x.narrow(position, before, math.prod(lengths))
            x = x.reshape(*x.shape[:position], *lengths, *x.shape[position + 1 :])
        if self.order != tuple(range(x.ndim)):
            x = x.permute(self.order)
        x = x.reshape(pictures, *self.grid, self.units)
        return x if self.rolled == (0, 0) else x.roll((-self.rolled[0], -self.rolled[1]), (1, 2))


def find_unit_axes(track: TensorTrace) -> UnitAxes | None:
    """Return how a tensor of this track is read; None where rows, columns or images cannot be put together again.

    A tensor without any grid that holds channels only is read as a single cell. Of a batch of one image, the
    dimension of images may be gone.
    """
    atoms = [atom for dim in track.dims for atom in dim]
    resolved = [piece for atom in atoms for piece in iterate_parts((atom,))]
    grid = track.grid
    if grid is None:
        if track.has_grid or any(atom.meaning not in "nc" for atom in resolved if atom.length > 1):
            return None
        grid = (1, 1)
    places = {meaning: [i for i, atom in enumerate(resolved) if _find_role(atom) == meaning] for meaning in "ncyx"}
    alone = not any(atom.meaning == "n" and atom.length > 1 for atom in atoms)
    if len(places["n"]) + alone < 1 or len(places["n"]) > 1 or sum(atom.meaning == "t" for atom in atoms) > 1:
        return None
    for axis in "yx":
        places[axis].sort(key=lambda i: -resolved[i].inner)
    units = math.prod(resolved[i].length for i in places["c"])
    tokens, left_out = _find_tokens(atoms)
    return UnitAxes(
        units,
        grid,
        tuple(-1 if atom.meaning == "n" else atom.length for atom in atoms),
        tokens,
        tuple(i for meaning in "nyxc" for i in places[meaning]),
        track.rolled,
        left_out,
    )


def _find_role(atom: AxisPart) -> str:
    """Return which part of (B, h, w, U) an atom belongs to; one of length 1 may go with the channels."""
    return atom.meaning if atom.meaning in "nyx" else "c"


def _find_tokens(atoms: list[AxisPart]) -> tuple[tuple[int, int, tuple[int, ...]] | None, int]:
    for position, atom in enumerate(atoms):
        if atom.meaning == "t":
            lengths = tuple(piece.length for piece in atom.grid)
            return (position, atom.before, lengths), atom.length - atom.patches
    return None, 0


def describe_layer(
    name: str, kind: str, reading: UnitAxes, track: TensorTrace, input_size: tuple[int, int], geometry: Geometry, *,
    note: str = "",
    is_traced: bool = True,
) -> Layer:  # fmt: skip
    """Return a layer in words and numbers.

    Args:
        name: as the network calls it.
        kind: type of what gave the output.
        reading: how its output is read.
        track: what is known of it.
        input_size: height and width of the network's input.
        geometry: an even grid may be asked for.
        note: more that a reader should know.
        is_traced: whether the trace was followed, not guessed.
    """
    notes = [note] if note else []
    if reading.left_out == 1:
        notes.append("class token left out")
    elif reading.left_out:
        notes.append(f"{reading.left_out} tokens that are no patches (class, registers, distillation) left out")
    traced, field = "grid", None if geometry == "grid" else track.field
    if field is not None and not track.is_global:
        traced = "receptive-field"
    elif field is not None and reading.grid != (1, 1):
        notes.append(GLOBAL_VIEW)
    else:
        field = None
        if geometry == "receptive-field" and reading.grid != (1, 1):
            notes.append(GLOBAL_VIEW_GRID if track.grid is not None and is_traced else UNTRACED_GRID)
    if field is None:
        parts = fieldmap.divide_into_whole_steps if geometry == "grid" else fieldmap.divide_evenly
        field = parts(input_size, reading.grid)
    return Layer(name, reading.units, reading.grid, field, traced, kind, "; ".join(notes), get_shape_per_image(track))


def get_shape_per_image(track: TensorTrace) -> tuple[int, ...]:
    """Return the shape of an output for a single image."""
    own = [[atom.length for atom in dim if atom.meaning != "n"] for dim in track.dims]
    return tuple(math.prod(lengths) for dim, lengths in zip(track.dims, own, strict=True) if lengths or not dim)
