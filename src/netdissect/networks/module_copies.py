"""Copies of a torch module: to inspect it, to trace it without values, and to run it faster. The module never changes.

The fast copy has its batch norms folded into the convolutions before them and its weights in channels last, which
halves the time of a convolutional network on a CPU. Values change in their last bits only (docs/performance.md).
"""

from __future__ import annotations

import contextlib
import copy
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from netdissect.errors import root_message
from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

M = TypeVar("M", bound=nn.Module)

#: Exceptions of a network's forward pass on inputs that it does not support.
FORWARD_ERRORS = (RuntimeError, ValueError, TypeError, AssertionError, IndexError, NotImplementedError)


def copy_sharing_weights(module: M) -> tuple[M, str]:
    """Return a copy of a network that shares its parameters and nothing else.

    Returns:
        the copy and an empty note; if the network cannot be copied, itself and a note with the reason.
    """
    memo = {id(parameter): parameter for parameter in module.parameters()}
    try:
        return _remove_compiled_call(copy.deepcopy(module, memo)), ""
    except Exception as error:  # noqa: BLE001 - a network's own __deepcopy__ may raise anything
        return module, f"the network cannot be copied ({root_message(error)}), so the network itself was run"


def prepare_module(
    module: nn.Module,
    probed: Collection[str],
    x: torch.Tensor,
    *,
    entered: Collection[str] = (),
    call: Callable[[nn.Module, torch.Tensor], Any] = lambda module, x: module(x),
    fit: Callable[[nn.Module], bool] = lambda _: True,
    device: torch.device | None = None,
) -> nn.Module:
    """Return a copy of a network in evaluation mode, folded and channels last.

    Args:
        module: the network; not changed. It is returned itself if it cannot be copied.
        probed: names of the layers whose outputs are probed; these stay the same.
        x: a blank input, shape (B, C, H, W).
        entered: names of the layers whose inputs are probed.
        call: how it is called with an input.
        fit: adapts the copy to the input's size, in place; returns False if it fails, and the copy is made again.
        device: of the copy; a network spread over several devices stays where it is.
    """
    if copy_sharing_weights(module)[1]:
        return module
    copied = _remove_compiled_call(copy.deepcopy(module))
    if not fit(copied):
        copied = _remove_compiled_call(copy.deepcopy(module))
    copied.eval()
    pairs = _find_foldable(copied, set(probed), set(entered), x, call)
    modules = dict(copied.named_modules())
    for convolution, norm in pairs:
        _fold_batch_norm(modules[convolution], modules[norm])
        parent, _, name = norm.rpartition(".")
        setattr(modules[parent], name, nn.Identity())
    for parameter in copied.parameters():
        if parameter.is_leaf:  # the copied parameters of TorchScript are none
            parameter.requires_grad = False
    laid_out: nn.Module = copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spread = len({parameter.device for parameter in module.parameters()}) > 1
    return laid_out if device is None or spread else laid_out.to(device)


def copy_to_meta(module: M) -> M:
    """Return a copy on torch's meta device, whose tensors have shapes but no values."""
    tensors = [*module.parameters(), *module.buffers()]
    memo: dict[int, Any] = {id(tensor): tensor.to("meta") for tensor in tensors}
    memo |= {id(p): nn.Parameter(memo[id(p)], requires_grad=False) for p in module.parameters()}
    return copy.deepcopy(module, memo)


def find_device(module: nn.Module, default: torch.device | None = None) -> torch.device:
    """Return the device of a module's first parameter; without parameters the default, or the CPU."""
    return next((parameter.device for parameter in module.parameters()), default or torch.device("cpu"))


def _remove_compiled_call(module: M) -> M:
    """Make a copy run as plain Python, since compiled code calls no hooks."""
    for part in module.modules():
        part._compiled_call_impl = None  # noqa: SLF001 - what Module.compile() sets
    return module


def _find_foldable(
    module: nn.Module,
    probed: set[str],
    entered: set[str],
    x: torch.Tensor,
    call: Callable[[nn.Module, torch.Tensor], Any],
) -> list[tuple[str, str]]:
    """Return (convolution, batch norm) names where only the norm reads the convolution's output."""
    convolved: dict[str, list[torch.Tensor]] = {}
    normalized: dict[str, list[torch.Tensor]] = {}
    # Modules after the probed layers may fail at this input size.
    recording, failing = _record_batch_norms(module, convolved, normalized), contextlib.suppress(*FORWARD_ERRORS)
    with recording, torch.no_grad(), failing, FieldTracer(x) as tracer:
        call(module, x)
    owners = {id(outputs[0]): name for name, outputs in convolved.items() if len(outputs) == 1}
    shared = Counter(id(parameter) for part in module.modules() for parameter in part._parameters.values())  # noqa: SLF001
    modules = dict(module.named_modules())
    pairs = []
    for norm, inputs in normalized.items():
        convolution = owners.get(id(inputs[0])) if len(inputs) == 1 else None
        if (
            convolution is not None
            and convolution not in probed
            and norm not in entered
            and tracer.count_uses(inputs[0]) == 1
            and shared[id(modules[convolution].weight)] == 1
            and modules[convolution].weight.dtype in (torch.float32, torch.float64)  # half precision would round again
        ):
            pairs.append((convolution, norm))
    return pairs


@contextlib.contextmanager
def _record_batch_norms(
    module: nn.Module, convolved: dict[str, list[torch.Tensor]], normalized: dict[str, list[torch.Tensor]]
) -> Iterator[None]:
    """Record outputs of convolutions and inputs of batch norms; they are kept, so that every ``id`` is unique."""
    handles = []

    def record_output(name: str, output: torch.Tensor) -> None:
        convolved.setdefault(name, []).append(output)

    def record_input(name: str, value: torch.Tensor) -> None:
        normalized.setdefault(name, []).append(value)

    with evaluation_mode(module):
        try:
            for name, part in module.named_modules():
                if type(part) is nn.Conv2d and _is_plain(part):
                    handles.append(
                        part.register_forward_hook(lambda _m, _i, output, name=name: record_output(name, output))
                    )
                elif type(part) is nn.BatchNorm2d and _is_plain(part) and part.running_var is not None:
                    handles.append(
                        part.register_forward_pre_hook(
                            lambda _m, inputs, keywords, name=name: record_input(
                                name, [*inputs, *keywords.values()][0]
                            ),
                            with_kwargs=True,
                        )
                    )
            yield
        finally:
            for handle in handles:
                handle.remove()


def _is_plain(part: nn.Module) -> bool:
    """Return whether a module has no hooks and no parametrizations."""
    return not (part._forward_hooks or part._forward_pre_hooks or hasattr(part, "parametrizations"))  # noqa: SLF001


def _fold_batch_norm(convolution: nn.Module, norm: nn.Module) -> None:
    """Multiply a batch norm's scale into the weights before it and move its shift into their bias, in float64."""
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = convolution.weight
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale = scale * norm.weight.double()
        shift = shift * norm.weight.double() + norm.bias.double()
    if convolution.bias is not None:
        shift = shift + convolution.bias.double() * scale
    folded = weight.double() * scale[:, None, None, None]
    convolution.weight = nn.Parameter(folded.to(weight.dtype), requires_grad=False)
    convolution.bias = nn.Parameter(shift.to(weight.dtype), requires_grad=False)
