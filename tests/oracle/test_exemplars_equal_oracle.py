"""The groups of exemplars that the engine chooses equal those of a naive choice, and do not depend on how work is divided."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakes
from tests.oracle import exemplars as oracle
from tests.oracle.test_engine_equals_oracle import activations_of, cases, planes_of

from netdissect.concepts import Labels
from netdissect.engine.plan import Plan
from netdissect.layers import FieldMap
from netdissect.results.exemplar_groups import GROUP_SIZES, ExemplarGroup

K = 5


def dissect_case(case, threads=1, budget=2**30, **options):
    activations, entries, vocabulary, field, input_size, quantile, plan, unreadable = case
    source = fakes.ArraySource((fakes.make_layer("l", activations, field),), {"l": activations}, input_size)
    concepts = fakes.ArrayConcepts(vocabulary, entries, input_size, unreadable=unreadable)
    options = {"quantile": quantile, "images_per_unit": K, "on_error": "skip" if unreadable else "stop", **options}
    return fakes.dissect_arrays(source, concepts, plan=plan, threads=threads, budget=budget, seed=plan.seed, **options)


def compare_groups(case, outcome):
    activations, entries, vocabulary, field, input_size, _, plan, unreadable = case
    found = outcome.layers["l"]
    read = [n for n in range(len(entries)) if n not in unreadable]
    sample = [read.index(n) for n in plan.shards[0].images.tolist() if n not in unreadable]
    strongest = [[read.index(n) for n in images if n >= 0] for images in found.exemplars.images.tolist()]
    truth, totals = oracle.choose(
        activations[read], [(entries[n].planes, entries[n].whole) for n in read], read, found.thresholds, found.labels,
        vocabulary.primary, field, input_size, strongest, sample, plan.seed,
    )  # fmt: skip
    groups = found.groups
    np.testing.assert_array_equal(groups.mask_pixels, totals)
    strong = ExemplarGroup(
        found.exemplars.images, found.exemplars.maxima, found.exemplars.grids, groups.pixels, groups.labeled
    )
    peaks = activations.max(axis=(2, 3))
    for name, group in {"strongest": strong, **{name: getattr(groups, name) for name in GROUP_SIZES}}.items():
        for unit, images in enumerate(truth[name].images):
            count = len(images)
            assert group.images[unit].tolist() == images + [-1] * (group.images.shape[1] - count), name
            assert group.pixels[unit, :count].tolist() == truth[name].pixels[unit], name
            assert group.labeled[unit, :count].tolist() == truth[name].labeled[unit], name
            assert not group.pixels[unit, count:].any()
            known = ~np.isnan(group.maxima[unit, :count])
            np.testing.assert_array_equal(group.maxima[unit, :count][known], peaks[images, unit][known])
            assert (peaks[images, unit][~known] <= found.thresholds[unit]).all()
            assert known.all() or name == "missed"
    check_grids(case, found)


def check_grids(case, found):
    """Cells above the threshold, and cells next to them, are as activations are, up to 16 bits; others are as they are or -1."""
    activations = case[0]
    for name in GROUP_SIZES:
        group = getattr(found.groups, name)
        for unit, slot in np.argwhere(group.images >= 0):
            grid = activations[group.images[unit, slot], unit]
            excess = (grid.astype(np.float64) - found.thresholds[unit]) / found.exemplars.scale[unit]
            above = np.pad(grid > found.thresholds[unit], 1)
            near = np.lib.stride_tricks.sliding_window_view(above, (3, 3)).any(axis=(2, 3))
            expected = np.maximum(excess, -1).astype(np.float16)
            np.testing.assert_array_equal(group.grids[unit, slot][near], expected[near])
            rest = group.grids[unit, slot][~near]
            assert ((rest == expected[~near]) | (rest == -1)).all()
            if name == "levels":
                np.testing.assert_array_equal(group.grids[unit, slot], expected)


def read_groups(outcome):
    groups = outcome.layers["l"].groups
    return {
        f"{name}.{field.name}": getattr(getattr(groups, name), field.name)
        for name in GROUP_SIZES
        for field in fields(ExemplarGroup)
    } | {name: getattr(groups, name) for name in ("pixels", "labeled", "mask_pixels")}


def make_case(kind="relu", images=60, units=4, grid=(3, 4), seed=1, quantile=0.1, plan=None, concepts=4):
    rng = np.random.default_rng(seed)
    plan = plan or Plan(images, 4, 8, 8, 3)
    activations = activations_of(kind, rng, (images, units, *grid), plan)
    entries = [
        Labels(planes_of("half", rng, (2, 12, 16), concepts), np.array([1 + n % concepts])) for n in range(images)
    ]
    vocabulary = fakes.make_vocabulary(concepts)
    return activations, entries, vocabulary, FieldMap((0, 1), (3, 5), (8, 7)), (24, 32), quantile, plan, frozenset()


@settings(max_examples=80, deadline=None)
@given(case=cases(), threads=st.sampled_from([1, 3]), budget=st.sampled_from([0, 2**30]))
def test_every_group_equals_the_oracles(case, threads, budget):
    compare_groups(case, dissect_case(case, threads, budget))


@pytest.mark.parametrize("kind", ["relu", "ties", "loud sample", "dead"])
def test_groups_of_many_images_equal_the_oracles(kind):
    case = make_case(kind)
    outcome = dissect_case(case)
    assert (kind == "loud sample") == bool(outcome.rescanned)
    compare_groups(case, outcome)


def test_groups_equal_the_oracles_where_images_are_skipped_and_units_are_scanned_again():
    case = make_case("loud sample", plan=Plan(60, 4, 8, 8, 0), quantile=0.4)
    unreadable = frozenset(int(case[6].shards[shard].images[3]) for shard in (0, 2, 4))
    case = (*case[:-1], unreadable)
    outcome = dissect_case(case)
    assert outcome.rescanned == {"l": [0]}
    compare_groups(case, outcome)


@pytest.mark.parametrize("score", ["f1", "pearson"])
def test_groups_by_another_score_equal_the_oracles(score):
    case = make_case()
    outcome = dissect_case(case, score=score, null=0, resamples=0)
    compare_groups(case, outcome)


def test_groups_do_not_depend_on_shards_threads_and_blocks_of_units():
    case = make_case(images=90)
    whole = read_groups(dissect_case(case))
    again = dissect_case(
        (*case[:6], replace(case[6], images=90, shard_size=3), case[7]), threads=3, budget=0, table_memory=1
    )
    for name, array in read_groups(again).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_ranges_at_other_quantiles_leave_the_groups_as_they_are():
    case = make_case()
    whole = read_groups(dissect_case(case))
    for name, array in read_groups(dissect_case(case, quantiles=(0.05, 0.2), ranges=3)).items():
        if not name.endswith(("maxima", "grids")):  # a lower bound knows more of what lies below the threshold
            np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_units_without_a_label_have_typical_images_and_levels_alone():
    case = make_case()
    entries = [Labels(np.zeros((0, 12, 16), np.uint16), np.zeros(0, np.int64)) for _ in case[1]]
    case = (case[0], entries, *case[2:])
    outcome = dissect_case(case)
    groups = outcome.layers["l"].groups
    assert (groups.typical.images >= 0).any()
    assert (groups.on_concept.images == -1).all()
    assert (groups.missed.images == -1).all()
    assert (groups.typical.labeled == -1).all()
    compare_groups(case, outcome)


def test_a_run_without_exemplars_has_no_groups():
    assert dissect_case(make_case(), images_per_unit=0).layers["l"].groups is None
