"""Counts of a table of units for a comparison, and which unit detects which concept."""

from __future__ import annotations

import pytest

from netdissect.results.compared import count_for_comparison, find_detections
from netdissect.results.units import CategoryBest, UnitRow, UnitTable


def row(unit, dog, leg):
    """A unit that sees a dog and a leg so well; under the larger it is listed."""
    profile = (
        CategoryBest("object", "dog" if dog else "", 9, 8, 7, dog), CategoryBest("part", "leg" if leg else "", 9, 8, 7, leg),
    )  # fmt: skip
    best = max(profile, key=lambda entry: entry.iou)
    return UnitRow(unit, best.category if best.iou else "", best.label, best.iou, 1.0, profile)


TABLE = UnitTable([row(1, 0.3, 0.1), row(2, 0.04, 0.0), row(3, 0.05, 0.2), row(4, 0.0, 0.0), row(5, 0.01, 0.03)])


def test_a_layer_is_counted_by_the_given_definition():
    one = count_for_comparison("net, l", "net", "l", TABLE, 0.04, "label")
    assert (one.units, one.detectors, one.total) == (5, 3, 2)
    assert (one.unique, one.by_category) == ({"object": 1, "part": 1}, {"object": 2, "part": 1})
    other = count_for_comparison("net, l", "net", "l", TABLE, 0.04, "category")
    assert (other.units, other.detectors, other.total) == (5, 2, 2)
    assert other.by_category == {"object": 2, "part": 2}
    assert (one.name, one.network, one.layer, one.definition, one.table) == ("net, l", "net", "l", "label", TABLE)


@pytest.mark.parametrize(
    ("definition", "threshold", "sees", "names"),
    [
        ("label", 0.04, [[1, 0], [0, 1], [1, 0], [0, 0], [0, 0]], ["dog", "leg"]),
        ("category", 0.04, [[1, 1], [1, 1], [0, 0], [0, 0], [0, 0]], ["dog", "leg"]),
        ("label", 0.0, [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0]], ["dog", "leg"]),
        ("category", 0.25, [[1], [0], [0], [0], [0]], ["dog"]),
        ("label", 0.5, [[]] * 5, []),
    ],
)
def test_detections_are_in_the_order_of_the_table(definition, threshold, sees, names):
    matrix, found = find_detections(TABLE, threshold, definition)  # units 1, 3, 2, 5, 4
    assert [row.unit for row in TABLE] == [1, 3, 2, 5, 4]
    order = [sorted(names).index(name) for name in found] and [list(found).index(name) for name in names]
    assert matrix[:, order].astype(int).tolist() == sees
    assert sorted(found) == sorted(names)
