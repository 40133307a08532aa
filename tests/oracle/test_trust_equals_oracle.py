"""Best scores by chance, within scenes and on resampled images equal those of a naive count, for any shards and blocks."""

from __future__ import annotations

import numpy as np
import pytest
from tests import fakes
from tests.oracle import dissection as oracle
from tests.planted import GroupedConcepts

from netdissect.concepts import Labels
from netdissect.engine import pairing
from netdissect.engine.plan import Plan
from netdissect.layers import FieldMap
from netdissect.stats.spread import draw_weights

FIELD, SIZE, SHIFTS, RESAMPLES, FOLDS = FieldMap((0, 1), (3, 5), (8, 7)), (24, 32), 10, 20, 20


def make_case(sizes, images=46):
    """Return activations, labels and vocabulary; images have a scene each, and label maps of the given sizes in turn."""
    rng = np.random.default_rng(3)
    vocabulary = fakes.make_vocabulary(8, categories=4)  # the fourth category is scene: concepts 4 and 8
    activations = rng.normal(size=(images, 3, 3, 4)).astype(np.float32)
    activations[:, 2] = 0  # a dead unit
    activations[:20, 0] += np.arange(20)[:, None, None] / 10  # unequal images
    entries = []
    for n in range(images):
        planes = rng.choice([0, 0, 1, 2, 3, 5, 6, 7], size=(2, *sizes[n % len(sizes)])).astype(np.uint16)
        scene = [] if n % 11 == 0 else [4 if n % 3 else 8]
        entries.append(Labels(planes, np.array([*scene, *([5] if n % 4 == 0 else [])], np.int64)))
    return activations, entries, vocabulary


def find_best(I, per_category, G, vocabulary):
    """Return every unit's best score, the column of its concept, and the scores (U, C)."""
    A = per_category[:, vocabulary.primary]
    union = A + G - I
    scores = np.where(union > 0, I / np.maximum(union, 1), 0.0)
    best, column = np.zeros(len(I)), np.full(len(I), -1)
    for unit, row in enumerate(scores):
        for category in range(len(vocabulary.categories)):  # the last category of equals, the first concept in it
            members = np.flatnonzero(vocabulary.primary == category)
            winner = members[row[members].argmax()]
            if row[winner] > 0 and row[winner] >= best[unit]:
                best[unit], column[unit] = row[winner], winner
    return best, column, scores


class Truth:
    """What the oracle counts."""

    def __init__(self, case, plan, unreadable=(), groups=None):
        self.activations, self.entries, self.vocabulary = case
        self.groups = groups
        self.order = np.array([n for shard in plan.shards for n in shard.images if n not in unreadable])
        self.labels = [(entry.planes, entry.whole) for entry in self.entries]
        units = self.activations.shape[1]
        threshold = [oracle.threshold(self.activations[self.order, u].ravel(), "0.05") for u in range(units)]
        self.masks = [
            [oracle.interpolate(grid, FIELD, SIZE, entry.shape) > threshold[u] for u, grid in enumerate(grids)]
            for grids, entry in zip(self.activations, self.entries, strict=True)
        ]

    def count(self, images, lenders=None):
        """Return I, the mask pixels per category and G, with the labels of `lenders`, or the images' own."""
        lenders = images if lenders is None else lenders
        arguments = self.vocabulary.primary, len(self.vocabulary.categories)
        I, masks, _ = oracle.count([self.masks[n] for n in images], [self.labels[n] for n in lenders], *arguments)
        return I, masks, oracle.count([self.masks[n] for n in images], [self.labels[n] for n in images], *arguments)[2]

    def check_chance(self, chance, sizes):
        lenders = pairing.pair_images(self.order, self.groups, sizes, SHIFTS, 0).lenders
        taking = self.order[lenders[0, self.order] >= 0]
        assert chance.left_out == self.order.size - taking.size
        best, _, _ = find_best(*self.count(taking), self.vocabulary)
        np.testing.assert_array_equal(chance.observed, best.astype(np.float32))
        for score, label, lent in zip(chance.score, chance.label, lenders, strict=True):
            best, column, _ = find_best(*self.count(taking, lent[taking]), self.vocabulary)
            np.testing.assert_array_equal(score, best.astype(np.float32))
            np.testing.assert_array_equal(label, column)

    def check_within(self, within, sizes):
        strata = np.full(len(self.entries), -1)
        for n in self.order:
            scene = [code for code in self.entries[n].whole if code in (4, 8)]
            strata[n] = scene[0] if scene else -1
        lenders = pairing.pair_within(self.order, strata, sizes, SHIFTS, 0, self.groups).lenders
        taking = self.order[lenders[0, self.order] >= 0]
        assert 0 < within.left_out == self.order.size - taking.size
        _, label, _ = find_best(*self.count(self.order), self.vocabulary)
        partial = np.array([column in {0, 1, 2, 4, 5, 6} for column in label])
        own = [np.flatnonzero(self.vocabulary.primary == self.vocabulary.primary[column]) for column in label]
        for found, lent in [(within.observed, taking), *zip(within.score, lenders[:, taking], strict=True)]:
            _, _, scores = find_best(*self.count(taking, lent), self.vocabulary)
            best = [
                row[members].max() if column >= 0 else 0
                for row, members, column in zip(scores, own, label, strict=True)
            ]
            np.testing.assert_array_equal(found, np.where(partial, best, 0).astype(np.float32))
        assert within.applies.tolist() == partial.tolist()
        assert within.category == "scene"

    def check_spread(self, spread):
        groups = np.arange(len(self.entries)) if self.groups is None else self.groups
        fold_of = pairing.assign_folds(self.order, groups, FOLDS)
        folds = [self.count(np.flatnonzero(fold_of == fold)) for fold in range(FOLDS)]
        _, label, _ = find_best(*self.count(self.order), self.vocabulary)
        logits = []
        for number, weights in enumerate(draw_weights(RESAMPLES, FOLDS, 0)):
            tables = [
                sum(w * table for w, table in zip(weights, part, strict=True)) for part in zip(*folds, strict=True)
            ]
            best, column, scores = find_best(*tables, self.vocabulary)
            np.testing.assert_array_equal(spread.score[number].max(axis=1), best.astype(np.float32))
            for unit, winner in enumerate(column):
                assert winner == -1 or winner in spread.column[number, unit]
            value = np.clip(scores[np.arange(len(label)), label], 1e-6, 1 - 1e-6)
            logits.append(np.log(value / (1 - value)))
        error = np.std(logits, axis=0, ddof=1) * np.sqrt(FOLDS / (FOLDS - 1))
        np.testing.assert_allclose(spread.error[label >= 0], error[label >= 0], rtol=1e-6)
        halves = [[sum(parts) for parts in zip(*half, strict=True)] for half in (folds[:10], folds[10:])]
        found = [find_best(*half, self.vocabulary) for half in halves]
        honest = [
            np.where(chosen[1] >= 0, other[2][np.arange(len(label)), chosen[1]], 0)
            for chosen, other in zip(found, found[::-1], strict=True)
        ]
        np.testing.assert_allclose(spread.honest, np.mean(honest, axis=0), rtol=1e-6)


def dissect(case, plan, **options):
    activations, entries, vocabulary = case
    source = fakes.ArraySource((fakes.make_layer("l", activations, FIELD),), {"l": activations}, SIZE)
    named = {"unreadable": options.pop("unreadable", frozenset())}
    groups = options.pop("groups", None)
    kind = fakes.ArrayConcepts if groups is None else GroupedConcepts
    named |= {} if groups is None else {"groups": tuple(map(str, groups))}
    concepts = kind(vocabulary, entries, SIZE, **named)
    settings = {"null": SHIFTS, "resamples": RESAMPLES, "quantile": 0.05, "within": "scene"}
    return fakes.dissect_arrays(source, concepts, plan=plan, **(settings | options))


@pytest.mark.parametrize(("shard", "memory"), [(46, 2**28), (7, 2**28), (10, 1)])
@pytest.mark.parametrize("sizes", [[(12, 16)], [(12, 16), (24, 32)]])
def test_best_scores_by_chance_within_scenes_and_of_resamples_equal_the_oracles(sizes, shard, memory):
    case, plan = make_case(sizes), Plan(46, 1, shard, 8, 5)
    trust = dissect(case, plan, table_memory=memory, threads=2).layers["l"].trust
    truth, number = Truth(case, plan), np.array([sizes.index(entry.shape) for entry in case[1]])
    truth.check_chance(trust.chance, number)
    truth.check_within(trust.within, number)
    truth.check_spread(trust.spread)


def test_images_that_are_skipped_or_whose_size_is_their_own_take_no_part():
    case, plan = make_case([(12, 16)]), Plan(46, 4, 16, 8, 5)
    odd = int(plan.shards[1].images[1])
    case[1][odd] = Labels(np.ones((1, 8, 8), np.uint16), np.zeros(0, np.int64))
    unreadable = frozenset({int(plan.shards[0].images[3]), int(plan.shards[2].images[0])})
    outcome = dissect(case, plan, unreadable=unreadable, on_error="skip")
    trust, truth = outcome.layers["l"].trust, Truth(case, plan, unreadable)
    number = (np.arange(46) == odd).astype(np.int64)
    assert trust.chance.left_out == 1
    truth.check_chance(trust.chance, number)
    truth.check_within(trust.within, number)
    truth.check_spread(trust.spread)
    assert any("left out of the measurement of chance" in note for note in outcome.notes)


def test_groups_exchange_their_labels_and_lie_in_folds_as_one():
    case, plan, one_size = make_case([(12, 16)]), Plan(46, 4, 16, 8, 5), np.zeros(46, np.int64)
    groups = np.arange(46) // 2
    groups[40:43] = 20  # a group of three and one of a single image, which have no other of their size
    trust, truth = dissect(case, plan, groups=groups).layers["l"].trust, Truth(case, plan, groups=groups)
    truth.check_chance(trust.chance, one_size)
    truth.check_within(trust.within, one_size)
    truth.check_spread(trust.spread)
    assert trust.chance.left_out == 4


def test_without_shifts_or_resamples_the_other_tables_and_all_counts_stay_as_they_are():
    case, plan = make_case([(12, 16)]), Plan(46, 4, 16, 8, 5)
    both = dissect(case, plan).layers["l"]
    chance = dissect(case, plan, resamples=0).layers["l"]
    spread = dissect(case, plan, null=0).layers["l"]
    neither = dissect(case, plan, null=0, resamples=0).layers["l"]
    assert (chance.trust.spread, spread.trust.chance, spread.trust.within, neither.trust) == (None, None, None, None)
    np.testing.assert_array_equal(chance.trust.chance.score, both.trust.chance.score)
    np.testing.assert_array_equal(spread.trust.spread.score, both.trust.spread.score)
    for other in (chance, spread, neither):
        for name in ("I", "A", "G"):
            np.testing.assert_array_equal(getattr(other.counts, name), getattr(both.counts, name))
