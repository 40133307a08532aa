"""Recipes for chance that look right and are wrong: each fails where the one in use holds (docs/trust.md)."""

from __future__ import annotations

import numpy as np
import pytest
from tests.simulated_units import BlobImages, draw_layer

from netdissect.engine.pairing import pair_images
from netdissect.stats.chance import adjust_p, compute_own_p, compute_pooled_p

LAYERS = 150


def standardize(observed, null):
    """Recipe (a): a unit's shifts are standardized with themselves inside, the observed score with the shifts."""
    x = np.log(null)
    mean, deviation = x.mean(0), x.std(0, ddof=1)
    return (np.log(observed) - mean) / deviation, (x - mean) / deviation


def rank(z, pool):
    pool = np.sort(pool, axis=None)
    return (1 + pool.size - np.searchsorted(pool, z)) / (1 + pool.size)


def standardize_with_observed(observed, null):
    """Recipe (b): the observed score is one of its unit's S + 1 scores, each standardized by the other S."""
    x = np.log(np.vstack([observed, null]))
    others = [np.delete(x, left_out, axis=0) for left_out in range(len(x))]
    z = np.stack([(x[at] - rest.mean(0)) / rest.std(0, ddof=1) for at, rest in enumerate(others)])
    return z[0], z[1:]


def measure(compute_p, *, shifts, null_share, seed=0):
    """Return P(p < .05) and P(p < .01) of units without effect, and how often q < .05 finds one of them."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(LAYERS):
        observed, null, empty = draw_layer(rng, shifts=shifts, null_share=null_share)
        p = compute_p(observed, null)
        found = adjust_p(p, np.ones(p.size, bool)) < 0.05
        rows.append(((p[empty] < 0.05).mean(), (p[empty] < 0.01).mean(), (found & empty).any()))
    return np.mean(rows, axis=0)


@pytest.mark.parametrize(("shifts", "small", "wrong"), [(10, 0.04, 0.8), (20, 0.02, 0.5), (40, 0.013, 0.2)])
def test_a_shifts_standardized_with_themselves_inside_find_units_where_none_has_an_effect(shifts, small, wrong):
    _, very_small, finds = measure(lambda *layer: rank(*standardize(*layer)), shifts=shifts, null_share=1)
    assert very_small > small  # 0.01 were right
    assert finds > wrong  # 0.05 were right
    _, very_small, finds = measure(compute_pooled_p, shifts=shifts, null_share=1)
    assert very_small < 0.012
    assert finds < 0.09


@pytest.mark.parametrize(("shifts", "wrong"), [(10, 0.09), (20, 0.075), (40, 0.065)])
def test_b_the_observed_among_its_shifts_makes_small_p_of_units_beside_true_effects(shifts, wrong):
    def compute_p(observed, null):
        return rank(*standardize_with_observed(observed, null))

    assert measure(compute_p, shifts=shifts, null_share=1)[0] == pytest.approx(0.05, abs=0.01)  # it looks right
    assert measure(compute_p, shifts=shifts, null_share=0.3)[0] > wrong
    assert measure(compute_pooled_p, shifts=shifts, null_share=0.3)[0] == pytest.approx(0.05, abs=0.01)


def test_c_scores_pooled_over_units_are_right_on_average_and_wrong_for_every_unit():
    rng = np.random.default_rng(0)
    level, spread = rng.normal(np.log(0.02), 0.5, 128), rng.uniform(0.1, 0.5, 128)
    pooled, standardized = [], []
    for _ in range(400):  # the same units, whose images are drawn again
        scores = np.exp(level + spread * rng.gumbel(size=(21, 128)))
        pooled.append(rank(scores[0], scores[1:]) <= 0.05)
        standardized.append(compute_pooled_p(scores[0], scores[1:]) <= 0.05)
    wrong, right = np.mean(pooled, axis=0), np.mean(standardized, axis=0)
    assert wrong.mean() == pytest.approx(0.05, abs=0.01)
    assert wrong.max() > 0.3
    assert (wrong < 0.01).mean() > 0.25
    assert right.max() < 0.1
    assert right.min() > 0.02


def test_d_shuffled_pixels_call_smooth_noise_significant():
    """Neighboring pixels are alike in masks and in labels; whole label maps keep that, shuffled pixels do not."""
    rng = np.random.default_rng(0)
    shuffled, borrowed = [], []
    for _ in range(4):
        images = BlobImages.draw(rng, images=150)
        masks = images.draw_noise(rng, 100)
        observed = images.find_best(masks)
        flat = images.labels.reshape(len(images.labels), -1)
        null = [images.find_best(masks, rng.permuted(flat, axis=1)) for _ in range(19)]
        shuffled.append(compute_own_p(observed, null) <= 0.05)
        borrowed.append(compute_own_p(observed, borrow(images, masks, rng)) <= 0.05)
    assert np.mean(shuffled) > 0.2
    assert np.mean(borrowed) == pytest.approx(0.05, abs=0.03)


def test_e_the_largest_of_all_units_standardized_as_in_a_finds_units_where_none_has_an_effect():
    rng, finds, finds_by_q = np.random.default_rng(0), [], []
    for _ in range(LAYERS):
        observed, null, _ = draw_layer(rng, shifts=20)
        z, of_shifts = standardize(observed, null)
        p = (1 + (of_shifts.max(axis=1)[:, None] >= z).sum(axis=0)) / 21
        finds.append((p <= 0.05).any())
        finds_by_q.append((adjust_p(compute_pooled_p(observed, null), np.ones(z.size, bool)) < 0.05).any())
    assert np.mean(finds) > 0.4
    assert np.mean(finds_by_q) < 0.09


def borrow(images, masks, rng, shifts=19):
    """Return best scores with the labels of other images."""
    steps = rng.choice(np.arange(1, len(images.labels)), shifts, replace=False)
    return np.array([images.find_best(masks, np.roll(images.labels, step, axis=0)) for step in steps])


def turn_on_a_torus(images, masks, rng, shifts=19):
    side = images.labels.shape[1]
    steps = rng.integers(1, side, (shifts, 2))
    return np.array([images.find_best(masks, np.roll(images.labels, step, axis=(1, 2))) for step in steps])


def mirror_some(images, masks, rng, shifts=19):
    """Turn the label maps of half of the images upside down, another half in every shift."""
    chosen = rng.random((shifts, len(images.labels), 1, 1)) < 0.5
    return np.array([images.find_best(masks, np.where(some, images.labels[:, ::-1], images.labels)) for some in chosen])


@pytest.mark.parametrize(
    ("exchange", "place"), [(turn_on_a_torus, (0.5, 0.5)), (mirror_some, (0.25, 0.5))], ids=["torus", "mirror"]
)
def test_labels_moved_within_their_image_call_blobs_significant_that_ignore_the_image(exchange, place):
    """Photographers put things in the center and the sky at the top; only labels of other images keep these habits."""
    rng, moved, borrowed = np.random.default_rng(0), [], []
    for _ in range(4):
        images = BlobImages.draw(rng, images=150, place=place)
        masks = images.draw_blind_blobs(rng, 100)
        observed = images.find_best(masks)
        moved.append(compute_own_p(observed, exchange(images, masks, rng)) <= 0.05)
        borrowed.append(compute_own_p(observed, borrow(images, masks, rng)) <= 0.05)
    assert np.mean(moved) > 0.5
    assert np.mean(borrowed) == pytest.approx(0.05, abs=0.03)


def test_copies_of_images_that_lend_labels_one_by_one_call_noise_significant():
    """Four copies agree on which labels meet a mask; shifts one by one tear them apart, so chance varies too little."""
    rng, one_by_one, together = np.random.default_rng(0), [], []
    for seed in range(8):
        images = BlobImages.draw(rng, images=60)
        masks = np.repeat(images.draw_noise(rng, 50), 4, axis=1)
        images.labels = np.repeat(images.labels, 4, axis=0)
        observed, order = images.find_best(masks), rng.permutation(240)
        for groups, found in ((None, one_by_one), (np.arange(240) // 4, together)):
            lenders = pair_images(order, groups, np.zeros(240, int), 19, seed).lenders
            null = [images.find_best(masks, images.labels[lender]) for lender in lenders]
            found.append(compute_own_p(observed, null) <= 0.05)
    assert np.mean(one_by_one) > 0.3
    assert np.mean(together) == pytest.approx(0.05, abs=0.03)
