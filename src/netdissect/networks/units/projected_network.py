"""Projected networks: any network with projections attached to some of its layers."""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import torch

from netdissect.errors import ModelError, SettingsError, UnknownLayerError, suggest_nearest
from netdissect.networks.execution import DEFAULT_EXECUTION, Execution
from netdissect.networks.memory_use import MemoryUse
from netdissect.networks.units.projection import SEPARATOR, Projection, make_projection, name_projection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from netdissect.config import Geometry
    from netdissect.layers import Layer
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.networks.units.projection import Projections
    from netdissect.protocols import AblationSource, ActivationSource, ConceptSource

#: Values of latents computed at once; bounds a projection's memory in addition to its output.
_CHUNK_VALUES = 2**24


def attach_projections(
    network: Network, layers: Sequence[str], projections: Projections
) -> tuple[ProjectedNetwork, list[str]]:
    """Attach projections to layers of a network.

    Args:
        network: the network.
        layers: the layers to probe. If a layer has a projection, its latents are probed instead; to probe both, name
            ``LAYER+NAME`` too.
        projections: a module or file for every layer, or a mapping from layers to modules or files.

    Returns:
        the projected network, and the layers to probe.

    Raises:
        SettingsError: if a projection is neither a module nor a file, or its layer is not probed.
    """
    bases = [_find_base(name, projections) or name for name in layers]
    sources = dict(projections) if isinstance(projections, Mapping) else dict.fromkeys(bases, projections)
    created = {id(source): make_projection(source) for source in sources.values()}
    attached = {layer: created[id(source)] for layer, source in sources.items()}
    unused = [layer for layer in attached if layer not in bases]
    if unused:
        raise SettingsError(
            f"a projection was given for layer {unused[0]}, which is not probed: {suggest_nearest(unused[0], bases)}"
        )
    names = []
    for name, base in zip(layers, bases, strict=True):
        latents = base + SEPARATOR + attached[base].name if base in attached else name
        names.append(name if latents in layers else latents)
    return ProjectedNetwork(network, tuple(attached.items())), list(dict.fromkeys(names))


def _find_base(name: str, projections: Any) -> str | None:
    """Return LAYER of ``LAYER+NAME`` if NAME is its projection."""
    layer, _, projection = name.rpartition(SEPARATOR)
    source = projections.get(layer) if isinstance(projections, Mapping) else projections
    return layer if layer and source is not None and name_projection(source) == projection else None


@dataclass(frozen=True, eq=False, repr=False)
class ProjectedNetwork:
    """A network with projections attached to some of its layers.

    Attributes:
        network: the network.
        projections: pairs of a layer's name and a projection attached to it; a layer may have several.
    """

    network: Network
    projections: tuple[tuple[str, Projection], ...]

    @cached_property
    def _by_name(self) -> dict[str, tuple[str, Projection]]:
        return {layer + SEPARATOR + one.name: (layer, one) for layer, one in self.projections}

    @property
    def name(self) -> str:
        """Short name of the network."""
        return self.network.name

    @property
    def source(self) -> str:
        """What was typed to load the network and its projections."""
        options = dict.fromkeys(_format_option(layer, one) for layer, one in self.projections)
        return " ".join([self.network.source, *options])

    @property
    def preprocess(self) -> Preprocess:
        """How images become the network's input."""
        return self.network.preprocess

    @property
    def input_size(self) -> tuple[int, int] | None:
        """Height and width the network was trained for, if known."""
        return self.network.input_size

    @property
    def batch(self) -> int | None:
        """Images per forward pass, if the network's file fixes the number."""
        return self.network.batch

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the network's class outputs, if they are known."""
        return self.network.classes

    def with_preprocess(self, preprocess: Preprocess) -> Self:
        """Return the same network with another preprocessing."""
        return replace(self, network=self.network.with_preprocess(preprocess))

    def size_for(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of the network's input for images of this size."""
        return self.network.size_for(image_size)

    def fingerprint(self) -> str:
        """Return a hash of the network and of its projections."""
        hashed = hashlib.blake2b(self.network.fingerprint().encode(), digest_size=16)
        for name, (_, projection) in sorted(self._by_name.items()):
            hashed.update(f"{name} {projection.fingerprint()}".encode())
        return hashed.hexdigest()

    def remarks(self) -> list[str]:
        """Return what a user should know before probing the network."""
        return self.network.remarks()

    def layers(self, input_size: tuple[int, int]) -> list[Layer]:
        """Return every layer that can be probed, latents after the layer they are computed from."""
        found = []
        for layer in self.network.layers(input_size):
            found.append(layer)
            found += [one.describe_layer(layer) for base, one in self._by_name.values() if base == layer.name]
        return found

    def open_ablation(self, layer: str, input_size: tuple[int, int], *, device: torch.device) -> AblationSource:
        """Return the network prepared to give its class outputs with units of a layer of its own removed.

        Raises:
            ModelError: if the units are a projection's, or as `Network.open_ablation` does.
        """
        self._require_own_layer(layer)
        return self.network.open_ablation(layer, input_size, device=device)

    @contextlib.contextmanager
    def without(
        self,
        layer: str,
        units: Iterable[int] | int,
        to: str | ArrayLike = "zero",
        *,
        input_size: tuple[int, int] | None = None,
    ) -> Iterator[Self]:
        """Remove units of one of the network's own layers while the block runs (see `Network.without`).

        Raises:
            ModelError: if the units are a projection's.
        """
        self._require_own_layer(layer)
        with self.network.without(layer, units, to, input_size=input_size):
            yield self

    def _require_own_layer(self, layer: str) -> None:
        if layer in self._by_name:
            raise ModelError(
                f"units of {layer} cannot be removed: they are computed from layer {self._by_name[layer][0]}, and the network does "
                f"not read them; ablate that layer, without the projection"
            )

    def probe(
        self,
        layers: Sequence[str],
        input_size: tuple[int, int],
        *,
        geometry: Geometry,
        device: torch.device,
        execution: Execution = DEFAULT_EXECUTION,
    ) -> ProjectedProbe:
        """Return a probe of some layers and latents (see `Network.probe`).

        Raises:
            UnknownLayerError: if it has no such layer.
            ActivationError: if a projection does not fit its layer.
        """
        bases = {name: self._by_name[name][0] if name in self._by_name else name for name in layers}
        try:
            inner = self.network.probe(
                list(dict.fromkeys(bases.values())), input_size, geometry=geometry, device=device, execution=execution
            )
        except UnknownLayerError as error:
            more = [name for name in bases if SEPARATOR in name and name not in self._by_name]
            if not more:
                raise
            raise UnknownLayerError(f"there is no {more[0]!r}: {suggest_nearest(more[0], self._by_name)}") from error
        projections = {name: self._by_name[name][1] for name in layers if name in self._by_name}
        return ProjectedProbe(inner, bases, projections, device)


class ProjectedProbe:
    """A projected network ready to be probed: an ActivationSource that wraps the network's own."""

    def __init__(
        self,
        inner: ActivationSource,
        bases: Mapping[str, str],
        projections: Mapping[str, Projection],
        device: torch.device,
    ) -> None:
        self._inner = inner
        self._bases = bases
        self._projections = projections
        self._device = device
        self._open = contextlib.ExitStack()
        self._ready: dict[str, Projection] = {}
        plain = {layer.name: layer for layer in inner.layers}
        self.layers = tuple(
            projections[name].describe_layer(plain[base]) if name in projections else plain[base]
            for name, base in bases.items()
        )
        self.input_size = inner.input_size
        self.execution: Execution = getattr(inner, "execution", DEFAULT_EXECUTION)
        #: Memory that the network and the latents take; None if unknown.
        self.memory = self._add_latents(getattr(inner, "memory", None))

    def _add_latents(self, memory: MemoryUse | None) -> MemoryUse | None:
        latents = [4 * layer.units * layer.grid[0] * layer.grid[1] for layer in self.layers]
        return memory and MemoryUse(max(memory.largest, *latents), memory.live + sum(latents))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._inner)
            for name, projection in self._projections.items():
                module = copy.deepcopy(projection.module).eval().to(self._device)
                self._ready[name] = replace(projection, module=module)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ready = {}
        self._open.close()

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set."""
        return self._inner.model_input(concepts, image)

    def activations(self, images: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, and the projections on its activations."""
        activations = self._inner.activations(images)
        found = {}
        for layer in self.layers:
            units = activations[self._bases[layer.name]]
            projection = self._ready.get(layer.name)
            found[layer.name] = units if projection is None else _compute_latents(projection, units, layer.units)
        return found


def _format_option(layer: str, projection: Projection) -> str:
    """Return the command-line option that asks for a projection."""
    option: str | None = getattr(projection.module, "option", None)
    return option or f"--projection {layer}={projection.source}"


def _compute_latents(projection: Projection, units: torch.Tensor, latents: int) -> torch.Tensor:
    """Return the output of a projection for units, shape (B, h, w, U): latents, shape (B, h, w, L)."""
    cells = units.reshape(-1, units.shape[-1])
    found = torch.empty(len(cells), latents, dtype=torch.float32, device=units.device)
    step = max(1, _CHUNK_VALUES // latents)
    with torch.inference_mode():
        for start in range(0, len(cells), step):
            found[start : start + step] = projection(cells[start : start + step])
    return found.reshape(*units.shape[:-1], latents)
