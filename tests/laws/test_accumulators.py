"""Laws of all accumulators: empty is neutral, order and split do not matter, merge is associative and changes neither
argument, compute is idempotent, state and pickles round-trip."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakes

from netdissect.engine.packed_labels import LabelTotals
from netdissect.engine.tally import MaskCounts
from netdissect.engine.tally_tasks import ShardTally
from netdissect.probe_sets.broden.writer import LabelUsage
from netdissect.stats.ranked_images import RankedImages, draw_values
from netdissect.stats.top_images import TopImages

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS, GRID, K = 3, (2, 2), 4


@dataclass
class Law:
    """How to make an accumulator, update it with a batch, and read it as arrays."""

    empty: Callable[[], Any]
    update: Callable[[Any, np.random.Generator, int], None]
    read: Callable[[Any], list[np.ndarray]]
    compute: Callable[[Any], Any] = lambda state: state


def _update_top(state, rng, number):
    activations = np.round(rng.normal(size=(2, UNITS, *GRID))).astype(np.float32)
    numbers = np.array([2 * number, 2 * number + 1])

    def copy_grids(images, units, into, places):
        into[places] = activations[images, units]

    state.update(numbers, activations.max(axis=(2, 3)), copy_grids)


def _update_ranked(state, rng, number):
    units = np.repeat(np.arange(UNITS), 2)
    state.update(units, np.tile([2 * number, 2 * number + 1], UNITS), np.round(rng.normal(size=units.size)))


def _update_drawn(state, rng, number):
    units, images = np.repeat(np.arange(UNITS), 2), np.tile([2 * number, 2 * number + 1], UNITS)
    state.update(units, images, draw_values(7, units, images, rng.integers(1, 9, units.size)))


def _update_masks(state, rng, _):
    state.intersection += rng.integers(0, 9, size=state.intersection.shape)
    state.per_category += rng.integers(0, 9, size=state.per_category.shape)


def _update_tally(state, rng, number):
    state.labels.pixels[...] += rng.integers(0, 9, size=(2, 5))
    state.labels.in_category[...] += rng.integers(0, 9, size=3)
    state.labels.partial[...] |= rng.random(5) < 0.1
    _update_masks(state.masks["l"], rng, number)


def _merge_usage(one, other):
    merged = copy.deepcopy(one)
    merged.merge(other)
    return merged


def _update_usage(state, rng, _):
    state.add(f"n{rng.integers(3)}", "object", float(rng.integers(0, 5)) / 4)


LAWS = {
    "top images": Law(
        lambda: TopImages.empty(UNITS, K, GRID), _update_top, lambda s: [s.compute().images, s.compute().maxima],
        lambda s: s.compute(),
    ),
    "ranked images": Law(lambda: RankedImages.empty(UNITS, K), _update_ranked, lambda s: [s.images, s.values]),
    "drawn images": Law(lambda: RankedImages.empty(UNITS, K), _update_drawn, lambda s: [s.images, s.values]),
    "mask counts": Law(
        lambda: MaskCounts.empty(UNITS, 3, fakes.make_vocabulary(5)), _update_masks, lambda s: [s.intersection, s.per_category]
    ),
    "shard tally": Law(
        lambda: ShardTally(LabelTotals.empty(2, fakes.make_vocabulary(5)), {"l": MaskCounts.empty(UNITS, 3, fakes.make_vocabulary(5))}), _update_tally,
        lambda s: [s.labels.pixels, s.labels.in_category, s.labels.partial, s.masks["l"].intersection],
    ),
    "usage": Law(
        LabelUsage, _update_usage,
        lambda s: [np.array([s.frequency.get((f"n{i}", "object"), 0) for i in range(3)]),
                   np.array([s.coverage.get((f"n{i}", "object"), 0.0) for i in range(3)])],
    ),
}  # fmt: skip


def merge(one, other):
    return _merge_usage(one, other) if isinstance(one, LabelUsage) else one.merge(other)


def accumulate(law, seed, numbers):
    state = law.empty()
    for number in numbers:
        law.update(state, np.random.default_rng([seed, number]), number)
    return state


def check_same(law, one, other):
    for a, b in zip(law.read(one), law.read(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", LAWS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 8), order=st.permutations(range(8)))
def test_split_and_order_do_not_matter(name, seed, cut, order):
    law = LAWS[name]
    whole = accumulate(law, seed, range(8))
    check_same(law, merge(accumulate(law, seed, order[:cut]), accumulate(law, seed, order[cut:])), whole)


@pytest.mark.parametrize("name", LAWS)
def test_empty_is_neutral(name):
    law = LAWS[name]
    state = accumulate(law, 1, range(5))
    check_same(law, merge(state, law.empty()), state)
    check_same(law, merge(law.empty(), state), state)


@pytest.mark.parametrize("name", LAWS)
def test_merge_is_associative(name):
    law = LAWS[name]
    a, b, c = (accumulate(law, 2, part) for part in ([0, 1], [2], [3, 4, 5]))
    check_same(law, merge(merge(a, b), c), merge(a, merge(b, c)))


@pytest.mark.parametrize("name", LAWS)
def test_merge_changes_neither(name):
    law = LAWS[name]
    a, b = accumulate(law, 3, [0, 1]), accumulate(law, 3, [2, 3])
    before = copy.deepcopy((a, b))
    merge(a, b)
    check_same(law, a, before[0])
    check_same(law, b, before[1])


@pytest.mark.parametrize("name", LAWS)
def test_compute_is_idempotent_and_pickles_round_trip(name):
    law = LAWS[name]
    state = accumulate(law, 4, range(6))
    check_same(law, law.compute(law.compute(state)), law.compute(state))
    check_same(law, pickle.loads(pickle.dumps(state)), state)


def test_state_dict_round_trips():
    law = LAWS["top images"]
    state = accumulate(law, 5, range(6))
    copy = law.empty()
    copy.absorb_state(state.state_dict())
    check_same(law, copy, state)


def test_an_accumulator_that_forgets_a_batch_is_caught():
    law = LAWS["mask counts"]
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        check_same(law, accumulate(law, 6, range(7)), accumulate(law, 6, range(8)))
