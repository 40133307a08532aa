"""The benchmark of scores changes labels as it says, and counts the units that fall."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from benchmarks import sanity
from tests import fakes

from netdissect.concepts import Labels
from netdissect.engine.row_threads import RowThreads


def make_concepts(images=80):
    """Return images with squares of two concepts, and a concept of the whole image in all; all have one category."""
    entries = []
    for image in range(images):
        planes = np.zeros((1, 28, 28), np.uint16)
        planes[0, 4:16, 4:16] = 1 + image % 4
        planes[0, 18:26, 4:26] = 1 + (image + 1 + image // 4 % 2) % 4
        entries.append(Labels(planes, np.array([5])))
    return fakes.ArrayConcepts(fakes.make_vocabulary(5, categories=1), entries, (28, 28))


def test_half_of_the_labels_go_missing_and_nothing_else():
    concepts = make_concepts()
    before = sanity.find_labeled(concepts)
    changed = sanity.find_labeled(sanity.drop_labels(concepts, before, 0))
    after, missing = changed[:, :5], changed[:, 5]
    assert not (after & ~before).any()
    np.testing.assert_array_equal(missing, (before & ~after).any(axis=1))  # the category is there as before
    assert 0.4 < after.sum() / before.sum() < 0.6
    assert (concepts.entries[0].planes == 1).sum() == 144  # the probe set itself is not changed


def test_every_concept_is_added_to_as_many_images_with_its_pixels():
    concepts = make_concepts()
    before = sanity.find_labeled(concepts)
    changed = sanity.add_labels(concepts, before, 0)
    after = sanity.find_labeled(changed)[:, :5]
    assert (after >= before).all()
    np.testing.assert_array_equal(after.sum(axis=0)[:4], np.minimum(2 * before.sum(axis=0)[:4], 80))
    image = int(np.flatnonzero(after[:, 0] & ~before[:, 0])[0])
    assert (changed.read_labels(image).planes == 1).sum() in (144, 176)


def test_a_unit_falls_by_more_than_a_thousandth_of_the_scores_range():
    clean = {"iou": np.array([[0.5, 0.0], [0.0, 1.0], [0.2, 0.1], [0.3, 0.3]])}
    changed = {"iou": np.array([[0.4, 0.0], [0.0, 0.9995], [0.3, 0.0], [0.0, 0.0]])}
    assert sanity.count_falls(clean, changed, np.array([0, 1, 0, -1])) == {"iou": 1 / 3}


def test_scores_that_may_choose_labels_of_planted_units_fall():
    with RowThreads(1) as threads:
        (found,) = sanity.try_planted(make_concepts(), 80, 1, threads, units=4).values()
    assert set(found) == {*sanity.CHOOSING, *sanity.SHOWN}
    assert min(found["pearson"]) == min(found["cosine"]) == 1
    assert (
        found["iou"][1] == found["f1"][1] == 1
    )  # masks are smaller than these concepts: half of G and of I, the same IoU
    text = sanity.format_results({"planted": found})
    assert "| Pearson | may choose | 100 / 100 | passes |" in text


def test_units_are_judged_by_the_concepts_that_label_them_by_iou():
    iou = np.array([[0.1, 0.3, 0.2], [0.0, 0.0, 0.0], [0.0, 0.2, 0.4]])
    layer = SimpleNamespace(iou=iou, vocabulary=fakes.make_vocabulary(3))
    assert sanity.find_iou_labels(layer).tolist() == [1, -1, 2]
