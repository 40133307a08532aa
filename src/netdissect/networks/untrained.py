"""Draw the weights of a network again, as its architecture does before training."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import ModelError, root_message
from netdissect.networks.sources.timm import build_timm_again
from netdissect.networks.sources.torchvision import call_with_seed
from netdissect.networks.sources.transformers import build_transformers_again
from netdissect.networks.torch_network import TorchNetwork
from netdissect.networks.users_attributes import get_attribute

if TYPE_CHECKING:
    from torch import nn

    from netdissect.networks.network import Network

#: Methods that draw weights, in the order in which they are called: torch's, those of attention, timm's.
_METHODS = ("_reset_parameters", "reset_parameters", "init_weights")


def draw_untrained(network: Network, seed: int) -> Network:
    """Return a network with weights drawn again; its structure, preprocessing and layers stay.

    Args:
        network: a network of a torch module; it is not changed.
        seed: of the weights.

    Raises:
        ModelError: if nothing says how its weights are drawn, such as those of an ONNX file.
    """
    if type(network) is not TorchNetwork:
        raise ModelError(
            f"{network.name} cannot be re-initialized: {type(network).__name__} has no rule to draw its weights; "
            f"give the architecture as torchvision:NAME, timm:NAME, hf:NAME, python:module:function or a prototxt"
        )
    module = draw_module(network.module, seed, network.name)
    return replace(network, module=module, source=describe_untrained(network.source, seed))


def describe_untrained(source: str, seed: int) -> str:
    """Return what was typed to load a network, followed by the seed of its random weights.

    >>> describe_untrained("torchvision:alexnet --weights random", 2)
    'torchvision:alexnet, random weights of seed 2'
    """
    return f"{source.partition(' --weights ')[0]}, random weights of seed {seed}"


def draw_module(module: nn.Module, seed: int, name: str) -> nn.Module:
    """Return a module of the same structure with untrained weights, on the CPU.

    Modules of timm and transformers are built again by their library. In a copy of any other, every part's
    ``reset_parameters`` is called, children before parents, and ``init_weights`` where a part has one.

    Args:
        module: the module; it is not changed.
        seed: of torch's random numbers.
        name: of the network, for error messages.

    Raises:
        ModelError: if it cannot be copied, a method fails, or a parameter is drawn by none.
    """
    built = build_timm_again(module, seed) or build_transformers_again(module, seed)
    if built is not None:
        return built.train(module.training)
    try:
        drawn = copy.deepcopy(module).cpu()
        _forget_weights(drawn)
        call_with_seed(seed, lambda: _call_methods(drawn))
    except Exception as error:  # users' modules may raise anything
        raise ModelError(f"{name} cannot be re-initialized ({root_message(error)}): {_ADVICE}") from error
    _require_drawn(drawn, name)
    return drawn


_ADVICE = "in Python, give netdissect.control a function that returns the untrained network, given a seed"


@torch.no_grad()
def _forget_weights(module: nn.Module) -> None:
    """Set every parameter to NaN, so that one that is not drawn again shows."""
    for parameter in module.parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.fill_(torch.nan)


@torch.no_grad()
def _call_methods(module: nn.Module) -> None:
    for part in reversed(list(module.modules())):
        for name in _METHODS:
            method = get_attribute(part, name)
            if callable(method) and _takes_nothing(method):
                method()


def _takes_nothing(method: Any) -> bool:
    """Return whether a method can be called without arguments."""
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True


def _require_drawn(module: nn.Module, name: str) -> None:
    """Require that every parameter was drawn."""
    parameters = dict(module.named_parameters())
    if not parameters:
        raise ModelError(f"{name} cannot be re-initialized: it has no weights")
    for parameter_name, parameter in parameters.items():
        if not torch.isfinite(parameter).all():
            owner = module.get_submodule(parameter_name.rpartition(".")[0])
            raise ModelError(
                f"{name} cannot be re-initialized: no method draws {parameter_name}; give {type(owner).__name__} a method "
                f"reset_parameters, or {_ADVICE}"
            )
