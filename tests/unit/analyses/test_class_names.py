"""Class names as people write them."""

import json

import pytest

from netdissect.analyses.class_names import index_classes, match_classes, normalize_class_name
from netdissect.errors import DataFileError


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("/a/apartment_building/outdoor", "apartment_building-outdoor-s"),
        ("living room", "Living_Room"),
        ("n02124075 Egyptian cat", "n02124075"),
        ("n02124075 Egyptian cat", "n02124075-egyptian_cat"),
        ("tench, Tinca tinca", "tench"),
        ("tench, Tinca tinca", "tench, tinca tinca"),
        ("n01440764 tench, Tinca tinca", "Tinca-tinca"),
    ],
)
def test_a_class_is_found_by_any_usual_spelling(written, typed):
    assert index_classes(["other", written]).find(typed) == 1


def test_a_spelling_of_two_classes_finds_neither_unless_it_is_a_whole_name():
    classes = index_classes(["n02012849 crane", "n03126707 crane", "maillot", "maillot, tank suit"])
    assert [classes.find(name) for name in ("crane", "n03126707", "maillot")] == [-1, 1, 2]
    assert classes.names == ("n02012849 crane", "n03126707 crane", "maillot", "maillot, tank suit")


@pytest.mark.parametrize(
    ("name", "text", "names", "numbers"),
    [
        ("places.txt", "/a/airfield 0\n/a/alley 1\n", ("airfield", "alley"), (0, 1)),
        ("plain.txt", "cat\ndog\n", ("cat", "dog"), (0, 1)),
        ("colon.txt", "1: cat\n2: dog\n", ("cat", "dog"), (1, 2)),
        (
            "index.json",
            json.dumps({"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}),
            ("tench", "goldfish"),
            (0, 1),
        ),
        (
            "LOC_synset_mapping.txt",
            "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n",
            ("tench", "goldfish"),
            (0, 1),
        ),
        ("id2label.json", json.dumps({"id2label": {"0": "cat", "1": "dog"}}), ("cat", "dog"), (0, 1)),
    ],
)
def test_published_class_lists_are_read(tmp_path, name, text, names, numbers):
    (tmp_path / name).write_text(text)
    found = index_classes(tmp_path / name)
    assert (found.names, found.numbers) == (names, numbers)


def test_a_list_whose_numbers_leave_gaps_is_refused(tmp_path):
    (tmp_path / "list.txt").write_text("0: cat\n1: dog\n5: cow\n")
    with pytest.raises(DataFileError, match="a fault at 2"):
        index_classes(tmp_path / "list.txt")


def test_labels_that_are_no_class_are_left_out_and_counted():
    notes = []
    _, found = match_classes("here", ["cat", "cow", "cat", "emu"], index_classes(["dog", "cat"]), notes)
    assert found.tolist() == [1, -1, 1, -1]
    assert notes == [
        "here: 2 of 3 labels are none of the 2 classes and are left out with their images (2 labels): cow, emu"
    ]


def test_labels_of_which_none_is_a_class_are_an_error():
    with pytest.raises(DataFileError, match=r"none of its 2 labels \(cow, emu\) is one of the 2 classes"):
        match_classes("here", ["cow", "emu"], index_classes(["dog", "cat"]), [])


def test_numbers_are_those_of_the_list(tmp_path):
    (tmp_path / "list.txt").write_text("1: cat\n2: dog\n")
    _, found = match_classes("here", ["2", "1", "2"], index_classes(tmp_path / "list.txt"), [])
    assert found.tolist() == [1, 0, 1]


def test_all_synset_folders_are_taken_in_order_if_the_list_has_no_ids():
    notes = []
    _, found = match_classes("here", ["n00000002", "n00000001"], index_classes(["tench", "goldfish"]), notes)
    assert found.tolist() == [1, 0]
    assert "in their order" in notes[0]


def test_names_are_compared_by_letters_and_digits():
    assert normalize_class_name("T-Shirt_2") == "t shirt 2"


def test_synset_folders_find_imagenets_classes_by_the_order_that_timm_lists():
    info = pytest.importorskip("timm.data").ImageNetInfo()
    names = [info.index_to_description(at, detailed=False).split(",")[0] for at in range(1000)]
    notes = []
    _, found = match_classes("here", ["n01443537", "n01440764", "n15075141"], index_classes(names), notes)
    assert found.tolist() == [1, 0, 999]
    assert "in their order" in notes[0]
    with pytest.raises(DataFileError, match="give a class list with synset ids"):
        match_classes("here", ["n01443537"], index_classes(names[::-1]), [])
