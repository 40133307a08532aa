"""Pairing: which image lends its labels to which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdissect.engine.pairing import assign_folds, pair_images, pair_within
from netdissect.stats.chance import compute_own_p


def make_order(images, seed=0, read=None):
    return np.random.default_rng(seed).permutation(images)[:read].astype(np.int64)


def one_size(images):
    return np.zeros(images, np.int64)


def find_steps(order, lenders):
    """Return how many images further in the order every image's lender is."""
    place = np.argsort(order)
    return place[lenders[order]] - np.arange(order.size)


def test_images_are_shifted_cyclically_in_blocks_of_256():
    order = make_order(600)
    pairing = pair_images(order, None, one_size(600), 20, 3)
    assert pairing.lenders.shape == (20, 600)
    assert pairing.lenders.dtype == np.int32
    assert pairing.left_out == 0
    for lenders in pairing.lenders:
        steps = find_steps(order, lenders)
        for begin, end in ((0, 256), (256, 512), (512, 600)):
            (step,) = set((steps[begin:end] % (end - begin)).tolist())
            assert 1 <= step < end - begin
            assert set(lenders[order[begin:end]].tolist()) == set(order[begin:end].tolist())
    draws = [find_steps(order, lenders)[0] for lenders in pairing.lenders]
    assert len(set(draws)) > 10  # every shift has its own step
    assert {int(find_steps(order, lenders)[0]) for lenders in pairing.lenders} != {
        int(find_steps(order, lenders)[256]) for lenders in pairing.lenders
    }  # and every block


@pytest.mark.parametrize(("images", "ends"), [(256 + 63, [319]), (256 + 64, [256, 320]), (50, [50]), (255, [255])])
def test_a_remainder_of_less_than_64_joins_the_block_before_it(images, ends):
    order = make_order(images)
    pairing = pair_images(order, None, one_size(images), 60, 0)
    begin = 0
    for end in ends:
        seen = {int(find_steps(order, lenders)[begin]) % (end - begin) for lenders in pairing.lenders}
        members = set(order[begin:end].tolist())
        assert all(set(lenders[order[begin:end]].tolist()) == members for lenders in pairing.lenders)
        assert 0 not in seen
        begin = end


def test_every_step_of_a_block_is_drawn_equally_often():
    order = make_order(11)
    steps = [find_steps(order, lenders)[0] % 11 for lenders in pair_images(order, None, one_size(11), 5000, 1).lenders]
    counts = np.bincount(steps, minlength=11)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 500).max() < 4 * np.sqrt(500 * 0.9)


@given(st.integers(2, 400), st.integers(0, 5), st.integers(1, 4))
def test_shifts_of_equal_groups_are_permutations_without_fixed_points(number, seed, copies):
    images = number * copies
    groups = np.arange(images) // copies * 10
    order = make_order(images, seed)
    pairing = pair_images(order, groups, one_size(images), 10, seed)
    for lenders in pairing.lenders:
        taken = lenders[lenders >= 0]
        assert np.unique(taken).size == taken.size == images - pairing.left_out
        assert (groups[taken] != groups[lenders >= 0]).all()
        assert set(taken.tolist()) == set(np.flatnonzero(lenders >= 0).tolist())


def test_two_shifts_of_a_block_in_turn_are_a_shift_of_it():
    order = make_order(300)
    first, second = pair_images(order, None, one_size(300), 2, 0).lenders
    both = find_steps(order, first[second])
    assert len(set((both % 300).tolist())) == 1  # the remainder of 44 joins the only block


def test_whole_groups_shift_and_members_keep_their_rank():
    groups = np.repeat(np.arange(100), 4)  # images 4g to 4g + 3
    order = make_order(400)
    pairing = pair_images(order, groups, one_size(400), 10, 0)
    assert pairing.left_out == 0
    for lenders in pairing.lenders:
        lending = lenders.reshape(100, 4)
        assert (lending // 4 == lending[:, :1] // 4).all()
        assert (lending % 4 == np.arange(4)).all()
        assert set((lending[:, 0] // 4).tolist()) == set(range(100))


def test_groups_lend_within_their_size_class_and_ranks_wrap():
    sizes_of_groups = [1] * 6 + [2] * 3 + [3, 4] * 2 + [5, 8]
    groups = np.repeat(np.arange(len(sizes_of_groups)), sizes_of_groups)
    count = np.array(sizes_of_groups)
    order = make_order(groups.size, 2)
    rank = np.concatenate([np.arange(n) for n in sizes_of_groups])
    classes = np.array([{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 8: 3}[n] for n in sizes_of_groups])
    pairing = pair_images(order, groups, one_size(groups.size), 30, 0)
    assert pairing.left_out == 0
    for lenders in pairing.lenders:
        assert (classes[groups[lenders]] == classes[groups]).all()
        assert (groups[lenders] != groups).all()
        assert (rank[lenders] == rank % count[groups[lenders]]).all()


def test_label_maps_of_different_size_do_not_lend_to_each_other():
    sizes = np.array([0, 1, 2] * 100 + [3])
    order = make_order(301)
    pairing = pair_images(order, None, sizes, 20, 0)
    assert pairing.left_out == 1
    assert (pairing.lenders[:, 300] == -1).all()
    assert (sizes[pairing.lenders[:, :300]] == sizes[:300]).all()


def test_a_group_with_label_maps_of_two_sizes_lends_each_to_its_own():
    groups = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3])
    sizes = np.array([0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    order = make_order(11, 4)
    pairing = pair_images(order, groups, sizes, 20, 0)
    assert pairing.left_out == 2  # no other group has two label maps of size 0 alone
    for lenders in pairing.lenders:
        assert (lenders[9:] == -1).all()
        assert (sizes[lenders[:9]] == sizes[:9]).all()
        assert (groups[lenders[:9]] != groups[:9]).all()
        assert sorted(lenders[:9].tolist()) == list(range(9))


def test_skipped_images_neither_take_nor_lend():
    order = make_order(500, read=420)
    read = np.zeros(500, bool)
    read[order] = True
    pairing = pair_images(order, None, one_size(500), 10, 0)
    assert ((pairing.lenders >= 0) == read).all()
    assert read[pairing.lenders[:, read]].all()
    assert pairing.left_out == 0


def test_one_group_of_all_images_is_left_out():
    pairing = pair_images(make_order(60), np.zeros(60, np.int64), one_size(60), 10, 0)
    assert (pairing.lenders == -1).all()
    assert pairing.left_out == 60


def test_every_image_a_group_of_its_own_is_as_without_groups():
    order = make_order(700)
    alone = pair_images(order, np.arange(700)[::-1].copy(), one_size(700), 10, 5)
    np.testing.assert_array_equal(alone.lenders, pair_images(order, None, one_size(700), 10, 5).lenders)


def test_the_seed_decides_and_within_draws_other_steps():
    order = make_order(100)
    first = pair_images(order, None, one_size(100), 10, 0).lenders
    np.testing.assert_array_equal(first, pair_images(order, None, one_size(100), 10, 0).lenders)
    assert (first != pair_images(order, None, one_size(100), 10, 1).lenders).any()
    assert (first != pair_within(order, one_size(100), one_size(100), 10, 0).lenders).any()


def test_no_image_read_gives_no_pairs():
    pairing = pair_images(np.zeros(0, np.int64), None, one_size(5), 10, 0)
    assert (pairing.lenders == -1).all()
    assert pairing.left_out == 0


def test_labels_are_exchanged_within_strata_of_five_and_more():
    strata = np.repeat([0, 1, 2, -1], [300, 5, 4, 20])
    order = make_order(329, 1)
    pairing = pair_within(order, strata, one_size(329), 20, 0)
    assert pairing.left_out == 24
    assert (pairing.lenders[:, 305:] == -1).all()
    for lenders in pairing.lenders:
        for stratum in (0, 1):
            inside = order[strata[order] == stratum]
            place = {image: number for number, image in enumerate(inside.tolist())}
            steps = {(place[lenders[image]] - place[image]) % inside.size for image in inside.tolist()}
            assert len(steps) == 1
            assert 0 not in steps


def test_strata_keep_label_sizes_and_groups_apart():
    strata, sizes = np.zeros(40, np.int64), np.arange(40) % 2
    groups = np.arange(40) // 4
    order = make_order(40)
    pairing = pair_within(order, strata, sizes, 20, 0, groups)
    assert pairing.left_out == 0
    for lenders in pairing.lenders:
        assert (sizes[lenders] == sizes).all()
        assert (groups[lenders] != groups).all()
    assert pair_within(order, strata, sizes, 20, 0, np.arange(40) // 10).left_out == 40  # four groups are too few


def test_folds_follow_the_order_of_the_run():
    order = make_order(103, read=100)
    folds = assign_folds(order, np.arange(103), 20)
    assert folds[order].tolist() == [place % 20 for place in range(100)]
    assert np.count_nonzero(folds == -1) == 3


def test_a_group_has_one_fold():
    groups = np.arange(120) // 3
    order = make_order(120, read=90)
    folds = assign_folds(order, groups, 20)
    assert folds.shape == (120,)
    assert folds.dtype == np.int32
    read = np.zeros(120, bool)
    read[order] = True
    assert ((folds >= 0) == read).all()
    for group in range(40):
        assert len(set(folds[(groups == group) & read].tolist())) <= 1
    firsts = list(dict.fromkeys(groups[order].tolist()))
    assert [int(folds[(groups == group) & read][0]) for group in firsts] == [n % 20 for n in range(len(firsts))]


@pytest.mark.parametrize(("by_group", "least", "most"), [(False, 0.3, 1.0), (True, 0.02, 0.06)])
def test_copies_of_images_are_harmless_only_if_they_shift_together(by_group, least, most):
    """Units whose masks do not depend on labels, on 80 images of which each is there four times."""
    rng = np.random.default_rng(5)
    images, copies, units, concepts = 80, 4, 40, 6
    below = []
    for trial in range(60):
        masks = np.repeat(rng.gamma(0.3, size=(units, images)), copies, axis=1)
        labels = np.repeat(rng.gamma(0.3, size=(images, concepts)), copies, axis=0)
        groups = np.arange(images * copies) // copies
        order = make_order(images * copies, trial)
        pairing = pair_images(order, groups if by_group else None, one_size(images * copies), 20, trial)
        area, label_area = masks.sum(axis=1)[:, None], labels.sum(axis=0)

        def score(lent, masks=masks, area=area, label_area=label_area):
            shared = np.minimum(masks[:, :, None], lent).sum(axis=1)
            return (shared / (area + label_area - shared)).max(axis=1)

        null = np.stack([score(labels[lenders]) for lenders in pairing.lenders])
        below.append(compute_own_p(score(labels), null) <= 0.05)
    assert least < np.mean(below) <= most


@pytest.mark.parametrize(("shard", "batch"), [(64, 8), (256, 16), (1000, 5)])
def test_shards_and_batches_do_not_change_the_pairs(shard, batch):
    from netdissect.engine.plan import Plan

    def order_of(plan):
        return np.concatenate([part.images for part in plan.shards])

    expected = pair_images(order_of(Plan(700, 8, 256, 256, 9)), None, one_size(700), 10, 9)
    pairing = pair_images(order_of(Plan(700, batch, shard, 100, 9)), None, one_size(700), 10, 9)
    np.testing.assert_array_equal(pairing.lenders, expected.lenders)
