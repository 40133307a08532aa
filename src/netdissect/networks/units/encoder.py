"""Encoders of sparse autoencoders, and other linear maps of a layer's units.

`encoder_files` reads them; ``docs/models.md`` has the table of names that files use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Activation functions of encoders.
ACTIVATIONS = ("none", "relu", "topk", "jumprelu", "gated")
#: Normalizations of a cell's units before the linear map.
NORMALIZATIONS = ("layer_norm", "constant_norm_rescale")
#: Names of an encoder's tensors.
ENCODER_TENSORS = ("weight", "bias", "before", "threshold", "gate", "magnitude", "norms")
_EPSILON = 1e-5


@dataclass(frozen=True)
class EncoderConfig:
    """What an encoder does before and after its linear map.

    Attributes:
        activation: one of `ACTIVATIONS`.
        k: number of active latents in a cell; for ``topk``.
        subtract: whether the decoder's bias is subtracted from the units.
        normalize: one of `NORMALIZATIONS`, applied to a cell's units first; empty for none.
        assumed: settings that the file does not state.
    """

    activation: str
    k: int = 0
    subtract: bool = False
    normalize: str = ""
    assumed: tuple[str, ...] = ()


class Encoder(nn.Module):
    """Latents of a layer's units: ``f(W·(x − b_dec) + b)``, for every cell by itself.

    Attributes:
        config: the activation function f, and what is done to x first.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    before: torch.Tensor
    threshold: torch.Tensor
    gate: torch.Tensor
    magnitude: torch.Tensor
    norms: torch.Tensor | None

    def __init__(self, parts: Mapping[str, torch.Tensor], config: EncoderConfig) -> None:
        """Create an encoder.

        Args:
            parts: ``weight`` (L, U) and, where the encoder has them, ``bias`` (L,), ``before`` (U,) (the decoder's bias),
                ``threshold`` (L,) or (1,), ``gate`` (L,), ``magnitude`` (L,), and ``norms`` (L,) of the decoder's vectors,
                by which latents are multiplied before the activation function.
            config: its activation function and normalization.
        """
        super().__init__()
        self.config = config
        for name in ENCODER_TENSORS:
            self.register_buffer(name, parts.get(name))

    @property
    def units(self) -> int:
        """Number of units U."""
        return int(self.weight.shape[1])

    @property
    def latents(self) -> int:
        """Number of latents L."""
        return int(self.weight.shape[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the latents, shape (…, L), of units, shape (…, U)."""
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
            values, positions = latents.topk(self.config.k, dim=-1, sorted=False)
            return torch.zeros_like(latents).scatter_(-1, positions, values)
        return latents

    def extra_repr(self) -> str:
        """Return its size and settings, for printing."""
        return f"{self.units}, {self.latents}, {self.config}"

    def serialize_structure(self) -> str:
        """Return its size and settings as the text that its fingerprint hashes.

        Existing run folders hold fingerprints of this text: it must not change, whatever the Python names are.
        """
        config = self.config
        return (
            f"Encoder({self.units}, {self.latents}, Manner(activation={config.activation!r}, k={config.k!r}, "
            f"subtract={config.subtract!r}, normalise={config.normalize!r}, assumed={config.assumed!r}))"  # codespell:ignore
        )

    def describe(self) -> str:
        """Return what it does, for reports."""
        config = self.config
        parts = [f"{self.latents} latents of {self.units} units"]
        parts += [f"topk {config.k}" if config.activation == "topk" else config.activation]
        parts += [f"units normalized ({config.normalize})"] if config.normalize else []
        parts += ["b_dec subtracted first"] if config.subtract else []
        parts += ["multiplied by the decoder's norms"] if self.norms is not None else []
        parts += [f"assumed: {', '.join(config.assumed)}"] if config.assumed else []
        return ", ".join(parts)


def _normalize(x: torch.Tensor, kind: str) -> torch.Tensor:
    """Normalize a cell's units as SAELens and OpenAI's library do."""
    if kind == "constant_norm_rescale":
        scaled: torch.Tensor = x * (x.shape[-1] ** 0.5 / x.norm(dim=-1, keepdim=True))
        return scaled
    x = x - x.mean(dim=-1, keepdim=True)
    return x / (x.std(dim=-1, keepdim=True) + _EPSILON)
