"""A checkpoint's weights into a network of its architecture, under whatever keys and prefixes they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import ModelFileError
from netdissect.networks import missing_weights
from netdissect.networks.readouts import Readout, ReadoutTarget, find_readouts, find_ties, find_translated_readouts

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netdissect.networks.readouts import Translate
    from netdissect.networks.weight_files import Checkpoint

#: Buffers that a network makes for itself; files of other versions have or lack them.
_COMPUTED_BUFFERS = (
    "num_batches_tracked", "position_ids", "relative_position_index", "relative_coords_table", "attn_mask",
    "total_ops", "total_params",
)  # fmt: skip


def load_checkpoint(
    module: nn.Module, checkpoint: Checkpoint, *, architecture: str, translated: Translate | None = None
) -> None:
    """Load a checkpoint into a network of its architecture.

    Whatever stands before and inside its names is found by the names and shapes that the network has; of plain and
    averaged weights the averaged ones are taken. Parts that the architecture does not have at all, such as a training
    script's second head, are left aside; a classifier that the file does not have refuses to run (`lacking`).

    Args:
        module: the network.
        checkpoint: names and tensors.
        architecture: what people call it.
        translated: makes the library's names of another's, tried where the names do not fit.

    Raises:
        ModelFileError: if names or shapes do not fit, naming the first; or if two sets of weights fit alike.
    """
    wanted = ReadoutTarget(module)
    found = find_readouts(checkpoint, wanted)
    if translated is not None and (not found or _find_missing(found[0], wanted)):
        found = sorted(
            [*found, *find_translated_readouts(checkpoint, wanted, module, translated)], key=lambda one: one.order
        )
    best = found[0] if found else Readout("", 1)
    given = _add_statistics(best, found)
    missing, told = _find_missing(best, wanted), f"{checkpoint.path} does not hold the weights of {architecture}"
    missing = [name for name in missing if name not in given]
    parts = missing_weights.find_missing_tail(
        [name for name in wanted.tensors if not name.endswith(_COMPUTED_BUFFERS)], missing
    )
    # Another head in the place of the classifier is no classifier of this architecture.
    surplus = [
        name for name in best.surplus if not name.endswith(_COMPUTED_BUFFERS) and not name.startswith(_prefixes(parts))
    ]
    if surplus or (missing and not parts):
        odd = next(
            (f" (it is {why})" for name, why in checkpoint.odd.items() if missing and name.endswith(missing[0])), ""
        )
        detail = f"{missing[0]!r} is missing{odd}" if missing else f"{surplus[0]!r} is not known to it"
        raise ModelFileError(
            f"{told}: {detail} ({len(missing)} missing, {len(surplus)} unknown of {len(wanted.tensors)}; the keys met "
            f"are {checkpoint.told()}); is --arch right?"
        )
    for name, tensor in given.items():
        if tensor.shape != wanted.tensors[name].shape:
            raise ModelFileError(
                f"{checkpoint.path}: {name} has shape {tuple(tensor.shape)}, {architecture} expects "
                f"{tuple(wanted.tensors[name].shape)}"
            )
    alike = find_ties(found)
    if alike:
        raise ModelFileError(
            f"{checkpoint.path} holds two sets of weights that fit {architecture}, behind {best.head!r} and "
            f"{alike[0].head!r}, and nothing tells which is meant: save the one that is meant alone"
        )
    module.load_state_dict(given, strict=False)
    missing_weights.disable_parts(module, parts, str(checkpoint.path))


def count_classes(checkpoint: Checkpoint, module: nn.Module) -> int | None:
    """Return how many classes weights are for, where that differs from the network's own number.

    The last vector of a network is its classifier's bias.
    """
    wanted = ReadoutTarget(module)
    last = [name for name, tensor in wanted.tensors.items() if tensor.ndim == 1]
    found = find_readouts(checkpoint, wanted)
    if not last or not found:
        return None
    bias = found[0].given.get(last[-1])
    if bias is None or bias.ndim != 1 or bias.shape == wanted.tensors[last[-1]].shape:
        return None
    return int(bias.shape[0])


def _prefixes(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{part}." for part in parts)


def _find_missing(reading: Readout, wanted: ReadoutTarget) -> list[str]:
    return [name for name in wanted.tensors if name not in reading.given and not name.endswith(_COMPUTED_BUFFERS)]


def _add_statistics(best: Readout, found: list[Readout]) -> dict[str, torch.Tensor]:
    """Return a reading's tensors; averages are often of parameters alone, and then go with the statistics beside them."""
    given = dict(best.given)
    for other in found:
        if best.rank == 0 and (other.fitting, other.named) == (best.fitting, best.named):
            given = {**other.given, **given}
    return given
