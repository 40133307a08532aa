"""Removes units from the raw output of a layer, whatever its layout: in every cell, token and border of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netdissect.errors import ActivationError

if TYPE_CHECKING:
    from netdissect.networks.probe import ProbedLayer
    from netdissect.networks.trace.tensor_trace import TensorTrace


@dataclass(frozen=True, slots=True)
class UnitRemoval:
    """Puts values in the place of units' activations in a layer's output.

    The dimensions of the output are split into parts (`TensorTrace`), so that the units are whole dimensions. Class tokens
    and padding hold the units too and lose them with the cells.

    Attributes:
        units: U.
        lengths: of all parts, with -1 for the images.
        channels: whether each part is one of channels.
        images: position of the images' part.
        image_dim: dimension of the output that holds the images' part.
        held: number of units that each dimension of the output holds, 1 for those that hold none; None if one mixes units with
            cells or images.
    """

    units: int
    lengths: tuple[int, ...]
    channels: tuple[bool, ...]
    images: int
    image_dim: int
    held: tuple[int, ...] | None

    def fill(self, output: torch.Tensor, removed: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return an output without one set of units, for any number of images and, in almost any layout, of any size.

        Args:
            output: the layer's output.
            removed: whether the set holds each unit, bool, shape (U,).
            values: what takes the place of each unit's activations, shape (U,).
        """
        if self.held is None:
            cells = math.prod(self.lengths) * -1
            return self(output, removed[None], values, output.numel() // cells)
        mask = removed.to(output.device).reshape(self.held)
        return torch.where(mask, values.to(output.device, output.dtype).reshape(self.held), output)

    def __call__(self, output: torch.Tensor, removed: torch.Tensor, values: torch.Tensor, images: int) -> torch.Tensor:
        """Return the output with sets of units removed: all images without the first set, then without the second, ….

        Args:
            output: for B images, or for the B images K times, one after the other.
            removed: whether each of K sets holds each unit, bool, shape (K, U).
            values: what takes the place of each unit's activations, shape (U,).
            images: B.

        Returns:
            the output for K times B images.
        """
        lead, rest = self.lengths[: self.images], self.lengths[self.images + 1 :]
        parts = output.reshape([*lead, -1, images, *rest])
        given = parts.shape[self.images]
        mask = self._spread(removed.to(output.device))
        kept = torch.where(mask, self._spread(values.to(output.device, output.dtype)[None]), parts)
        shape = list(output.shape)
        shape[self.image_dim] = shape[self.image_dim] // given * kept.shape[self.images]
        return kept.reshape(shape)

    def _spread(self, rows: torch.Tensor) -> torch.Tensor:
        """Return values of units (K, U) in a shape that fits the parts of an output, K before its images."""
        lengths = [length for length, holds in zip(self.lengths, self.channels, strict=True) if holds]
        before = sum(self.channels[: self.images])
        shape = [length if holds else 1 for length, holds in zip(self.lengths, self.channels, strict=True)]
        shape[self.images : self.images + 1] = [len(rows), 1]
        return rows.reshape(len(rows), *lengths).movedim(0, before).reshape(shape)


def find_unit_removal(entry: ProbedLayer, trace: TensorTrace | None, network: str) -> UnitRemoval:
    """Return how units are removed from a layer's output.

    Args:
        entry: the layer.
        trace: of its output.
        network: name of the network.

    Raises:
        ActivationError: if its output does not hold the images of a batch apart, or its units.
    """
    dims = () if trace is None else trace.dims
    parts = [(part, dim) for dim, own in enumerate(dims) for part in own]
    images = [place for place, (part, _) in enumerate(parts) if part.meaning == "n"]
    channels = tuple(part.meaning not in "nyxt" for part, _ in parts)
    held = math.prod(part.length for (part, _), holds in zip(parts, channels, strict=True) if holds)
    if len(images) != 1 or held != entry.axes.units:
        raise ActivationError(
            f"units of layer {entry.layer.name} of {network} cannot be removed: its output, of shape {entry.info.shape}, does not "
            f"hold images and units in dimensions of their own; choose another layer"
        )
    own = [[part.meaning not in "nyxt" or part.length == 1 for part in dim] for dim in dims]
    is_mixed = any(any(holds) and not all(holds) for holds in own)
    sizes = tuple(
        math.prod(part.length for part in dim) if all(holds) and not any(part.meaning == "n" for part in dim) else 1
        for dim, holds in zip(dims, own, strict=True)
    )
    lengths = tuple(-1 if part.meaning == "n" else part.length for part, _ in parts)
    return UnitRemoval(entry.axes.units, lengths, channels, images[0], parts[images[0]][1], None if is_mixed else sizes)
