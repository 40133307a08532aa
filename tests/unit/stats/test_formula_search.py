"""The best formula against all formulas, counted one by one."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from tests.formula_cases import JOINS, DenseFormulas, compute_iou, list_formulas, make_signatures, make_unit

from netdissect.stats.formula_forms import FORMS
from netdissect.stats.formula_kernel import is_greater
from netdissect.stats.formula_search import find_best_formula
from netdissect.stats.partitions import compute_ceiling, make_partitions
from netdissect.stats.signatures import Signatures, prepare_signatures
from netdissect.stats.triple_kernel import join_three
from netdissect.stats.unit_search import UnitSearch


def make_cases(seeds, **sizes):
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        signatures = make_signatures(random, **sizes)
        yield signatures, make_unit(random, signatures)


@pytest.mark.parametrize("categories", [1, 2, 3])
def test_the_best_of_twelve_concepts_is_that_of_all_forms_for_fifty_units(categories):
    random = np.random.default_rng(categories)
    signatures = make_signatures(random, rows=80, concepts=12, categories=categories)
    every = {length: DenseFormulas(signatures, length) for length in (1, 2, 3)}
    prepared = prepare_signatures(signatures)
    for _ in range(50):
        unit = make_unit(random, signatures)
        for length, formulas in every.items():
            found, best = find_best_formula(prepared, *unit, length), formulas.find_best(unit)
            assert compute_iou(signatures, unit, found.columns, found.operators) == best
            assert found.iou == float(best)
            assert found.is_proved
            assert found.single == float(every[1].find_best(unit))


def test_of_equal_formulas_the_shortest_and_then_that_of_the_lowest_columns_is_found():
    for signatures, unit in make_cases(8, rows=12, concepts=5, categories=2):
        found = find_best_formula(prepare_signatures(signatures), *unit)
        for length in range(1, len(found.columns)):
            for columns, operators in list_formulas(5, length):
                assert compute_iou(signatures, unit, columns, operators) < Fraction(found.iou).limit_denominator(10**6)
        equal = [
            sorted(columns) for columns, operators in list_formulas(5, len(found.columns))
            if float(compute_iou(signatures, unit, columns, operators)) == found.iou
        ]  # fmt: skip
        assert sorted(found.columns) == min(equal)


def test_the_order_of_signatures_does_not_change_the_formula():
    for signatures, unit in make_cases(10):
        found = [find_best_formula(prepare_signatures(signatures), *unit, length) for length in (3, 5)]
        order = np.random.default_rng(7).permutation(signatures.pixels.size)
        columns = [signatures.columns[signatures.start[row] : signatures.start[row + 1]][::-1] for row in order]
        other = Signatures(
            np.cumsum([0, *map(len, columns)]), np.concatenate(columns), signatures.presence[order],
            signatures.pixels[order], signatures.primary,
        )  # fmt: skip
        place = np.argsort(order)
        again = prepare_signatures(other)
        assert [find_best_formula(again, place[unit[0]], unit[1], length) for length in (3, 5)] == found


def test_splitting_a_signature_changes_nothing():
    for signatures, unit in make_cases(5):
        size, end = signatures.pixels.size, signatures.start[-1]
        twice = Signatures(
            np.concatenate([signatures.start, signatures.start[1:] + end]), np.tile(signatures.columns, 2),
            np.tile(signatures.presence, 2), np.concatenate([signatures.pixels, signatures.pixels]), signatures.primary,
        )  # fmt: skip
        doubled = np.concatenate([unit[0], unit[0] + size]), np.tile(unit[1], 2)
        found = find_best_formula(prepare_signatures(signatures), *unit)
        assert find_best_formula(prepare_signatures(twice), *doubled) == found


def test_longer_formulas_are_no_worse_and_none_exceeds_the_ceiling():
    for signatures, unit in make_cases(30):
        prepared = prepare_signatures(signatures)
        found = [find_best_formula(prepared, *unit, length) for length in (1, 2, 3, 4, 5)]
        scores = [best.iou for best in found]
        assert scores == sorted(scores)
        assert compute_ceiling(make_partitions(signatures), *unit) >= scores[-1]
        for best in found:
            assert best.iou == float(compute_iou(signatures, unit, best.columns, best.operators))
            assert len(set(best.columns)) == len(best.columns) == len(best.operators) + 1


def test_formulas_found_by_beam_are_not_proved():
    for signatures, unit in make_cases(3):
        prepared = prepare_signatures(signatures)
        assert [find_best_formula(prepared, *unit, length).is_proved for length in (3, 4, 5)] == [True, False, False]


def test_a_beam_finds_four_concepts_that_three_cannot_express():
    start = np.arange(6)
    signatures = Signatures(start, np.arange(5), np.ones(5, np.int64), np.full(5, 10), np.zeros(5, np.int64))
    unit = np.array([0, 1, 2, 4]), np.full(4, 10)
    prepared = prepare_signatures(signatures)
    assert find_best_formula(prepared, *unit).iou == 0.75
    assert find_best_formula(prepared, *unit, length=4).iou == 1.0
    assert sorted(find_best_formula(prepared, *unit, length=5).columns) == [0, 1, 2, 4]


def test_the_ceiling_is_the_best_of_all_sets_of_parts():
    """Two categories; every union of the pixels that formulas tell apart, over the images of each set of categories."""
    for signatures, unit in make_cases(20, rows=9, concepts=4, categories=2):
        mask = dict(zip(*(part.tolist() for part in unit), strict=True))
        best = Fraction(0)
        for bits in (1, 2, 3):
            parts = {}
            for row in np.flatnonzero((signatures.presence & bits) == bits).tolist():
                columns = signatures.columns[signatures.start[row] : signatures.start[row + 1]].tolist()
                key = frozenset(column for column in columns if bits >> signatures.primary[column] & 1)
                both, area = parts.get(key, (0, 0))
                parts[key] = both + mask.get(row, 0), area + int(signatures.pixels[row])
            M = sum(both for both, _ in parts.values())
            for chosen in range(1, 2 ** len(parts)):
                taken = [part for place, part in enumerate(parts.values()) if chosen >> place & 1]
                x, y = (sum(part[kind] for part in taken) for kind in (0, 1))
                best = max(best, Fraction(x, M + y - x))
        assert compute_ceiling(make_partitions(signatures), *unit) == float(best)


def test_a_formula_is_measured_only_on_images_that_have_all_its_categories():
    signatures = Signatures(
        np.array([0, 1, 2, 4, 4]),
        np.array([0, 1, 0, 1]),
        np.array([1, 2, 3, 3]),
        np.array([100, 100, 10, 10]),
        np.array([0, 1]),
    )
    unit = np.array([0, 1, 2]), np.array([50, 50, 9])
    found = find_best_formula(prepare_signatures(signatures), *unit)
    assert (found.columns, found.iou) == ((0, 1), 0.9)
    assert found.single == 59 / 110


def test_a_unit_without_a_mask_or_without_a_concept_has_no_formula():
    signatures = Signatures(np.array([0, 1, 1]), np.array([0]), np.array([1, 1]), np.array([5, 5]), np.array([0]))
    prepared, nothing = prepare_signatures(signatures), np.zeros(0, np.int64)
    for unit in ((nothing, nothing), (np.array([1]), np.array([3]))):
        for length in (1, 3, 5):
            found = find_best_formula(prepared, *unit, length)
            assert (found.columns, found.operators, found.iou, found.single) == ((), (), 0.0, 0.0)
    assert compute_ceiling(make_partitions(signatures), nothing, nothing) == 0


def test_a_probe_set_without_labels_has_no_formulas():
    empty = Signatures(
        np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros(1, np.int64), np.array([9]), np.zeros(0, np.int64)
    )
    assert find_best_formula(prepare_signatures(empty), np.array([0]), np.array([4])).columns == ()
    assert compute_ceiling(make_partitions(empty), np.array([0]), np.array([4])) == 0


@pytest.mark.parametrize("length", [0, 6])
def test_a_length_that_is_not_searched_is_refused(length):
    signatures, unit = next(make_cases(1))
    with pytest.raises(ValueError, match=f"from 1 to 5, got {length}"):
        find_best_formula(prepare_signatures(signatures), *unit, length)


def test_fewer_triples_are_counted_than_there_are():
    """The bounds leave out most triples of many concepts; without them every one would be counted."""
    random = np.random.default_rng(0)
    signatures = make_signatures(random, rows=400, concepts=60, categories=1)
    unit = UnitSearch(prepare_signatures(signatures), *make_unit(random, signatures))
    unit.search_singles()
    unit.search_pairs()
    unit.search_triples()
    assert 0 < unit.offered < 60 * 59 * 58 / 6 / 4


@pytest.mark.parametrize("length", [2, 3])
def test_forms_are_all_truth_tables_that_read_from_left_to_right_and_use_every_concept(length):
    def tabulate(order, operators):
        rows = []
        for bits in range(2**length):
            truth = bool(bits >> order[0] & 1)
            for place, operator in zip(order[1:], operators, strict=True):
                truth = JOINS[operator](truth, bool(bits >> place & 1))
            rows.append(truth)
        return tuple(rows)

    forms = [tabulate(*form) for form in FORMS[length]]
    assert len(set(forms)) == len(forms) == {2: 4, 3: 23}[length]
    assert set(forms) == {tabulate(*formula) for formula in list_formulas(length, length)}


def test_sums_of_the_forms_follow_from_those_of_intersections():
    random = np.random.default_rng(1)
    weights = random.integers(0, 100, 8)
    has = np.array([[bits >> place & 1 for place in range(3)] for bits in range(8)], bool)
    a, b, c = has.T
    sums = [int(weights[table].sum()) for table in (a, b, c, a & b, a & c, b & c, a & b & c)]
    found = np.empty(23, np.int64)
    join_three(*sums, found)
    for (order, operators), value in zip(FORMS[3], found.tolist(), strict=True):
        truth = has[:, order[0]]
        for place, operator in zip(order[1:], operators, strict=True):
            other = has[:, place]
            truth = truth | other if operator == "or" else truth & (other if operator == "and" else ~other)
        assert value == weights[truth].sum()


def test_fractions_of_large_numbers_are_compared_exactly():
    large = 2**61
    assert is_greater(large - 1, large, large - 2, large - 1)
    assert not is_greater(large - 2, large - 1, large - 1, large)
    assert not is_greater(3, 9, large // 2 // 3, large // 2 // 3 * 3)
    random = np.random.default_rng(0)
    for a, b, c, d in random.integers(1, 30, (500, 4)).tolist():
        assert is_greater(a, b, c, d) == (Fraction(a, b) > Fraction(c, d))
    assert not is_greater(0, 5, 0, 7)


def find_best_triples(signatures, units):
    """Return the highest IoU of three of many concepts for every unit, by arrays of all triples for one form after another."""
    concepts, size = signatures.primary.size, signatures.pixels.size
    has = np.zeros((concepts, size), bool)
    has[signatures.columns, np.repeat(np.arange(size), np.diff(signatures.start))] = True
    triples = np.array(list(itertools.combinations(range(concepts), 3)))
    bits = np.bitwise_or.reduce(1 << signatures.primary[triples], axis=1)[:, np.newaxis]
    within = (signatures.presence & bits) == bits
    masks = np.zeros((size, len(units)), np.float32)
    for column, (at, count) in enumerate(units):
        masks[at, column] = count
    M, best = within.astype(np.float32) @ masks, np.zeros(len(units))
    for order, operators in FORMS[3]:
        truth = has[triples[:, order[0]]]
        for place, operator in zip(order[1:], operators, strict=True):
            other = has[triples[:, place]]
            truth = truth | other if operator == "or" else truth & (other if operator == "and" else ~other)
        truth = (truth & within).astype(np.float32)
        both, area = truth @ masks, truth @ signatures.pixels.astype(np.float32)
        union = (M + area[:, np.newaxis] - both).astype(np.float64)
        best = np.maximum(best, (both / np.maximum(union, 1)).max(axis=0))
    return best


@pytest.mark.parametrize("categories", [1, 3])
def test_leaving_out_triples_by_their_bounds_loses_none(categories):
    random = np.random.default_rng(10 + categories)
    signatures = make_signatures(random, rows=300, concepts=36, categories=categories)
    units = [make_unit(random, signatures) for _ in range(40)]
    prepared, best = prepare_signatures(signatures), find_best_triples(signatures, units)
    found = [find_best_formula(prepared, *unit) for unit in units]
    three = [formula for formula in found if len(formula.columns) == 3]
    assert len(three) > 20
    for formula, highest in zip(found, best, strict=True):
        assert formula.iou == highest if len(formula.columns) == 3 else formula.iou >= highest
