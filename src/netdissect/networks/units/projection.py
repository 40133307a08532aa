"""Projections: units computed from a layer's units, such as the latents of a sparse autoencoder.

``LAYER+NAME`` is the output of projection NAME on layer LAYER, cell by cell. A projected network wraps any other.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from netdissect.errors import ActivationError, SettingsError, UnknownLayerError, root_message, suggest_nearest
from netdissect.networks.execution import DEFAULT_EXECUTION, Execution
from netdissect.networks.fingerprint import hash_tensors
from netdissect.networks.prepare import FORWARD_ERRORS
from netdissect.networks.sources.python import call_user_code
from netdissect.networks.trace.hooks import evaluation_mode
from netdissect.networks.units.encoder import Encoder
from netdissect.networks.units.encoder_files import read_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.config import Geometry
    from netdissect.layers import Layer
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess
    from netdissect.protocols import ActivationSource, ConceptSource

#: Projections as an argument: one for every layer, or a mapping from layers to theirs.
Projections = nn.Module | str | Path | Mapping[str, nn.Module | str | Path]
#: Separates a layer's name from a projection's.
SEPARATOR = "+"
#: Numbers computed at once, which bounds the memory that a projection needs besides its result.
_CHUNK_NUMBERS = 2**24


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of a layer's units to others, (…, U) → (…, L).

    Attributes:
        name: of the projection.
        module: the map.
        source: the file or module it comes from.
    """

    name: str
    module: nn.Module
    source: str

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return its output for units (…, U): of the module's ``encode`` if it has one, else of its forward pass.

        Raises:
            ActivationError: if that is not a tensor (…, L).
        """
        encode = getattr(self.module, "encode", None)
        try:
            output = call_user_code(encode if callable(encode) else self.module, x)
        except FORWARD_ERRORS as error:
            raise ActivationError(
                f"the projection {self.name} cannot map {x.shape[-1]} units ({root_message(error)})"
            ) from error
        if not isinstance(output, torch.Tensor) or output.shape[:-1] != x.shape[:-1] or not output.is_floating_point():
            got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise ActivationError(
                f"the projection {self.name} must map units (…, {x.shape[-1]}) to (…, L) at every place on its own, "
                f"and gives {got} for {tuple(x.shape)}"
            )
        return output

    def fingerprint(self) -> str:
        """Return a hash of the module's structure and weights."""
        hashed = hashlib.blake2b(repr(self.module).encode(), digest_size=16)
        hash_tensors(hashed, self.module.state_dict())
        return hashed.hexdigest()

    def describe_layer(self, of: Layer) -> Layer:
        """Return the description of its units on a layer.

        Raises:
            ActivationError: if it maps another number of units.
        """
        if isinstance(self.module, Encoder) and self.module.units != of.units:
            raise ActivationError(
                f"{self.source} maps {self.module.units} units, and layer {of.name} has {of.units}: it belongs to "
                f"another layer"
            )
        home = next(iter([*self.module.parameters(), *self.module.buffers()]), torch.zeros(0))
        with evaluation_mode(self.module), torch.no_grad():
            units = self(torch.zeros(1, of.units, device=home.device)).shape[-1]
        describe = getattr(self.module, "describe", None)
        description = describe() if callable(describe) else f"{units} units of {of.units}"
        note = "; ".join(part for part in (description, of.note) if part)
        return replace(
            of, name=of.name + SEPARATOR + self.name, units=units, kind=type(self.module).__name__, note=note
        )


def attach_projections(
    network: Network, layers: Sequence[str], given: Projections
) -> tuple[ProjectedNetwork, list[str]]:
    """Attach projections to layers of a network.

    Args:
        network: the network.
        layers: the layers to probe. If a layer has a projection, its latents are probed instead; to probe both, name
            ``LAYER+NAME`` too.
        given: a module or file for every layer, or a mapping from layers to modules or files.

    Returns:
        the projected network, and the layers to probe.

    Raises:
        SettingsError: if a projection is neither a module nor a file, or its layer is not probed.
    """
    bases = [_find_base(name, given) or name for name in layers]
    wanted = dict(given) if isinstance(given, Mapping) else dict.fromkeys(bases, given)
    projections = {id(one): _make_projection(one) for one in wanted.values()}
    attached = {layer: projections[id(one)] for layer, one in wanted.items()}
    idle = [layer for layer in attached if layer not in bases]
    if idle:
        raise SettingsError(
            f"a projection was given for layer {idle[0]}, which is not probed: {suggest_nearest(idle[0], bases)}"
        )
    names = []
    for name, base in zip(layers, bases, strict=True):
        latents = base + SEPARATOR + attached[base].name if base in attached else name
        names.append(name if latents in layers else latents)
    return ProjectedNetwork(network, tuple(attached.items())), list(dict.fromkeys(names))


def _find_base(name: str, given: Any) -> str | None:
    """Return LAYER of ``LAYER+NAME`` if NAME is its projection."""
    layer, _, called = name.rpartition(SEPARATOR)
    one = given.get(layer) if isinstance(given, Mapping) else given
    return layer if layer and one is not None and _name_projection(one) == called else None


def _name_projection(given: Any) -> str:
    return type(given).__name__ if isinstance(given, nn.Module) else Path(str(given)).name.split(".")[0]


def _make_projection(given: Any) -> Projection:
    if isinstance(given, nn.Module):
        return Projection(_name_projection(given), given, f"the module {type(given).__name__}")
    if isinstance(given, (str, Path)):
        return Projection(_name_projection(given), read_encoder(Path(given)), str(given))
    raise SettingsError(f"a projection is a torch.nn.Module or a file of one, not {type(given).__name__}")


@dataclass(frozen=True, eq=False, repr=False)
class ProjectedNetwork:
    """A network with projections attached to some of its layers.

    Attributes:
        network: the network.
        projections: each with the name of the layer it belongs to; a layer may have several.
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
        """Images per forward pass, if the network's file fixes that."""
        return self.network.batch

    def with_preprocess(self, preprocess: Preprocess) -> Self:
        """Return the same network with another preprocessing."""
        return replace(self, network=self.network.with_preprocess(preprocess))

    def size_for(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of the network's input for images of a size."""
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
    """A projected network ready to be probed: an ActivationSource around another."""

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

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._inner)
            for name, projection in self._projections.items():
                twin = copy.deepcopy(projection.module).eval().to(self._device)
                self._ready[name] = replace(projection, module=twin)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ready = {}
        self._open.close()

    def model_input(self, concepts: ConceptSource, image: int) -> NDArray[np.generic]:
        """Return the network's input for an image of a probe set."""
        return self._inner.model_input(concepts, image)

    def activations(self, pictures: NDArray[np.generic]) -> Mapping[str, torch.Tensor]:
        """Run the network on a batch, and the projections on its activations."""
        given = self._inner.activations(pictures)
        found = {}
        for layer in self.layers:
            units = given[self._bases[layer.name]]
            projection = self._ready.get(layer.name)
            found[layer.name] = units if projection is None else _compute_latents(projection, units, layer.units)
        return found


def _format_option(layer: str, projection: Projection) -> str:
    """Return the command-line option that asks for a projection."""
    option: str | None = getattr(projection.module, "option", None)
    return option or f"--projection {layer}={projection.source}"


def _compute_latents(projection: Projection, units: torch.Tensor, latents: int) -> torch.Tensor:
    """Return the output of a projection for units, shape (B, h, w, U): latents, shape (B, h, w, L)."""
    places = units.reshape(-1, units.shape[-1])
    found = torch.empty(len(places), latents, dtype=torch.float32, device=units.device)
    step = max(1, _CHUNK_NUMBERS // latents)
    with torch.inference_mode():
        for start in range(0, len(places), step):
            found[start : start + step] = projection(places[start : start + step])
    return found.reshape(*units.shape[:-1], latents)
