"""Cut forward passes of torch modules: hooks exchange a layer's output and what enters the modules around it."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdissect.networks.ablation.class_outputs import pick_class_outputs
from netdissect.networks.ablation.cut_forward import keep_output
from netdissect.networks.ablation.layer_hook import hook_output
from netdissect.networks.module_copies import find_device
from netdissect.networks.sources.python import call_user_code
from netdissect.networks.trace.hooks import StopForward, evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netdissect.networks.ablation.cut_forward import Edit
    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.probe import ProbedLayer
    from netdissect.networks.torch_network import TorchNetwork

#: Modules that compute products of weights, before which units are apart.
_PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
#: Number of the cut before the first product of weights after the layer.
_AFTER = -2


class TorchCuts:
    """The forward pass of a torch module, a CutForward; `hook` registers what it needs.

    Its cuts are the layer's output, what enters each module around the layer from the innermost to the outermost, and the
    network's input. To go on from a cut the whole module runs on two images of noise, and what passes the cut is exchanged: all
    that lies below computes two images only, and none of it reaches the class outputs.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        selector: LayerSelector,
        calls: int,
        call: Callable[[torch.Tensor], Any],
        noise: torch.Tensor,
    ) -> None:
        """Prepare to run a module.

        Args:
            modules: its submodules by qualified name, itself as ``""``.
            selector: selects the layer.
            calls: how often the layer runs; its last output is the one that counts.
            call: calls the module with an input.
            noise: an input of two images.
        """
        self._modules = modules
        self._selector = selector
        self._last_call = calls
        self._call = call
        self._noise = noise
        self._around = [name for name in _list_around(selector.module) if name in modules]
        self.cuts = ("the layer", *(f"the input of {name}" for name in self._around), "the images")
        self._after = ""
        self._calls: Counter[str] = Counter()
        self._entries: dict[str, int] = {}
        self._edit: Edit = keep_output
        self._cut = -1
        self._value: Any = None
        self._captured: Any = None
        self._softmax: tuple[Any, Any] = (None, None)

    def run(self, x: torch.Tensor, edit: Edit) -> Any:
        """Run the whole network (see `CutForward.run`)."""
        return self._pass(x, edit, -1, None)

    def capture(self, x: torch.Tensor, cut: int) -> Any:
        """Run the network as far as a cut and return what passes it."""
        if cut == len(self.cuts) - 1:
            return x
        with contextlib.suppress(StopForward):
            self._pass(x, keep_output, cut, None)
        captured, self._captured = self._captured, None
        return captured

    def resume(self, value: Any, cut: int, edit: Edit) -> Any:
        """Run the network on from a cut (see `CutForward.resume`)."""
        if cut == len(self.cuts) - 1:
            return self.run(value, edit)
        return self._pass(self._noise, edit, cut, value)

    def capture_after(self, x: torch.Tensor, edit: Edit) -> torch.Tensor | None:
        """Run the network to the first product of weights after the layer (see `CutForward.capture_after`)."""
        self._after = ""
        with contextlib.suppress(StopForward):
            self._pass(x, edit, _AFTER, None)
        captured, self._captured = self._captured, None
        return captured if isinstance(captured, torch.Tensor) else None

    def resume_after(self, value: torch.Tensor) -> Any:
        """Run the network on from the first product of weights after the layer."""
        return self._pass(self._noise, keep_output, _AFTER, value)

    def change_noise(self) -> None:
        """Exchange what is computed below a cut in `resume`."""
        self._noise = -self._noise.flip(0, -1)

    @contextlib.contextmanager
    def hook(self) -> Iterator[None]:
        """Register the hooks; afterwards they are removed."""
        with contextlib.ExitStack() as stack:
            for place, name in enumerate(self._around):
                handle = self._modules[name].register_forward_pre_hook(
                    self._make_entry_hook(place + 1), with_kwargs=True
                )
                stack.callback(handle.remove)
            for name, part in self._modules.items():
                if isinstance(part, nn.Softmax):
                    stack.callback(part.register_forward_hook(self._record_softmax).remove)
                if isinstance(part, _PRODUCTS):
                    stack.callback(part.register_forward_pre_hook(self._make_product_hook(name)).remove)
            stack.enter_context(hook_output(self._modules, self._selector, self._exchange))
            yield

    def _pass(self, x: torch.Tensor, edit: Edit, cut: int, value: Any) -> Any:
        self._calls.clear()
        self._edit, self._cut, self._value = edit, cut, value
        try:
            returned = self._call(x)
            probabilities, logits = self._softmax
            return logits if probabilities is not None and pick_class_outputs(returned) is probabilities else returned
        finally:
            self._edit, self._cut, self._value, self._softmax = keep_output, -1, None, (None, None)

    def _exchange(self, output: torch.Tensor) -> torch.Tensor:
        """Return what takes the place of the layer's output."""
        self._calls[""] += 1
        if self._calls[""] != self._last_call:
            return output
        if self._cut < 0:
            self._entries = {name: self._calls[f"/{name}"] for name in self._around}
        if self._cut == 0:
            if self._value is None:
                self._captured = output
                raise StopForward
            output = self._value
        return self._edit(output)

    def _make_entry_hook(self, cut: int) -> Callable[..., Any]:
        name = self._around[cut - 1]

        def exchange_input(_module: nn.Module, inputs: Any, keywords: Any) -> Any:
            self._calls[f"/{name}"] += 1
            if cut != self._cut or self._calls[f"/{name}"] != self._entries.get(name):
                return None
            if self._value is None:
                self._captured = (inputs, keywords)
                raise StopForward
            return self._value

        return exchange_input

    def _make_product_hook(self, name: str) -> Callable[..., Any]:
        def exchange_first(_module: nn.Module, inputs: Any) -> Any:
            is_after = self._calls[""] >= self._last_call
            if self._cut != _AFTER or not is_after or not inputs or self._after not in ("", name):
                return None
            if self._value is None:
                self._after, self._captured = name, inputs[0]
                raise StopForward
            value, self._value = self._value, None
            self._cut = -1
            return (value, *inputs[1:])

        return exchange_first

    def _record_softmax(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Record the last softmax over classes, whose input is used if its output is the network's."""
        if isinstance(module, nn.Softmax) and isinstance(output, torch.Tensor) and module.dim in (1, -1, None):
            self._softmax = (output, inputs[0]) if inputs and output.dim() == 2 else (None, None)


@contextlib.contextmanager
def open_torch_cuts(
    network: TorchNetwork, layer: ProbedLayer, input_size: tuple[int, int], device: torch.device
) -> Iterator[TorchCuts]:
    """Yield the forward pass of a prepared copy of a network, with hooks on a layer and on the modules around it."""
    name = layer.layer.name
    selectors = network.select_layers([name])
    module = network.copy_for_probing(selectors, input_size, device)
    own_device = find_device(module, device)

    def call(x: torch.Tensor) -> Any:
        converted = x.to(own_device, network.dtype, memory_format=network.layout)
        return call_user_code(network.call, module, converted)

    noise = torch.randint(0, 256, (2, *input_size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    x = network.preprocess(noise.to(own_device))
    cuts = TorchCuts(network.find_parts(module), selectors[name], layer.info.calls, call, x)
    with evaluation_mode(module), cuts.hook():
        yield cuts


def _list_around(name: str) -> list[str]:
    """Return the names of the modules around a module, the innermost first, without the whole network.

    >>> _list_around("layer4.1.conv1")
    ['layer4.1', 'layer4']
    """
    steps = name.split(".")
    return [".".join(steps[:count]) for count in range(len(steps) - 1, 0, -1)]
