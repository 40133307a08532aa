"""A network standing ready to be probed: images in, units on their grids out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import torch

from netdissect.errors import ActivationError, NetdissectError, root_message
from netdissect.networks.execution import fill_batch
from netdissect.networks.prepare import FORWARD_ERRORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netdissect.layers import Layer
    from netdissect.networks.execution import Execution
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.trace.tensor_trace import TensorTrace
    from netdissect.networks.unit_axes import UnitAxes
    from netdissect.protocols import ConceptSource

#: Network input (B, C, H, W) → raw outputs of the probed layers, in whatever shape the network gives them.
Forward = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What one forward pass on an empty image saw of a layer.

    Attributes:
        shape: of its output.
        track: what its dimensions mean; None where it does not depend on the image, or nobody could watch.
        kind: type of what gave it.
        calls: how often it ran; the last output counts.
        overwritten: whether its output was changed in place afterwards.
        note: what a reader should know.
        heads: attention heads whose outputs it holds side by side; 0 for none.
    """

    shape: tuple[int, ...]
    track: TensorTrace | None
    kind: str
    calls: int = 1
    overwritten: bool = False
    note: str = ""
    heads: int = 0


@dataclass(frozen=True, slots=True)
class ProbedLayer:
    """A layer that is probed: what it is, how its output is read, and what was seen of it."""

    layer: Layer
    reading: UnitAxes
    seen: LayerInfo


class RunnableModule(Protocol):
    """What a Source needs of its network."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def preprocess(self) -> Preprocess: ...  # noqa: D102

    @property
    def batch(self) -> int | None: ...  # noqa: D102 - images that it takes at once, where the file fixes it

    @property
    def pace(self) -> Execution | None: ...  # noqa: D102 - how it is run, where that can be chosen

    def given(self, concepts: ConceptSource, image: int, input_size: tuple[int, int]) -> NDArray[np.generic]: ...  # noqa: D102

    def running(  # noqa: D102
        self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int], device: torch.device
    ) -> contextlib.AbstractContextManager[Forward]: ...


class Probe:
    """A network standing ready: an ActivationSource. The network itself is as it was, inside the block and after it."""

    def __init__(
        self,
        network: RunnableModule,
        probed: Mapping[str, ProbedLayer],
        input_size: tuple[int, int],
        device: torch.device,
    ) -> None:
        self._network = network
        self._probed = probed
        self._device = device
        self._open = contextlib.ExitStack()
        self._run: Forward | None = None
        self._full = 0
        self.input_size = input_size
        self.layers = tuple(entry.layer for entry in probed.values())

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._run = stack.enter_context(self._network.running(self._probed, self.input_size, self._device))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._run = None
        self._open.close()

    def given(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return what the network is given for an image of a probe set."""
        return self._network.given(concepts, image, self.input_size)

    def activations(self, pictures: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, no further than its last probed layer.

        Raises:
            ActivationError: if a layer did not run on these images.
        """
        with torch.inference_mode():
            x = self._network.preprocess(move_images(pictures, self._device))
            batch = self._network.batch
            if batch is None and self._network.pace is not None and self._network.pace.compile:
                batch = self._full = max(self._full, len(x))  # a smaller batch would be compiled anew
            if batch is None:
                return self._read(x)
            parts = [self._read(fill_batch(part, batch)) for part in torch.split(x, batch)]
            return {name: torch.cat([part[name] for part in parts])[: len(x)] for name in self._probed}

    def _read(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert self._run is not None
        try:
            outputs = self._run(x)
        except NetdissectError:
            raise
        except FORWARD_ERRORS as error:
            if "memory" in str(error):  # the engine knows what to do
                raise
            raise ActivationError(f"{self._network.name} fails on these images ({root_message(error)})") from error
        for name in self._probed:
            if name not in outputs:
                raise ActivationError(
                    f"layer {name} of {self._network.name} ran on an empty picture and does not run on these: a layer "
                    f"that only some pictures reach cannot be dissected"
                )
        return {
            name: entry.reading(outputs[name].to(self._device), len(x)).float() for name, entry in self._probed.items()
        }


def move_images(pictures: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """Return images on a device; a GPU takes them when it comes to it, and nobody waits."""
    here = torch.from_numpy(pictures)
    return here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here.to(device)
