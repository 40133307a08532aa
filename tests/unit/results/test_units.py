"""Units as rows: every field under its own name, in the documented order, in Arrow and in pandas."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Vocabulary
from netdissect.layers import FieldMap
from netdissect.results.counts import Counts
from netdissect.results.layer_result import LayerResult
from netdissect.results.trust import UnitTrust
from netdissect.results.units import CategoryBest, UnitRow, UnitTable

PROFILE = (CategoryBest("object", "dog", 11, 12, 13, 0.14), CategoryBest("part", "leg", 21, 22, 23, 0.24))
ROW = UnitRow(7, "part", "leg", 0.24, 3.5, PROFILE)
AS_DICT = {
    "unit": 7, "channel": 6, "category": "part", "label": "leg", "score": 0.24, "threshold": 3.5,
    "object-label": "dog", "object-truth": 11, "object-activation": 12, "object-intersect": 13, "object-iou": 0.14,
    "part-label": "leg", "part-truth": 21, "part-activation": 22, "part-intersect": 23, "part-iou": 0.24,
}  # fmt: skip


def rows(*scores):
    return UnitTable([UnitRow(unit, "object", f"c{unit}", score, 1.0, PROFILE) for unit, score in scores])


def test_a_row_holds_every_number_under_its_own_name():
    assert ROW.as_dict() == AS_DICT
    assert {name: ROW[name] for name in AS_DICT} == AS_DICT
    with pytest.raises(KeyError, match="scene-iou"):
        ROW["scene-iou"]


def test_a_table_holds_its_rows_in_arrow_and_in_pandas():
    other = UnitRow(2, "object", "cat", 0.5, 4.5, (PROFILE[0], CategoryBest("part", "", 0, 0, 0, 0.0)))
    table = UnitTable([ROW, other])
    expected = [other.as_dict(), AS_DICT]
    assert table.to_arrow().to_pylist() == expected
    assert table.to_arrow().column_names == list(AS_DICT)
    assert table.to_pandas().to_dict("records") == expected
    assert table.to_pandas().columns.tolist() == list(AS_DICT)


def test_trust_follows_the_other_columns_with_one_type_each():
    trust = UnitTrust(low=0.2, high=0.3, q=0.01, labels=("leg", "dog"))
    table = UnitTable([replace(ROW, trust=trust), UnitRow(2, "", "", 0.0, 4.5, PROFILE, UnitTrust())])
    names = [*AS_DICT, *(field.name for field in fields(UnitTrust))]
    arrow, frame = table.to_arrow(), table.to_pandas()
    assert arrow.column_names == frame.columns.tolist() == names
    assert arrow.to_pylist()[0] == AS_DICT | trust.as_dict() | {"labels": ["leg", "dog"]}
    assert arrow["q"].to_pylist() == [0.01, None]
    assert frame["q"].tolist() == pytest.approx([0.01, np.nan], nan_ok=True)
    assert {str(frame[name].dtype) for name in ("low", "q", "p_within", "q_reference")} == {"float64"}
    assert {str(arrow[name].type) for name in ("low", "q", "p_within", "q_reference")} == {"double"}
    assert frame["labels"].tolist() == [("leg", "dog"), ()]


def test_the_repr_of_a_table_shows_q_where_it_was_measured():
    lines = repr(
        UnitTable([replace(ROW, trust=UnitTrust(q=0.01)), replace(ROW, unit=8, trust=UnitTrust())])
    ).splitlines()
    assert lines == [
        "2 units (unit, IoU, q, category, label):",
        "      7  0.2400  0.0100  part      leg",
        "      8  0.2400          part      leg",
    ]


def test_units_are_sorted_by_score_and_then_by_number():
    assert [row.unit for row in rows((3, 0.1), (1, 0.1), (2, 0.1))] == [1, 2, 3]
    assert [row.unit for row in rows((3, 0.1), (1, 0.0), (4, 0.3), (2, 0.1))] == [4, 2, 3, 1]


def test_a_slice_is_a_table_and_equal_tables_compare_equal():
    table = rows((1, 0.3), (2, 0.2), (3, 0.1))
    assert table[1:] == rows((3, 0.1), (2, 0.2))
    assert table[1:] != table
    assert hash(table[:]) == hash(table)
    assert (table[0].unit, table[-1].unit, len(table)) == (1, 3, 3)


def test_the_repr_of_a_table_shows_its_first_ten_units():
    lines = repr(rows(*((unit, 1 / unit) for unit in range(1, 13)))).splitlines()
    assert lines[0] == "12 units (unit, IoU, category, label):"
    assert lines[1].split() == ["1", "1.0000", "object", "c1"]
    assert lines[10].split() == ["10", "0.1000", "object", "c10"]
    assert lines[11:] == ["  … 2 more"]
    assert len(repr(rows((1, 0.0))).splitlines()) == 2


def test_a_unit_of_a_layer_has_the_counts_of_its_best_concept_in_every_category():
    words = fakes.make_vocabulary(5, categories=3)  # 1 and 4 object, 2 and 5 part, 3 color
    I = np.array([[2, 4, 0, 5, 3], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0]], np.int64)
    A = np.array([[6, 7, 8, 6, 7], [9, 9, 9, 9, 9], [1, 2, 3, 1, 2]], np.int64)
    G = np.array([11, 12, 13, 14, 15], np.int64)
    layer = LayerResult(
        fakes.make_layer("l", np.zeros((1, 3, 2, 2)), FieldMap((0, 0), (1, 1), (1, 1))), words, Counts(I, A, G),
        np.array([1, 2, 3], np.float32), 4, None, None,
    )  # fmt: skip
    first, second, third = layer.units
    assert (first.unit, first.label, first.category, first.score) == (1, "c4", "object", 5 / 15)
    assert first.profile == (
        CategoryBest("object", "c4", 14, 6, 5, 5 / 15),
        CategoryBest("part", "c2", 12, 7, 4, 4 / 15),
        CategoryBest("color", "", 0, 0, 0, 0.0),
    )
    assert (second.unit, second.label, second.threshold) == (3, "c4", 3.0)
    assert second.profile[0] == CategoryBest("object", "c4", 14, 1, 1, 1 / 14)
    nothing = tuple(CategoryBest(name, "", 0, 0, 0, 0.0) for name in words.categories)
    assert (third.unit, third.label, third.category, third.score, third.profile) == (2, "", "", 0.0, nothing)


def test_units_of_a_vocabulary_without_concepts_have_empty_rows():
    none = np.zeros((2, 0), np.int64)
    layer = LayerResult(
        fakes.make_layer("l", np.zeros((1, 2, 2, 2)), FieldMap((0, 0), (1, 1), (1, 1))),
        Vocabulary(("object", "part"), ()), Counts(none, none, np.zeros(0, np.int64)), np.array([1, 2], np.float32), 4, None, None,
    )  # fmt: skip
    profile = (CategoryBest("object", "", 0, 0, 0, 0.0), CategoryBest("part", "", 0, 0, 0, 0.0))
    assert list(layer.units) == [UnitRow(1, "", "", 0.0, 1.0, profile), UnitRow(2, "", "", 0.0, 2.0, profile)]
