"""Read encoders from files of SAELens, sparsify, dictionary_learning, OpenAI and Gemma Scope.

Every tensor must belong to the encoder or the decoder, or be known not to affect the latents; any other tensor is an error, since
the latents might depend on it. Settings that a file does not state are assumed, and noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import ModelFileError
from netdissect.io.text import escape_line
from netdissect.networks import checkpoints, key_matching
from netdissect.networks.units.encoder import Encoder
from netdissect.networks.units.encoder_settings import (
    ADVICE,
    REQUIRED_TENSORS,
    is_true,
    read_encoder_config,
    read_encoder_metadata,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from netdissect.networks.checkpoints import Checkpoint
    from netdissect.networks.units.encoder import EncoderConfig

#: Names of an encoder's weights, of shape (L, U) as in torch's Linear, and transposed, (U, L).
_WEIGHTS = ("encoder.weight",)
_TRANSPOSED = ("W_enc", "w_enc")
#: Names of an encoder's other tensors; the first one found is used.
_NAMES = {
    "bias": ("encoder.bias", "b_enc", "latent_bias", "b_mag", "mag_bias"),
    "before": ("b_dec", "pre_bias", "b_pre", "decoder_bias", "bias"),
    "threshold": ("threshold", "thresholds", "jumprelu.threshold", "log_threshold", "topk_threshold"),
    "gate": ("b_gate", "gate_bias"),
    "magnitude": ("r_mag",),
    "k": ("k",),
}
_DECODER = ("W_dec", "w_dec", "decoder.weight")
#: Tensors that do not affect latents: the decoder's, and statistics of training.
_UNUSED = {
    *_DECODER,
    "decoder.bias",
    "b_dec_out",
    "W_skip",
    "stats_last_nonzero",
    "group_sizes",
    "num_tokens_since_fired",
}


def read_encoder(path: Path) -> Encoder:
    """Read the encoder of a sparse autoencoder, or any linear map of units.

    Args:
        path: ``FILE.safetensors``, ``FILE.npz`` or a checkpoint; ``cfg.json`` or ``config.json`` in its folder is read too.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, holds no known kind of encoder, or holds tensors that are not a known
            part of one.
    """
    checkpoint = checkpoints.read_checkpoint(path)
    metadata = read_encoder_metadata(checkpoint)
    prefix, state = _select_encoder(checkpoint)
    plain = "weight" in state and not _find_first(state, (*_WEIGHTS, *_TRANSPOSED))
    names = {role: _find_first(state, spellings) for role, spellings in _NAMES.items()}
    if plain:
        names |= {"bias": "bias" if "bias" in state else names["bias"]}
        names |= {"before": _find_first(state, [one for one in _NAMES["before"] if one != "bias"])}
    weight = _find_weight(state)
    if weight is None or weight.ndim != 2:
        raise ModelFileError(
            f"{path}: expected an encoder's weights, W_enc (U, L) or encoder.weight (L, U), got "
            f"{', '.join(map(escape_line, list(checkpoint.tensors)[:6]))}"
        )
    parts = {role: state[name] for role, name in names.items() if name is not None}
    config = read_encoder_config(path, parts, metadata, plain=plain)
    _check_all_used(path, prefix, state, names, config)
    if names["threshold"] == "log_threshold":
        parts["threshold"] = parts["threshold"].exp()
    if config.activation not in ("gated", "jumprelu"):
        parts = {role: part for role, part in parts.items() if role != "threshold"}
    if is_true(metadata.get("rescale_acts_by_decoder_norm", False)):
        parts["norms"] = _compute_decoder_norms(path, state, tuple(weight.shape))
    parts.pop("k", None)
    _check_shapes(path, parts, *weight.shape)
    used = {role: part.float().reshape(-1) for role, part in parts.items()}
    return Encoder({"weight": weight.float().contiguous(), **used}, config)


def _select_encoder(checkpoint: Checkpoint) -> tuple[str, dict[str, torch.Tensor]]:
    """Return the prefix and the tensors of the one encoder in a file; averaged weights are preferred."""
    found: list[str] = []
    plain: list[str] = []
    names = [name for name in checkpoint.tensors if not key_matching.is_training_state(name)]
    for name in names:
        for spelling in (*_WEIGHTS, *_TRANSPOSED, "weight"):
            prefix = name.removesuffix(spelling)
            if prefix != name and (not prefix or prefix.endswith(".")):
                (plain if spelling == "weight" else found).append(prefix)
                break
    prefixes = list(dict.fromkeys(found or [one for one in plain if not one.endswith(("decoder.", "encoder."))]))
    if not prefixes:
        return "", dict(checkpoint.tensors)
    ranks = {prefix: key_matching.rank_prefix(checkpoint, prefix) for prefix in prefixes}
    best = [prefix for prefix in prefixes if ranks[prefix] == min(ranks.values())]
    if len(best) > 1:
        raise ModelFileError(
            f"{checkpoint.path} holds several encoders, below {', '.join(map(repr, best[:4]))}, and nothing says which one "
            f"to use: save one of them alone"
        )
    outside = [name for name in names if not name.startswith(tuple(prefixes)) and checkpoint.tensors[name].numel() != 1]
    if outside:
        raise _make_unknown_tensor_error(checkpoint.path, outside[0])
    return best[0], {name[len(best[0]) :]: checkpoint.tensors[name] for name in names if name.startswith(best[0])}


def _check_all_used(
    path: Path,
    prefix: str,
    state: Mapping[str, torch.Tensor],
    names: Mapping[str, str | None],
    config: EncoderConfig,
) -> None:
    """Raise ModelFileError for a tensor that is not part of this encoder, or that its activation does not use."""
    weight = _find_first(state, (*_WEIGHTS, *_TRANSPOSED, "weight"))
    used = {name for name in names.values() if name is not None} | {weight}
    for name, tensor in state.items():
        harmless = name in _UNUSED or (name == "scaling_factor" and bool((tensor == 1).all()))
        if name not in used and not harmless:
            raise _make_unknown_tensor_error(path, prefix + name)
    needed = {"bias", "before", "k", *REQUIRED_TENSORS.get(config.activation, ())}
    for role, own in names.items():
        if own is None or role in needed:
            continue
        # TopK trainers also save a threshold, for inference without k; it is not used here.
        if role != "threshold" or config.activation != "topk" or state[own].numel() != 1:
            raise ModelFileError(
                f"{path}: its activation is {config.activation}, which does not use {prefix}{own}: {ADVICE}"
            )
    if (names["bias"] in ("b_mag", "mag_bias")) != (config.activation == "gated") and names["bias"] is not None:
        raise ModelFileError(
            f"{path}: its activation is {config.activation}, which does not use {prefix}{names['bias']}"
        )


def _check_shapes(path: Path, parts: Mapping[str, torch.Tensor], latents: int, units: int) -> None:
    for role, part in parts.items():
        length = units if role == "before" else latents
        if part.numel() not in ((1, length) if role == "threshold" else (length,)):
            raise ModelFileError(
                f"{path}: its encoder makes {latents} latents of {units} units, and its {role} has the shape "
                f"{tuple(part.shape)}"
            )


def _compute_decoder_norms(path: Path, state: Mapping[str, torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
    name = _find_first(state, _DECODER)
    decoder = None if name is None else state[name]
    by_latent = decoder.T if decoder is not None and name == "decoder.weight" else decoder
    if by_latent is None or tuple(by_latent.shape) != shape:
        raise ModelFileError(
            f"{path}: its latents are multiplied by the decoder's norms, but it holds no decoder of that shape"
        )
    norms: torch.Tensor = by_latent.float().norm(dim=-1)
    return norms


def _find_weight(state: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    name = _find_first(state, (*_WEIGHTS, *_TRANSPOSED, "weight"))
    if name is None:
        return None
    return state[name].T if name in _TRANSPOSED and state[name].ndim == 2 else state[name]


def _find_first(state: Mapping[str, torch.Tensor], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in state), None)


def _make_unknown_tensor_error(path: Path, name: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: its tensor {escape_line(name)!r} is not a known part of an encoder, and the latents may depend on "
        f"it: {ADVICE}"
    )
