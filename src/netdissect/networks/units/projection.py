"""Projections: units computed from a layer's units, such as the latents of a sparse autoencoder.

``LAYER+NAME`` is the output of projection NAME on layer LAYER, cell by cell. A projected network wraps any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netdissect.errors import ActivationError, SettingsError, root_message
from netdissect.networks.fingerprint import hash_tensors
from netdissect.networks.module_copies import FORWARD_ERRORS
from netdissect.networks.sources.python import call_user_code
from netdissect.networks.trace.hooks import evaluation_mode
from netdissect.networks.units.encoder import Encoder
from netdissect.networks.units.encoder_files import read_encoder

if TYPE_CHECKING:
    from netdissect.layers import Layer

#: Projections as an argument: one for every layer, or a mapping from layers to projections.
Projections = nn.Module | str | Path | Mapping[str, nn.Module | str | Path]
#: Separates a layer's name from a projection's name.
SEPARATOR = "+"


@dataclass(frozen=True, eq=False)
class Projection:
    """A map from a layer's units to other units, (…, U) → (…, L).

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
                f"the projection {self.name} must map units (…, {x.shape[-1]}) to (…, L), every cell independently, "
                f"and it returns {got} for {tuple(x.shape)}"
            )
        return output

    def fingerprint(self) -> str:
        """Return a hash of the module's structure and weights."""
        structure = self.module.serialize_structure() if isinstance(self.module, Encoder) else repr(self.module)
        hashed = hashlib.blake2b(structure.encode(), digest_size=16)
        hash_tensors(hashed, self.module.state_dict())
        return hashed.hexdigest()

    def describe_layer(self, base: Layer) -> Layer:
        """Return the description of its output on a layer.

        Raises:
            ActivationError: if it maps another number of units.
        """
        if isinstance(self.module, Encoder) and self.module.units != base.units:
            raise ActivationError(
                f"{self.source} maps {self.module.units} units, and layer {base.name} has {base.units}: it belongs to "
                f"another layer"
            )
        tensor = next(iter([*self.module.parameters(), *self.module.buffers()]), torch.zeros(0))
        with evaluation_mode(self.module), torch.no_grad():
            units = self(torch.zeros(1, base.units, device=tensor.device)).shape[-1]
        describe = getattr(self.module, "describe", None)
        description = describe() if callable(describe) else f"{units} units of {base.units}"
        note = "; ".join(part for part in (description, base.note) if part)
        return replace(
            base, name=base.name + SEPARATOR + self.name, units=units, kind=type(self.module).__name__, note=note
        )


def name_projection(source: Any) -> str:
    """Return the name of a projection: the module's class, or the file's name without suffixes."""
    return type(source).__name__ if isinstance(source, nn.Module) else Path(str(source)).name.split(".")[0]


def make_projection(source: Any) -> Projection:
    """Return the projection of a module, or of a file of one.

    Raises:
        SettingsError: if it is neither.
    """
    if isinstance(source, nn.Module):
        return Projection(name_projection(source), source, f"the module {type(source).__name__}")
    if isinstance(source, (str, Path)):
        return Projection(name_projection(source), read_encoder(Path(source)), str(source))
    raise SettingsError(f"a projection is a torch.nn.Module or a file of one, not {type(source).__name__}")
