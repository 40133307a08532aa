"""Floors rise with the shards a worker scans; exemplars do not depend on them."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine import scan as scanning
from netdissect.engine.exemplar_floors import ExemplarFloors
from netdissect.engine.plan import Plan
from netdissect.layers import FieldMap
from netdissect.stats.top_images import TopImages


def make_maxima(*rows):
    return {"l": np.array(rows, np.float32)}


def test_the_floor_is_the_lowest_of_the_k_highest_maxima_of_all_shards():
    floors = ExemplarFloors()
    assert floors.raise_floor("l", None) is None
    floors.add(3, make_maxima([5, 1], [2, -np.inf]))
    assert floors.raise_floor("l", None).tolist() == [1, -np.inf]
    floors.add(4, make_maxima([4, 3], [7, -np.inf]))
    assert floors.raise_floor("l", None).tolist() == [4, 2]
    assert floors.raise_floor("l", np.array([9, 0], np.float32)).tolist() == [9, 2]
    assert floors.raise_floor("other", np.array([9], np.float32)).tolist() == [9]


def test_a_shard_that_is_scanned_twice_raises_the_floor_once():
    floors = ExemplarFloors()
    for _ in range(2):
        floors.add(0, make_maxima([5, 1]))
    assert floors.raise_floor("l", None).tolist() == [1]


def test_without_exemplars_there_is_no_floor_to_keep():
    floors = ExemplarFloors()
    floors.add(0, {"l": np.zeros((3, 0), np.float32)})
    assert floors.raise_floor("l", None).tolist() == [np.inf] * 3


@pytest.mark.parametrize("k", [0, 1, 3, 30])
def test_exemplars_are_the_same_for_any_division_into_shards(k, monkeypatch):
    rng = np.random.default_rng(k)
    values = np.round(rng.normal(size=(60, 6, 4, 4)), 1).astype(np.float32)  # many maxima are equal
    values[:, 1] = 0
    entries = [Labels(np.ones((1, 16, 16), np.uint16), np.zeros(0, np.int64)) for _ in range(60)]
    concepts = fakes.ArrayConcepts(fakes.make_vocabulary(3), entries, (16, 16))
    layer = fakes.make_layer("l", values, FieldMap((0, 0), (4, 4), (4, 4)))
    copied = []
    real = scanning.copy_grids
    monkeypatch.setattr(scanning, "copy_grids", lambda *args: (copied.append(args[2].size), real(*args)))

    def dissect(shard):
        copied.clear()
        source = fakes.ArraySource((layer,), {"l": values}, (16, 16))
        plan = Plan(60, 4, shard, 8, 0)
        found = fakes.dissect_arrays(source, concepts, plan=plan, images_per_unit=k).layers["l"].exemplars
        return found, sum(copied)

    whole, _ = dissect(60)
    parts, with_floors = dissect(4)
    for name in ("images", "maxima", "grids", "scale"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
    order = np.lexsort((np.arange(60)[:, None].repeat(6, 1), -values.max(axis=(2, 3))), axis=0)
    assert parts.images[:, :k].tolist() == order[:k].T.tolist()
    monkeypatch.setattr(ExemplarFloors, "raise_floor", lambda _, __, floor: floor)
    assert with_floors <= dissect(4)[1]
    assert k not in {1, 3} or with_floors < dissect(4)[1]


def test_the_state_of_few_exemplars_is_absorbed_with_their_grids():
    one = TopImages.empty(2, 2, (1, 1))
    one.update(np.array([4, 2]), np.array([[3, 1], [5, 0]], np.float32), fill_with(10), np.array([4, 1], np.float32))
    assert one.state_dict()["grids"].shape == (2, 1, 1)
    both = TopImages.empty(2, 2, (1, 1))
    both.update(np.array([1]), np.array([[4, 9]], np.float32), fill_with(20))
    both.absorb_state(one.state_dict())
    found = both.compute()
    assert found.images.tolist() == [[2, 1], [1, 4]]
    assert found.grids[..., 0, 0].tolist() == [[11, 20], [20, 10]]


def fill_with(value):
    """Return a function that fills the grid of the batch's image b with value + b."""

    def copy_grids(images, units, into, places):
        into[places] = (value + images)[:, None, None]

    return copy_grids
