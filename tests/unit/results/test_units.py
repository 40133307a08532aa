"""Units as rows: every field under its own name, in the documented order, in Arrow and in pandas."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from tests import fakes

from netdissect.concepts import Vocabulary
from netdissect.errors import MissingExtraError, SettingsError, UnknownColumnError
from netdissect.layers import FieldMap
from netdissect.results.counts import Counts
from netdissect.results.layer_result import LayerResult
from netdissect.results.trust import UnitTrust
from netdissect.results.units import CategoryBest, UnitRow, UnitTable

PROFILE = (CategoryBest("object", "dog", 11, 12, 13, 0.14), CategoryBest("part", "leg", 21, 22, 23, 0.24))
ROW = UnitRow(7, "part", "leg", 0.24, 3.5, PROFILE)
UNIT = {
    "layer": "", "unit": 7, "channel": 6, "category": "part", "label": "leg", "score": 0.24, "iou": 0.24, "is_detector": True, "threshold": 3.5,
}  # fmt: skip
CATEGORIES = {
    "object-label": "dog", "object-truth": 11, "object-activation": 12, "object-intersect": 13, "object-iou": 0.14,
    "part-label": "leg", "part-truth": 21, "part-activation": 22, "part-intersect": 23, "part-iou": 0.24,
}  # fmt: skip
AS_DICT = UNIT | CATEGORIES


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


def test_trust_follows_the_label_with_one_type_in_each_column():
    trust = UnitTrust(low=0.2, high=0.3, q=0.01, labels=("leg", "dog"))
    table = UnitTable([replace(ROW, trust=trust), UnitRow(2, "", "", 0.0, 4.5, PROFILE, UnitTrust())])
    names = [*UNIT, *(field.name for field in fields(UnitTrust)), *CATEGORIES]
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
    assert lines[:-1] == [
        "UnitTable of 2 units, score is IoU",
        "unit  channel  label  category   score       q  is_detector",
        "   7        6  leg    part      0.2400  0.0100         True",
        "   8        7  leg    part      0.2400                 True",
    ]
    assert lines[-1].startswith('all columns: .columns, ["label"], .to_pandas()')


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
    assert lines[0] == "UnitTable of 12 units, score is IoU"
    assert lines[2].split() == ["1", "0", "c1", "object", "1.0000", "True"]
    assert lines[11].split() == ["10", "9", "c10", "object", "0.1000", "True"]
    assert lines[12] == "… 2 more"
    assert repr(rows((1, 0.03))).splitlines()[2].split()[-1] == "False"
    assert repr(rows()).splitlines()[0] == "UnitTable of 0 units, score is IoU"


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
    assert list(layer.units) == [
        UnitRow(1, "", "", 0.0, 1.0, profile, layer="l"), UnitRow(2, "", "", 0.0, 2.0, profile, layer="l")
    ]  # fmt: skip


def test_a_column_is_an_array_and_a_mask_chooses_units():
    table = rows((1, 0.3), (2, 0.2), (3, 0.01))
    assert table["unit"].tolist() == [1, 2, 3] and table["unit"].dtype == np.int64
    assert table["channel"].tolist() == [0, 1, 2]
    assert table["label"].tolist() == ["c1", "c2", "c3"] and table["label"].dtype.kind == "U"
    assert table["is_detector"].tolist() == [True, True, False]
    assert [row.unit for row in table[table["score"] < 0.25]] == [2, 3]
    assert [row.unit for row in table[table["is_detector"]]] == [1, 2]
    assert [row.unit for row in table[[2, 0]]] == [3, 1]
    assert [row.unit for row in table[np.array([True, None, False], object)]] == [1]
    assert isinstance(table[np.int64(0)], UnitRow)
    assert len(table[[]]) == 0


@pytest.mark.parametrize("index", [["unit", "label"], [True, False], 1.5, np.zeros((3, 3), bool)])
def test_what_cannot_choose_units_is_refused_in_a_sentence(index):
    with pytest.raises(
        SettingsError, match=r"units\[...\] takes a position|a mask of 2 values does not fit a table of 3 units"
    ):
        rows((1, 0.3), (2, 0.2), (3, 0.01))[index]


def test_an_unknown_column_is_answered_with_the_nearest():
    with pytest.raises(UnknownColumnError, match=r"this table has no column 'labl': did you mean label"):
        rows((1, 0.3))["labl"]


def test_values_are_sorted_as_pandas_sorts_them():
    table = UnitTable([
        UnitRow(unit, "object", label, score, 1.0, PROFILE, UnitTrust(q=q))
        for unit, label, score, q in ((1, "dog", 0.3, 0.2), (2, "cat", 0.3, None), (3, "dog", 0.1, 0.01), (4, "ant", 0.2, 0.2))
    ])  # fmt: skip
    frame = table.to_pandas()
    for by in ("score", "label", "q", ["label", "score"], ["q", "unit"]):
        for ascending in (True, False):
            expected = frame.sort_values(by, ascending=ascending, kind="stable")["unit"].tolist()
            assert table.sort_values(by, ascending=ascending)["unit"].tolist() == expected, (by, ascending)
    assert table.sort_values("unit")[1:]["unit"].tolist() == [2, 3, 4]
    assert table.sort_values("unit").head(2)["unit"].tolist() == [1, 2]
    assert table.sort_values("unit").tail(3)["unit"].tolist() == [2, 3, 4]
    assert table.tail(9) == table


def test_a_query_is_that_of_pandas():
    table = rows((1, 0.3), (2, 0.2), (3, 0.01))
    assert table.query("score > 0.1 and label != 'c1'")["unit"].tolist() == [2]
    assert table.query("`object-truth` == 11").to_pandas().equals(table.to_pandas())
    limit = 0.1
    assert len(table.query("score > @limit")) == len(table.query(f"score > {limit}"))
    with pytest.raises(SettingsError, match=r"query\('scor > 1'\) cannot be read \(.*'scor'"):
        table.query("scor > 1")


def test_without_pandas_data_frames_are_refused_in_a_sentence(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    table = rows((1, 0.3))
    assert table["unit"].tolist() == [1] and len(table.sort_values("score")) == 1
    for convert in (table.to_pandas, lambda: table.query("unit == 1")):
        with pytest.raises(
            MissingExtraError, match=r"pandas is needed for data frames and is not installed: pip install"
        ):
            convert()


def test_a_row_by_another_score_has_the_iou_of_its_label_beside_it():
    profile = tuple(replace(best, score=0.5 + best.iou) for best in PROFILE)
    row = UnitRow(7, "part", "leg", 0.74, 3.5, profile, score_title="F1")
    assert (row.score, row.iou, row["part-iou"], row["part-score"]) == (0.74, 0.24, 0.24, 0.74)
    assert (ROW.score, ROW.iou) == (0.24, 0.24) and PROFILE[0].score == PROFILE[0].iou
    assert UnitTable([row], "F1").columns == list(row.as_dict())
    assert repr(row).startswith("unit 7 (channel 6): leg (part), F1 0.7400, detector")
    assert UnitRow(7, "", "", 0.0, 3.5, profile, score_title="F1").iou == 0
