"""Weights from files, never by unpickling: safetensors, or state dicts that hold nothing but tensors and plain values.

Training scripts keep the state dict under some key and put prefixes before every name; both are found by what the
architecture expects, not by a list of scripts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from netdissect.errors import ModelFileError, ModelNotFoundError, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

#: How names of files end that hold weights.
ENDINGS = (".pth", ".pt", ".tar", ".ckpt", ".bin", ".pkl", ".pickle", ".safetensors", ".index.json")

#: Keys under which training scripts keep the state dict; averaged weights first, since those are what was evaluated.
_NESTED = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model_state", "model",
    "teacher", "module", "network", "net", "weights", "params_ema", "params",
)  # fmt: skip


def _harmless() -> list[Any]:
    """Return plain values that training scripts keep beside the weights: paths, options, numpy's numbers and arrays.

    Torch refuses them by itself. None of them runs anything when it is made.
    """
    makers = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(0).__reduce__()[0]}
    codes = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "U1", "S1")
    return [
        argparse.Namespace,
        pathlib.PosixPath, pathlib.PurePosixPath, pathlib.PureWindowsPath, (pathlib.PureWindowsPath, "pathlib.WindowsPath"),
        np.ndarray, np.dtype, *(type(np.dtype(code)) for code in codes),
        *((maker, f"numpy.{core}.multiarray.{name}") for name, maker in makers.items() for core in ("core", "_core")),
    ]  # fmt: skip


#: What torch says of a file that asks for more than tensors and plain values; of a damaged one it says other things.
_UNSAFE = ("GLOBAL", "reduce", "allowlisted", "allowed", "blocked")


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict.

    Args:
        path: a safetensors file, its index (``*.safetensors.index.json``), or a PyTorch checkpoint.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, holds no state dict, or would have to be unpickled.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"there is no weights file {path}")
    if path.name.endswith(".index.json"):
        return _sharded(path)
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            raise ModelFileError(f"{path}: expected a safetensors file, got {error}") from error
    try:
        with torch.serialization.safe_globals(_harmless()):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        if isinstance(error, pickle.UnpicklingError) and any(word in str(error) for word in _UNSAFE):
            found = re.search(r"GLOBAL ([\w.]+)", str(error))
            raise ModelFileError(
                f"{path} holds more than weights ({found[1] if found else 'a pickled model, or objects of a script'}), "
                f"and opening it would run code from the file: where you trust it, save the weights alone with "
                f"torch.save(model.state_dict(), …) or as safetensors, and name the architecture with --arch"
            ) from error
        raise ModelFileError(
            f"{path}: expected a PyTorch state dict, got a file that cannot be read ({reason(error)})"
        ) from error
    return _unwrapped(path, loaded)


def _sharded(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict that lies in several files beside its index."""
    try:
        files = sorted(set(json.loads(path.read_text())["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelFileError(f"{path}: expected an index of safetensors files, got {error}") from error
    state: dict[str, torch.Tensor] = {}
    for name in files:
        if Path(name).name != name:
            raise ModelFileError(f"{path}: expected files beside it, got {name!r}")
        state |= read_state_dict(path.with_name(name))
    return state


def _unwrapped(path: Path, loaded: Any) -> dict[str, torch.Tensor]:
    for _ in range(4):
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


def fit(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    *,
    path: Path | str,
    architecture: str,
    translated: Callable[[dict[str, torch.Tensor], nn.Module], Mapping[str, torch.Tensor]] | None = None,
) -> None:
    """Load a state dict into a network of its architecture, whatever prefix its names carry.

    Parts that the architecture does not have at all, such as a training script's second head, are left aside.

    Args:
        module: the network.
        state: names and tensors.
        path: where they come from.
        architecture: what people call it.
        translated: makes the library's names of another's, tried where the names do not fit.

    Raises:
        ModelFileError: if names or shapes do not fit, naming the first.
    """
    wanted = module.state_dict()
    given = fitting(state, wanted)
    if translated is not None and _missing(given, wanted):
        with contextlib.suppress(Exception):  # a translation is made for certain names and may stumble over others
            other = fitting(translated(dict(given or state), module), wanted)
            given = given if _missing(other, wanted) else other
    missing = _missing(given, wanted)
    roots = {_root(name) for name in wanted}
    surplus = [name for name in given if name not in wanted and _root(name) in roots]
    if missing or surplus:
        detail = f"{missing[0]!r} is missing" if missing else f"{surplus[0]!r} is not known to it"
        raise ModelFileError(
            f"{path} does not hold the weights of {architecture}: {detail} "
            f"({len(missing)} missing, {len(surplus)} unknown of {len(wanted)}); is --arch right?"
        )
    given = {name: tensor for name, tensor in given.items() if name in wanted}
    for name, tensor in given.items():
        if tensor.shape != wanted[name].shape:
            raise ModelFileError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {architecture} expects {tuple(wanted[name].shape)}"
            )
    module.load_state_dict(given, strict=False)


def _missing(given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> list[str]:
    return [name for name in wanted if name not in given and not name.endswith(("num_batches_tracked", "position_ids"))]


def _root(name: str) -> str:
    return name.partition(".")[0]


def fitting(state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the part of a state dict whose names, less one prefix, fit an architecture best.

    Args:
        state: names and tensors, with a prefix such as ``module.``, ``model.``, ``backbone.`` or ``encoder_q.``.
        wanted: what the architecture expects.
    """
    prefixes: Counter[str] = Counter()
    for name in state:
        for cut in range(len(name)):
            if (cut == 0 or name[cut - 1] == ".") and name[cut:] in wanted:
                prefixes[name[:cut]] += 1
    if not prefixes:
        return dict(state)
    prefix = max(prefixes, key=lambda one: (prefixes[one], -len(one)))
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def classes_in(state: Mapping[str, torch.Tensor], module: nn.Module) -> int | None:
    """Return how many classes weights are for, where that differs from the network's own number.

    The last vector of a network is its classifier's bias.
    """
    wanted = module.state_dict()
    last = [name for name, tensor in wanted.items() if tensor.ndim == 1]
    if not last:
        return None
    found = fitting(state, wanted).get(last[-1])
    if found is None or found.ndim != 1 or found.shape == wanted[last[-1]].shape:
        return None
    return int(found.shape[0])
