"""Read a sparse autoencoder's settings from its tensors, its file's metadata and its library's configuration file.

Settings that none of these state are guessed from the tensors, and noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import safetensors

from netdissect.errors import ModelFileError
from netdissect.io.json_files import read_json
from netdissect.io.text import escape_line
from netdissect.networks import key_matching
from netdissect.networks.units.encoder import NORMALIZATIONS, EncoderConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from netdissect.networks.checkpoints import Checkpoint

#: Libraries' names of classes and activations, in lower case without separators: the activation, and whether b_dec is subtracted.
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
#: Tensors that an activation needs.
REQUIRED_TENSORS = {"jumprelu": ("threshold",), "gated": ("gate", "magnitude")}
#: Configuration files that libraries write into the folder of the weights.
_CONFIGS = ("cfg.json", "config.json")
#: The end of error messages about encoders that are not supported.
ADVICE = "load it with its own library and give the module to netdissect.dissect(…, projection=module)"


def read_encoder_config(
    path: Path, parts: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], *, plain: bool
) -> EncoderConfig:
    """Return what an encoder does, from its metadata and tensors.

    Args:
        path: its file, for error messages.
        parts: its tensors by role.
        metadata: from `read_encoder_metadata`.
        plain: whether it is a linear map under the name ``weight``.

    Raises:
        ModelFileError: if the settings contradict each other, lack a number, or need statistics that are in no file.
    """
    normalize = metadata.get("normalize_activations")
    normalize = "" if normalize in (None, "none", "None", False) else str(normalize)
    if normalize not in ("", *NORMALIZATIONS):
        raise ModelFileError(
            f"{path}: its input must be normalized ({normalize}) with statistics that are in no file: {ADVICE}"
        )
    if is_true(metadata.get("finetuning_scaling_factor", False)):
        raise ModelFileError(f"{path}: its latents are scaled by a fine-tuned factor, which is not supported: {ADVICE}")
    assumed: list[str] = []
    activation, subtract = _read_activation(path, metadata)
    if activation is None:
        activation = _guess_activation(path, parts, metadata, plain=plain)
        assumed += [] if plain or activation not in ("relu", "none") else [activation]
    missing = [role for role in REQUIRED_TENSORS.get(activation, ()) if role not in parts]
    if missing:
        raise ModelFileError(f"{path}: its activation is {activation}, but it holds no {missing[0]}")
    k = _read_k(parts, metadata) if activation == "topk" else 0
    if activation == "topk" and k < 1:
        raise ModelFileError(
            f"{path}: its activation is topk, but nothing says how many latents are active: write k into its "
            f"metadata, or into cfg.json in its folder"
        )
    if "before" not in parts:
        return EncoderConfig(activation, k, subtract=False, normalize=normalize, assumed=tuple(assumed))
    subtract = metadata.get("apply_b_dec_to_input", metadata.get("subtract_b_dec", subtract))
    if is_true(metadata.get("transcode", False)):
        subtract = False
    if subtract is None:
        # Gemma Scope's encoders, which have thresholds, do not subtract it.
        subtract = activation != "jumprelu"
        assumed.append("b_dec subtracted" if subtract else "b_dec not subtracted")
    return EncoderConfig(activation, k, subtract=is_true(subtract), normalize=normalize, assumed=tuple(assumed))


def _read_activation(path: Path, metadata: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Return the activation that the metadata states, and whether its class subtracts b_dec; None if not stated."""
    trainer = metadata.get("trainer")
    classes = [trainer.get("dict_class")] if isinstance(trainer, dict) else []
    keys = ("dict_class", "architecture", "activation", "activation_fn_str", "activation_fn")
    words = [word for word in [*classes, *(metadata.get(key) for key in keys)] if isinstance(word, str)]
    found = []
    for word in words:
        kind = _ARCHITECTURES.get(word.lower().replace("-", "").replace("_", ""))
        if kind is None:
            raise ModelFileError(
                f"{path}: its class or activation {escape_line(word)!r} is not among the known ones ({', '.join(_ARCHITECTURES)}): {ADVICE}"
            )
        found.append(kind)
    activations = list(dict.fromkeys(kind for kind, _ in found))
    if len(activations) > 1 and "relu" in activations:
        activations.remove("relu")  # the other activations include it
    if len(activations) > 1:
        raise ModelFileError(f"{path}: its settings contradict each other: {', '.join(words)}")
    return next(iter(activations), None), next((subtract for _, subtract in found if subtract is not None), None)


def _guess_activation(
    path: Path, parts: Mapping[str, torch.Tensor], metadata: Mapping[str, Any], *, plain: bool
) -> str:
    """Return the activation that the tensors suggest."""
    if "gate" in parts or "magnitude" in parts:
        return "gated"
    if "threshold" in parts:
        if parts["threshold"].numel() == 1 and _read_k(parts, metadata):
            raise ModelFileError(
                f"{path}: it holds both k and a threshold, as TopK's and BatchTopK's files do, and nothing says which it "
                f'is: write "architecture": "topk" or "batchtopk" into cfg.json in its folder'
            )
        return "jumprelu"
    if _read_k(parts, metadata):
        return "topk"
    return "none" if plain else "relu"


def _read_k(parts: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> int:
    """Return the number of active latents that the metadata or a tensor states; 0 if neither does."""
    k = None
    places = (metadata, *(metadata.get(key) for key in ("activation_fn_kwargs", "activation_state_dict", "trainer")))
    for settings in places:
        if k is None and isinstance(settings, dict):
            k = settings.get("k")
    if k is None and "k" in parts and parts["k"].numel() == 1:
        k = parts["k"].item()
    try:
        return int(k) if k is not None else 0
    except (TypeError, ValueError, OverflowError):
        return 0


def read_encoder_metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the settings of the configuration file, overridden by the file's metadata and its plain values."""
    metadata: dict[str, Any] = {}
    for name in _CONFIGS:
        path = checkpoint.path.with_name(name)
        if path.exists():
            settings = read_json(path, "an encoder's settings", missing=ModelFileError, wrong=ModelFileError)
            metadata = settings if isinstance(settings, dict) else {}
            break
    if checkpoint.path.suffix == ".safetensors":
        with safetensors.safe_open(checkpoint.path, framework="pt") as file:
            metadata |= file.metadata() or {}
    plain_values = {
        key.rpartition(".")[2]: value
        for key, value in checkpoint.plain_values.items()
        if not key_matching.is_training_state(key)
    }
    if str(plain_values.get("activation")) in ("TopK", "ReLU", "Identity"):  # OpenAI's, whose TopK normalizes its input
        metadata |= {"activation": plain_values["activation"], "normalize_activations": "none"}
        if plain_values["activation"] == "TopK":
            metadata |= {"k": plain_values.get("k", metadata.get("k")), "normalize_activations": "layer_norm"}
            if plain_values.get("postact_fn", "ReLU") != "ReLU":
                metadata["activation"] = f"TopK of {plain_values['postact_fn']}"
    return metadata


def is_true(value: Any) -> bool:
    """Return whether a setting is true; strings such as "true" count as true."""
    return value.lower() in ("true", "1", "yes") if isinstance(value, str) else bool(value)
