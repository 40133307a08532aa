"""Weights from files, never by unpickling: safetensors, or state dicts that hold nothing but tensors."""

from __future__ import annotations

import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch

from netdissect.errors import ModelFileError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

#: Keys under which training scripts keep the state dict.
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights", "ema_state_dict")
#: Prefixes that wrappers leave on every name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, holds no state dict, or would have to be unpickled.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"there is no weights file {path}")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise ModelFileError(f"{path}: expected a safetensors file, got {error}") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelFileError(
            f"{path} holds more than weights (a pickled model, or objects of some training script), and opening it "
            f"would run its code: save the weights alone with torch.save(model.state_dict(), …) or as safetensors"
        ) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        zipfile.BadZipFile,
        KeyError,
        AttributeError,
        UnicodeError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(
            f"{path}: expected a PyTorch state dict, got a file that cannot be read ({reason})"
        ) from error
    return _unwrapped(path, loaded)


def _unwrapped(path: Path, loaded: Any) -> dict[str, torch.Tensor]:
    for _ in range(3):
        if not isinstance(loaded, dict):
            break
        inner = next((loaded[key] for key in _NESTED if isinstance(loaded.get(key), dict)), None)
        if inner is None:
            break
        loaded = inner
    tensors = {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor)} if isinstance(loaded, dict) else {}
    if not tensors:
        raise ModelFileError(f"{path}: expected a state dict of named tensors, got {type(loaded).__name__} without any")
    return tensors


def fit(module: nn.Module, state: Mapping[str, torch.Tensor], *, path: Path | str, architecture: str) -> None:
    """Load a state dict into a network of its architecture; wrappers' prefixes are taken off.

    Raises:
        ModelFileError: if names or shapes do not fit, naming the first.
    """
    wanted = module.state_dict()
    given = _without_prefixes(dict(state), set(wanted))
    optional = {name for name in wanted if name.endswith("num_batches_tracked")}
    missing = [name for name in wanted if name not in given and name not in optional]
    surplus = [name for name in given if name not in wanted]
    if missing or surplus:
        detail = f"{missing[0]!r} is missing" if missing else f"{surplus[0]!r} is not known to it"
        raise ModelFileError(
            f"{path} does not hold the weights of {architecture}: {detail} "
            f"({len(missing)} missing, {len(surplus)} unknown of {len(wanted)}); is --arch right?"
        )
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise ModelFileError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {architecture} expects {tuple(wanted[name].shape)}"
            )
    module.load_state_dict(given, strict=False)


def _without_prefixes(state: dict[str, torch.Tensor], wanted: set[str]) -> dict[str, torch.Tensor]:
    """Take off prefixes that all names share, while that makes more of them known."""
    best = state
    for _ in range(3):
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in best):
                shorter = {name[len(prefix) :]: tensor for name, tensor in best.items()}
                if len(wanted & set(shorter)) > len(wanted & set(best)):
                    best = shorter
    return best
