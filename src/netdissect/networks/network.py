"""The interface of networks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterable, Sequence

    import torch
    from numpy.typing import ArrayLike

    from netdissect.config import Geometry
    from netdissect.layers import Layer
    from netdissect.networks.execution import Execution
    from netdissect.networks.preprocess import Preprocess
    from netdissect.protocols import AblationSource, ActivationSource


_LOG = logging.getLogger("netdissect")


class Network(Protocol):
    """Any network that can be dissected, whatever file or library it came from. It is immutable."""

    @property
    def name(self) -> str:
        """Short name, for tables and reports."""
        ...

    @property
    def source(self) -> str:
        """What was typed to load it."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """How images become its input."""
        ...

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width it was trained for, in pixels, if known."""
        ...

    @property
    def batch(self) -> int | None:
        """Images per forward pass, if its file fixes the number."""
        ...

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of its class outputs, in their order, if they are known."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of weights, structure and preprocessing."""
        ...

    def remarks(self) -> list[str]:
        """Return what a user should know before probing it, such as parts without weights."""
        ...

    def size_for(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return the input's height and width for images of a size: that size, or its own if it accepts no other."""
        ...

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return every layer that can be probed at an input size, in the order of computation."""
        ...

    def with_preprocess(self, preprocess: Preprocess) -> Self:
        """Return the same network with another preprocessing; the two share their weights."""
        ...

    def probe(
        self,
        layers: Sequence[str],
        input_size: tuple[int, int],
        *,
        geometry: Geometry,
        device: torch.device,
        execution: Execution = ...,
    ) -> ActivationSource:
        """Return a probe of some layers.

        Args:
            layers: names of the layers.
            input_size: height and width of the input in pixels.
            geometry: whether cells are placed by their receptive fields or on an even grid.
            device: where the network runs.
            execution: precision, and whether torch compiles it.

        Raises:
            UnknownLayerError: if it has no such layer.
            ActivationError: if a layer's output has no units.
            SettingsError: if it cannot be run as `execution` says.
        """
        ...

    def open_ablation(self, layer: str, input_size: tuple[int, int], *, device: torch.device) -> AblationSource:
        """Return the network prepared to give its class outputs with units of a layer removed.

        Args:
            layer: name of the layer.
            input_size: height and width of the input in pixels.
            device: where the network runs.

        Raises:
            UnknownLayerError: if it has no such layer.
            ActivationError: if the layer's output has no units.
            ModelError: if units of such a network cannot be removed; when the block is entered, if it has no class outputs or
                they do not depend on the layer.
        """
        ...

    def without(
        self,
        layer: str,
        units: Iterable[int] | int,
        to: str | ArrayLike = "zero",
        *,
        input_size: tuple[int, int] | None = None,
    ) -> contextlib.AbstractContextManager[Self]:
        """Return a context manager; inside it units of a layer are removed from the network itself, for a loop of one's own.

        Inside the block ``network.module`` computes without them; its weights stay the same, and afterwards so does all else.

        Args:
            layer: name of the layer.
            units: the units, numbered from 1.
            to: what takes the place of their activations: ``"zero"``, or a number for every unit of the layer, shape (U,).
            input_size: height and width at which the layer is looked at, in pixels; None takes the network's own, or 224 x 224.

        Raises:
            UnknownLayerError: when the block is entered, if it has no such layer.
            SettingsError: when the block is entered, if there is no such unit, or `to` is neither.
            ModelError: if units of such a network cannot be removed.
        """
        ...
