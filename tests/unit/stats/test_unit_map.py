"""The layout of points in a plane, against its definition and scikit-learn."""

import numpy as np
import pytest

from netdissect.stats import unit_map
from netdissect.stats.unit_map import (
    Neighborhood,
    compute_affinities,
    lay_out_points,
    measure_divergence,
    share_neighbors,
)


def find_neighborhood(points, k):
    distance = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    likeness = 1 - distance / (distance.max() or 1)
    np.fill_diagonal(likeness, -np.inf)
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :k].astype(np.int32)
    return Neighborhood(order, np.take_along_axis(likeness, order, axis=1).astype(np.float32)), distance


@pytest.fixture(scope="module")
def groups():
    """Four groups of 30 points in 8 dimensions, and the number of each one's group."""
    random = np.random.default_rng(5)
    middles = random.normal(0, 1, (4, 8))
    names = np.repeat(np.arange(4), 30)
    return middles[names] + random.normal(0, 0.15, (120, 8)), names


def test_affinities_are_symmetric_and_sum_to_one(groups):
    near, _ = find_neighborhood(groups[0], 60)
    whole = compute_affinities(near).toarray()
    np.testing.assert_allclose(whole, whole.T)
    assert whole.sum() == pytest.approx(1)
    assert (whole.diagonal() == 0).all()
    rows = (whole > 0).sum(axis=1)
    assert rows.min() >= 60  # its own neighbors, and those whose neighbor it is


def test_every_point_has_twenty_neighbors_in_effect(groups):
    shares = share_neighbors(find_neighborhood(groups[0], 60)[0])
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(np.exp(entropy), 20, rtol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (np.diff(shares, axis=1) <= 0).all()  # a nearer one has no smaller share


def test_the_gradient_is_that_of_the_cost(groups):
    near, _ = find_neighborhood(groups[0][:40], 12)
    affinities = compute_affinities(near)
    at = np.random.default_rng(1).normal(0, 1, 80)
    for factor in (1.0, 4.0):
        _, gradient = unit_map._evaluate(at, affinities, factor)
        for place in (0, 17, 79):
            step = np.zeros(80)
            step[place] = 1e-6
            higher, lower = (unit_map._evaluate(at + sign * step, affinities, factor)[0] for sign in (1, -1))
            assert gradient[place] == pytest.approx((higher - lower) / 2e-6, rel=1e-4, abs=1e-9)


def test_the_divergence_is_that_of_the_definition(groups):
    near, _ = find_neighborhood(groups[0][:40], 39)
    affinities = compute_affinities(near)
    places = np.random.default_rng(2).normal(0, 1, (40, 2))
    weights = 1 / (1 + ((places[:, None] - places[None]) ** 2).sum(axis=2))
    np.fill_diagonal(weights, 0)
    P, Q = affinities.toarray(), weights / weights.sum()
    on = P > 0
    assert measure_divergence(affinities, places) == pytest.approx((P[on] * np.log(P[on] / Q[on])).sum(), rel=1e-9)


def test_points_of_a_group_lie_together_and_the_map_is_wider_than_tall(groups):
    points, names = groups
    near, _ = find_neighborhood(points, 60)
    places = lay_out_points(near, points[:, :2])
    assert places.dtype == np.float32 and places.shape == (120, 2)
    assert places[:, 0].min() == pytest.approx(0, abs=1e-6) and places[:, 0].max() == pytest.approx(1, abs=1e-6)
    assert np.ptp(places[:, 1]) <= np.ptp(places[:, 0])
    distance = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :5]
    assert (names[nearest] == names[:, None]).mean() > 0.99


def test_a_map_is_as_faithful_as_that_of_scikit_learn(groups):
    manifold = pytest.importorskip("sklearn.manifold", reason="scikit-learn is not installed")
    points = np.random.default_rng(3).normal(0, 1, (150, 6)) ** 3
    near, distance = find_neighborhood(points, 60)
    root = np.sqrt(distance)
    theirs = manifold.TSNE(perplexity=20, metric="precomputed", init="random", random_state=0).fit_transform(root)
    ours = lay_out_points(near, points[:, :2])
    faith = [manifold.trustworthiness(root, places, n_neighbors=10, metric="precomputed") for places in (ours, theirs)]
    assert faith[0] > faith[1] - 0.01


def test_the_same_seed_gives_the_same_map_and_equal_points_are_apart(groups):
    points = np.concatenate([groups[0], groups[0][:5]])
    near, _ = find_neighborhood(points, 60)
    first, again = lay_out_points(near, points[:, :2], 7), lay_out_points(near, points[:, :2], 7)
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=0)) == len(points)


def test_points_beyond_the_most_lie_at_the_mean_of_their_nearest_chosen_ones(groups, monkeypatch):
    points, names = groups
    monkeypatch.setattr(unit_map, "MOST_POINTS", 80)
    near, _ = find_neighborhood(points, 60)
    places = lay_out_points(near, points[:, :2])
    assert np.isfinite(places).all()
    middles = np.stack([places[names == name].mean(axis=0) for name in range(4)])
    own = ((places - middles[names]) ** 2).sum(axis=1)
    others = ((places[:, None] - middles[None]) ** 2).sum(axis=2).min(axis=1)
    assert (own <= others + 1e-9).mean() > 0.97


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_points_have_places(count):
    points = np.random.default_rng(0).normal(0, 1, (count, 3))
    k = max(0, count - 1)
    near = (
        find_neighborhood(points, k)[0]
        if count
        else Neighborhood(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32))
    )
    places = lay_out_points(near, points[:, :2])
    assert places.shape == (count, 2) and np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count
