"""Removes many sets of units at once: chooses where the forward pass is cut, and checks the choice against separate passes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import NetdissectError
from netdissect.networks.ablation.cut_forward import keep_output, repeat_images
from netdissect.networks.module_copies import FORWARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdissect.networks.ablation.cut_forward import CutForward
    from netdissect.networks.ablation.unit_removal import UnitRemoval

#: Images times sets that run at once, at most; and where only what follows a pooling of the units runs again.
MAX_ROWS, MAX_POOLED_ROWS = 256, 8192
#: The same in values of the tensor that passes the cut.
_MAX_VALUES = 2**26
#: Outputs of the same network differ by rounding between batches by at most this, relative to the largest output.
_ROUNDING = {torch.float32: 1e-3, torch.float64: 1e-6}
_COARSE_ROUNDING = 0.05
#: Outputs that change by more than this when other images are computed below a cut bypass it; else they are the same bits.
_NOISE = 1e-6


class SetRemoval:
    """A forward pass from which sets of units are removed.

    Units are removed at the layer's output, or, where a branch bypasses it, from the nearest cut below on. Where all that
    follows reads the units one by one, such as a pooled map of each, every image is run twice, with all units and with none, and a
    set takes each unit from one of the two.

    Attributes:
        cut: number of the cut.
        is_pooled: whether units are chosen from the two runs.
    """

    def __init__(
        self, forward: CutForward, removal: UnitRemoval, read: Callable[[Any, int | None], torch.Tensor]
    ) -> None:
        """Prepare to remove units.

        Args:
            forward: the forward pass.
            removal: removes units from the layer's output.
            read: returns the class outputs (rows, Y) among what the network returns, and checks the number of rows.
        """
        self._forward = forward
        self._removal = removal
        self._read = read
        self.cut = 0
        self.is_pooled = False
        self._constant: tuple[torch.Tensor, torch.Tensor] | None = None
        values = abs(math.prod(removal.lengths))
        self.rows = max(1, min(MAX_ROWS, _MAX_VALUES // values))

    def describe(self, layer: str) -> str:
        """Return a note where parts below the layer run for every set; else an empty text."""
        if self.cut == 0 or self.is_pooled:
            return ""
        return (
            f"a branch bypasses layer {layer}: for every set of units the network runs again from "
            f"{self._forward.cuts[self.cut]}"
        )

    def choose(self, x: torch.Tensor) -> None:
        """Choose the first cut, from the present one on, with which sets of units give what separate passes give.

        Args:
            x: an input of several images.
        """
        units = self._removal.units
        generator = torch.Generator().manual_seed(0)
        sets = torch.rand((2, units), generator=generator) < 0.5
        values = torch.rand(units, generator=generator)
        last, self._constant = len(self._forward.cuts) - 1, None
        expected = torch.cat([self._resume(x, len(x), one[None], values, last) for one in sets])
        while self.cut < last and not self._is_valid(expected, lambda: self._remove_cut(x, sets, values).flatten(0, 1)):
            self.cut += 1
        self.is_pooled = self._is_valid(expected, lambda: self._remove_pooled(x, sets, values).flatten(0, 1))

    def __call__(self, x: torch.Tensor, sets: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return the class outputs without each set, shape (K, B, Y), on the CPU.

        Args:
            x: an input of B images, at most `rows`.
            sets: whether each of K sets holds each unit, bool, shape (K, U).
            values: what takes the place of each unit's activations, shape (U,).
        """
        return self._remove_pooled(x, sets, values) if self.is_pooled else self._remove_cut(x, sets, values)

    def _remove_cut(self, x: torch.Tensor, sets: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        passing, step = self._forward.capture(x, self.cut), max(1, self.rows // len(x))
        parts = [
            self._resume(passing, len(x), part, values, self.cut).float().cpu() for part in torch.split(sets, step)
        ]
        return torch.cat(parts).reshape(len(sets), len(x), -1)

    def _resume(self, passing: Any, images: int, sets: torch.Tensor, values: torch.Tensor, cut: int) -> torch.Tensor:
        """Return the class outputs (K B, Y) of B images without each of K sets, from what passes a cut."""

        def remove_sets(output: torch.Tensor) -> torch.Tensor:
            return self._removal(output, sets, values, images)

        if cut == 0:
            outputs = self._forward.resume(remove_sets(passing), cut, keep_output)
        else:
            outputs = self._forward.resume(repeat_images(passing, images, len(sets)), cut, remove_sets)
        return self._read(outputs, images * len(sets))

    def _remove_pooled(self, x: torch.Tensor, sets: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Return the class outputs without each set, of which every unit is taken from one of two runs.

        Raises:
            ValueError: if nothing after the layer holds its units pooled.
        """
        units = self._removal.units
        kept, gone = self._forward.capture_after(x, keep_output), self._capture_without(x, values)
        values_each = abs(math.prod(self._removal.lengths))
        if kept is None or gone is None or kept.shape[1:] != gone.shape[1:] or len(kept) != len(x):
            raise ValueError("no single tensor follows the layer")
        size = kept[0].numel()
        if size % units or kept.shape[1] % units or 2 * size > values_each:
            raise ValueError("what follows the layer does not hold its units pooled")
        step = max(1, min(MAX_POOLED_ROWS, _MAX_VALUES // size) // len(x))
        kept_units, gone_units = (one.reshape(1, len(one), units, -1) for one in (kept, gone))
        parts = []
        for part in torch.split(sets, step):
            rows = torch.where(part.to(kept.device)[:, None, :, None], gone_units, kept_units)
            outputs = self._forward.resume_after(rows.reshape(len(part) * len(x), *kept.shape[1:]))
            parts.append(self._read(outputs, len(part) * len(x)).float().cpu())
        return torch.cat(parts).reshape(len(sets), len(x), -1)

    def _capture_without(self, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor | None:
        """Return what follows the layer when all units are removed; once for all images if it is the same for all.

        Where a branch bypasses the layer it differs between images.
        """
        if self._constant is not None and torch.equal(self._constant[0], values):
            return self._constant[1]
        none = torch.ones((1, self._removal.units), dtype=torch.bool)
        found = self._forward.capture_after(x, lambda output: self._removal(output, none, values, len(x)))
        if self.cut == 0 and found is not None and len(found) > 1 and torch.equal(found, found[:1].expand_as(found)):
            self._constant = values.clone(), found[:1]
        return found

    def _is_valid(self, expected: torch.Tensor, compute: Callable[[], torch.Tensor]) -> bool:
        """Return whether a way to remove sets gives what is expected, whatever is computed below its cut."""
        try:
            found = compute()
            self._forward.change_noise()
            again = compute()
        except (*FORWARD_ERRORS, NetdissectError) as error:
            if "memory" in str(error):
                raise
            return False
        target = expected.float().cpu()
        if found.shape != target.shape:
            return False
        largest = max(float(target.abs().max()), 1e-6)
        bound = largest * _ROUNDING.get(expected.dtype, _COARSE_ROUNDING)
        is_separate = float((again - found).abs().max()) <= _NOISE * largest
        return is_separate and float((found - target).abs().max()) <= bound
