"""Sparse autoencoders from files: the half of one that makes latents of a layer's units, as published ones store it.

Key names and conventions are those of SAELens, sparsify (EleutherAI), dictionary_learning, OpenAI's and Gemma Scope's
files. What a file does not say is assumed, and told (docs/models.md).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import safetensors
import torch
from torch import nn

from netdissect.errors import ModelFileError
from netdissect.models import checkpoints

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Names of the same thing, the first that is there counts.
_WEIGHT = ("encoder.weight", "weight")  # (L, U), as torch's Linear stores it
_TURNED = ("W_enc", "w_enc")  # (U, L)
_BIAS = ("encoder.bias", "b_enc", "latent_bias")
_BEFORE = ("b_dec", "pre_bias", "b_pre")
_THRESHOLD = ("threshold", "thresholds", "jumprelu.threshold")
_ACTIVATIONS = ("none", "relu", "topk", "jumprelu", "gated")
#: Files beside the weights in which libraries keep what weights do not say.
_CONFIGS = ("cfg.json", "config.json")


@dataclass(frozen=True)
class Manner:
    """What an encoder does besides multiplying.

    Attributes:
        activation: ``none``, ``relu``, ``topk``, ``jumprelu`` or ``gated``.
        k: of ``topk``: how many latents are active at a place.
        subtract: whether the decoder's bias is subtracted first.
        assumed: what the file does not say.
    """

    activation: str
    k: int = 0
    subtract: bool = False
    assumed: tuple[str, ...] = ()


class Encoder(nn.Module):
    """Latents of a layer's units: ``f(W·(x − b_dec) + b)``, at every place on its own.

    Attributes:
        manner: f, and whether b_dec is subtracted.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    before: torch.Tensor
    threshold: torch.Tensor
    gate: torch.Tensor
    magnitude: torch.Tensor

    def __init__(self, parts: Mapping[str, torch.Tensor], manner: Manner) -> None:
        """Take what `read_encoder` found.

        Args:
            parts: ``weight`` (L, U), and as far as there are any ``bias`` (L,), ``before`` (U,), ``threshold`` (L,) or
                (), ``gate`` (L,), ``magnitude`` (L,).
            manner: what is done with them.
        """
        super().__init__()
        self.manner = manner
        for name in ("weight", "bias", "before", "threshold", "gate", "magnitude"):
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
        if self.manner.subtract:
            x = x - self.before
        if self.manner.activation == "gated":
            raw = nn.functional.linear(x, self.weight)
            shift = 0.0 if self.bias is None else self.bias
            return ((raw + self.gate) > 0) * (raw * self.magnitude.exp() + shift).relu()
        latents = nn.functional.linear(x, self.weight, self.bias)
        if self.manner.activation == "jumprelu":
            return latents.relu() * (latents > self.threshold)
        if self.manner.activation == "none":
            return latents
        latents = latents.relu()
        if self.manner.activation == "topk" and self.manner.k < self.latents:
            values, places = latents.topk(self.manner.k, dim=-1, sorted=False)
            return torch.zeros_like(latents).scatter_(-1, places, values)
        return latents

    def extra_repr(self) -> str:
        """Return what stands in its name when it is printed, and so in its fingerprint."""
        return f"{self.units}, {self.latents}, {self.manner}"

    def describe(self) -> str:
        """Return in words what it does."""
        manner = self.manner
        parts = [f"{self.latents} latents of {self.units} units"]
        parts += [f"topk {manner.k}" if manner.activation == "topk" else manner.activation]
        parts += ["b_dec subtracted first"] if manner.subtract else []
        parts += [f"assumed: {', '.join(manner.assumed)}"] if manner.assumed else []
        return ", ".join(parts)


def read_encoder(path: Path) -> Encoder:
    """Read the encoder of a sparse autoencoder, or any linear map of units.

    Args:
        path: ``FILE.safetensors``, or a checkpoint that holds nothing but tensors; its ``cfg.json`` may lie beside it.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, or holds no encoder that is understood.
    """
    state = _unprefixed(checkpoints.read_state_dict(path))
    told = _told(path)
    weight = _first(state, _WEIGHT)
    turned = _first(state, _TURNED)
    if weight is None and turned is not None and turned.ndim == 2:
        weight = turned.T
    if weight is None or weight.ndim != 2:
        raise ModelFileError(
            f"{path}: expected an encoder's weights, W_enc (U, L) or encoder.weight (L, U), got "
            f"{', '.join(list(state)[:6]) or 'nothing'}"
        )
    latents, units = weight.shape
    plain = "weight" in state and not {"encoder.weight", "encoder.bias"} & set(state)
    parts = {
        "weight": weight,
        "bias": state.get("bias") if plain else _first(state, (*_BIAS, "b_mag")),
        "before": _first(state, _BEFORE if plain else (*_BEFORE, "bias")),
        "threshold": _threshold(state),
        "gate": _first(state, ("b_gate",)),
        "magnitude": _first(state, ("r_mag",)),
    }
    manner = _manner(path, parts, state, told, plain=plain)
    for name, length in (("bias", latents), ("before", units), ("threshold", latents), ("gate", latents),
                         ("magnitude", latents)):  # fmt: skip
        part = parts[name]
        if part is not None and part.numel() not in ((1, length) if name == "threshold" else (length,)):
            raise ModelFileError(
                f"{path}: its encoder makes {latents} latents of {units} units, and its {name} has the shape "
                f"{tuple(part.shape)}"
            )
    used = {name: part.detach().float().contiguous() for name, part in parts.items() if part is not None}
    return Encoder({name: part.reshape(-1) if name != "weight" else part for name, part in used.items()}, manner)


def _manner(
    path: Path,
    parts: Mapping[str, torch.Tensor | None],
    state: Mapping[str, torch.Tensor],
    told: Mapping[str, Any],
    *,
    plain: bool,
) -> Manner:
    """Put together what the file, its metadata and the configuration beside it say."""
    normal = told.get("normalize_activations")
    if normal not in (None, "none", False):
        raise ModelFileError(
            f"{path}: it wants its input normalised ({normal}), which cannot be read from a file: load it with its own "
            f"library and give the module to netdissect.dissect(…, projection=module)"
        )
    assumed: list[str] = []
    activation = _activation(path, told)
    if activation is None:
        activation = _likely(parts, told, state, plain=plain)
        assumed += [] if plain or activation not in ("relu", "none") else [activation]
    missing = {"jumprelu": "threshold", "gated": "gate"}.get(activation)
    if missing is not None and parts[missing] is None:
        raise ModelFileError(f"{path}: its activation is {activation}, and it holds no {missing}")
    k = 0
    if activation == "topk":
        k = _k(state, told)
        if k < 1:
            raise ModelFileError(
                f"{path}: its activation is topk, and nothing says how many latents are active: write k into its "
                f"metadata or into cfg.json beside it"
            )
    if parts["before"] is None:
        return Manner(activation, k, subtract=False, assumed=tuple(assumed))
    subtract = told.get("apply_b_dec_to_input", told.get("subtract_b_dec"))
    if subtract is None:
        # Gemma Scope's thresholded encoders are the ones that do not.
        subtract = activation != "jumprelu"
        assumed.append("b_dec subtracted" if subtract else "b_dec not subtracted")
    return Manner(activation, k, subtract=_yes(subtract), assumed=tuple(assumed))


def _activation(path: Path, told: Mapping[str, Any]) -> str | None:
    """Return the activation that a configuration states."""
    words = [told.get(key) for key in ("activation", "activation_fn_str", "activation_fn", "architecture")]
    stated = [str(word).lower().replace("-", "").replace("_", "") for word in words if isinstance(word, str)]
    for word in stated:
        found = {"identity": "none", "linear": "none", "batchtopk": None}.get(word, word)
        if found in _ACTIVATIONS and not (found == "relu" and {"jumprelu", "gated", "topk"} & set(stated)):
            return found
    if any(word in ("standard", "batchtopk") for word in stated) or not stated:
        return None
    raise ModelFileError(f"{path}: its activation {words!r} is none of {', '.join(_ACTIVATIONS)}")


def _likely(
    parts: Mapping[str, torch.Tensor | None],
    told: Mapping[str, Any],
    state: Mapping[str, torch.Tensor],
    *,
    plain: bool,
) -> str:
    """Return the activation that the parts themselves tell of."""
    if parts["gate"] is not None and parts["magnitude"] is not None:
        return "gated"
    if parts["threshold"] is not None:
        return "jumprelu"
    if _k(state, told):
        return "topk"
    return "none" if plain else "relu"


def _k(state: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> int:
    inner = told.get("activation_fn_kwargs")
    given = told.get("k", inner.get("k") if isinstance(inner, dict) else None)
    if given is None and "k" in state and state["k"].numel() == 1:
        given = state["k"].item()
    try:
        return int(given) if given is not None else 0
    except (TypeError, ValueError):
        return 0


def _threshold(state: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    logarithm = state.get("log_threshold")
    return logarithm.exp() if logarithm is not None else _first(state, _THRESHOLD)


def _told(path: Path) -> dict[str, Any]:
    """Return what the file's metadata and the configuration beside it say; the file comes first."""
    told: dict[str, Any] = {}
    for name in _CONFIGS:
        beside = path.with_name(name)
        if beside.is_file():
            try:
                found = json.loads(beside.read_text())
            except (ValueError, UnicodeError) as error:
                raise ModelFileError(f"{beside}: expected JSON, got {error}") from error
            told = found if isinstance(found, dict) else {}
            break
    if path.suffix == ".safetensors":
        with safetensors.safe_open(path, framework="pt") as opened:
            told |= opened.metadata() or {}
    return told


def _first(state: Mapping[str, torch.Tensor], names: tuple[str, ...]) -> torch.Tensor | None:
    return next((state[name] for name in names if name in state), None)


def _unprefixed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a state dict less the prefix that all its names share, such as ``sae.``."""
    prefixes = {name.partition(".")[0] for name in state}
    if len(prefixes) != 1 or not all("." in name for name in state) or prefixes == {"encoder"}:
        return state
    return {name.partition(".")[2]: tensor for name, tensor in state.items()}


def _yes(value: Any) -> bool:
    return value.lower() in ("true", "1", "yes") if isinstance(value, str) else bool(value)
