"""The best single concept over the images of a formula equals a count over all signatures, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from netdissect.analyses.signature_counts import SearchTables, SignatureImages
from netdissect.concepts import Concept, Vocabulary
from netdissect.engine.signature_tally import SignatureTally, SparseCounts
from netdissect.stats.signatures import Signatures, prepare_signatures

NAMES = ("object", "texture", "color")
VOCABULARY = Vocabulary(NAMES, tuple(Concept(n + 1, f"c{n}", NAMES[n % 3]) for n in range(6)))


def draw_signatures(seed):
    """Return signatures as (presence, columns), their pixels and a unit's."""
    random = np.random.default_rng(seed)
    found = set()
    while len(found) < 20:
        columns = tuple(np.flatnonzero(random.random(6) < 0.35).tolist())
        bits = sum(1 << k for k in {n % 3 for n in columns}) | int(random.integers(8))
        found.add((bits, columns))
    pixels = random.integers(5, 50, 20)
    return sorted(found), pixels, random.integers(0, pixels + 1)


@pytest.mark.parametrize("formula", [(0,), (3, 0), (0, 1), (4, 2, 1), (5, 2), ()])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_single_concept_over_a_formulas_images(seed, formula):
    sets, pixels, under = draw_signatures(seed)
    start = np.cumsum([0, *(len(columns) for _, columns in sets)])
    columns = np.array([column for _, found in sets for column in found])
    presence = np.array([bits for bits, _ in sets])
    images = SignatureImages(prepare_signatures(Signatures(start, columns, presence, pixels, VOCABULARY.primary)))
    categories = {column % 3 for column in formula}
    best = 0.0
    for concept in range(6):
        if concept % 3 in categories:
            there = [n for n, (bits, _) in enumerate(sets) if all(bits >> k & 1 for k in categories)]
            X = sum(under[n] for n in there if concept in sets[n][1])
            union = sum(under[n] for n in there) + sum(pixels[n] for n in there if concept in sets[n][1]) - X
            best = max(best, X / union)
    met = np.flatnonzero(under)
    for _ in range(2):  # the second call reads what the first has kept
        assert images.find_best_single(formula, met, under[met]) == pytest.approx(best, abs=1e-15)


def test_a_concept_of_two_planes_counts_once_and_its_signatures_are_joined():
    signatures = ((1, (0,)), (1, (0, 0)), (3, (0, 1)))
    counts = SparseCounts(*(np.array(values) for values in ([0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 2, 2], [3, 4, 5, 6])))
    tables = SearchTables.make(
        SignatureTally(signatures, np.array([[10, 20, 30], [1, 2, 3]]), {"l": counts}), VOCABULARY, 1
    )
    own, lent = tables.own.prepared.signatures, tables.lent.prepared.signatures
    assert (own.presence.tolist(), own.columns.tolist(), own.pixels.tolist()) == ([1, 3], [0, 0, 1], [30, 30])
    assert lent.pixels.tolist() == [3, 3]
    assert [values.tolist() for values in tables.select(counts, 0, 0)] == [[0], [7]]
    assert [values.tolist() for values in tables.select(counts, 0, 1)] == [[1], [5]]
    assert [values.tolist() for values in tables.select(counts, 1, 0)] == [[1], [6]]
    assert [values.tolist() for values in tables.select(counts, 1, 1)] == [[], []]
