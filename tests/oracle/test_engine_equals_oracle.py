"""The engine's counts, thresholds and exemplars equal those of a naive dissection, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakes
from tests.oracle import dissection as oracle

from netdissect.concepts import Labels
from netdissect.engine.plan import Plan
from netdissect.layers import FieldMap


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = draw(st.integers(1, 14))
    units = draw(st.integers(1, 4))
    grid = (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    concepts = draw(st.integers(1, 7))
    kind = draw(st.sampled_from(["normal", "relu", "ties", "constant", "dead", "one image", "sorted"]))
    activations = rng.normal(size=(images, units, *grid)).astype(np.float32)
    if kind == "relu":
        activations = np.maximum(activations - 1, 0)
    elif kind == "ties":
        activations = np.round(activations).astype(np.float32)
    elif kind == "constant":
        activations[:, 0] = 0.7
    elif kind == "dead":
        activations[:, 0] = 0
    elif kind == "one image":
        activations = np.maximum(activations - 2, 0)
        activations[-1] += 5
    elif kind == "sorted":
        activations = np.sort(activations, axis=0)
    input_size = (draw(st.sampled_from([16, 24, 31])), draw(st.sampled_from([16, 24, 31])))
    step = draw(st.integers(1, 12))
    field = FieldMap((draw(st.integers(-9, 3)),) * 2, (draw(st.integers(1, 20)),) * 2, (step, draw(st.integers(1, 12))))
    entries = []
    for _ in range(images):
        divisor = draw(st.sampled_from([1, 2, 3]))
        size = (max(2, input_size[0] // divisor), max(2, input_size[1] // divisor))
        planes = rng.integers(0, concepts + 1, size=(draw(st.integers(0, 3)), *size)).astype(np.uint16)
        planes[rng.random(planes.shape) < 0.5] = 0
        whole = np.array(sorted(draw(st.sets(st.integers(1, concepts), max_size=2))), dtype=np.int64)
        entries.append(Labels(planes, whole))
    quantile = draw(st.sampled_from([0.005, 0.01, 0.05, 0.2, 0.5]))
    batch = draw(st.integers(1, 5))
    plan = Plan(images, batch, draw(st.integers(1, 8)), draw(st.integers(1, 8)), draw(st.integers(0, 5)))
    return activations, entries, fakes.vocabulary(concepts), field, input_size, quantile, plan


@settings(max_examples=150, deadline=None)
@given(case=cases(), threads=st.sampled_from([1, 3]), budget=st.sampled_from([0, 2**30]))
def test_every_count_threshold_and_exemplar_is_the_oracles(case, threads, budget):
    activations, entries, vocabulary, field, input_size, quantile, plan = case
    source = fakes.ArraySource((fakes.layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size)
    outcome = fakes.run(
        source, concepts, plan=plan, threads=threads, budget=budget, quantile=quantile, images_per_unit=5
    )
    found = outcome.layers["l"]
    truth = oracle.dissect(
        activations, [(entry.planes, entry.whole) for entry in entries], vocabulary.primary,
        len(vocabulary.categories), field, input_size, str(quantile), k=5,
    )  # fmt: skip
    np.testing.assert_array_equal(found.thresholds, truth.thresholds)
    np.testing.assert_array_equal(found.counts.G, truth.G)
    np.testing.assert_array_equal(found.counts.I, truth.I)
    np.testing.assert_array_equal(found.counts.A, truth.A)
    np.testing.assert_array_equal(found.iou, truth.iou)
    for unit, images in enumerate(truth.exemplars):
        assert found.exemplars.images[unit, : len(images)].tolist() == images
        assert (found.exemplars.images[unit, len(images) :] == -1).all()


def test_the_oracle_itself_counts_a_case_done_by_hand():
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
