"""Counts of masks by label signature equal those of a naive count, for own and lent labels, and for any shards and blocks."""

from __future__ import annotations

from collections import Counter
from functools import reduce

import numpy as np
import pytest
from tests import fakes
from tests.oracle.test_trust_equals_oracle import FIELD, SIZE, Truth, make_case

from netdissect.config import Settings
from netdissect.engine import pairing
from netdissect.engine.comparison_plan import plan_lent_labels
from netdissect.engine.plan import Plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.signature_tally import SignatureTally, SignatureTask
from netdissect.engine.tally_tasks import TallyTask
from netdissect.engine.tasks import find_receipt
from netdissect.engine.worker_context import WorkerContext
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime

SHIFTS = 4


def tally(case, plan, folder, *, parts=1, memory=2**28, shifts=SHIFTS, chosen=(0, 1, 2), unreadable=frozenset()):
    """Dissect a case, and return the counts by signature of its units, as well as the comparisons."""
    activations, entries, vocabulary = case
    source = fakes.ArraySource((fakes.make_layer("l", activations, FIELD),), {"l": activations}, SIZE)
    concepts = fakes.ArrayConcepts(vocabulary, entries, SIZE, unreadable=unreadable)
    settings = {"null": 0, "resamples": 0, "quantile": 0.05, "on_error": "skip"}
    found = fakes.dissect_arrays(source, concepts, plan=plan, folder=folder, **settings).layers["l"]
    rows = np.full(activations.shape[1], -1)
    rows[list(chosen)] = np.arange(len(chosen))
    with RowThreads(2) as threads, Store(folder) as store:
        receipts = {shard.number: find_receipt(store, shard, ["l"]) for shard in plan.shards}
        comparisons = plan_lent_labels(concepts, plan, receipts, Settings(), shifts)
        masks = TallyTask({"l": found.thresholds}, {}, comparisons, {"l": rows}, 2**20, keep_labels=False)
        runtime = InProcessRuntime(WorkerContext(source, concepts, threads, store, lambda _: None))
        pieces = [plan.shards[part::parts] for part in range(parts)]
        return reduce(SignatureTally.merge, runtime.map(SignatureTask(masks, memory), pieces)), comparisons


def count_naively(case, masks, images, lenders):
    """Return pixels of all label maps and of every unit's masks by signature, from lists of pixels."""
    _, entries, vocabulary = case
    pixels, under = Counter(), [Counter() for _ in masks[0]]
    for image, lender in zip(images, lenders, strict=True):
        entry = entries[lender]
        named = [code for plane in entry.planes for code in np.unique(plane) if code] + list(entry.whole)
        presence = sum(1 << k for k in {int(vocabulary.primary[code - 1]) for code in named})
        for y in range(entry.shape[0]):
            for x in range(entry.shape[1]):
                codes = [int(plane[y, x]) for plane in entry.planes if plane[y, x]] + [
                    int(code) for code in entry.whole
                ]
                signature = presence, tuple(sorted(code - 1 for code in codes))
                pixels[signature] += 1
                for unit, mask in enumerate(masks[image]):
                    under[unit][signature] += bool(mask[y, x])
    return pixels, [+counts for counts in under]


def read_counts(found, table, unit):
    counts = found.masks["l"]
    chosen = (counts.table == table) & (counts.unit == unit)
    return {
        found.signatures[place]: pixels
        for place, pixels in zip(counts.signature[chosen].tolist(), counts.pixels[chosen].tolist(), strict=True)
    }


@pytest.mark.parametrize(("shard", "parts", "memory"), [(46, 1, 2**28), (7, 3, 2**28), (10, 2, 1)])
@pytest.mark.parametrize("sizes", [[(12, 16)], [(12, 16), (24, 32)]])
def test_counts_of_own_and_lent_signatures_equal_the_oracles(tmp_path, sizes, shard, parts, memory):
    case, plan = make_case(sizes), Plan(46, 1, shard, 8, 5)
    found, comparisons = tally(case, plan, tmp_path, parts=parts, memory=memory)
    truth, number = Truth(case, plan), np.array([sizes.index(entry.shape) for entry in case[1]])
    assert list(found.signatures) == sorted(set(found.signatures))
    pixels, under = count_naively(case, truth.masks, truth.order, truth.order)
    assert dict(zip(found.signatures, found.pixels[0].tolist(), strict=True)) == pixels
    assert [read_counts(found, 0, unit) for unit in range(3)] == under
    lenders = pairing.pair_images(truth.order, None, number, SHIFTS, 0).lenders
    for shift, lent in enumerate(lenders):
        _, under = count_naively(case, truth.masks, truth.order, lent[truth.order])
        table = comparisons.chance.shifts.start + shift
        assert [read_counts(found, table, unit) for unit in range(3)] == under


def test_images_that_lend_to_nobody_and_skipped_ones_are_left_out_of_the_pixels_of_lent_labels(tmp_path):
    case, plan = make_case([(12, 16)]), Plan(46, 4, 16, 8, 5)
    odd, unreadable = int(plan.shards[1].images[1]), int(plan.shards[0].images[3])
    case[1][odd] = type(case[1][odd])(np.ones((1, 8, 8), np.uint16), np.zeros(0, np.int64))
    found, comparisons = tally(case, plan, tmp_path, unreadable=frozenset({unreadable}))
    truth = Truth(case, plan, {unreadable})
    for row, images in [(0, truth.order), (comparisons.chance.label_row, truth.order[truth.order != odd])]:
        pixels, _ = count_naively(case, truth.masks, images, images)
        there = {s: n for s, n in zip(found.signatures, found.pixels[row].tolist(), strict=True) if n}
        assert there == pixels


def test_only_the_chosen_units_are_counted_in_their_order(tmp_path):
    case, plan = make_case([(12, 16)]), Plan(46, 4, 16, 8, 5)
    all_units, _ = tally(case, plan, tmp_path / "a", shifts=0)
    some, _ = tally(case, plan, tmp_path / "b", shifts=0, chosen=(1, 2))
    assert [read_counts(some, 0, row) for row in (0, 1)] == [read_counts(all_units, 0, unit) for unit in (1, 2)]
    assert some.masks["l"].table.max() == 0
