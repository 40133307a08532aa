"""Rotations: a layer's units in another basis of the same space (paper, § 4.2; docs/method.md, § 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from netdissect.bounds import MAX_SEED, require_integer
from netdissect.errors import SettingsError, UnknownLayerError, suggest_nearest
from netdissect.networks.units.projected_network import ProjectedNetwork
from netdissect.networks.units.projection import SEPARATOR, Projection
from netdissect.stats.random_rotation import RotationPowers, align_to_axes, draw_rotation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from netdissect.layers import Layer
    from netdissect.networks.network import Network

#: Largest power; larger ones lose precision.
_MAX_POWER = 10


class Rotation(nn.Module):
    """Maps units a to Q·a, cell by cell: (…, U) → (…, U).

    Attributes:
        option: the command-line option that asks for it.

    Example:
        >>> Rotation([[0, -1], [1, 0]], seed=1)(torch.tensor([3.0, 4.0]))
        tensor([-4.,  3.])
    """

    matrix: torch.Tensor

    def __init__(self, matrix: ArrayLike, seed: int) -> None:
        """Create the rotation from Q, shape (U, U), and the seed it was drawn with."""
        super().__init__()
        self.register_buffer("matrix", torch.as_tensor(matrix, dtype=torch.float32))
        self.option = f"--rotation-seed {seed}"

    def describe(self) -> str:
        """Return a description of it."""
        return f"units rotated by powers of a random rotation ({self.option})"

    def forward(self, units: torch.Tensor) -> torch.Tensor:
        """Return Q·a for units a, shape (…, U)."""
        return units @ self.matrix.T


def name_rotated_layer(layer: str, alpha: float) -> str:
    """Return the name of a layer rotated by Q^α; without a rotation, α = 0, it keeps its name.

    >>> name_rotated_layer("conv5", 0.2), name_rotated_layer("conv5", 0)
    ('conv5+rotation-0.2', 'conv5')
    """
    return f"{layer}{SEPARATOR}rotation-{alpha:g}" if alpha else layer


def rotate_units(
    network: Network,
    layers: Sequence[str],
    known: Sequence[Layer],
    *,
    seed: int,
    alphas: Sequence[float],
    near_axes: bool = False,
) -> tuple[ProjectedNetwork, list[str]]:
    """Rotate the units of layers by powers of a random rotation.

    Args:
        network: the network.
        layers: names of the layers to rotate.
        known: the network's layers, with their number of units.
        seed: of the random rotations Q, one for each layer.
        alphas: the powers α of Q^α: 0 leaves the units as they are, 1 is Q.
        near_axes: whether Q's rows are reordered to be nearest to the axes.

    Returns:
        the network with the rotated layers, and their names, ordered by layer and then by alpha.

    Raises:
        UnknownLayerError: if the network has no such layer.
        SettingsError: if an alpha is not a number, or is given twice.
    """
    check_powers(alphas, seed)
    names = [name_rotated_layer(layer, alpha) for layer in layers for alpha in alphas]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SettingsError(f"{twice} would be probed twice: name every layer and every alpha once")
    units = {layer.name: layer.units for layer in known}
    pairs = []
    for layer in layers:
        if layer not in units:
            raise UnknownLayerError(f"there is no layer {layer!r}: {suggest_nearest(layer, units)}")
        pairs += [
            (layer, Projection(f"rotation-{alpha:g}", Rotation(power, seed), "a rotation"))
            for alpha, power in _draw_powers(units[layer], seed, alphas, near_axes=near_axes)
        ]
    return ProjectedNetwork(network, tuple(pairs)), names


def check_powers(alphas: Sequence[float], seed: int) -> None:
    """Check powers and seed.

    Raises:
        SettingsError: if an alpha is not a number, or too large.
    """
    require_integer("rotation-seed", seed, 0, MAX_SEED)
    if not alphas or not all(abs(alpha) <= _MAX_POWER for alpha in alphas):
        raise SettingsError(
            f"--alphas takes numbers from -{_MAX_POWER} to {_MAX_POWER}, such as 0 0.2 0.4 0.6 0.8 1, not "
            f"{' '.join(map(str, alphas)) or 'none'}"
        )


def _draw_powers(
    units: int, seed: int, alphas: Sequence[float], *, near_axes: bool
) -> list[tuple[float, NDArray[np.float64]]]:
    rotation = draw_rotation(units, seed)
    powers = RotationPowers.decompose(align_to_axes(rotation) if near_axes else rotation)
    return [(alpha, powers(alpha)) for alpha in alphas if alpha]
