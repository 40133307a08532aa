"""Find the network inside what a training calls its model, and where it can be dissected."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from netdissect.bounds import describe_type
from netdissect.errors import ModelError, SettingsError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    #: Which part of a training's model is dissected: the name of a submodule, a function that returns it, or all of it.
    Part: TypeAlias = str | Callable[[nn.Module], nn.Module] | None


def find_trained_module(model: object, part: Part = None) -> nn.Module:
    """Return the network inside the wrappers of torch.compile and data parallelism, or a part of it.

    Args:
        model: what is trained.
        part: the name of a submodule, or a function that returns a module; None takes the network itself.

    Raises:
        SettingsError: if it is no module, or has no such part.
        ModelError: if its weights are split over processes.
    """
    from torch import nn

    from netdissect.networks.load import unwrap_module

    if not isinstance(model, nn.Module):
        raise SettingsError(f"Dissect takes the torch.nn.Module that is trained, not {describe_type(model)}")
    module = unwrap_module(model)
    _require_whole(model)
    if callable(part):
        found: object = part(module)
    elif part is None:
        found = module
    else:
        names = dict(module.named_modules())
        if part not in names:
            raise SettingsError(
                f"network={part!r}: {type(module).__name__} has no such part: {suggest_nearest(part, [name for name in names if name])}"
            )
        found = names[part]
    if not isinstance(found, nn.Module):
        raise SettingsError(f"network= must give a torch.nn.Module of the model, not {describe_type(found)}")
    return unwrap_module(found)


def _require_whole(module: nn.Module) -> None:
    """Raise ModelError if the weights of a module are split over processes, as those of FSDP and of DeepSpeed's ZeRO 3."""
    splits = any(type(part).__name__ == "FullyShardedDataParallel" for part in module.modules())
    if splits or any(type(one).__name__ == "DTensor" or hasattr(one, "ds_id") for one in module.parameters()):
        raise ModelError(
            f"the weights of {type(module).__name__} are split over processes, and one process dissects a whole network: "
            "save checkpoints and dissect them with netdissect.dissect_series"
        )


def find_device_setting(module: nn.Module) -> str:
    """Return the setting ``device`` for where a module is: its GPU, else the CPU."""
    from netdissect.networks.module_copies import find_device

    device = find_device(module)
    return str(device) if device.type == "cuda" else "cpu"
