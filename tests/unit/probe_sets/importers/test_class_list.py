"""Class lists: numbers, colors, categories and new names."""

from __future__ import annotations

import json

import numpy as np
import pytest

from netdissect.errors import DataFileError, DataNotFoundError, LabelError, SettingsError
from netdissect.probe_sets.importers.class_list import read_class_list, read_class_names, read_renaming


def written(path, text):
    path.write_text(text)
    return path


def meaning(classes):
    return {number: classes.names[label - 1] if label else "" for number, label in classes.codes.items()}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "cat\ndog\n", {1: "cat", 2: "dog"}),
        ("a.txt", "background\ncat\n\n", {0: "", 1: "cat"}),
        ("a.txt", "0: road\n7: sky\n", {0: "road", 7: "sky"}),
        ("a.txt", "3 traffic light\n9 car\n", {3: "traffic light", 9: "car"}),
        ("a.csv", "name\ncat\ndog\n", {1: "cat", 2: "dog"}),
        ("a.csv", "id,name,category\n5,cat,object\n6,fur,material\n", {5: "cat", 6: "fur"}),
        ("a.json", json.dumps(["cat", "dog"]), {1: "cat", 2: "dog"}),
        ("a.json", json.dumps({"0": "wall", "1": "sky"}), {0: "wall", 1: "sky"}),
        ("a.json", json.dumps({"wall": 4}), {4: "wall"}),
    ],
)
def test_a_file_is_read_in_its_own_spelling(tmp_path, name, text, expected):
    assert meaning(read_class_list(written(tmp_path / name, text), "object")) == expected


def test_lists_and_mappings_are_read_as_they_are():
    assert meaning(read_class_list(["cat", "dog"], "object")) == {1: "cat", 2: "dog"}
    assert meaning(read_class_list(["cat", "dog"], "object", first=0)) == {0: "cat", 1: "dog"}
    assert meaning(read_class_list({10: "cat"}, "object")) == {10: "cat"}


def test_a_class_has_a_category_of_its_own_or_the_common_one(tmp_path):
    file = written(tmp_path / "a.csv", "number,name,category\n1,cat,\n2,fur,material\n")
    assert read_class_list(file, "part").categories == ("part", "material")


def test_masks_of_numbers_become_labels_and_0_and_255_are_nothing():
    classes = read_class_list({7: "cat", 9: "dog"}, "object")
    assert classes.label_mask(np.array([[0, 7], [9, 255]]), "m").tolist() == [[0, 1], [2, 0]]
    assert read_class_list({0: "cat", 255: "dog"}, "object").label_mask(np.array([[0, 255]]), "m").tolist() == [[1, 2]]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64])
def test_masks_of_every_width_are_read_alike(kind):
    classes = read_class_list({1: "cat", 200: "dog"}, "object")
    mask = np.array([[0, 1], [200, 255]], kind)
    assert classes.label_mask(mask, "m").tolist() == [[0, 1], [2, 0]]
    if kind == np.int64:
        far = read_class_list({1 << 40: "far"}, "object")
        assert far.label_mask(np.array([[1 << 40, 0]]), "m").tolist() == [[1, 0]]
        with pytest.raises(LabelError, match="holds number -3"):
            classes.label_mask(np.array([[-3, 1]]), "m")


def test_a_class_list_shorter_than_the_masks_is_reported():
    with pytest.raises(
        LabelError, match=r"m\.png: the mask holds number 3, and the class list names 2 numbers, 1 to 2"
    ):
        read_class_list(["cat", "dog"], "object").label_mask(np.array([[3]]), "m.png")


def test_masks_of_colors_become_labels(tmp_path):
    cvat = written(tmp_path / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:255,128,0::\n")
    mask = np.array([[[255, 128, 0], [0, 0, 0]]], np.uint8)
    for file in (
        cvat,
        written(tmp_path / "a.csv", "name,r,g,b\ncat,255,128,0\n"),
        written(tmp_path / "b.csv", "name,color\ncat,#ff8000\n"),
    ):
        assert read_class_list(file, "object").label_mask(mask, "m").tolist() == [[1, 0]]
    with pytest.raises(LabelError, match="holds the color #010203, which the class list does not name"):
        read_class_list(cvat, "object").label_mask(np.array([[[1, 2, 3]]], np.uint8), "m")
    with pytest.raises(LabelError, match="the mask is an RGB image, and the class list names no colors"):
        read_class_list(["cat"], "object").label_mask(mask, "m")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "", "expected at least one class name"),
        ("a.txt", "background\n", "expected at least one class name"),
        ("a.txt", "1: cat\n1: dog\n", "number 1 or its color is listed twice"),
        ("a.csv", "nom\ncat\n", "a column 'name', got nom"),
        ("a.csv", "id,name\nx,cat\n", "line 2: a number or color is invalid"),
        ("a.csv", "name,color\ncat,red\n", "line 2: a number or color is invalid"),
        ("a.json", "{", "expected a JSON list of names"),
        ("a.json", "3", "expected a JSON list of names"),
        ("labelmap.txt", "# label:color_rgb\ncat\n", "expected lines name:r,g,b"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_sentence(tmp_path, name, text, told):
    with pytest.raises(DataFileError, match=told):
        read_class_list(written(tmp_path / name, text), "object")


def test_a_list_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match="the class list is missing"):
        read_class_list(tmp_path / "gone.txt", "object")


def test_planes_are_divided_by_category():
    classes = read_class_list({1: "cat", 2: "fur"}, "object").rename({"fur": ("fur", "material")})
    parts = classes.split_by_category(np.array([[1, 2, 0]], np.uint16))
    assert {category: plane.tolist() for category, plane in parts.items()} == {
        "object": [[1, 0, 0]],
        "material": [[0, 2, 0]],
    }


def test_classes_can_be_renamed_moved_and_dropped(tmp_path):
    rules = read_renaming(written(tmp_path / "r.csv", "name,as,category\ncat,feline,\ndog,,\nfur,fur,material\n"))
    classes = read_class_list(["cat", "dog", "fur"], "object").rename(rules)
    assert (classes.names, classes.categories) == (("feline", "fur"), ("object", "material"))
    assert classes.label_mask(np.array([[1, 2, 3]]), "m").tolist() == [[1, 0, 2]]
    with pytest.raises(SettingsError, match="'cow', and no class has this name"):
        classes.rename({"cow": ("x", "")})
    with pytest.raises(DataFileError, match="expected the columns name and as"):
        read_renaming(written(tmp_path / "s.csv", "from,to\na,b\n"))


def test_names_keep_their_order_for_a_network(tmp_path):
    assert read_class_names(written(tmp_path / "a.txt", "background\ncat\n")) == ["background", "cat"]
    assert read_class_names(written(tmp_path / "b.txt", "2: b\n0: a\n")) == ["a", "b"]
