"""How alike units are, against a direct computation."""

import numpy as np
import pytest
from tests import made_up_runs

from netdissect.results import unit_likeness
from netdissect.results.unit_likeness import match_neighboring_layers, measure_likeness, place_units


@pytest.fixture(scope="module")
def layers():
    return list(made_up_runs.make_run((14, 20, 9), 12, pictures=30)[0].layers.values())


@pytest.fixture(scope="module")
def alike(layers):
    """The likeness of all pairs of units, computed one by one."""
    roots = np.concatenate([np.sqrt(layer.iou) for layer in layers])
    roots = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    profiles = roots - roots.mean(axis=0)
    images = [set(row.tolist()) for layer in layers for row in layer.exemplars.images]
    count = len(images)
    whole = np.zeros((count, count))
    for a in range(count):
        for b in range(count):
            cosine = profiles[a] @ profiles[b] / np.linalg.norm(profiles[a]) / np.linalg.norm(profiles[b])
            whole[a, b] = 0.6 * cosine + 0.4 * len(images[a] & images[b]) / len(images[a] | images[b])
    np.fill_diagonal(whole, -np.inf)
    return whole


@pytest.mark.parametrize("block", [5, 512])
def test_the_nearest_units_are_those_with_the_highest_likeness(layers, alike, monkeypatch, block):
    monkeypatch.setattr(unit_likeness, "_BLOCK", block)
    near = measure_likeness(layers, 7)
    assert near.points.shape == (43, 7)
    np.testing.assert_allclose(near.likeness, np.sort(alike, axis=1)[:, ::-1][:, :7], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(alike, near.points, axis=1), near.likeness, atol=1e-5)


def test_units_of_neighboring_layers_match_if_each_is_most_like_the_other(layers, alike):
    before = match_neighboring_layers(layers, measure_likeness(layers, 42))
    expected = np.full(43, -1)
    for start, middle, end in ((0, 14, 34), (14, 34, 43)):
        for unit in range(middle, end):
            other = start + alike[unit, start:middle].argmax()
            if middle + alike[other, middle:end].argmax() == unit:
                expected[unit] = other
    np.testing.assert_array_equal(before, expected)
    assert (before[:14] == -1).all() and (before >= 0).any()


def test_every_unit_has_a_place_and_alike_units_lie_nearer_than_others(layers, alike):
    near = measure_likeness(layers)
    places = place_units(layers, near)
    assert places.shape == (43, 2) and np.isfinite(places).all()
    distance = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    closest = alike.argmax(axis=1)
    off = ~np.eye(43, dtype=bool)
    assert distance[np.arange(43), closest].mean() < 0.6 * distance[off].mean()


def test_a_probe_set_without_concepts_and_a_single_unit_have_a_map():
    words = made_up_runs.make_vocabulary(1)
    for units, concepts in (((1,), 5), ((3, 1), 1)):
        found = list(made_up_runs.make_run(units, concepts, words=words if concepts == 1 else None)[0].layers.values())
        near = measure_likeness(found)
        assert place_units(found, near).shape == (sum(units), 2)
        assert match_neighboring_layers(found, near).shape == (sum(units),)
