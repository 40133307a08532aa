"""Records the outputs of a network's probed layers in every forward pass."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from netdissect.networks.trace.hooks import StopForward

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.probe import ProbedLayer


class OutputRecorder:
    """Keeps the last output of every probed layer; hooks call `record` (`hooks.hook_modules`)."""

    def __init__(
        self, selectors: Mapping[str, LayerSelector], probed: Mapping[str, ProbedLayer], *, stops: bool
    ) -> None:
        """Prepare to record a network.

        Args:
            selectors: what is recorded, by layer name.
            probed: the layers.
            stops: whether the forward pass ends after the last probed layer.
        """
        self._selectors = selectors
        self._probed = probed
        self._stops = stops
        self._outputs: dict[str, torch.Tensor] = {}
        self._calls: dict[str, int] = {}

    def record(self, name: str, value: Any) -> None:
        """Record the input or the output of a hooked module."""
        tensor = self._selectors[name].pick(value)
        if tensor is None:
            return
        self._calls[name] = self._calls.get(name, 0) + 1
        info = self._probed[name].info
        if self._calls[name] >= info.calls:
            # A later in-place operation must not change what was recorded.
            self._outputs[name] = tensor.clone() if info.is_overwritten else tensor
            if self._stops and len(self._outputs) == len(self._probed):
                raise StopForward

    def compute_to_the_end(self, call: Callable[[], Any]) -> Mapping[str, torch.Tensor]:
        """Run a whole forward pass and return the outputs."""
        self._outputs.clear()
        self._calls.clear()
        call()
        return dict(self._outputs)

    def compute(self, call: Callable[[], Any]) -> Mapping[str, torch.Tensor]:
        """Run a forward pass and return the outputs."""
        with contextlib.suppress(StopForward):
            self.compute_to_the_end(call)
        return dict(self._outputs)
