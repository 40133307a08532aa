"""The base class of networks whose layers are found by one forward pass."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import torch

from netdissect.errors import ModelError, SettingsError
from netdissect.networks.ablation.ablated_network import AblatedNetwork
from netdissect.networks.ablation.removed_units import open_without_units
from netdissect.networks.execution import DEFAULT_EXECUTION, Execution
from netdissect.networks.layer_reading import find_layers, read_units
from netdissect.networks.packed_linear import choose_linear
from netdissect.networks.probe import Probe, ProbedLayer

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from netdissect.config import Geometry
    from netdissect.layers import Layer
    from netdissect.networks.ablation.cut_forward import CutForward, Edit
    from netdissect.networks.execution import Forward
    from netdissect.networks.packed_linear import LinearCall
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.probe import LayerInfo
    from netdissect.protocols import AblationSource, ActivationSource, ConceptSource


_LOG = logging.getLogger("netdissect")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ListedNetwork(ABC):
    """A network whose layers are found by running it once on a blank input.

    Attributes:
        preprocess: how images become its input.
        name: short name, for tables and reports.
        source: what was typed to load it.
        input_size: height and width it was trained for, in pixels, if known.
        batch: images per forward pass, if its file fixes the number.
        classes: names of its class outputs, if known.
        is_traced: whether the meaning of a tensor's dimensions is traced; else it is guessed from shapes.
        takes_execution: whether precision and compilation can be chosen.
        takes_removal: whether units can be removed.
    """

    preprocess: Preprocess
    name: str
    source: str
    input_size: tuple[int, int] | None = None
    batch: int | None = None
    classes: tuple[str, ...] | None = None
    is_traced: ClassVar[bool] = True
    takes_execution: ClassVar[bool] = True
    takes_removal: ClassVar[bool] = False

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a hash of weights, structure and preprocessing."""

    @abstractmethod
    def list_names(self) -> Collection[str]:
        """Return the names of everything that may be a layer."""

    def has_layer(self, name: str) -> bool:
        """Return whether a name refers to a layer of this network."""
        return name in self.list_names()

    @abstractmethod
    def inspect(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run the network once on a blank input.

        Args:
            names: layers to inspect; None for all.
            input_size: height and width of the input.

        Returns:
            what was found of each layer that ran, in the order of computation.
        """

    @abstractmethod
    def open_forward(
        self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int], device: torch.device, execution: Execution
    ) -> contextlib.AbstractContextManager[Forward]:
        """Return a context manager that yields the function from an input to the raw outputs of the probed layers."""

    def count_linear_calls(self, probed: Mapping[str, ProbedLayer], input_size: tuple[int, int]) -> Counter[LinearCall]:  # noqa: ARG002 - torch modules alone can pack theirs
        """Return how often each product of linear layers is computed up to the last probed layer, for a blank input."""
        return Counter()

    def remarks(self) -> list[str]:
        """Return what a user should know before probing it."""
        return []

    def with_preprocess(self, preprocess: Preprocess) -> Self:
        """Return the same network with another preprocessing; the two share their weights."""
        return replace(self, preprocess=preprocess)

    def open_ablation(self, layer: str, input_size: tuple[int, int], *, device: torch.device) -> AblationSource:
        """Return the network prepared to give its class outputs with units of a layer removed (see `Network.open_ablation`)."""
        if not self.takes_removal:
            raise self._make_closed_error()
        return AblatedNetwork(self, find_layers(self, [layer], input_size, "grid")[layer], input_size, device)

    def open_class_forward(
        self, layer: ProbedLayer, input_size: tuple[int, int], device: torch.device
    ) -> contextlib.AbstractContextManager[CutForward]:
        """Return a context manager that yields the forward pass to the class outputs, in which a layer can be exchanged.

        Raises:
            ModelError: if no layer of such a network can be exchanged.
        """
        del layer, input_size, device
        raise self._make_closed_error()

    def without(
        self,
        layer: str,
        units: Iterable[int] | int,
        to: str | ArrayLike = "zero",
        *,
        input_size: tuple[int, int] | None = None,
    ) -> contextlib.AbstractContextManager[Self]:
        """Return a context manager; inside it units of a layer are removed from the network itself (see `Network.without`)."""
        if not self.takes_removal:
            raise self._make_closed_error()
        return open_without_units(self, layer, units, to, input_size)

    def hook_layer(self, layer: ProbedLayer, exchange: Edit) -> contextlib.AbstractContextManager[None]:
        """Return a context manager; inside it a layer of the network itself is exchanged.

        Raises:
            ModelError: if no layer of such a network can be exchanged.
        """
        del layer, exchange
        raise self._make_closed_error()

    def _make_closed_error(self) -> ModelError:
        return ModelError(
            f"units of {self.name} cannot be removed: nothing inside a {type(self).__name__} can be exchanged, such as an ONNX or "
            f"exported file; load it as a torch.nn.Module or a Caffe network"
        )

    def model_input(self, concepts: ConceptSource, image: int, input_size: tuple[int, int]) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set: the image, scaled."""
        return concepts.read_image(image, input_size)

    def make_blank_input(self, input_size: tuple[int, int], device: torch.device) -> torch.Tensor:
        """Return an input of two black images; with a single one, the dimension of images would look like any other of length 1."""
        black = torch.zeros((self.batch or 2, *input_size, 3), dtype=torch.uint8, device=device)
        return self.preprocess(black)

    def accepts_size(self, input_size: tuple[int, int]) -> bool:  # noqa: ARG002 - most accept any size
        """Return whether the network runs, unchanged, on inputs of a size."""
        return True

    def size_for(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the input's height and width for images of a size: what its preprocessing says, that size, or its own."""
        if self.preprocess.input_size is not None:
            return self.preprocess.input_size
        if self.input_size is None or self.input_size == image_size or self.accepts_size(image_size):
            return image_size
        return self.input_size

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return every layer whose output can be read as units on a grid, in the order of computation."""
        found = []
        for name, info in self.inspect(None, input_size).items():
            if info.trace is not None or not self.is_traced:
                entry = self.read_layer(name, info, input_size, "receptive-field")
                found += [entry.layer] if isinstance(entry, ProbedLayer) else []
        if not found:
            _LOG.warning("%s has no layer to dissect: no output has dimensions for images, rows and columns", self.name)
        return found

    def probe(
        self,
        layers: Sequence[str],
        input_size: tuple[int, int],
        *,
        geometry: Geometry,
        device: torch.device,
        execution: Execution = DEFAULT_EXECUTION,
    ) -> ActivationSource:
        """Return a probe of some layers (see `Network.probe`)."""
        asked = replace(execution, linear="torch") if execution.linear == "auto" else execution
        if asked != DEFAULT_EXECUTION and not self.takes_execution:
            raise SettingsError(
                f"{execution.option}: {self.name} always runs as its file says ({type(self).__name__}): leave the "
                f"option out, or load the network as a torch.nn.Module"
            )
        probed = find_layers(self, layers, input_size, geometry)
        linear = choose_linear(
            execution if self.takes_execution else asked, device, lambda: self.count_linear_calls(probed, input_size)
        )
        return Probe(self, probed, input_size, device, replace(execution, linear=linear))

    def read_layer(
        self, name: str, info: LayerInfo, input_size: tuple[int, int], geometry: Geometry
    ) -> ProbedLayer | str:
        """Return a layer read as units on a grid, or the reason why it cannot be."""
        return read_units(self, name, info, input_size, geometry)

    def runs_at(self, input_size: tuple[int, int]) -> bool:  # noqa: ARG002 - not every network can tell
        """Return whether the network is known to run on inputs of a size."""
        return False
