"""Units and probe sets for which chance or uncertainty cannot be measured, or hardly: each has its answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests import fakes, planted

from netdissect.concepts import Concept, Labels, Vocabulary
from netdissect.errors import SettingsError

IMAGES, SIZE = 80, 16


def make_concepts(images=IMAGES, *, categories=3, concepts=6, scenes=None, everywhere=False, seed=0):
    """Return a probe set of noise: codes of concept n are n + 1; with `scenes`, every image has one of so many."""
    rng = np.random.default_rng(seed)
    vocabulary = fakes.make_vocabulary(concepts, categories)
    if scenes:
        more = tuple(Concept(concepts + n + 1, f"scene{n}", "scene") for n in range(scenes))
        vocabulary = Vocabulary((*vocabulary.categories, "scene"), vocabulary.concepts + more)
    entries = []
    for image in range(images):
        planes = np.kron(rng.integers(0, concepts + 1, (1, 4, 4)), np.ones((1, 4, 4))).astype(np.uint16)
        if everywhere:
            planes[planes == 1] = 2
            planes[0, :, :4] = 1
        whole = [concepts + 1 + image % scenes] if scenes else []
        entries.append(Labels(planes, np.array(whole, np.int64)))
    return fakes.ArrayConcepts(vocabulary, entries, (SIZE, SIZE))


def make_maps(concepts, *, columns=(0, 1, 2, 3), noise=0.3, seed=0):
    """Return maps of 4 × 4 cells of units that see one concept each, under noise."""
    rng = np.random.default_rng(seed)
    maps = planted.draw_concept_maps(concepts, columns, grid=4)
    return maps + noise * rng.standard_normal(maps.shape).astype(np.float32)


def dissect(maps, concepts, **options):
    return planted.dissect_maps(maps, concepts, **{"quantile": 0.05, "batch_size": 8} | options)


def test_a_dead_unit_has_p_1_and_takes_no_part_in_q():
    concepts = make_concepts()
    maps = make_maps(concepts)
    alone = dissect(maps[..., 1:], concepts).unit_trust
    maps[..., 0] = 0
    dead, *others = dissect(maps, concepts).unit_trust
    assert (dead.p, dead.p_own, dead.q) == (1, 1, None)
    assert (dead.low, dead.high, dead.keep, dead.honest, dead.lift, dead.labels) == (None,) * 5 + ((),)
    assert [unit.q for unit in others] == [unit.q for unit in alone]
    assert all(unit.q < 0.05 for unit in others)


def test_a_unit_that_is_active_in_one_image_is_not_beyond_chance_and_wide():
    concepts = make_concepts()
    maps = make_maps(concepts)
    maps[..., 0] = -1
    maps[7, :, :, 0] = planted.draw_concept_maps(concepts, [0], grid=4)[7, ..., 0] + 1
    layer = dissect(maps, concepts)
    unit = layer.unit_trust[0]
    assert layer.label_scores[0] > 0
    assert unit.q > 0.05
    assert unit.low < 0.5 * layer.label_scores[0]
    assert all(math.isfinite(value) for value in (unit.p, unit.p_own, unit.low, unit.high, unit.chance, unit.keep))


def test_more_shifts_than_half_the_images_are_refused():
    concepts = make_concepts()
    with pytest.raises(SettingsError, match="--null 41 takes at least 82 images, and there are 80"):
        dissect(make_maps(concepts), concepts, null=41)
    assert dissect(make_maps(concepts), concepts, null=40).trust.chance.score.shape == (40, 4)


def test_fewer_than_40_images_have_no_trust_tables_and_a_note_says_so():
    concepts = make_concepts(39)
    maps = make_maps(concepts)
    outcome = planted.run_maps(maps, concepts, quantile=0.05)
    layer = outcome.layers[planted.LAYER]
    assert outcome.notes == ("39 images are too few to measure chance and uncertainty, which takes 40",)
    assert layer.trust is None
    assert all(unit.q is None for unit in layer.unit_trust)
    without = dissect(maps, concepts, null=0, resamples=0)
    np.testing.assert_array_equal(layer.counts.I, without.counts.I)
    forty = make_concepts(40)
    assert dissect(make_maps(forty), forty).trust.chance is not None


def test_images_of_one_scene_are_not_exchanged_within_it_again():
    one, two = (make_concepts(scenes=scenes) for scenes in (1, 2))
    layer = dissect(make_maps(one), one, within="scene")
    assert layer.trust.within is None
    assert [unit.p_within for unit in layer.unit_trust] == [None] * 4
    assert all(unit.p_within < 0.05 for unit in dissect(make_maps(two), two, within="scene").unit_trust)


def test_without_labels_of_whole_images_there_is_no_exchange_within_scenes():
    concepts = make_concepts()
    layer = dissect(make_maps(concepts), concepts, within="scene")
    assert layer.trust.within is None
    assert [unit.p_within for unit in layer.unit_trust] == [None] * 4


def test_scenes_of_fewer_than_five_images_take_no_part():
    concepts = make_concepts(scenes=20)  # four images of each
    layer = dissect(make_maps(concepts), concepts, within="scene")
    assert layer.trust.within is None
    assert layer.trust.chance.left_out == 0


def test_one_category_is_enough():
    concepts = make_concepts(categories=1)
    layer = dissect(make_maps(concepts), concepts)
    assert layer.trust.spread.score.shape == (200, 4, 1)
    assert all(unit.q < 0.05 for unit in layer.unit_trust)


def test_a_concept_in_every_image_is_tested_by_where_it_is():
    concepts = make_concepts(everywhere=True)
    maps = make_maps(concepts)
    always = dissect(maps, concepts)
    assert concepts.vocabulary.names[always.labels[0]] == "c1"
    assert always.unit_trust[0].p == 1  # its place is the same in every image: other images' labels fit as well
    assert always.unit_trust[1].q < 0.05


def test_equal_scores_give_every_shift_and_resample_the_first_concept():
    concepts = make_concepts(concepts=4, categories=1)
    twice = Vocabulary(("object",), tuple(Concept(n + 1, f"c{n + 1}", "object") for n in range(8)))
    entries = [  # concepts 5 to 8 are where 1 to 4 are
        Labels(np.concatenate([entry.planes, np.where(entry.planes, entry.planes + 4, 0).astype(np.uint16)]), entry.whole)
        for entry in concepts.entries
    ]  # fmt: skip
    layer = dissect(make_maps(concepts), fakes.ArrayConcepts(twice, entries, (SIZE, SIZE)))
    assert layer.trust.chance.label.max() < 4
    assert layer.trust.spread.column.max() < 4
    assert all(unit.keep == 1 and len(unit.labels) == 1 for unit in layer.unit_trust)


def test_the_pooled_p_of_a_single_unit_is_its_own():
    concepts = make_concepts()
    (unit,) = dissect(make_maps(concepts, columns=(0,)), concepts).unit_trust
    assert unit.p == unit.p_own == 1 / 21


def test_without_shifts_there_is_spread_alone_and_without_resamples_chance_alone():
    concepts = make_concepts()
    maps = make_maps(concepts)
    both = dissect(maps, concepts).trust
    shifted, resampled = dissect(maps, concepts, resamples=0).trust, dissect(maps, concepts, null=0).trust
    assert (shifted.spread, resampled.chance) == (None, None)
    np.testing.assert_array_equal(shifted.chance.score, both.chance.score)
    np.testing.assert_array_equal(resampled.spread.score, both.spread.score)
    np.testing.assert_array_equal(resampled.spread.error, both.spread.error)
    assert dissect(maps, concepts, null=0, resamples=0).trust is None
