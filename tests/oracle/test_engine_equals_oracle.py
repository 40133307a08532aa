"""The engine's counts, thresholds, maxima and exemplars equal those of a naive dissection exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakes
from tests.oracle import dissection as oracle

from netdissect.concepts import Labels
from netdissect.engine.plan import Plan
from netdissect.geometry.upsample import compute_reduction
from netdissect.layers import FieldMap

KINDS = ("normal", "relu", "ties", "constant", "dead", "one image", "sorted", "loud sample")
#: Input pixels per label pixel: whole numbers, and fractions as another resolution gives.
REDUCTIONS = (1, 2, 3, 1.6, 2.5, 0.7)


def activations_of(kind, rng, shape, plan):
    values = rng.normal(size=shape).astype(np.float32)
    if kind == "relu":
        values = np.maximum(values - 1, 0)
    elif kind == "ties":
        values = np.round(values).astype(np.float32)
    elif kind == "constant":
        values[:, 0] = 0.7
    elif kind == "dead":
        values[:, 0] = 0
    elif kind == "one image":
        values = np.maximum(values - 2, 0)
        values[-1] += 5
    elif kind == "sorted":
        values = np.sort(values, axis=0)
    elif kind == "loud sample":  # its bound is too high, so the unit is scanned again
        values[plan.shards[0].images, 0] += 100
    return values


def planes_of(kind, rng, shape, concepts):
    planes = rng.integers(0, concepts + 1, size=shape).astype(np.uint16)
    if kind == "half":
        planes[rng.random(shape) < 0.5] = 0
    elif kind == "one pixel":
        planes[...] = 0
        for plane in planes:
            plane[rng.integers(shape[1]), rng.integers(shape[2])] = rng.integers(1, concepts + 1)
    return planes


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = draw(st.integers(1, 14))
    grid = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    concepts = draw(st.integers(1, 7))
    batch = draw(st.integers(1, 5))
    plan = Plan(images, batch, draw(st.integers(1, 8)), draw(st.integers(1, 8)), draw(st.integers(0, 5)))
    shape = (images, draw(st.integers(1, 4)), *grid)
    activations = activations_of(draw(st.sampled_from(KINDS)), rng, shape, plan)
    input_size = (draw(st.sampled_from([16, 24, 31])), draw(st.sampled_from([16, 24, 31])))
    field = FieldMap(*((draw(st.integers(*span)), draw(st.integers(*span))) for span in ((-9, 3), (1, 20), (1, 12))))
    entries = []
    for _ in range(images):
        reduction = draw(st.sampled_from(REDUCTIONS))
        size = (max(2, int(input_size[0] / reduction)), max(2, int(input_size[1] / reduction)))
        kind = draw(st.sampled_from(["half", "one pixel", "all"]))
        planes = planes_of(kind, rng, (draw(st.integers(0, 3)), *size), concepts)
        whole = np.array(sorted(draw(st.sets(st.integers(1, concepts), max_size=2))), dtype=np.int64)
        entries.append(Labels(planes, whole))
    quantile = draw(st.sampled_from([0.005, 0.01, 0.05, 0.2, 0.5]))
    unreadable = frozenset(draw(st.sets(st.integers(0, images - 1), max_size=3))) - {int(plan.shards[0].images[0])}
    return activations, entries, fakes.make_vocabulary(concepts), field, input_size, quantile, plan, unreadable


def compare(case, threads=1, budget=2**30):
    """Dissect with both and compare the results; return the engine's DissectionOutcome."""
    activations, entries, vocabulary, field, input_size, quantile, plan, unreadable = case
    source = fakes.ArraySource((fakes.make_layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size, unreadable=unreadable)
    outcome = fakes.dissect_arrays(
        source, concepts, plan=plan, threads=threads, budget=budget, quantile=quantile, images_per_unit=5,
        on_error="skip" if unreadable else "stop",
    )  # fmt: skip
    found = outcome.layers["l"]
    read = [n for n in range(len(entries)) if n not in unreadable]
    truth = oracle.dissect(
        activations[read], [(entries[n].planes, entries[n].whole) for n in read], vocabulary.primary,
        len(vocabulary.categories), field, input_size, str(quantile), k=5,
    )  # fmt: skip
    np.testing.assert_array_equal(found.thresholds, truth.thresholds)
    np.testing.assert_array_equal(found.counts.G, truth.G)
    np.testing.assert_array_equal(found.counts.I, truth.I)
    np.testing.assert_array_equal(found.counts.A, truth.A)
    own = [(entries[n].planes, entries[n].whole) for n in read]
    everything = [[np.ones(planes.shape[1:], bool)] for planes, _ in own]  # masks of every pixel
    pixels = oracle.count(everything, own, vocabulary.primary, len(vocabulary.categories))[1][0]
    np.testing.assert_array_equal(found.category_pixels, pixels)
    np.testing.assert_array_equal(found.iou, truth.iou)
    np.testing.assert_array_equal(found.activity.maximum, truth.highest)
    assert (outcome.images, found.cells) == (len(read), len(read) * activations[0, 0].size)
    assert outcome.skipped == {n: fakes.describe_unreadable(n) for n in unreadable}
    for unit, images in enumerate(truth.exemplars):
        assert found.exemplars.images[unit, : len(images)].tolist() == [read[n] for n in images]
        assert (found.exemplars.images[unit, len(images) :] == -1).all()
    return outcome


@settings(max_examples=120, deadline=None)
@given(case=cases(), threads=st.sampled_from([1, 3]), budget=st.sampled_from([0, 2**30]))
def test_every_count_threshold_maximum_and_exemplar_equals_the_oracles(case, threads, budget):
    compare(case, threads, budget)


def test_a_unit_that_is_scanned_again_while_images_are_skipped_equals_the_oracles():
    rng = np.random.default_rng(1)
    plan = Plan(40, 4, 8, 8, 0)
    activations = activations_of("loud sample", rng, (40, 2, 3, 4), plan)
    entries = [Labels(planes_of("half", rng, (2, 12, 16), 4), np.array([1 + n % 4])) for n in range(40)]
    unreadable = frozenset(int(plan.shards[shard].images[3]) for shard in (0, 2, 4))
    case = (
        activations,
        entries,
        fakes.make_vocabulary(4),
        FieldMap((0, 1), (3, 5), (8, 7)),
        (24, 32),
        0.4,
        plan,
        unreadable,
    )
    assert compare(case).rescanned == {"l": [0]}


def test_a_grid_of_more_than_65_536_cells_equals_the_oracles():
    rng = np.random.default_rng(2)
    activations = np.round(rng.normal(size=(1, 1, 257, 256))).astype(np.float32)
    activations[0, 0, -1] += 3  # cells from 65,536 on, which the last row of labels shows
    entries = [Labels(planes_of("half", rng, (1, 257, 4), 5), np.array([2]))]
    field = FieldMap((0, 0), (2, 2), (2, 2))
    case = (activations, entries, fakes.make_vocabulary(5), field, (514, 512), 0.005, Plan(1, 1, 1, 1, 0), frozenset())
    assert compare(case).layers["l"].layer.grid == (257, 256)


@pytest.mark.parametrize("grid", [(1, 1), (1, 34), (3, 4)])
@pytest.mark.parametrize("planes", [0, 2])
def test_cells_at_the_threshold_zeros_of_both_signs_and_images_without_planes_equal_the_oracles(grid, planes):
    rng = np.random.default_rng(3)
    activations = rng.choice(np.array([-1, -0.0, 0.0, 1], np.float32), size=(30, 4, *grid))
    activations[:, 1] = -0.0
    activations[::2, 2] = 0.0
    activations[1::2, 2] = -0.0
    entries = [Labels(planes_of("half", rng, (planes, 12, 16), 4), np.array([1 + n % 4])) for n in range(30)]
    field, vocabulary = FieldMap((0, 1), (3, 5), (8, 7)), fakes.make_vocabulary(4)
    for quantile in (0.05, 0.5):
        compare(
            (activations, entries, vocabulary, field, (24, 32), quantile, Plan(30, 4, 8, 8, 0), frozenset()), threads=3
        )


def test_the_cases_have_whole_and_fractional_reductions():
    sizes = {reduction: compute_reduction(31, int(31 / reduction)) for reduction in REDUCTIONS}
    assert {reduction for reduction, found in sizes.items() if found == int(found)} == {1, 2, 3}
    assert sizes[0.7] < 1 < sizes[1.6] < 2 < sizes[2.5]


def test_the_oracle_counts_a_case_done_by_hand():
    activations = np.array([[[[0.0, 4.0]]], [[[1.0, 2.0]]]], dtype=np.float32)  # two images, one unit, 1 x 2 cells
    planes = np.array([[[1, 1, 2, 2]]], dtype=np.uint16)
    labels = [(planes, np.array([], dtype=np.int64)), (planes * 0, np.array([2]))]
    field = FieldMap((0, 0), (1, 1), (1, 3))  # anchors at pixels 0 and 3
    found = oracle.dissect(activations, labels, np.array([0, 1]), 2, field, (1, 4), "0.5")
    assert found.thresholds.tolist() == [1.0]  # two of four cells lie above
    # image 0 upsamples to 0, 1.33, 2.67, 4: pixels 1, 2, 3; image 1 to 1, 1.33, 1.67, 2: pixels 1, 2, 3
    assert found.G.tolist() == [2, 2 + 4]
    assert found.I.tolist() == [[1, 2 + 3]]
    assert found.A.tolist() == [[3, 6]]  # concept 1's category is only in image 0
    assert found.iou[0].tolist() == pytest.approx([1 / 4, 5 / 7])
    assert found.highest.tolist() == [4.0]


def test_the_oracle_interpolates_a_fractional_reduction_done_by_hand():
    grid = np.array([[0.0, 10.0]], dtype=np.float32)
    field = FieldMap((0, 0), (1, 1), (1, 10))  # centers at pixels 0 and 10 of 20
    # Eight label pixels are 2.5 pixels each: anchors at 0.5 / 2.5 - 0.5 = -0.3, and 4 further at 3.7.
    found = oracle.interpolate(grid, field, (1, 20), (1, 8))
    assert found[0].tolist() == pytest.approx([0.75, 3.25, 5.75, 8.25, 10, 10, 10, 10])
