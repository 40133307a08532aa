"""Image generators as networks: the input is a latent, and cells of a layer lie on the generated image.

The probe set consists of the generator's own images, each stored with its latent (`experiments.generate`).
"""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from netdissect.errors import ActivationError, DataFileError, ModelError, SettingsError, root_message
from netdissect.networks.module_copies import FORWARD_ERRORS, find_device
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.probe import ProbedLayer
from netdissect.networks.torch_network import TorchNetwork
from netdissect.networks.trace.hooks import evaluation_mode
from netdissect.protocols import LatentSource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.config import Geometry
    from netdissect.networks.layer_names import LayerSelector
    from netdissect.networks.probe import LayerInfo
    from netdissect.protocols import ConceptSource

_GRID_NOTE = "its cells are assumed to lie evenly on the generated image"


@dataclass(frozen=True, eq=False)
class _LatentInput(Preprocess):
    """Preprocessing that leaves latents unchanged."""

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the latents as float32."""
        return latents.float()

    def describe(self) -> str:
        """Return a description for the report."""
        return "latents as they are"  # part of the fingerprint


@dataclass(frozen=True, eq=False, repr=False)
class Generator(TorchNetwork):
    """A module that generates images (B, 3, H, W) from latents (B, …).

    Attributes:
        module: the generator; it must generate the same image from a latent every time.
        latent: shape of a latent, such as ``(128,)`` or ``(100, 1, 1)``.
        span: its output for black and for white; (-1, 1) for a generator that ends in tanh.
        call: calls it with latents and returns images, alone or first in a tuple; needed if it takes more arguments.
        name: of the network; the module's class name by default.
    """

    is_traced: ClassVar[bool] = False
    takes_removal: ClassVar[bool] = False
    layout: ClassVar[torch.memory_format] = torch.contiguous_format
    latent: Sequence[int]
    _: KW_ONLY
    span: tuple[float, float] = (-1.0, 1.0)
    preprocess: Preprocess = field(default_factory=_LatentInput)
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Check the arguments.

        Raises:
            SettingsError: if it is not a module, or its span is empty.
        """
        module: object = self.module
        if not isinstance(module, nn.Module):
            raise SettingsError(f"expected a torch.nn.Module that generates images, got {type(module).__name__}")
        if self.span[0] >= self.span[1]:
            raise SettingsError(f"span is the output for black and for white, such as (-1, 1), not {self.span}")
        name = self.name or type(module).__name__
        self.__dict__.update(name=name, source=self.source or name, latent=tuple(int(size) for size in self.latent))

    def draw_latents(self, images: int, seed: int) -> NDArray[np.float32]:
        """Draw latents from a standard normal distribution, float32, shape (N, …)."""
        return np.random.default_rng(seed).standard_normal((images, *self.latent), np.float32)

    def make_images(self, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Generate images on the module's device.

        Args:
            latents: shape (B, …).

        Returns:
            RGB, uint8, shape (B, H, W, 3).

        Raises:
            ModelError: if the module fails, or returns no images.
        """
        with evaluation_mode(self.module), torch.inference_mode():
            try:
                images = self._call(self.module, torch.from_numpy(latents).to(find_device(self.module), self.dtype))
            except FORWARD_ERRORS as error:
                raise ModelError(
                    f"{self.name} does not run on latents of shape {latents.shape[1:]}: {root_message(error)}"
                ) from error
        images = images[0] if isinstance(images, (tuple, list)) and images else images
        if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.shape[1] not in (1, 3):
            got = tuple(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
            raise ModelError(f"{self.name} must return images of shape (B, 3, H, W), and returns {got}")
        low, high = self.span
        scaled = ((images.float() - low) / (high - low) * 255).round().clamp(0, 255).to(torch.uint8)
        rgb: NDArray[np.uint8] = scaled.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return rgb

    def make_blank_input(self, input_size: tuple[int, int], device: torch.device) -> torch.Tensor:  # noqa: ARG002
        """Return two random latents; for a latent of zeros, a generator may fail."""
        return torch.from_numpy(self.draw_latents(2, 0)).to(device, self.dtype)

    def inspect(self, names: Collection[str] | None, input_size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Run it once and return its layers, without traces: latents have no pixels."""
        return {name: replace(info, trace=None) for name, info in super().inspect(names, input_size).items()}

    def model_input(self, concepts: ConceptSource, image: int, input_size: tuple[int, int]) -> NDArray[np.generic]:  # noqa: ARG002
        """Return the latent that an image of a probe set was generated from.

        Raises:
            ActivationError: if the probe set has no latents.
            DataFileError: if they have another shape.
        """
        if not isinstance(concepts, LatentSource):
            raise ActivationError(
                f"{self.name} makes images from latents, and {concepts.name} has none: make a probe set of its own "
                f"images with netdissect.generate_probe_set"
            )
        latent = concepts.latent(image)
        if latent.shape != self.latent:
            raise DataFileError(
                f"{self.name} takes latents of shape {self.latent}, and those of {concepts.name} have {latent.shape}: "
                f"it was made with another generator"
            )
        return latent

    def copy_for_probing(
        self,
        selectors: Mapping[str, LayerSelector],  # noqa: ARG002 - nothing is folded
        input_size: tuple[int, int],  # noqa: ARG002 - latents have no size in pixels
        device: torch.device,
    ) -> nn.Module:
        """Return a copy on a device."""
        return copy.deepcopy(self.module).eval().to(device)

    def read_layer(
        self, name: str, info: LayerInfo, input_size: tuple[int, int], geometry: Geometry
    ) -> ProbedLayer | str:
        """Return a layer read as units on a grid, or the reason why it cannot be."""
        entry = super().read_layer(name, info, input_size, geometry)
        if not isinstance(entry, ProbedLayer) or entry.layer.grid == (1, 1):
            return entry
        return replace(entry, layer=replace(entry.layer, note=_GRID_NOTE))
