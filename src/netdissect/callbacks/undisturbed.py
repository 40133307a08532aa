"""Leave a training as it was: random numbers, modes of modules, gradients, and switches of torch."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

#: Kinds of devices, besides the CPU, whose random numbers are restored and whose autocast is turned off.
_DEVICES = ("cuda", "xpu", "mps")


@contextlib.contextmanager
def leave_undisturbed(module: nn.Module) -> Iterator[None]:
    """Return a context manager; inside it torch computes as it does outside of a training, and afterwards all is as before.

    Inside, autocast, inference mode and deterministic algorithms are off, the default type is float32, and a forward pass that
    accelerate has wrapped in autocast is the module's own. Afterwards the states of random numbers (Python's, numpy's, torch's on
    every device), the mode of every submodule, ``requires_grad`` of every parameter, the grad mode and the number of threads are
    what they were.

    Args:
        module: the network that is trained, without wrappers.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_keep_random_states())
        stack.enter_context(_keep_module(module))
        stack.enter_context(_keep_switches())
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", *_DEVICES):
            if torch.amp.is_autocast_available(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


@contextlib.contextmanager
def _keep_random_states() -> Iterator[None]:
    python, arrays, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - the global one is kept
    others = {name: _read_device_states(name) for name in _DEVICES}
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)  # noqa: NPY002
        torch.set_rng_state(cpu)
        for name, states in others.items():
            backend: Any = getattr(torch, name)
            for index, state in enumerate(states):
                backend.set_rng_state(state, *(() if name == "mps" else (index,)))


def _read_device_states(name: str) -> list[torch.Tensor]:
    """Return the states of random numbers of all devices of a kind; none for a kind that was never used."""
    backend: Any = getattr(torch, name)
    if not backend.is_available() or (hasattr(backend, "is_initialized") and not backend.is_initialized()):
        return []
    return [backend.get_rng_state()] if name == "mps" else list(backend.get_rng_state_all())


@contextlib.contextmanager
def _keep_module(module: nn.Module) -> Iterator[None]:
    """Restore modes and ``requires_grad`` at the end; until then run the forward pass without accelerate's autocast."""
    modes = [(part, part.training) for part in module.modules()]
    learned = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    own, wrapped = (module.__dict__.get(name) for name in ("_original_forward", "forward"))
    if own is not None and wrapped is not None:
        module.__dict__["forward"] = own
    try:
        yield
    finally:
        if own is not None and wrapped is not None:
            module.__dict__["forward"] = wrapped
        for part, training in modes:
            part.training = training
        for parameter, requires in learned:
            if parameter.requires_grad != requires:
                parameter.requires_grad_(requires)


@contextlib.contextmanager
def _keep_switches() -> Iterator[None]:
    """Turn deterministic algorithms off and make float32 the default; restore both, and the number of threads, at the end."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    is_strict, warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    try:
        torch.use_deterministic_algorithms(mode=False)
        torch.set_default_dtype(torch.float32)
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(is_strict, warn_only=warns)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
