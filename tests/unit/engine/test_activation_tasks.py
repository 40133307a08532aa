"""Pearson's correlation and the cosine from sums over cells equal those over all pixels, in any order of the images."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakes
from tests.oracle.correlations import correlate
from tests.oracle.test_engine_equals_oracle import cases

from netdissect.concepts import Labels
from netdissect.engine.activation_tally import ActivationTally, choose_steps
from netdissect.engine.activation_tasks import ActivationTask, merge_sums
from netdissect.engine.comparisons import Comparisons
from netdissect.engine.pairing import Pairing
from netdissect.engine.plan import Plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.results.activation_sums import compute_cosine, compute_pearson
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime


def sum_case(case, rows, *, parts=1, threads=1, plan=None):
    """Sum the activations of a case; return the tally of its layer, and its steps."""
    activations, entries, vocabulary, field, input_size, _, own_plan, unreadable = case
    source = fakes.ArraySource((fakes.make_layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size, unreadable=unreadable)
    largest = abs(activations).max(axis=(0, 2, 3))
    steps = choose_steps(
        largest,
        len(entries) * max(entry.planes[0].size if len(entry.planes) else np.prod(entry.shape) for entry in entries),
    )
    with RowThreads(threads) as pool, Store(None, budget=2**20) as store:
        runtime = InProcessRuntime(WorkerContext(source, concepts, pool, store, lambda _: None))
        task = ActivationTask({"l": steps}, rows, {"l": (0, activations.shape[1])}, skip=bool(unreadable))
        shards = (plan or own_plan).shards
        pieces = [shards[part::parts] for part in range(min(parts, len(shards)))]
        return reduce(merge_sums, runtime.map(task, pieces))["l"], steps


def own_rows(images, folds=1):
    return Comparisons.start(np.arange(images, dtype=np.int32) % folds, folds)


def check(tally, steps, case, weights, expected):
    sums = tally.make_sums(np.array(weights), steps, case[2])
    np.testing.assert_allclose(compute_pearson(sums), expected["pearson"], atol=1e-9)
    np.testing.assert_allclose(compute_cosine(sums), expected["cosine"], atol=1e-9)


def expect(case, lender=None):
    activations, entries, vocabulary, field, input_size, _, _, unreadable = case
    taken = np.arange(len(entries)) if lender is None else lender
    taken = np.where([n in unreadable for n in range(len(entries))], -1, taken)
    labels = [(entry.planes, entry.whole) for entry in entries]
    return correlate(activations, labels, vocabulary.primary, field, input_size, taken)


@settings(max_examples=60, deadline=None)
@given(case=cases(), threads=st.sampled_from([1, 3]), folds=st.integers(1, 3))
def test_pearson_and_cosine_equal_the_oracles(case, threads, folds):
    tally, steps = sum_case(case, own_rows(len(case[1]), folds), threads=threads)
    check(tally, steps, case, [1] * folds, expect(case))


def make_case(images=12, units=5, *, size=(12, 16), seed=0):
    rng = np.random.default_rng(seed)
    activations = rng.normal(size=(images, units, 3, 4)).astype(np.float32)
    activations[:, 1] = np.maximum(activations[:, 1], 0)
    activations[:, 2] = 0
    activations[:, 3] = 0.7
    entries = [Labels(rng.integers(0, 5, (2, *size)).astype(np.uint16), np.array([1 + n % 4])) for n in range(images)]
    field = fakes.FieldMap((0, 1), (3, 5), (8, 7))
    return activations, entries, fakes.make_vocabulary(4), field, (24, 32), 0.1, Plan(images, 4, 4, 4, 0), frozenset()


def test_lent_labels_give_the_scores_of_the_images_that_take_them():
    case = make_case()
    lenders = np.stack([np.roll(np.arange(12), 5), np.where(np.arange(12) < 2, -1, np.arange(12))]).astype(np.int32)
    rows = own_rows(12, 2).add(Pairing(lenders, 0))
    tally, steps = sum_case(case, rows)
    check(tally, steps, case, [1, 1, 0, 0], expect(case))
    check(tally, steps, case, [0, 0, 1, 0], expect(case, lenders[0]))
    check(tally, steps, case, [0, 0, 0, 1], expect(case, lenders[1]))


def test_a_fold_drawn_twice_counts_as_its_images_twice():
    case = make_case()
    tally, steps = sum_case(case, own_rows(12, 3))
    activations, entries, *others = case
    picked = [n for n in range(12) if n % 3 == 0] * 2 + [n for n in range(12) if n % 3 == 2]
    again = (activations[picked], [entries[n] for n in picked], *others)
    check(tally, steps, case, [2, 0, 1], expect(again))


def test_a_dead_and_a_constant_unit_have_no_correlation():
    tally, steps = sum_case(make_case(), own_rows(12))
    pearson = compute_pearson(tally.make_sums(np.array([1]), steps, fakes.make_vocabulary(4)))
    assert pearson[2:4].max() == 0
    assert pearson[0].max() > 0


@pytest.mark.parametrize(("parts", "threads", "shard"), [(1, 3, 4), (3, 1, 4), (2, 2, 8), (1, 1, 12)])
def test_parts_threads_and_shards_change_no_bit_of_the_sums(parts, threads, shard):
    case, rows = make_case(), own_rows(12, 4)
    expected, _ = sum_case(case, rows)
    found, _ = sum_case(case, rows, parts=parts, threads=threads, plan=Plan(12, 4, shard, 4, 0))
    for name, table in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), table)


def test_sums_of_the_largest_activations_fit_into_the_steps():
    steps = choose_steps(np.array([3e38, 1e-30, 0], np.float32), 10**9)
    largest = np.array([3e38, 1e-30, 1]) * 1e9 / steps.linear
    assert (largest <= 2.0**61).all()
    assert (largest > 2.0**59).all()
    assert (np.array([3e38, 1e-30, 1]) ** 2 * 1e9 / steps.square <= 2.0**61).all()


def test_tallies_merge_in_any_order():
    case = make_case()
    halves = [
        sum_case(case, Comparisons.start(np.where(np.arange(12) % 2 == half, 0, -1).astype(np.int32), 1))[0]
        for half in (0, 1)
    ]
    whole, _ = sum_case(case, own_rows(12))
    nothing = ActivationTally.empty(1, 5, case[2])
    for merged in (halves[0].merge(halves[1]), halves[1].merge(nothing).merge(halves[0])):
        for name, table in vars(whole).items():
            np.testing.assert_array_equal(getattr(merged, name), table)
