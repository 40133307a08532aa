"""A network ready to be probed: images in, activation maps of its probed layers out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from netdissect.errors import ActivationError, NetdissectError, root_message
from netdissect.networks.execution import fill_batch
from netdissect.networks.image_upload import ImageUpload
from netdissect.networks.memory_use import join_memory_uses
from netdissect.networks.module_copies import FORWARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.layers import Layer
    from netdissect.networks.execution import Execution, Forward
    from netdissect.networks.listed_network import ListedNetwork
    from netdissect.networks.memory_use import MemoryUse
    from netdissect.networks.trace.tensor_trace import TensorTrace
    from netdissect.networks.unit_axes import UnitAxes
    from netdissect.protocols import ConceptSource


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What a forward pass on a blank input shows about a layer.

    Attributes:
        shape: of its output.
        trace: meaning of the output's dimensions; None if it does not depend on the image, or was not traced.
        kind: type of the module or operation.
        calls: how often it ran; its last output is probed.
        is_overwritten: whether its output was changed in place afterwards.
        note: what a reader should know.
        heads: attention heads whose outputs it holds, one after the other; 0 for none.
        memory: what the forward pass takes as far as this layer; None if unknown.
    """

    shape: tuple[int, ...]
    trace: TensorTrace | None
    kind: str
    calls: int = 1
    is_overwritten: bool = False
    note: str = ""
    heads: int = 0
    memory: MemoryUse | None = None


@dataclass(frozen=True, slots=True)
class ProbedLayer:
    """A probed layer, the axes of its output, and what the forward pass showed about it."""

    layer: Layer
    axes: UnitAxes
    info: LayerInfo


class Probe:
    """A network ready to be probed, an ActivationSource. The network itself never changes.

    Attributes:
        execution: how it runs; what was left to the probe is chosen.
    """

    def __init__(
        self,
        network: ListedNetwork,
        probed: Mapping[str, ProbedLayer],
        input_size: tuple[int, int],
        device: torch.device,
        execution: Execution,
    ) -> None:
        self._network = network
        self._probed = probed
        self._device = device
        self._upload = ImageUpload(device)
        self.execution = execution
        self._open = contextlib.ExitStack()
        self._forward: Forward | None = None
        self._largest_batch = 0
        self.input_size = input_size
        self.layers = tuple(entry.layer for entry in probed.values())
        #: Memory that the forward pass takes; None if unknown.
        self.memory = join_memory_uses(entry.info.memory for entry in probed.values())

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._forward = stack.enter_context(
                self._network.open_forward(self._probed, self.input_size, self._device, self.execution)
            )
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._forward = None
        self._open.close()

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set."""
        return self._network.model_input(concepts, image, self.input_size)

    def activations(self, images: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, no further than its last probed layer.

        Raises:
            ActivationError: if a layer did not run on these images.
        """
        with torch.inference_mode():
            x = self._network.preprocess(self._upload(images))
            batch = self._network.batch
            if batch is None and self.execution.compile:
                batch = self._largest_batch = max(self._largest_batch, len(x))  # a smaller one would be compiled again
            if batch is None:
                return self._run(x)
            parts = [self._run(fill_batch(part, batch)) for part in torch.split(x, batch)]
            return {name: torch.cat([part[name] for part in parts])[: len(x)] for name in self._probed}

    def _run(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert self._forward is not None
        try:
            outputs = self._forward(x)
        except NetdissectError:
            raise
        except FORWARD_ERRORS as error:
            if "memory" in str(error):  # the engine halves the batch
                raise
            raise ActivationError(f"{self._network.name} fails on these images ({root_message(error)})") from error
        for name in self._probed:
            if name not in outputs:
                raise ActivationError(
                    f"layer {name} of {self._network.name} ran on a blank image and does not run on these: a layer "
                    f"that only some images reach cannot be dissected"
                )
        return {name: self._read_units(name, outputs[name], len(x)) for name in self._probed}

    def _read_units(self, name: str, output: torch.Tensor, images: int) -> torch.Tensor:
        entry = self._probed[name]
        try:
            return entry.axes(output.to(self._device), images).float()
        except RuntimeError as error:
            if "memory" in str(error):
                raise
            raise ActivationError(
                f"layer {name} of {self._network.name} gives an output of shape {tuple(output.shape)} for {images} images, "
                f"and of shape {entry.info.shape} for blank ones: a layer whose shape depends on the images cannot be "
                f"dissected"
            ) from error
