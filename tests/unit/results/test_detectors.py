"""Detectors under both definitions, and the paper's own tables."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from tests import fakes

from netdissect.errors import RunFileError, RunNotFoundError, SettingsError
from netdissect.results import classic
from netdissect.results.counts import Counts, compute_iou, find_best_concepts
from netdissect.results.detectors import count_detectors
from netdissect.results.units import CategoryBest, UnitRow, UnitTable


def row(unit, score, *profile):
    best = max(profile, key=lambda entry: entry.iou)
    return UnitRow(unit, best.category, best.label, score, 0.0, profile)


def entry(category, label, score):
    inside = round(10_000 * score)  # of a concept of 10,000 pixels
    return CategoryBest(category, label, 10_000, inside, inside, score)


TABLE = UnitTable(
    [
        row(1, 0.10, entry("object", "dog", 0.10), entry("part", "leg", 0.05)),
        row(2, 0.04, entry("object", "dog", 0.04), entry("part", "", 0.0)),
        row(3, 0.08, entry("object", "cat", 0.06), entry("part", "leg", 0.08)),
        row(4, 0.01, entry("object", "cat", 0.01), entry("part", "ear", 0.0)),
    ]
)


def test_by_label_a_unit_counts_once_from_the_threshold_on():
    found = count_detectors(TABLE, definition="label")
    assert (found.units, found.unique, found.total) == (3, 2, 4)
    assert found.concepts == {("object", "dog"): 2, ("part", "leg"): 1}


def test_by_category_a_unit_counts_in_every_category_it_passes():
    found = count_detectors(TABLE, definition="category")
    assert found.concepts == {("object", "dog"): 1, ("object", "cat"): 1, ("part", "leg"): 2}
    assert (found.units, found.unique, found.total) == (2, 3, 4)  # units 1 and 3, each once
    assert found.unique_by_category == {"object": 2, "part": 1}
    assert found.units_by_category == {"object": 2, "part": 2}
    assert found.describe() == "2 of 4 units detect 3 unique concepts (IoU > 0.04, by category)"


def test_a_description_names_definition_and_threshold():
    assert (
        count_detectors(TABLE, threshold=0.1).describe()
        == "1 of 4 units detect 1 unique concepts (IoU ≥ 0.1, by label)"
    )
    assert count_detectors(TABLE, threshold=0.1, definition="category").units == 0  # has to be passed, not reached


def test_another_definition_is_refused():
    with pytest.raises(SettingsError, match="label or category"):
        count_detectors(TABLE, definition="both")  # type: ignore[arg-type]


def test_iou_is_zero_where_neither_mask_nor_label_has_a_pixel():
    counts = Counts(*(np.zeros(shape, np.int64) for shape in ((1, 2), (1, 2), (2,))))
    assert compute_iou(counts).tolist() == [[0.0, 0.0]]


def test_iou_is_one_where_mask_and_label_are_the_same_single_pixel():
    one = np.ones((1, 1), np.int64)
    assert compute_iou(Counts(one, one, one[0])).tolist() == [[1.0]]
    assert compute_iou(Counts(one * 0, one, one[0] * 0)).tolist() == [[0.0]]
    assert compute_iou(Counts(one, one * 3, one[0] * 2)).tolist() == [[0.25]]


def test_counts_must_be_integers_that_fit_together():
    with pytest.raises(ValueError, match="int64"):
        Counts(np.zeros((1, 2)), np.zeros((1, 2), np.int64), np.zeros(2, np.int64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fit together"):
        Counts(np.zeros((1, 2), np.int64), np.zeros((1, 2), np.int64), np.zeros(3, np.int64))


def test_between_concepts_the_first_of_equals_wins_between_categories_the_later():
    words = fakes.make_vocabulary(6, categories=3)  # 1 and 4 object, 2 and 5 part, 3 and 6 color
    best = find_best_concepts(np.array([[0.2, 0.3, 0.1, 0.2, 0.3, 0.3], [0.0] * 6]), words)
    assert best.column[0].tolist() == [0, 1, 5]
    assert best.category.tolist() == [2, -1]
    assert best.column[1].tolist() == [-1, -1, -1]


def test_where_there_is_no_category_no_unit_has_a_label():
    best = find_best_concepts(np.zeros((2, 0)), fakes.make_vocabulary(0, categories=0))
    assert (best.column.shape, best.category.tolist()) == ((2, 0), [-1, -1])


PAPER = {
    "caffe_reference_places365": (256, 72, 91),
    "caffe_reference_places205": (256, 60, 79),
    "caffe_reference_imagenet": (256, 50, 61),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", PAPER)
def test_the_papers_tables_give_the_papers_unique_detectors(shared, name):
    units = classic.read_result_csv(shared / "reference/cvpr17" / f"{name}.csv")
    by_label, by_category = (count_detectors(units, definition=kind) for kind in ("label", "category"))
    assert (len(units), by_label.unique, by_category.unique) == PAPER[name]


@pytest.mark.shared
@pytest.mark.parametrize("name", PAPER)
def test_every_iou_of_the_papers_tables_follows_from_its_own_counts(shared, name):
    cells = 0
    for unit in classic.read_result_csv(shared / "reference/cvpr17" / f"{name}.csv"):
        for best in unit.profile:
            counts = Counts(
                np.array([[best.intersect]]), np.array([[best.activation]]), np.array([best.truth])
            )  # fmt: skip
            assert compute_iou(counts)[0, 0] == pytest.approx(best.iou, abs=1e-9)
            cells += 1
    assert cells == 256 * 6


def test_a_result_table_is_written_as_the_released_code_wrote_it(tmp_path):
    path = tmp_path / "conv5-result.csv"
    classic.write_result_csv(path, TABLE, ["object", "part"])
    text = path.read_bytes()
    assert text.startswith(
        b"unit,category,label,score,object-label,object-truth,object-activation,object-intersect,object-iou,"
        b"part-label,part-truth,part-activation,part-intersect,part-iou\r\n1,object,dog,0.1,dog,10000,1000.0,1000,0.1,leg,"
    )
    with path.open(newline="") as file:
        assert [record["unit"] for record in csv.DictReader(file)] == ["1", "3", "2", "4"]


def test_a_result_table_is_read_back(tmp_path):
    path = tmp_path / "a.csv"
    classic.write_result_csv(path, TABLE, ["object", "part"])
    again = classic.read_result_csv(path)
    assert [(r.unit, r.label, r.score, r.profile) for r in again] == [
        (r.unit, r.label, r.score, r.profile) for r in TABLE
    ]
    assert all(np.isnan(r.threshold) for r in again)  # a table does not tell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'unit'"),
        ("unit,category,label,score,x-iou\n1,object,dog,much,0.1\n", "line 2"),
        ("unit,category,label,score,x-iou\n1,object\n", "line 2"),
    ],
)
def test_a_file_that_is_no_result_table_is_an_error(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(RunFileError, match=message):
        classic.read_result_csv(path)


def test_a_missing_result_table_is_an_error(tmp_path):
    with pytest.raises(RunNotFoundError, match="no result table"):
        classic.read_result_csv(tmp_path / "none.csv")
