"""Lay points out in a plane so that those that are alike lie near each other: t-SNE, minimized by scipy's L-BFGS."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, sparse

from netdissect.compiled import cached_njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Points whose repulsion is computed exactly; the others are placed among their nearest ones of these.
MOST_POINTS = 4096
#: Effective number of neighbors of a point, and how many are stored for each.
_PERPLEXITY = 20
NEIGHBORS = 60
#: Iterations with attraction multiplied, which gathers groups, and without.
_STAGES = ((4.0, 50), (1.0, 300))
_BISECTIONS = 40
#: Spread of the initial positions, and of the random part that separates equal points before and after; the last one is a share of
#: the mean distance to the next point on a map of side 1.
_START, _JITTER, _APART = 1e-2, 1e-4, 0.05


class Neighborhood(NamedTuple):
    """The nearest points of every point.

    Attributes:
        points: their positions, the nearest first, int32, shape (n, k); a point is not its own neighbor.
        likeness: how alike they are, 1 for equal points, float32, shape (n, k).
    """

    points: NDArray[np.int32]
    likeness: NDArray[np.float32]


def lay_out_points(near: Neighborhood, start: NDArray[np.float64], seed: int = 0) -> NDArray[np.float32]:
    """Return positions in a plane at which points that are alike lie near each other (van der Maaten & Hinton, JMLR 2008).

    The attraction is that of the nearest points (van der Maaten, JMLR 2014), and the repulsion that of all, exactly.

    Args:
        near: the nearest points of each of n points.
        start: coordinates to start from, shape (n, 2), such as the first two principal components.
        seed: of the small differences between points that start at the same place, and of the choice among many points.

    Returns:
        float32, shape (n, 2), between 0 and 1 along the longer side of the map, without a meaningful scale or direction.
    """
    count, random = len(start), np.random.default_rng(seed)
    if count < 3:
        return np.stack([np.linspace(0, 1, count), np.full(count, 0.5)], axis=1).astype(np.float32)
    spread = start.std(axis=0).max()
    begun = start / (spread or 1) * _START + random.normal(0, _JITTER, start.shape)
    chosen = np.arange(count) if count <= MOST_POINTS else np.sort(random.choice(count, MOST_POINTS, replace=False))
    placed = _minimize(compute_affinities(_restrict(near, chosen)), begun[chosen])
    whole = _scale(placed if chosen.size == count else _place_others(near, chosen, placed))
    return _scale(whole + random.uniform(-1, 1, whole.shape) * _APART / np.sqrt(count)).astype(np.float32)


def compute_affinities(near: Neighborhood) -> sparse.csr_array:
    """Return the symmetric affinities of points, whose sum is 1, sparse, shape (n, n)."""
    count, k = near.points.shape
    rows = np.repeat(np.arange(count), k)
    directed = sparse.csr_array((share_neighbors(near).ravel(), (rows, near.points.ravel())), shape=(count, count))
    return sparse.csr_array((directed + directed.T) / (2 * count))


def share_neighbors(near: Neighborhood) -> NDArray[np.float64]:
    """Return each neighbor's share in a point, float64, shape (n, k); rows sum to 1.

    The distances to a point's neighbors, 1 − likeness, are scaled so that it has 20 of them in effect, or a third of fewer than 60.
    """
    count, k = near.points.shape
    distances = 1 - near.likeness.astype(np.float64)
    distances -= distances[:, :1]  # the nearest is at 0; the shares are unaffected
    low, high = np.full((count, 1), -30.0), np.full((count, 1), 30.0)
    goal = np.log(min(_PERPLEXITY, max(k / 3, 1.0)))
    shares = np.full((count, k), 1 / max(k, 1))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        shares = np.exp(-distances * np.exp(middle))
        shares /= shares.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1, keepdims=True)
        low, high = np.where(entropy > goal, middle, low), np.where(entropy > goal, high, middle)
    return shares


def measure_divergence(affinities: sparse.csr_array, positions: NDArray[np.floating]) -> float:
    """Return the Kullback-Leibler divergence that a layout minimizes: of positions' affinities, shape (n, 2), from given ones."""
    data = affinities.data[affinities.data > 0]
    cost, _ = _evaluate(np.asarray(positions, np.float64).ravel(), affinities, 1.0)
    return float(cost + (data * np.log(data)).sum())


def _restrict(near: Neighborhood, chosen: NDArray[np.int64]) -> Neighborhood:
    """Return the neighborhood among the chosen points; neighbors that were not chosen have the likeness of the last that was."""
    if chosen.size == len(near.points):
        return near
    number = np.full(len(near.points), -1, np.int32)
    number[chosen] = np.arange(chosen.size)
    points, likeness = number[near.points[chosen]], near.likeness[chosen].copy()
    likeness[points < 0] = -np.inf
    points[points < 0] = 0
    order = np.argsort(-likeness, axis=1, kind="stable")
    nearest = np.maximum(np.take_along_axis(likeness, order, axis=1), np.float32(-1e3))
    return Neighborhood(np.take_along_axis(points, order, axis=1), nearest)


def _minimize(affinities: sparse.csr_array, start: NDArray[np.float64]) -> NDArray[np.float64]:
    found = start.ravel()
    for factor, iterations in _STAGES:
        options = {"maxiter": iterations, "maxcor": 12, "maxfun": 2 * iterations}
        found = optimize.minimize(_evaluate, found, (affinities, factor), "L-BFGS-B", jac=True, options=options).x
    return np.asarray(found).reshape(-1, 2)


def _evaluate(
    flat: NDArray[np.float64], affinities: sparse.csr_array, factor: float
) -> tuple[float, NDArray[np.float64]]:
    """Return the cost of positions, up to a constant, and its gradient, both with the attraction multiplied by a factor."""
    x, y = np.ascontiguousarray(flat.reshape(-1, 2).T)
    push, total = np.zeros((2, x.size)), np.zeros(x.size)
    sum_repulsion(x, y, push, total)
    pull, cost = np.zeros((2, x.size)), np.zeros(1)
    sum_attraction(x, y, affinities.indptr, affinities.indices, affinities.data, pull, cost)
    whole = float(total.sum())
    gradient = 4 * (factor * pull - push / whole)
    return factor * float(cost[0]) + np.log(whole), gradient.T.ravel()


@cached_njit(fastmath={"reassoc", "contract", "arcp", "nsz"})
def sum_repulsion(
    x: NDArray[np.float64], y: NDArray[np.float64], push: NDArray[np.float64], total: NDArray[np.float64]
) -> None:
    """Add to `push`, shape (2, n), every point's sum of w² (y_i − y_j) over all others, and to `total`, shape (n,), that of w."""
    for i in range(x.size):
        here_x, here_y = x[i], y[i]
        sum_x, sum_y, weights = 0.0, 0.0, 0.0
        for j in range(x.size):
            across, down = here_x - x[j], here_y - y[j]
            weight = 1.0 / (1.0 + across * across + down * down)
            weights += weight
            square = weight * weight
            sum_x += square * across
            sum_y += square * down
        push[0, i] += sum_x
        push[1, i] += sum_y
        total[i] += weights - 1.0  # without the point itself


@cached_njit()
def sum_attraction(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    starts: NDArray[np.integer],
    others: NDArray[np.integer],
    affinity: NDArray[np.float64],
    pull: NDArray[np.float64],
    cost: NDArray[np.float64],
) -> None:
    """Add to `pull`, shape (2, n), every point's sum of p w (y_i − y_j) over its neighbors, and to `cost`, shape (1,), all −p log w.

    Args:
        x: first coordinates, shape (n,).
        y: second coordinates, shape (n,).
        starts: where the entries of each point start, shape (n + 1,).
        others: the neighbor of each entry.
        affinity: p of each entry.
        pull: filled.
        cost: filled.
    """
    for i in range(x.size):
        for at in range(starts[i], starts[i + 1]):
            j = others[at]
            across, down = x[i] - x[j], y[i] - y[j]
            size = 1.0 + across * across + down * down
            pull[0, i] += affinity[at] * across / size
            pull[1, i] += affinity[at] * down / size
            cost[0] += affinity[at] * np.log(size)


def _place_others(near: Neighborhood, chosen: NDArray[np.int64], placed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions of all points: those not chosen lie at the mean of their three nearest chosen ones."""
    positions = np.full((len(near.points), 2), np.nan)
    positions[chosen] = placed
    known = np.isin(near.points, chosen)
    for point in np.setdiff1d(np.arange(len(positions)), chosen):
        nearest = near.points[point][known[point]][:3]
        positions[point] = positions[nearest].mean(axis=0) if nearest.size else placed.mean(axis=0)
    return positions


def _scale(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions turned so that the map is wider than tall, between 0 and 1 along its longer side and centered in the other."""
    centered = positions - positions.mean(axis=0)
    _, directions = np.linalg.eigh(centered.T @ centered)
    turned = centered @ directions[:, ::-1]
    low, high = turned.min(axis=0), turned.max(axis=0)
    scaled: NDArray[np.float64] = (turned - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return scaled
