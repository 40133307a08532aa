from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests import made_up_runs

from netdissect.results import unit_lists


@pytest.fixture(scope="module")
def layer():
    run, _ = made_up_runs.make_run((40,), 18, pictures=50, exemplars=12, grouped=True)
    return run["block1/conv"]


def test_exemplars_that_show_the_label_are_counted_among_the_ten_strongest(layer):
    shown, asked = unit_lists.count_shown_labels(layer)
    for unit in range(layer.layer.units):
        pairs = zip(layer.groups.pixels[unit, :10].tolist(), layer.groups.labeled[unit, :10].tolist(), strict=True)
        could = [(pixels, labeled) for pixels, labeled in pairs if labeled >= 0 and pixels > 0]
        assert asked[unit] == len(could)
        assert shown[unit] == sum(labeled / pixels > 0.1 for pixels, labeled in could)
    assert unit_lists.count_shown_labels(replace(layer, groups=None)) is None


def test_the_largest_share_of_one_image_is_over_the_exemplars(layer):
    share = unit_lists.find_largest_image_share(layer)
    for unit, label in enumerate(layer.labels):
        groups = (layer.groups, layer.groups.typical, layer.groups.on_concept)
        most = max(int(group.labeled[unit].max()) for group in groups)
        assert share[unit] == most / max(1, layer.counts.I[unit, label])


def test_a_second_thing_is_of_another_category_nearly_as_good_and_fits_beside_the_label(layer):
    column, score = unit_lists.find_second_things(layer)
    categories = [concept.category for concept in layer.vocabulary.concepts]
    for unit, row in enumerate(sorted(layer.units, key=lambda row: row.unit)):
        others = [best for best in row.profile if best.category != row.category and best.label]
        best = max(others, key=lambda best: best.score)
        both = layer.counts.I[unit, layer.labels[unit]] + best.intersect
        expected = best.score >= 0.8 * row.score and both <= layer.groups.mask_pixels[unit]
        assert (column[unit] >= 0) == expected
        if expected:
            assert layer.vocabulary.names[column[unit]] == best.label
            assert categories[column[unit]] != row.category
            assert score[unit] == best.score


def test_near_duplicates_have_the_same_profile_and_the_same_images(layer):
    counts, images = layer.counts, layer.exemplars.images.copy()
    rows = np.arange(40)
    rows[5], rows[9] = 3, 3  # unit 5 and 9 are copies of 3, but 9 fires on other images
    images[5], images[9] = np.concatenate([images[3, 4:], 100 + np.arange(4)]), 200 + np.arange(12)
    copied = replace(
        layer,
        counts=replace(counts, I=counts.I[rows], A=counts.A[rows]),
        exemplars=replace(layer.exemplars, images=images),
    )
    found = unit_lists.find_duplicates(copied)
    assert found[5] == 3
    assert found[3] == 5
    assert found[9] == -1
    profile = copied.scores / np.linalg.norm(copied.scores, axis=1, keepdims=True)
    for unit, twin in enumerate(found):
        if twin >= 0:
            assert profile[unit] @ profile[twin] > 0.95
            assert len(set(images[unit]) & set(images[twin])) >= 0.6 * 12


def test_families_are_linked_by_shared_images(layer):
    images = np.arange(40)[:, None] * 100 + np.arange(12)
    images[7, :5], images[11, :4] = images[2, :5], images[7, 6:10]  # 2 and 7 share 5, 7 and 11 share 4
    images[20, :3] = images[30, :3]  # 3 of 12 are too few
    families = unit_lists.find_image_families(replace(layer, exemplars=replace(layer.exemplars, images=images)))
    assert families[2] == families[7] == families[11]
    assert len(set(families)) == 38


def test_a_layer_without_images_or_with_one_category_has_no_duplicates_and_no_second_things():
    run, _ = made_up_runs.make_run((6,), 4, pictures=12, exemplars=0, categories=("object",))
    layer = run["block1/conv"]
    assert unit_lists.find_duplicates(layer).tolist() == [-1] * 6
    assert unit_lists.find_second_things(layer)[0].tolist() == [-1] * 6
    assert len(set(unit_lists.find_image_families(layer))) == 6
