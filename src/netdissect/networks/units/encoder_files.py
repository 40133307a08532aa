"""Files of sparse autoencoders → `Encoder`, as SAELens, sparsify, dictionary_learning, OpenAI's and Gemma Scope's have them.

Every tensor beside the encoder's must be known to be the decoder's or without meaning for latents: one that is not is an
error, since an encoder that leaves it out would be another. What a file does not say is assumed, and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import safetensors

from netdissect.errors import ModelFileError
from netdissect.io.json_files import read_json
from netdissect.io.text import escape_line
from netdissect.networks import key_matching, weight_files
from netdissect.networks.units.encoder import NORMALIZATIONS, Encoder, EncoderConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from netdissect.networks.weight_files import Checkpoint

#: Names of an encoder's weights, as torch's Linear stores them (L, U), and turned (U, L).
_WEIGHTS = ("encoder.weight",)
_TRANSPOSED = ("W_enc", "w_enc")
#: Names of the same thing, the first that is there counts.
_NAMES = {
    "bias": ("encoder.bias", "b_enc", "latent_bias", "b_mag", "mag_bias"),
    "before": ("b_dec", "pre_bias", "b_pre", "decoder_bias", "bias"),
    "threshold": ("threshold", "thresholds", "jumprelu.threshold", "log_threshold", "topk_threshold"),
    "gate": ("b_gate", "gate_bias"),
    "magnitude": ("r_mag",),
    "k": ("k",),
}
_DECODER = ("W_dec", "w_dec", "decoder.weight")
#: Tensors that latents do not depend on: the decoder's, and what trainers count.
_UNUSED = {
    *_DECODER,
    "decoder.bias",
    "b_dec_out",
    "W_skip",
    "stats_last_nonzero",
    "group_sizes",
    "num_tokens_since_fired",
}
#: Classes and activations in libraries' words, without case and separators → the activation, and whether b_dec is subtracted.
_ARCHITECTURES: dict[str, tuple[str, bool | None]] = {
    "none": ("none", None), "identity": ("none", None), "linear": ("none", None),
    "relu": ("relu", None), "standard": ("relu", None), "topk": ("topk", None), "jumprelu": ("jumprelu", None),
    "gated": ("gated", None), "batchtopk": ("jumprelu", None), "matryoshkabatchtopk": ("jumprelu", None),
    "transcoder": ("relu", False), "skiptranscoder": ("relu", False),
    "jumprelutranscoder": ("jumprelu", False), "jumpreluskiptranscoder": ("jumprelu", False),
    "autoencoder": ("relu", True), "autoencodernew": ("relu", False), "gatedautoencoder": ("gated", True),
    "jumpreluautoencoder": ("jumprelu", False), "autoencodertopk": ("topk", True),
    "batchtopksae": ("jumprelu", True), "matryoshkabatchtopksae": ("jumprelu", True),
}  # fmt: skip
#: What must be there for an activation, and which parts it may have besides weights and biases.
_REQUIRED = {"jumprelu": ("threshold",), "gated": ("gate", "magnitude")}
#: Files beside the weights in which libraries keep what weights do not say.
_CONFIGS = ("cfg.json", "config.json")
_ADVICE = "load it with its own library and give the module to netdissect.dissect(…, projection=module)"


def read_encoder(path: Path) -> Encoder:
    """Read the encoder of a sparse autoencoder, or any linear map of units.

    Args:
        path: ``FILE.safetensors``, ``FILE.npz``, or a checkpoint that holds nothing but tensors; its ``cfg.json`` or ``config.json``
            may lie beside it.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, holds no encoder that is understood, or holds tensors that no part of one are.
    """
    checkpoint = weight_files.read_checkpoint(path)
    told = _read_metadata(checkpoint)
    head, state = _select_encoder(checkpoint)
    plain = "weight" in state and not _first_present(state, (*_WEIGHTS, *_TRANSPOSED))
    names = {role: _first_present(state, spellings) for role, spellings in _NAMES.items()}
    if plain:
        names |= {"bias": "bias" if "bias" in state else names["bias"]}
        names |= {"before": _first_present(state, [one for one in _NAMES["before"] if one != "bias"])}
    weight = _find_weight(state)
    if weight is None or weight.ndim != 2:
        raise ModelFileError(
            f"{path}: expected an encoder's weights, W_enc (U, L) or encoder.weight (L, U), got "
            f"{', '.join(map(escape_line, list(checkpoint.tensors)[:6]))}"
        )
    parts = {role: state[name] for role, name in names.items() if name is not None}
    manner = _read_encoder_config(path, parts, told, plain=plain)
    _check_all_used(path, head, state, names, manner)
    if names["threshold"] == "log_threshold":
        parts["threshold"] = parts["threshold"].exp()
    if manner.activation not in ("gated", "jumprelu"):
        parts = {role: part for role, part in parts.items() if role != "threshold"}
    if _is_true(told.get("rescale_acts_by_decoder_norm", False)):
        parts["norms"] = _decoder_norms(path, state, tuple(weight.shape))
    parts.pop("k", None)
    _check_shapes(path, parts, *weight.shape)
    used = {role: part.float().reshape(-1) for role, part in parts.items()}
    return Encoder({"weight": weight.float().contiguous(), **used}, manner)


def _select_encoder(checkpoint: Checkpoint) -> tuple[str, dict[str, torch.Tensor]]:
    """Return the tensors of the one encoder in a file, by their names behind its head; averaged ones first."""
    heads: dict[str, dict[str, torch.Tensor]] = {}
    bare: dict[str, dict[str, torch.Tensor]] = {}
    names = {name: name for name in checkpoint.tensors if not key_matching.is_training_state(name)}
    for name in names:
        for spelling in (*_WEIGHTS, *_TRANSPOSED, "weight"):
            head = name.removesuffix(spelling)
            if head != name and (not head or head.endswith(".")):
                (bare if spelling == "weight" else heads).setdefault(head, {})
                break
    heads = heads or {head: {} for head in bare if not head.endswith(("decoder.", "encoder."))}
    if not heads:
        return "", dict(checkpoint.tensors)
    ranked = sorted(heads, key=lambda head: key_matching.rank_prefix(checkpoint, head))
    best = [
        head
        for head in ranked
        if key_matching.rank_prefix(checkpoint, head) == key_matching.rank_prefix(checkpoint, ranked[0])
    ]
    if len(best) > 1:
        raise ModelFileError(
            f"{checkpoint.path} holds several encoders, behind {', '.join(map(repr, best[:4]))}, and nothing tells which "
            f"is meant: save the one that is meant alone"
        )
    outside = [name for name in names if not name.startswith(tuple(heads))]
    outside = [name for name in outside if checkpoint.tensors[name].numel() != 1]
    if outside:
        raise _unknown_tensor(checkpoint.path, outside[0])
    return best[0], {name[len(best[0]) :]: checkpoint.tensors[name] for name in names if name.startswith(best[0])}


def _read_encoder_config(
    path: Path, parts: Mapping[str, torch.Tensor], told: Mapping[str, Any], *, plain: bool
) -> EncoderConfig:
    """Put together what the file, its metadata and the configuration beside it say."""
    normalize = told.get("normalize_activations")
    normalize = "" if normalize in (None, "none", "None", False) else str(normalize)
    if normalize not in ("", *NORMALIZATIONS):
        raise ModelFileError(f"{path}: it wants its input normalized ({normalize}), which no file tells: {_ADVICE}")
    if _is_true(told.get("finetuning_scaling_factor", False)):
        raise ModelFileError(f"{path}: its latents are scaled by what finetuning found, which is not read: {_ADVICE}")
    assumed: list[str] = []
    activation, subtract = _read_activation(path, told)
    if activation is None:
        activation = _guess_activation(path, parts, told, plain=plain)
        assumed += [] if plain or activation not in ("relu", "none") else [activation]
    missing = [role for role in _REQUIRED.get(activation, ()) if role not in parts]
    if missing:
        raise ModelFileError(f"{path}: its activation is {activation}, and it holds no {missing[0]}")
    k = _read_k(parts, told) if activation == "topk" else 0
    if activation == "topk" and k < 1:
        raise ModelFileError(
            f"{path}: its activation is topk, and nothing says how many latents are active: write k into its "
            f"metadata or into cfg.json beside it"
        )
    if "before" not in parts:
        return EncoderConfig(activation, k, subtract=False, normalize=normalize, assumed=tuple(assumed))
    subtract = told.get("apply_b_dec_to_input", told.get("subtract_b_dec", subtract))
    if _is_true(told.get("transcode", False)):
        subtract = False
    if subtract is None:
        # Gemma Scope's thresholded encoders are the ones that do not.
        subtract = activation != "jumprelu"
        assumed.append("b_dec subtracted" if subtract else "b_dec not subtracted")
    return EncoderConfig(activation, k, subtract=_is_true(subtract), normalize=normalize, assumed=tuple(assumed))


def _read_activation(path: Path, told: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Return the activation that a configuration states, and whether b_dec is subtracted in what it names."""
    trainer = told.get("trainer")
    classes = [trainer.get("dict_class")] if isinstance(trainer, dict) else []
    keys = ("dict_class", "architecture", "activation", "activation_fn_str", "activation_fn")
    words = [word for word in [*classes, *(told.get(key) for key in keys)] if isinstance(word, str)]
    found = []
    for word in words:
        kind = _ARCHITECTURES.get(word.lower().replace("-", "").replace("_", ""))
        if kind is None:
            raise ModelFileError(
                f"{path}: its class or activation {escape_line(word)!r} is none that is known ({', '.join(_ARCHITECTURES)}): {_ADVICE}"
            )
        found.append(kind)
    activations = list(dict.fromkeys(kind for kind, _ in found))
    if len(activations) > 1 and "relu" in activations:
        activations.remove("relu")  # what another one does besides
    if len(activations) > 1:
        raise ModelFileError(f"{path}: what is said of it contradicts itself: {', '.join(words)}")
    return next(iter(activations), None), next((subtract for _, subtract in found if subtract is not None), None)


def _guess_activation(path: Path, parts: Mapping[str, torch.Tensor], told: Mapping[str, Any], *, plain: bool) -> str:
    """Return the activation that the parts themselves tell of."""
    if "gate" in parts or "magnitude" in parts:
        return "gated"
    if "threshold" in parts:
        if parts["threshold"].numel() == 1 and _read_k(parts, told):
            raise ModelFileError(
                f"{path}: it holds both k and a threshold, as TopK's and BatchTopK's files do, and nothing says which it "
                f'is: write "architecture": "topk" or "batchtopk" into cfg.json beside it'
            )
        return "jumprelu"
    if _read_k(parts, told):
        return "topk"
    return "none" if plain else "relu"


def _read_k(parts: Mapping[str, torch.Tensor], told: Mapping[str, Any]) -> int:
    given = None
    for inner in (told, told.get("activation_fn_kwargs"), told.get("activation_state_dict"), told.get("trainer")):
        if given is None and isinstance(inner, dict):
            given = inner.get("k")
    if given is None and "k" in parts and parts["k"].numel() == 1:
        given = parts["k"].item()
    try:
        return int(given) if given is not None else 0
    except (TypeError, ValueError, OverflowError):
        return 0


def _read_metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what the file, its metadata and the configuration beside it say; the file comes first."""
    told: dict[str, Any] = {}
    for name in _CONFIGS:
        beside = checkpoint.path.with_name(name)
        if beside.exists():
            found = read_json(beside, "an encoder's settings", missing=ModelFileError, wrong=ModelFileError)
            told = found if isinstance(found, dict) else {}
            break
    if checkpoint.path.suffix == ".safetensors":
        with safetensors.safe_open(checkpoint.path, framework="pt") as opened:
            told |= opened.metadata() or {}
    said = {
        key.rpartition(".")[2]: word
        for key, word in checkpoint.words.items()
        if not key_matching.is_training_state(key)
    }
    if str(said.get("activation")) in ("TopK", "ReLU", "Identity"):  # OpenAI's, whose top-k kind normalizes
        told |= {"activation": said["activation"], "normalize_activations": "none"}
        if said["activation"] == "TopK":
            told |= {"k": said.get("k", told.get("k")), "normalize_activations": "layer_norm"}
            if said.get("postact_fn", "ReLU") != "ReLU":
                told["activation"] = f"TopK of {said['postact_fn']}"
    return told


def _check_all_used(
    path: Path,
    head: str,
    state: Mapping[str, torch.Tensor],
    names: Mapping[str, str | None],
    manner: EncoderConfig,
) -> None:
    """Refuse a tensor that no part of this encoder is, and a part that its activation does not know."""
    weight = _first_present(state, (*_WEIGHTS, *_TRANSPOSED, "weight"))
    used = {name for name in names.values() if name is not None} | {weight}
    for name, tensor in state.items():
        harmless = name in _UNUSED or (name == "scaling_factor" and bool((tensor == 1).all()))
        if name not in used and not harmless:
            raise _unknown_tensor(path, head + name)
    needed = {"bias", "before", "k", *_REQUIRED.get(manner.activation, ())}
    for role, own in names.items():
        if own is None or role in needed:
            continue
        # Trainers of top-k kinds keep a threshold beside k, for another way of encoding.
        if role != "threshold" or manner.activation != "topk" or state[own].numel() != 1:
            raise ModelFileError(f"{path}: its activation is {manner.activation}, which has no {head}{own}: {_ADVICE}")
    if (names["bias"] in ("b_mag", "mag_bias")) != (manner.activation == "gated") and names["bias"] is not None:
        raise ModelFileError(f"{path}: its activation is {manner.activation}, which has no {head}{names['bias']}")


def _check_shapes(path: Path, parts: Mapping[str, torch.Tensor], latents: int, units: int) -> None:
    for role, part in parts.items():
        length = units if role == "before" else latents
        if part.numel() not in ((1, length) if role == "threshold" else (length,)):
            raise ModelFileError(
                f"{path}: its encoder makes {latents} latents of {units} units, and its {role} has the shape "
                f"{tuple(part.shape)}"
            )


def _decoder_norms(path: Path, state: Mapping[str, torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
    name = _first_present(state, _DECODER)
    decoder = None if name is None else state[name]
    turned = decoder.T if decoder is not None and name == "decoder.weight" else decoder
    if turned is None or tuple(turned.shape) != shape:
        raise ModelFileError(f"{path}: its latents are multiplied by the decoder's norms, and it holds no such decoder")
    norms: torch.Tensor = turned.float().norm(dim=-1)
    return norms


def _find_weight(state: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    name = _first_present(state, (*_WEIGHTS, *_TRANSPOSED, "weight"))
    if name is None:
        return None
    return state[name].T if name in _TRANSPOSED and state[name].ndim == 2 else state[name]


def _first_present(state: Mapping[str, torch.Tensor], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in state), None)


def _unknown_tensor(path: Path, name: str) -> ModelFileError:
    return ModelFileError(
        f"{path}: its tensor {escape_line(name)!r} is no part of an encoder that is known, and without it the latents would "
        f"be others: {_ADVICE}"
    )


def _is_true(value: Any) -> bool:
    return value.lower() in ("true", "1", "yes") if isinstance(value, str) else bool(value)
