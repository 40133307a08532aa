"""Units removed from a network itself while a block runs, for evaluation loops of one's own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from netdissect.errors import ActivationError, SettingsError
from netdissect.networks.ablation.unit_removal import find_unit_removal
from netdissect.networks.layer_reading import find_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from netdissect.networks.listed_network import ListedNetwork

    N = TypeVar("N", bound=ListedNetwork)


@contextlib.contextmanager
def open_without_units(
    network: N, layer: str, units: Iterable[int] | int, to: str | ArrayLike, input_size: tuple[int, int] | None
) -> Iterator[N]:
    """Remove units of a layer of a network while the block runs (`Network.without`)."""
    entry = find_layers(network, [layer], input_size or network.input_size or (224, 224), "grid")[layer]
    removal = find_unit_removal(entry, entry.info.trace, network.name)
    removed = torch.from_numpy(_select_units(units, removal.units, layer))
    values = torch.from_numpy(_read_values(to, removal.units, layer))

    def remove(output: torch.Tensor) -> torch.Tensor:
        try:
            return removal.fill(output, removed, values)
        except RuntimeError as error:
            if "memory" in str(error):
                raise
            raise ActivationError(
                f"layer {layer} of {network.name} gives an output of shape {tuple(output.shape)}, and of shape {entry.info.shape} for "
                f"blank images: give the height and width of your images as input_size"
            ) from error

    with network.hook_layer(entry, remove):
        yield network


def _select_units(units: Iterable[int] | int, count: int, layer: str) -> NDArray[np.bool_]:
    """Return which units are meant, bool, shape (U,).

    Raises:
        SettingsError: if a number is no unit's.
    """
    removed = np.zeros(count, np.bool_)
    for unit in [units] if isinstance(units, (int, np.integer)) else units:
        if not isinstance(unit, (int, np.integer)) or not 1 <= unit <= count:
            raise SettingsError(f"layer {layer} has the units 1 to {count}, got {unit!r}: units are numbered from 1")
        removed[unit - 1] = True
    return removed


def _read_values(to: str | ArrayLike, count: int, layer: str) -> NDArray[np.float32]:
    """Return what takes the place of every unit's activations, float32, shape (U,).

    Raises:
        SettingsError: if it is neither "zero" nor a finite number for every unit.
    """
    if isinstance(to, str) and to == "zero":
        return np.zeros(count, np.float32)
    try:
        values = np.asarray(to, np.float32)
    except (TypeError, ValueError):
        values = np.zeros(0, np.float32)
    if values.shape != (count,) or not np.isfinite(values).all():
        got = repr(to) if isinstance(to, str) else f"an array of shape {values.shape}"
        raise SettingsError(
            f'to must be "zero" or {count} finite numbers, one for every unit of layer {layer}, such as their mean activations, not '
            f"{got}"
        )
    return values
