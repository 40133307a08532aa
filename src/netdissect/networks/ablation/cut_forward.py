"""A forward pass that can be cut: what lies below the cut runs once, what lies above it once for every set of removed units.

A cut is valid if everything that reaches the class outputs passes it. The layer's own output is no valid cut where a branch
bypasses it, such as the shortcut around a layer inside a residual block; the block's input is one there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: Puts another tensor in the place of the layer's raw output.
    Edit = Callable[[torch.Tensor], torch.Tensor]


class CutForward(Protocol):
    """The forward pass of a network to its class outputs, in which the output of one layer can be exchanged."""

    @property
    def cuts(self) -> Sequence[str]:
        """Where the pass can be cut, from the layer's output down to the network's input, each as the end of a sentence."""
        ...

    def run(self, x: torch.Tensor, edit: Edit, /) -> Any:
        """Run the whole network.

        Args:
            x: its input, shape (B, C, H, W).
            edit: called with the layer's raw output; returns what takes its place.

        Returns:
            what the network returns; class outputs before a softmax at its end if it has one.
        """
        ...

    def capture(self, x: torch.Tensor, cut: int, /) -> Any:
        """Run the network as far as a cut and return what passes it."""
        ...

    def resume(self, value: Any, cut: int, edit: Edit, /) -> Any:
        """Run the network on from a cut.

        Args:
            value: what passes the cut, of any number of images.
            cut: number of the cut. At the first one, `value` is the layer's output.
            edit: as for `run`.
        """
        ...

    def capture_after(self, x: torch.Tensor, edit: Edit, /) -> torch.Tensor | None:
        """Run the network to the first product of weights after the layer, and return what enters it.

        Args:
            x: the network's input.
            edit: as for `run`.

        Returns:
            what enters the next linear layer or convolution; None if there is none after the layer.
        """
        ...

    def resume_after(self, value: torch.Tensor, /) -> Any:
        """Run the network on from the first product of weights after the layer, with what enters it, of any number of images."""
        ...

    def change_noise(self) -> None:
        """Exchange what is computed below a cut in `resume` and `resume_after`: outputs that change with it bypass the cut."""
        ...


def keep_output(output: torch.Tensor) -> torch.Tensor:
    """Return a layer's output unchanged."""
    return output


def repeat_images(value: Any, images: int, times: int) -> Any:
    """Repeat every tensor of B images: all images a first time, then a second time, ….

    Args:
        value: a tensor, or tensors in lists, tuples and dicts; anything else stays the same.
        images: B.
        times: how often.
    """
    if isinstance(value, torch.Tensor):
        holds = value.dim() > 0 and len(value) == images
        return value.repeat(times, *[1] * (value.dim() - 1)) if holds else value
    return map_parts(value, lambda part: repeat_images(part, images, times))


def map_parts(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a list, tuple or dict with every part changed; anything else as it is."""
    if isinstance(value, dict):
        return _fill(value, {key: change(part) for key, part in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    return type(value)(map(change, value)) if type(value) in (list, tuple) else value


def _fill(like: dict[Any, Any], parts: Mapping[Any, Any]) -> Any:
    """Return a dict of the same type, such as a ModelOutput, with other parts."""
    import copy

    filled = copy.copy(like)
    for key, part in parts.items():
        filled[key] = part
    return filled
