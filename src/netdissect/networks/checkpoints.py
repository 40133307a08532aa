"""Load a checkpoint's weights into a network, whatever prefixes its keys have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import ModelFileError
from netdissect.networks.key_matching import (
    KeyMatch,
    NetworkKeys,
    find_equal_matches,
    match_keys,
    match_translated_keys,
)
from netdissect.networks.missing_weights import disable_parts, find_missing_tail

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netdissect.networks.key_matching import Translate
    from netdissect.networks.weight_files import Checkpoint

#: Buffers that a network computes by itself; files of other library versions may have or lack them.
_COMPUTED_BUFFERS = (
    "num_batches_tracked", "position_ids", "relative_position_index", "relative_coords_table", "attn_mask",
    "total_ops", "total_params",
)  # fmt: skip


def load_checkpoint(
    module: nn.Module, checkpoint: Checkpoint, *, architecture: str, translate: Translate | None = None
) -> None:
    """Load a checkpoint into a network of its architecture.

    Prefixes and wrappers in its keys are ignored, by the keys and shapes that the network has. Averaged weights are
    preferred to plain ones. Parts that the architecture lacks, such as a projection head, are ignored; a classifier that
    the file lacks refuses to run (`missing_weights`).

    Args:
        module: the network.
        checkpoint: the file's tensors by key.
        architecture: its name, for error messages.
        translate: renames another library's keys; tried if the keys do not fit.

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
    # A different head in place of the classifier does not make the file one of another architecture.
    ignored = tuple(f"{part}." for part in parts)
    surplus = [name for name in best.surplus if not name.endswith(_COMPUTED_BUFFERS) and not name.startswith(ignored)]
    if surplus or (missing and not parts):
        raise _mismatch_error(checkpoint, architecture, missing, surplus, len(keys.tensors))
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
            f"{equal[0].prefix!r}, and nothing tells which one to use: save one of them alone"
        )
    module.load_state_dict(tensors, strict=False)
    disable_parts(module, parts, str(checkpoint.path))


def count_classes(checkpoint: Checkpoint, module: nn.Module) -> int | None:
    """Return the number of classes that weights are for; None if it is the network's own number or unknown.

    The last vector of a network is taken for its classifier's bias.
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
    """Return the tensors of the best match; averaged parameters without statistics get those of the plain weights."""
    tensors = dict(best.tensors)
    for other in matches:
        if best.rank == 0 and (other.fitting, other.named) == (best.fitting, best.named):
            tensors = {**other.tensors, **tensors}
    return tensors


def _mismatch_error(
    checkpoint: Checkpoint, architecture: str, missing: list[str], surplus: list[str], total: int
) -> ModelFileError:
    if missing:
        oddities = (why for key, why in checkpoint.odd.items() if key.endswith(missing[0]))
        detail = f"{missing[0]!r} is missing" + next((f" (it is {why})" for why in oddities), "")
    else:
        detail = f"{surplus[0]!r} is not known to it"
    return ModelFileError(
        f"{checkpoint.path} does not hold the weights of {architecture}: {detail} ({len(missing)} missing, {len(surplus)} "
        f"unknown of {total}; the file's keys are {checkpoint.describe_keys()}); is --arch right?"
    )
