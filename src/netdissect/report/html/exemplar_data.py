"""Collect the exemplars of every unit for the page: all groups side by side, the strongest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.results.exemplar_groups import GROUP_SIZES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.exemplar_groups import ExemplarGroup
    from netdissect.results.layer_result import LayerResult


def list_groups(layer: LayerResult) -> dict[str, ExemplarGroup]:
    """Return the exemplar groups of a layer by name; none for a run without them."""
    groups = layer.groups
    return {} if groups is None else {name: getattr(groups, name) for name in GROUP_SIZES}


def describe_groups(layer: LayerResult) -> list[dict[str, Any]]:
    """Return name, first place and number of the exemplars of every group, the strongest first."""
    sizes = {name: group.images.shape[1] for name, group in list_groups(layer).items()}
    described, first = [], 0
    for name, count in {"strongest": layer.exemplars.images.shape[1], **sizes}.items():
        described.append({"name": name, "first": first, "count": int(count)})
        first += count
    return described


def find_levels(layer: LayerResult) -> slice:
    """Return the places of the exemplars at falling levels of activation; none for a run without groups."""
    found = [entry for entry in describe_groups(layer) if entry["name"] == "levels"]
    return slice(found[0]["first"], found[0]["first"] + found[0]["count"]) if found else slice(0, 0)


def count_slots(layer: LayerResult) -> int:
    """Return the number of exemplars of a unit, over all groups."""
    return sum(entry["count"] for entry in describe_groups(layer))


def collect_exemplars(layer: LayerResult) -> dict[str, NDArray[Any]]:
    """Return images, maxima and grids of all exemplars, shape (U, slots, …), and pixels and labeled if the run has groups."""
    strongest, groups = layer.exemplars, list_groups(layer).values()
    fields = ("images", "maxima", "grids")
    found = {
        name: np.concatenate([getattr(strongest, name), *(getattr(group, name) for group in groups)], axis=1)
        for name in fields
    }
    if layer.groups is None:
        return found
    for name in ("pixels", "labeled"):
        own = getattr(layer.groups, name)
        found[name] = np.concatenate([own, *(getattr(group, name) for group in groups)], axis=1).astype(np.int32)
    return found
