"""YOLO segmentation: polygons in shares, the smaller on top, in every layout that tools write."""

from __future__ import annotations

import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    label_maps,
    nothing,
    photo,
    same,
    source_of,
    splits,
    write,
)

from netdissect.errors import DataFileError, DataNotFoundError

NAMES = "path: ../data\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
CAT = "0 0.125 0.0833333 0.625 0.0833333 0.625 0.5 0.125 0.5"
DOG = "1 0 0 0.25 0 0.25 0.333333 0 0.333333"


def one(folder, *lines, names=NAMES, **asked):
    photo(folder / "images" / "train" / "a.jpg")
    write(folder / "labels" / "train" / "a.txt", "\n".join(lines) + "\n")
    write(folder / "data.yaml", names)
    return label_maps(folder, **asked)["images-train-a.jpg"]


@pytest.mark.parametrize("lines", [(CAT, DOG), (DOG, CAT)])
def test_the_smaller_is_on_top_wherever_it_is(tmp_path, lines):
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[:8, :8] = "dog"
    same(one(tmp_path, *lines), expected)


@pytest.mark.parametrize(
    "names",
    [
        "train: ../train/images\nval: ../valid/images\n\nnc: 2\nnames: ['cat', 'dog']\n\nroboflow:\n  version: 1\n",
        "names:\n- cat\n- dog\n",
        "names: {0: cat, 1: dog}\n",
        "names: [cat,\n  dog]\nnc: 2\n",
    ],
)
def test_names_are_read_however_yaml_spells_them(tmp_path, names):
    assert set(one(tmp_path, CAT, DOG, names=names).ravel()) == {"", "cat", "dog"}


def test_names_that_yaml_might_take_for_something_else_stay_names(tmp_path):
    assert set(one(tmp_path, CAT, DOG, names="names:\n  0: no\n  1: 1.0\n").ravel()) == {"", "no", "1.0"}


def test_a_tag_of_yaml_runs_nothing(tmp_path):
    names = f"names: !!python/object/apply:os.mkdir ['{tmp_path}/ran']\n"
    assert set(one(tmp_path, CAT, names=names).ravel()) == {"", f"{tmp_path}/ran"}
    assert not (tmp_path / "ran").exists()


def test_roboflow_and_ultralytics_and_label_studio_lay_out_folders_differently(tmp_path):
    for split in ("train", "valid", "test"):
        photo(tmp_path / "roboflow" / split / "images" / "a.jpg")
        write(tmp_path / "roboflow" / split / "labels" / "a.txt", CAT)
        photo(tmp_path / "ultralytics" / "images" / split / "a.png")
        write(tmp_path / "ultralytics" / "labels" / split / "a.txt", CAT)
    for folder in ("roboflow", "ultralytics"):
        write(tmp_path / folder / "data.yaml", NAMES)
    assert splits(tmp_path / "roboflow") == {
        "test-images-a.jpg": "test", "train-images-a.jpg": "train", "valid-images-a.jpg": "val",
    }  # fmt: skip
    assert splits(tmp_path / "ultralytics") == {
        "images-test-a.png": "test", "images-train-a.png": "train", "images-valid-a.png": "val",
    }  # fmt: skip
    photo(tmp_path / "studio" / "images" / "0a-b.jpg")
    write(tmp_path / "studio" / "labels" / "0a-b.txt", CAT)
    write(tmp_path / "studio" / "classes.txt", "cat\ndog\n")
    write(tmp_path / "studio" / "notes.json", {"categories": []})
    assert set(label_maps(tmp_path / "studio")["images-0a-b.jpg"].ravel()) == {"", "cat"}


def test_detection_boxes_are_refused_taken_or_left_out(tmp_path):
    box = "1 0.5 0.5 0.5 0.25"
    with pytest.raises(
        DataFileError, match=r"a\.txt, line 2 \(dog\): a line of a class and 4 numbers is a detection box, .*--boxes"
    ):
        one(tmp_path, CAT, box)
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    same(one(tmp_path, CAT, box, leave_out=["boxes"]), expected)
    expected[9:15, 8:24] = "dog"
    same(one(tmp_path, CAT, box, boxes=True), expected)


def test_a_rotated_photo_has_shares_of_its_upright_sides(tmp_path):
    photo(tmp_path / "images" / "train" / "a.jpg", turned=8)
    write(tmp_path / "labels" / "train" / "a.txt", "0 0 0 1 0 1 0.25 0 0.25")
    write(tmp_path / "data.yaml", NAMES)
    expected = nothing((32, 24))
    expected[:8] = "cat"
    same(label_maps(tmp_path)["images-train-a.jpg"], expected)


def test_what_is_outside_is_cut(tmp_path):
    expected = nothing()
    expected[12:, 16:] = "cat"
    same(one(tmp_path, "0 0.5 0.5 1.25 0.5 1.25 1.25 0.5 1.25"), expected)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("7 0 0 1 0 1 1", r"line 1: it is of class '7', and there are names for 0 to 1"),
        ("cat 0 0 1 0 1 1", r"line 1: expected a class's number, got 'cat'"),
        ("0 0 0 1 0 1", r"line 1 \(cat\): a line of a class and 4 numbers is a detection box"),
        ("0 0 0 1 0 1 1 0", r"line 1 \(cat\): expected a class and at least three corners x y, got 7 numbers"),
        ("0 0 0 30 0 30 20", r"line 1 \(cat\): expected shares of the image's sides, from 0 to 1, got '30'"),
        ("0 0 0 nan 0 1 1", r"line 1 \(cat\): expected shares of the image's sides, from 0 to 1, got 'nan'"),
        ("0 0 0", r"line 1 \(cat\): expected a class and at least three corners x y, got 2 numbers"),
    ],
)
def test_a_line_that_is_damaged_is_named(tmp_path, line, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, line)


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ("nc: 2\n", DataNotFoundError, "expected YOLO's data.yaml with names, or classes.txt"),
        ("names: cat\n", DataFileError, "expected names as a list or as number: name, got 'cat'"),
        ("nc: 3\nnames: [cat, dog]\n", DataFileError, r"it says 3 classes \(nc\) and names 2"),
        ("names: [cat, dog\n", DataFileError, r"data\.yaml, line 2: expected YAML"),
        ("kpt_shape: [17, 3]\nnames: [cat]\n", DataFileError, r"YOLO's poses \(kpt_shape\) are boxes and points"),
        ("names: " + "[" * 600, DataFileError, "data.yaml.*: expected YAML"),
    ],
)  # fmt: skip
def test_a_data_yaml_that_says_no_names_is_reported(tmp_path, names, error, words):
    with pytest.raises(error, match=words):
        one(tmp_path, CAT, names=names)


def test_labels_without_an_image_and_images_without_labels_are_reported(tmp_path):
    photo(tmp_path / "images" / "train" / "a.jpg")
    write(tmp_path / "labels" / "train" / "b.txt", CAT)
    write(tmp_path / "labels" / "train" / "c.txt", "")
    write(tmp_path / "data.yaml", NAMES)
    with pytest.raises(DataNotFoundError, match=r"1 of its images are not below .*: images/train/b;"):
        source_of(tmp_path)
