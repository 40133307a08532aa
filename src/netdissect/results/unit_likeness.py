"""How alike the units of a run are, over all its layers: by their whole concept profiles and by the images that activate them most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from netdissect.stats.unit_map import NEIGHBORS, Neighborhood, lay_out_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: Share of the profiles in the likeness; the rest is that of the images.
_PROFILE_SHARE = 0.6
#: Units compared with all others at a time.
_BLOCK = 512


def measure_likeness(layers: Sequence[LayerResult], most: int = NEIGHBORS) -> Neighborhood:
    """Return the units that are most like each unit.

    Likeness is 0.6 times the cosine of the square roots of the units' scores with all concepts, without their mean, and 0.4 times
    the Jaccard index of their strongest images (images of both / images of either).

    Args:
        layers: the layers; their units are numbered through, the layers in order.
        most: the number of units for each, at most.
    """
    profiles, images = _collect_profiles(layers), _collect_images(layers)
    count = len(profiles)
    most = max(0, min(most, count - 1))
    sizes = np.asarray(images.sum(axis=1)).ravel()
    points, likeness = np.zeros((count, most), np.int32), np.zeros((count, most), np.float32)
    for first in range(0, count, _BLOCK):
        rows = slice(first, min(first + _BLOCK, count))
        shared = (images[rows] @ images.T).toarray()
        either = np.maximum(sizes[rows, None] + sizes[None, :] - shared, 1)
        alike = _PROFILE_SHARE * (profiles[rows] @ profiles.T) + (1 - _PROFILE_SHARE) * (shared / either)
        alike[np.arange(len(alike)), np.arange(rows.start, rows.stop)] = -np.inf
        order = np.argsort(-alike, axis=1, kind="stable")[:, :most]
        points[rows], likeness[rows] = order, np.take_along_axis(alike, order, axis=1)
    return Neighborhood(points, likeness)


def place_units(layers: Sequence[LayerResult], near: Neighborhood, seed: int = 0) -> NDArray[np.float32]:
    """Return a position of every unit in a plane, float32, shape (U, 2): units that are alike lie near each other.

    Args:
        layers: the layers.
        near: their `measure_likeness`.
        seed: of the layout.
    """
    return lay_out_points(near, _find_components(_collect_profiles(layers)), seed)


def match_neighboring_layers(layers: Sequence[LayerResult], near: Neighborhood) -> NDArray[np.int32]:
    """Return for every unit the one of the layer before that is most like it and that it is most like, int32, shape (U,); -1 for none.

    Args:
        layers: the layers, in the order of the network.
        near: their `measure_likeness`; a unit that is not among the nearest of either is not found.
    """
    starts = np.cumsum([0, *(layer.layer.units for layer in layers)])
    of_layer = np.repeat(np.arange(len(layers)), np.diff(starts))
    neighbor_layer = of_layer[near.points]
    best = {step: _pick_first(near.points, neighbor_layer == of_layer[:, None] + step) for step in (-1, 1)}
    before = best[-1]
    mutual = (before >= 0) & (best[1][before] == np.arange(before.size))
    return np.where(mutual, before, -1).astype(np.int32)


def _pick_first(points: NDArray[np.int32], where: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the first point of every row for which `where` holds; -1 where there is none."""
    if not points.shape[1]:
        return np.full(len(points), -1, np.int32)
    picked = points[np.arange(len(points)), where.argmax(axis=1)]
    return np.where(where.any(axis=1), picked, -1).astype(np.int32)


def _collect_profiles(layers: Sequence[LayerResult]) -> NDArray[np.float32]:
    """Return the square roots of all scores without their mean, of length 1, float32, shape (U, C)."""
    roots = np.concatenate([np.sqrt(np.maximum(layer.scores, 0)) for layer in layers]).astype(np.float32)
    if not roots.shape[1]:
        return np.zeros((len(roots), 1), np.float32)
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-9)
    roots -= roots.mean(axis=0)
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-9)
    return roots


def _collect_images(layers: Sequence[LayerResult]) -> sparse.csr_array:
    """Return which images are among the strongest of each unit, 0 or 1, sparse, shape (U, N)."""
    rows, columns, first = [], [], 0
    for layer in layers:
        units, places = np.nonzero(layer.exemplars.images >= 0)
        rows.append(units + first)
        columns.append(layer.exemplars.images[units, places])
        first += layer.layer.units
    row, column = np.concatenate(rows), np.concatenate(columns)
    width = int(column.max(initial=0)) + 1
    return sparse.csr_array((np.ones(row.size, np.float32), (row, column)), shape=(first, width))


def _find_components(profiles: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the first two principal components of profiles, shape (U, 2); their largest entry is positive."""
    _, directions = np.linalg.eigh(profiles.T.astype(np.float64) @ profiles)
    found = profiles @ directions[:, ::-1][:, :2]
    found = np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
    largest = np.abs(found).argmax(axis=0)
    return found * np.where(found[largest, [0, 1]] < 0, -1, 1)
