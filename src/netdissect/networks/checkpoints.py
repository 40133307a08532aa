"""Read checkpoints, and load their weights into networks, whatever prefixes their keys have."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.errors import ModelFileError
from netdissect.io.text import escape_line
from netdissect.networks.key_matching import (
    KeyMatch,
    NetworkKeys,
    find_equal_matches,
    match_keys,
    match_translated_keys,
)
from netdissect.networks.missing_weights import disable_parts, find_missing_tail
from netdissect.networks.weight_files import read_weights_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn

    from netdissect.networks.key_matching import Translate

#: Buffers that a network computes by itself; files of other library versions may have or lack them.
_COMPUTED_BUFFERS = (
    "num_batches_tracked", "position_ids", "relative_position_index", "relative_coords_table", "attn_mask",
    "total_ops", "total_params",
)  # fmt: skip
#: Levels of nested dictionaries that are searched for tensors.
_MAX_DEPTH = 8


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The contents of a weights file, nested dictionaries flattened into keys with dots.

    Attributes:
        path: the file.
        tensors: tensors and arrays by key.
        unusable: why certain tensors cannot be used as weights, by key.
        plain_values: strings and numbers by key.
        folders: prefixes of the dictionaries that hold tensors, each with its dot; empty for the outermost one.
        keys: of the outermost dictionary.
    """

    path: Path
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    plain_values: dict[str, object] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def describe_keys(self) -> str:
        """Return the first of the outermost keys, for error messages."""
        shown = ", ".join(escape_line(key)[:60] for key in self.keys[:8])
        return shown + (f" and {len(self.keys) - 8} more" if len(self.keys) > 8 else "")


def read_checkpoint(path: Path, *, mmap: bool = False) -> Checkpoint:
    """Read a weights file.

    Args:
        path: a safetensors file, an index of several (``….index.json``), numpy's ``.npz``, or a PyTorch checkpoint.
        mmap: map a PyTorch checkpoint into memory, so that only the tensors that are used are read.

    Raises:
        ModelNotFoundError: if there is no such file.
        ModelFileError: if it is damaged, holds no tensors, or holds objects that would have to be unpickled.
    """
    loaded = read_weights_file(path, mmap=mmap)
    if not isinstance(loaded, (dict, list, tuple)):
        raise ModelFileError(f"{path}: expected a state dict of named tensors, got {type(loaded).__name__}")
    checkpoint = _flatten(path, loaded)
    if not checkpoint.tensors:
        keys = f"its keys are {checkpoint.describe_keys()}" if checkpoint.keys else "it is empty"
        raise ModelFileError(f"{path}: expected a state dict of named tensors, got a file without any: {keys}")
    return checkpoint


def load_checkpoint(
    module: nn.Module, checkpoint: Checkpoint, *, architecture: str, translate: Translate | None = None
) -> set[str]:
    """Load a checkpoint into a network of its architecture.

    Prefixes and wrappers in its keys are ignored, by the keys and shapes that the network has. Averaged weights are
    preferred to plain ones. Parts that the architecture lacks, such as a projection head, are ignored; running a
    classifier that the file lacks is an error (`missing_weights`).

    Args:
        module: the network.
        checkpoint: the file's tensors by key.
        architecture: its name, for error messages.
        translate: renames another library's keys; tried if the keys do not fit.

    Returns:
        the names of the network's tensors that the file has values for.

    Raises:
        ModelFileError: if keys or shapes do not fit, naming the first, or if two sets of weights fit equally well.
    """
    keys = NetworkKeys(module)
    matches = match_keys(checkpoint, keys)
    if translate is not None and (not matches or _find_missing(matches[0].tensors, keys)):
        translated = match_translated_keys(checkpoint, keys, module, translate)
        matches = sorted([*matches, *translated], key=lambda match: match.order)
    best = matches[0] if matches else KeyMatch("", 1)
    tensors = _add_statistics(best, matches)
    missing = _find_missing(tensors, keys)
    parts = find_missing_tail([name for name in keys.tensors if not name.endswith(_COMPUTED_BUFFERS)], missing)
    # A file with another head instead of the classifier still fits the architecture.
    ignored = tuple(f"{part}." for part in parts)
    surplus = [name for name in best.surplus if not name.endswith(_COMPUTED_BUFFERS) and not name.startswith(ignored)]
    if surplus or (missing and not parts):
        raise _make_mismatch_error(checkpoint, architecture, missing, surplus, len(keys.tensors))
    for name, tensor in tensors.items():
        if tensor.shape != keys.tensors[name].shape:
            raise ModelFileError(
                f"{checkpoint.path}: {name} has shape {tuple(tensor.shape)}, {architecture} expects "
                f"{tuple(keys.tensors[name].shape)}"
            )
    equal = find_equal_matches(matches)
    if equal:
        raise ModelFileError(
            f"{checkpoint.path} holds two sets of weights that fit {architecture}, below {best.prefix!r} and "
            f"{equal[0].prefix!r}, and nothing says which one to use: save one of them alone"
        )
    module.load_state_dict(tensors, strict=False)
    disable_parts(module, parts, str(checkpoint.path))
    return set(tensors)


def count_classes(checkpoint: Checkpoint, module: nn.Module) -> int | None:
    """Return the number of classes that weights are for; None if it is the network's own number or unknown.

    The last one-dimensional tensor of a network is assumed to be its classifier's bias.
    """
    keys = NetworkKeys(module)
    vectors = [name for name, tensor in keys.tensors.items() if tensor.ndim == 1]
    matches = match_keys(checkpoint, keys)
    if not vectors or not matches:
        return None
    bias = matches[0].tensors.get(vectors[-1])
    if bias is None or bias.ndim != 1 or bias.shape == keys.tensors[vectors[-1]].shape:
        return None
    return int(bias.shape[0])


def _find_missing(tensors: dict[str, torch.Tensor], keys: NetworkKeys) -> list[str]:
    return [name for name in keys.tensors if name not in tensors and not name.endswith(_COMPUTED_BUFFERS)]


def _add_statistics(best: KeyMatch, matches: list[KeyMatch]) -> dict[str, torch.Tensor]:
    """Return the tensors of the best match; averaged parameters without statistics get the statistics of the plain weights."""
    tensors = dict(best.tensors)
    for other in matches:
        if best.rank == 0 and (other.fitting, other.found) == (best.fitting, best.found):
            tensors = {**other.tensors, **tensors}
    return tensors


def _make_mismatch_error(
    checkpoint: Checkpoint, architecture: str, missing: list[str], surplus: list[str], total: int
) -> ModelFileError:
    if missing:
        reasons = (reason for key, reason in checkpoint.unusable.items() if key.endswith(missing[0]))
        detail = f"{missing[0]!r} is missing" + next((f" (it is {reason})" for reason in reasons), "")
    else:
        detail = f"{surplus[0]!r} is not known to it"
    return ModelFileError(
        f"{checkpoint.path} does not hold the weights of {architecture}: {detail} ({len(missing)} missing, {len(surplus)} "
        f"unknown of {total}; the file's keys are {checkpoint.describe_keys()}); is --arch right?"
    )


def _flatten(path: Path, loaded: Any) -> Checkpoint:
    """Flatten nested dictionaries and lists; of a dictionary that occurs several times, only the first occurrence is used."""
    checkpoint = Checkpoint(path, keys=tuple(str(key) for key, _ in _iterate_entries(loaded)))
    folders: list[str] = []
    seen = {id(loaded)}
    level: list[tuple[str, Any]] = [("", loaded)]
    for _ in range(_MAX_DEPTH):
        deeper: list[tuple[str, Any]] = []
        for folder, values in level:
            before = len(checkpoint.tensors)
            for name, value in _iterate_entries(values):
                key = f"{folder}{name}"
                tensor = _as_tensor(value)
                if tensor is not None:
                    checkpoint.tensors[key] = tensor
                elif isinstance(value, torch.Tensor):
                    checkpoint.unusable[key] = _explain_unusable(value)
                elif isinstance(value, (str, int, float, np.generic)):
                    checkpoint.plain_values[key] = value.item() if isinstance(value, np.generic) else value
                elif isinstance(value, (dict, list, tuple)) and id(value) not in seen:
                    seen.add(id(value))
                    deeper.append((f"{key}.", value))
            folders += [folder] if len(checkpoint.tensors) > before else []
        level = deeper
    return replace(checkpoint, folders=tuple(folders))


def _iterate_entries(values: Any) -> Iterable[tuple[Any, Any]]:
    return values.items() if isinstance(values, dict) else enumerate(values)


def _as_tensor(value: Any) -> torch.Tensor | None:
    """Return a tensor or array as a plain tensor; None if it is neither, or cannot be used as weights."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        with contextlib.suppress(TypeError):  # a dtype that torch lacks
            return torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
    return value.detach() if isinstance(value, torch.Tensor) and not _explain_unusable(value) else None


def _explain_unusable(tensor: torch.Tensor) -> str:
    """Return why a tensor cannot be used as weights; empty if it can."""
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.device.type != "cpu":
        return "without values"
    if tensor.is_quantized or tensor.is_complex():
        return "quantized" if tensor.is_quantized else "of complex numbers"
    few = tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
    return "expanded from fewer values than it has" if few else ""
