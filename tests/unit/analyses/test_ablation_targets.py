"""Which units are removed for a concept, and on images of which class the loss is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs
from tests.fake_ablation import NoiseImages

from netdissect.analyses.ablation_targets import NO_CHANCE_NOTE, choose_targets, group_units
from netdissect.analyses.concept_ablations import divide_images
from netdissect.analyses.labeled_images import LabeledImages
from netdissect.concepts import Concept, Vocabulary

NAMES = ("cow", "street-s", "glass", "sky")
WORDS = Vocabulary(("object",), tuple(Concept(n + 1, name, "object") for n, name in enumerate(NAMES)))
CLASSES = ("cows", "Street", "few", "other")


class GroupedImages(NoiseImages):
    """Images of which some belong together."""

    vocabulary = WORDS
    columns = ("image", "group")

    def __init__(self, groups) -> None:
        super().__init__(len(groups))
        self.groups = groups

    def read_column(self, column):
        assert column == "group"
        return self.groups


@pytest.fixture
def layer():
    return made_up_runs.make_run((10,), 4, pictures=12, words=WORDS)[0][0]


@pytest.fixture
def images():
    labels = np.repeat([0, 1, 2, 3, -1], [20, 20, 9, 20, 3])
    return LabeledImages(GroupedImages([""] * len(labels)), labels, CLASSES)


def choose(layer, images, shares=None, units=None):
    given = {column: (column, column + 4) for column in range(4)} if units is None else units
    return choose_targets(layer, given, images, shares, divide_images(images, None, 0))


def test_without_labels_of_concepts_classes_are_found_by_name(layer, images):
    targets, left_out = choose(layer, images)
    assert [(target.column, target.of_class, target.share) for target in targets] == [(0, 0, None), (1, 1, None)]
    assert targets[0].channels == (0, 4)
    assert left_out == dict.fromkeys(("glass", "sky"), "no class has its name, and the images have no labels of it")


def test_the_class_that_has_a_concept_most_often_is_taken_if_half_of_its_images_have_it(layer, images):
    shares = np.array([[0.1, 0, 0.3, 0.5], [0.2, 0, 0.4, 0.2], [1, 1, 0.9, 1], [0.9, 0, 0.2, 0.5]])
    targets, left_out = choose(layer, images, shares)
    assert [(target.column, target.of_class, target.share) for target in targets] == [
        (0, 3, 0.9),
        (1, 1, None),
        (3, 0, 0.5),
    ]
    assert list(left_out) == ["glass"]
    assert "no class of at least 10 images has it in half of them (most: 40% of class Street)" in left_out["glass"]


def test_classes_of_few_images_and_sets_of_most_units_are_left_out(layer, images):
    few = replace(images, labels=np.where(np.arange(len(images)) < 11, -1, images.labels))
    _, left_out = choose(layer, few, units={0: (0,)})
    assert left_out == {"cow": "class cows has 9 images, at least 10 are needed"}
    _, left_out = choose(layer, images, units={0: (0, 1, 2, 3, 4, 5)})
    assert left_out == {"cow": "it has 6 of 10 units, so there are no others to compare with"}


def test_images_that_belong_together_are_in_one_fold(layer, images):
    groups = ["video"] * 20 + [str(n // 2) for n in range(20)] + [""] * (len(images) - 40)
    grouped = replace(images, source=GroupedImages(groups))
    folds = divide_images(grouped, None, seed=0)
    assert len(set(folds[:20])) == 1
    assert (folds[20:40:2] == folds[21:40:2]).all() and len(set(folds[20:40])) == 10
    assert sorted(folds[49:69]) == list(range(20))
    targets, left_out = choose(layer, grouped)
    assert [target.column for target in targets] == [1]
    assert left_out["cow"] == "all images of class cows belong together, so their mean has no interval"


def test_units_are_detectors_beyond_chance(layer):
    bare, notes = group_units(layer, 0.0)
    assert notes == (NO_CHANCE_NOTE,)
    assert {channel for channels in bare.values() for channel in channels} == set(np.flatnonzero(layer.labels >= 0))
    tested = replace(layer, trust=made_up_runs.make_trust(layer))
    threshold = float(np.median(tested.label_scores))
    units, notes = group_units(tested, threshold)
    assert notes == ()
    for channel, unit in enumerate(tested.unit_trust):
        expected = tested.label_scores[channel] >= threshold and unit.q is not None and unit.q < 0.05
        assert (channel in units.get(int(tested.labels[channel]), ())) == expected
