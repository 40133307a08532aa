"""Layers read as units on a grid, from what a forward pass on a blank input showed about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import ActivationError, UnknownLayerError, suggest_nearest
from netdissect.networks import token_grids
from netdissect.networks.layer_names import INPUT_SUFFIX
from netdissect.networks.probe import ProbedLayer
from netdissect.networks.unit_axes import describe_layer, find_unit_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.config import Geometry
    from netdissect.networks.listed_network import ListedNetwork
    from netdissect.networks.probe import LayerInfo


def find_layers(
    network: ListedNetwork, names: Sequence[str], input_size: tuple[int, int], geometry: Geometry
) -> dict[str, ProbedLayer]:
    """Return layers of a network ready to be probed, by name.

    Args:
        network: the network; it runs once on a blank input.
        names: names of the layers.
        input_size: height and width of the input in pixels.
        geometry: whether cells are placed by their receptive fields or on an even grid.

    Raises:
        UnknownLayerError: if it has no such layer.
        ActivationError: if a layer gave no tensor, or one that cannot be read as units on a grid.
    """
    for name in names:
        if not network.has_layer(name):
            raise _make_unknown_error(network, name)
    infos = network.inspect(names, input_size)
    return {name: _require_layer(network, name, infos.get(name), input_size, geometry) for name in names}


def _make_unknown_error(network: ListedNetwork, name: str) -> UnknownLayerError:
    nearest = suggest_nearest(name, network.list_names())
    return UnknownLayerError(f"{network.name} has no layer {name!r}: {nearest}")


def _require_layer(
    network: ListedNetwork, name: str, info: LayerInfo | None, input_size: tuple[int, int], geometry: Geometry
) -> ProbedLayer:
    """Return a layer ready to be probed.

    Raises:
        UnknownLayerError: if it is no part of a module's output.
        ActivationError: if it gave no tensor, or one that cannot be read as units on a grid.
    """
    if info is None and name.removesuffix(INPUT_SUFFIX) not in network.list_names():
        raise _make_unknown_error(network, name)
    if info is None:
        raise ActivationError(
            f"layer {name} of {network.name} returns no tensor in a forward pass (it never runs, or returns "
            f"something else): choose another, netdissect layers shows them"
        )
    entry = network.read_layer(name, info, input_size, geometry)
    if isinstance(entry, str):
        raise ActivationError(
            f"layer {name} of {network.name} gives an output of shape {info.shape}, which cannot be read "
            f"as units on a grid ({entry}): choose another, netdissect layers shows them"
        )
    return entry


def read_units(
    network: ListedNetwork, name: str, info: LayerInfo, input_size: tuple[int, int], geometry: Geometry
) -> ProbedLayer | str:
    """Return a layer read as units on a grid, or the reason why it cannot be."""
    if 0 in info.shape:
        return "it is empty for a blank image"
    trace, note = info.trace, ""
    if not network.is_traced:
        guess = token_grids.guess_trace(info.shape, network.batch or 2, input_size)
        if guess is None:
            return "its shape fits no grid of the input"
        trace, note = guess
    if trace is None:
        return "it does not depend on the image"
    axes = find_unit_axes(trace)
    if axes is None:
        return "its positions were lost on the way" if trace.is_lost else "some of its dimensions mix positions"
    heads = ""
    if info.heads and axes.units % info.heads == 0:
        heads = f"outputs of {info.heads} attention heads, {axes.units // info.heads} units each"
    notes = "; ".join(part for part in (heads, info.note, note) if part)
    layer = describe_layer(
        name,
        info.kind,
        axes,
        trace,
        input_size,
        geometry,
        note=notes,
        is_traced=network.is_traced,
        known=info.trace.known_paths if info.trace is not None else None,
    )
    return ProbedLayer(layer, axes, info)
