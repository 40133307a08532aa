"""The half of a sparse autoencoder that makes latents of a layer's units, or any linear map of them.

How files spell it is told in `encoder_files`; docs/models.md has the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What encoders do to the sums of products.
ACTIVATIONS = ("none", "relu", "topk", "jumprelu", "gated")
#: What they do to a place's units first.
NORMALIZATIONS = ("layer_norm", "constant_norm_rescale")
#: The names of an encoder's tensors.
ENCODER_TENSORS = ("weight", "bias", "before", "threshold", "gate", "magnitude", "norms")
_EPSILON = 1e-5


@dataclass(frozen=True)
class EncoderConfig:
    """What an encoder does besides multiplying.

    Attributes:
        activation: one of `ACTIVATIONS`.
        k: of ``topk``: how many latents are active at a place.
        subtract: whether the decoder's bias is subtracted first.
        normalize: one of `NORMALIZATIONS`, done to a place's units before anything else; empty for none.
        assumed: what the file does not say.
    """

    activation: str
    k: int = 0
    subtract: bool = False
    normalize: str = ""
    assumed: tuple[str, ...] = ()


class Encoder(nn.Module):
    """Latents of a layer's units: ``f(W·(x − b_dec) + b)``, at every place on its own.

    Attributes:
        manner: f, and what is done to x first.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    before: torch.Tensor
    threshold: torch.Tensor
    gate: torch.Tensor
    magnitude: torch.Tensor
    norms: torch.Tensor | None

    def __init__(self, parts: Mapping[str, torch.Tensor], manner: EncoderConfig) -> None:
        """Take what a file holds.

        Args:
            parts: ``weight`` (L, U), and as far as there are any ``bias`` (L,), ``before`` (U,), ``threshold`` (L,) or
                (1,), ``gate`` (L,), ``magnitude`` (L,), and ``norms`` (L,) of the decoder's vectors, by which sums are
                multiplied before they are compared.
            manner: what is done with them.
        """
        super().__init__()
        self.config = manner
        for name in ENCODER_TENSORS:
            self.register_buffer(name, parts.get(name))

    @property
    def units(self) -> int:
        """Number of units U it takes."""
        return int(self.weight.shape[1])

    @property
    def latents(self) -> int:
        """Number of latents L it gives."""
        return int(self.weight.shape[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the latents of units.

        Args:
            x: shape (…, U).

        Returns:
            shape (…, L).
        """
        if self.config.normalize:
            x = _normalize(x, self.config.normalize)
        if self.config.subtract:
            x = x - self.before
        if self.config.activation == "gated":
            raw = nn.functional.linear(x, self.weight)
            shift = 0.0 if self.bias is None else self.bias
            return ((raw + self.gate) > 0) * (raw * self.magnitude.exp() + shift).relu()
        latents = nn.functional.linear(x, self.weight, self.bias)
        if self.norms is not None:
            latents = latents * self.norms
        if self.config.activation == "jumprelu":
            return latents.relu() * (latents > self.threshold)
        if self.config.activation == "none":
            return latents
        latents = latents.relu()
        if self.config.activation == "topk" and self.config.k < self.latents:
            values, places = latents.topk(self.config.k, dim=-1, sorted=False)
            return torch.zeros_like(latents).scatter_(-1, places, values)
        return latents

    def extra_repr(self) -> str:
        """Return what stands in its name when it is printed, and so in its fingerprint."""
        return f"{self.units}, {self.latents}, {self.config}"

    def describe(self) -> str:
        """Return in words what it does."""
        manner = self.config
        parts = [f"{self.latents} latents of {self.units} units"]
        parts += [f"topk {manner.k}" if manner.activation == "topk" else manner.activation]
        parts += [f"units normalized ({manner.normalize})"] if manner.normalize else []
        parts += ["b_dec subtracted first"] if manner.subtract else []
        parts += ["multiplied by the decoder's norms"] if self.norms is not None else []
        parts += [f"assumed: {', '.join(manner.assumed)}"] if manner.assumed else []
        return ", ".join(parts)


def _normalize(x: torch.Tensor, manner: str) -> torch.Tensor:
    """Return a place's units normalized as SAELens and OpenAI's library do it."""
    if manner == "constant_norm_rescale":
        scaled: torch.Tensor = x * (x.shape[-1] ** 0.5 / x.norm(dim=-1, keepdim=True))
        return scaled
    x = x - x.mean(dim=-1, keepdim=True)
    return x / (x.std(dim=-1, keepdim=True) + _EPSILON)
