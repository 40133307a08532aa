"""Broden's four sources in their original formats, intact and damaged."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from scipy.io import savemat
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.probe_sets.compile.ade20k import normalize_scene, open_ade20k, read_class_map
from netdissect.probe_sets.compile.broden_sources import find_sources, open_sources
from netdissect.probe_sets.compile.dtd import open_dtd
from netdissect.probe_sets.compile.opensurfaces import open_opensurfaces
from netdissect.probe_sets.compile.part_names import parse_part_table, read_part_names, remove_adjectives
from netdissect.probe_sets.compile.pascal import open_pascal, read_context_map, read_context_names
from netdissect.protocols import NullProgress


def only(source, number=0):
    item = source.list_images()[number]
    return item, source.read_labels(item)


# ── ADE20K ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ade20k_scene_objects_and_levels_of_parts_decode_to_their_names(tmp_path):
    source = open_ade20k(originals.write_ade20k(tmp_path))
    item, labels = only(source)
    assert item.file == "ADE_train_00000000.jpg"
    assert source.read_image(item).shape == (24, 32, 3)
    assert np.unique(labels["object"]).tolist() == [1, 300]
    assert labels["part"].shape == (2, 24, 32)
    assert [np.unique(level).tolist() for level in labels["part"]] == [[0, 300], [0, 10]]
    assert [source.list_names("scene", number) for number in labels["scene"]] == [("bow_window-indoor-s",)]
    assert source.list_names("object", 2) == ("tree", "shrub")


def test_a_scene_that_starts_with_a_tilde_is_no_label(tmp_path):
    source = open_ade20k(originals.write_ade20k(tmp_path))
    assert set(only(source, 2)[1]) == {"object"}


def test_a_class_is_a_tenth_of_red_times_256_plus_green(tmp_path):
    originals.write_label_map(tmp_path / "a.png", np.array([[[0, 7, 3], [10, 0, 3], [119, 255, 0], [129, 1, 9]]]))
    assert read_class_map(tmp_path / "a.png").tolist() == [[7, 256, 11 * 256 + 255, 12 * 256 + 1]]


def test_scenes_lose_their_slashes():
    assert normalize_scene("hotel - room/inn") == "hotel-room-inn"


def test_a_missing_image_of_ade20k_is_reported_or_skipped(tmp_path):
    folder = originals.write_ade20k(tmp_path)
    gone = next(folder.rglob("*00000001_seg.png"))
    gone.unlink()
    source = open_ade20k(folder)
    with pytest.raises(DataNotFoundError, match=r"00000001_seg.png does not exist"):
        only(source, 1)
    assert len(open_ade20k(folder, skip_missing=True).list_images()) == 2


def test_a_class_beyond_the_index_is_reported(tmp_path):
    source = open_ade20k(originals.write_ade20k(tmp_path))
    with pytest.raises(DataFileError, match="holds class 401, and the index names only 400"):
        source.list_names("object", 401)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "fieldless", "unequal", "outside"])
def test_a_damaged_index_is_one_sentence(tmp_path, damage):
    index = originals.write_ade20k(tmp_path) / "ADE20K_2016_07_26" / "index_ade20k.mat"
    whole = index.read_bytes()
    if damage == "fieldless":
        savemat(index, {"index": {"filename": np.array(["a.jpg"], dtype=object)}})
    elif damage in ("unequal", "outside"):
        names = np.array(["a.jpg", "b.jpg"], dtype=object)
        folders = names[:1] if damage == "unequal" else np.array(["../../etc", "x"], dtype=object)
        savemat(index, {"index": {"filename": names, "folder": folders, "scene": names, "objectnames": names}})
    else:
        index.write_bytes({"cut": whole[: len(whole) // 2], "text": b"hello " * 99, "empty": b""}[damage])
    with pytest.raises(DataFileError, match=r"index_ade20k\.mat"):
        open_ade20k(tmp_path / "ade20k")


def test_a_folder_without_an_index_is_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"expected index_ade20k.mat"):
        open_ade20k(tmp_path)


def test_a_release_whose_folder_was_renamed_is_found(tmp_path):
    folder = originals.write_ade20k(tmp_path)
    (folder / "ADE20K_2016_07_26").rename(tmp_path / "mine")
    item, labels = only(open_ade20k(tmp_path / "mine"))
    assert (item.record[0].is_file(), "part" in labels) == (True, True)


# ── PASCAL ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pascal_objects_come_from_the_context_and_parts_lie_later_ones_on_top(tmp_path):
    source = open_pascal(originals.write_pascal(tmp_path))
    item, labels = only(source)
    assert item.file == "2008_000000.jpg"
    assert {source.list_names("object", int(n)) for n in np.unique(labels["object"])} == {("aeroplane",), ()}
    part = labels["part"]
    name = {(): ""} | {
        source.list_names("part", int(n)): source.list_names("part", int(n))[0] for n in np.unique(part) if n
    }
    found = [[name[tuple(source.list_names("part", int(n)))] for n in part[:, 0]][row] for row in (0, 10, 23)]
    assert found == ["wing", "body", "engine"]
    assert part[0, 20] == 0


def test_pascal_without_its_context_takes_the_objects_of_the_parts(tmp_path):
    source = open_pascal(originals.write_pascal(tmp_path, context=False))
    labels = only(source)[1]
    assert source.list_names("object", int(labels["object"][0, 0])) == ("airplane",)
    assert "own 20 classes" in source.describe()


def test_a_pascal_image_without_an_object_has_no_part_plane(tmp_path):
    root = originals.write_pascal(tmp_path)
    originals.write_annotation(root / "part" / "Annotations_Part" / "2008_000000.mat")
    assert set(only(open_pascal(root))[1]) == {"object"}


def test_the_part_table_knows_comments_ranges_copies_and_removals(tmp_path):
    file = tmp_path / "part2ind.m"
    file.write_text(originals.PART2IND)
    table, classes_ = parse_part_table(file)
    assert classes_ == {1: "aeroplane", 2: "boat", 3: "bus", 4: "car"}
    assert table[1, "lwing"] == "left wing"
    assert table[1, "engine_3"] == "engine"
    assert (1, "engine_4") not in table
    assert table[4, "frontside"] == "frontside"
    assert (4, "fliplate") not in table
    names = read_part_names(file)
    assert names.classes[1] == "airplane"
    assert names.codes[1, "lwing"] == names.codes[1, "rwing"]
    assert names.codes[3, "frontside"] == 0
    assert names.names[names.codes[3, "fliplate"]] == "license plate"
    assert names.names[names.codes[4, "lfho"]] == "hoof"


@pytest.mark.parametrize(
    ("readable", "plain"),
    [("left front upper leg", "leg"), ("coach right side", "coach"), ("left eyebrow", "eyebrow"), ("side", "")],
)
def test_words_that_only_say_where_are_dropped(readable, plain):
    assert remove_adjectives(readable) == plain


def test_a_strange_line_of_the_part_table_is_named(tmp_path):
    (tmp_path / "part2ind.m").write_text("% [cat]\npimap{1}('head') = 1;\nsurprise(1)\n")
    with pytest.raises(DataFileError, match=r"part2ind.m, line 3: expected a line"):
        parse_part_table(tmp_path / "part2ind.m")
    (tmp_path / "part2ind.m").write_text("pimap{1}('head') = 1;\n")
    with pytest.raises(DataFileError, match="no heading names that class"):
        parse_part_table(tmp_path / "part2ind.m")


@pytest.mark.parametrize("number", ["abc", np.array([1, 2]), np.nan, np.inf, 1.5, np.array([]), {"a": 1}])
def test_a_class_number_that_is_none_is_reported(tmp_path, number):
    root = originals.write_pascal(tmp_path, images=1)
    path = next((root / "part" / "Annotations_Part").glob("*.mat"))
    thing = {"class_ind": number, "mask": np.ones((24, 32), np.uint8), "parts": []}
    savemat(path, {"anno": {"objects": thing}})
    with pytest.raises(DataFileError, match=r"2008_000000\.mat: expected a class number as class_ind, got"):
        only(open_pascal(root))


@pytest.mark.parametrize("value", [70_000, -1, 1.5, np.nan, np.inf])
def test_a_context_map_of_numbers_that_a_label_cannot_have_is_reported(tmp_path, value):
    savemat(tmp_path / "map.mat", {"LabelMap": np.array([[1, value], [2, 3]])})
    with pytest.raises(DataFileError, match="expected a plane of label numbers as LabelMap"):
        read_context_map(tmp_path / "map.mat")
    savemat(tmp_path / "map.mat", {"LabelMap": np.array([[1.0, 459], [2, 65_535]])})
    assert read_context_map(tmp_path / "map.mat").tolist() == [[1, 459], [2, 65_535]]


def test_a_part_that_the_table_does_not_name_is_reported(tmp_path):
    root = originals.write_pascal(tmp_path)
    mask = np.ones((24, 32))
    path = root / "part" / "Annotations_Part" / "2008_000000.mat"
    originals.write_annotation(path, (1, mask, [("antler", mask)]))
    with pytest.raises(DataFileError, match=r"part 'antler' of airplane is not in part2ind.m"):
        only(open_pascal(root))
    originals.write_annotation(path, (9, mask, []))
    with pytest.raises(DataFileError, match=r"object class 9 is not in part2ind.m"):
        only(open_pascal(root))
    originals.write_annotation(path, (1, mask, [("body", np.ones((5, 5)))]))
    with pytest.raises(DataFileError, match="masks of one image differ in size"):
        only(open_pascal(root))


@pytest.mark.parametrize("keep", [0, 60, 300])
def test_a_cut_annotation_is_one_sentence(tmp_path, keep):
    root = originals.write_pascal(tmp_path)
    path = root / "part" / "Annotations_Part" / "2008_000000.mat"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataFileError, match=r"2008_000000\.mat"):
        only(open_pascal(root))


def test_the_context_list_wants_every_index_once(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("1: sky\n1: tree\n")
    with pytest.raises(DataFileError, match="line 2: expected 'index: name', each index once"):
        read_context_names(file)
    root = originals.write_pascal(tmp_path)
    (root / "context" / "labels.txt").write_text("1: sky\n")
    with pytest.raises(DataFileError, match=r"number 2, which labels.txt does not name"):
        open_pascal(root).list_names("object", 2)


# ── DTD, OpenSurfaces ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_dtd_textures_are_numbered_by_name_the_main_one_first(tmp_path):
    source = open_dtd(originals.write_dtd(tmp_path))
    assert [source.read_labels(item)["texture"] for item in source.list_images()] == [(1,), (1, 2), (2,)]
    assert source.list_names("texture", 2) == ("striped",)


def test_a_line_of_dtd_without_a_texture_is_named(tmp_path):
    list_ = originals.write_dtd(tmp_path) / "dtd-r1.0.1" / "labels" / "labels_joint_anno.txt"
    list_.write_text("banded/banded_1.jpg\n")
    with pytest.raises(DataFileError, match="line 1: expected an image and its textures"):
        open_dtd(tmp_path / "dtd")


def test_opensurfaces_materials_are_the_red_channel_and_their_names_are_split(tmp_path):
    source = open_opensurfaces(originals.write_opensurfaces(tmp_path))
    labels = only(source, 1)[1]
    assert set(labels) == {"material"}
    assert np.unique(labels["material"]).tolist() == [1, 2]
    assert source.list_names("material", 1) == ("fabric", "cloth")
    assert source.list_names("material", 2) == ("plastic-clear",)
    with pytest.raises(DataFileError, match="red value 9"):
        source.list_names("material", 9)


def test_a_table_of_opensurfaces_without_its_column_is_reported(tmp_path):
    root = originals.write_opensurfaces(tmp_path)
    originals.write_csv(root / "photos.csv", ["id"], [[1]])
    with pytest.raises(DataFileError, match="'photo_id' is missing"):
        open_opensurfaces(root)
    originals.write_csv(root / "photos.csv", ["photo_id"], [["x"]])
    with pytest.raises(DataFileError, match="line 2: expected a whole number of at least 0 as 'photo_id', got 'x'"):
        open_opensurfaces(root)


# ── The folder of all of them ─────────────────────────────────────────────────────────────────────────────────────────


def test_any_subset_of_the_sources_is_found(tmp_path):
    originals.write_dtd(tmp_path)
    originals.write_pascal(tmp_path)
    assert list(find_sources(tmp_path)) == ["dtd", "pascal"]
    folders = find_sources(tmp_path, ["pascal"])
    found = open_sources(folders, skip_missing=False, workers=1, progress=NullProgress())
    assert [source.name for source in found] == ["pascal"]


def test_a_source_that_is_not_there_is_reported_with_the_way_to_it(tmp_path):
    with pytest.raises(DataNotFoundError, match="none of Broden's sources"):
        find_sources(tmp_path)
    originals.write_dtd(tmp_path)
    with pytest.raises(DataNotFoundError, match="netdissect data download ade20k"):
        find_sources(tmp_path, ["ade20k"])
    with pytest.raises(SettingsError, match="did you mean pascal"):
        find_sources(tmp_path, ["pascl"])


# ── Tables that would take time, memory, or never end ─────────────────────────────────────────────────────────────────


def test_a_part_table_of_millions_of_names_is_refused_at_its_line(tmp_path):
    path = tmp_path / "part2ind.m"
    ranges = "% [x]\nfor ii = 1:9999\npimap{1}(sprintf('aNUMBER_%d', ii)) = 1+ii;\nend\n"
    path.write_text("".join(ranges.replace("NUMBER", str(number)) for number in range(50)))
    with pytest.raises(DataFileError, match=r"line \d+: the table names more than 100,000 parts, but PASCAL has 400"):
        parse_part_table(path)
    copies = "% [x]\n" + "".join(f"pimap{{1}}('p{number}') = 1;\n" for number in range(1000))
    path.write_text(
        copies + "% [y]\nkeySet = keys(pimap{1});\n" + "pimap{2} = containers.Map(keySet, valueSet);\n" * 5000
    )
    with pytest.raises(DataFileError, match="more than 100,000 parts"):
        parse_part_table(path)
    path.write_text("% [x]\nfor ii = 1:1000000000\n")
    with pytest.raises(DataFileError, match="line 2: expected a line of PASCAL-Part's table"):
        parse_part_table(path)
    path.write_text(f"% [x]\npimap{{{'9' * 5000}}}('a') = 1;\n")
    with pytest.raises(DataFileError, match="line 2: expected a line of PASCAL-Part's table") as raised:
        parse_part_table(path)
    assert len(str(raised.value)) < 500


def test_a_long_line_of_a_list_is_read_in_linear_time(tmp_path):
    (tmp_path / "labels.txt").write_text("1: a" + " " * 2_000_000 + "b\n")
    began = time.process_time()
    assert list(read_context_names(tmp_path / "labels.txt")) == [1]
    assert time.process_time() - began < 1


def test_a_field_larger_than_a_csv_reader_takes_is_one_sentence(tmp_path):
    root = originals.write_opensurfaces(tmp_path)
    for name, header in (("photos.csv", "photo_id,x\n"), ("label-substance-colors.csv", "substance_name,red_color\n")):
        before = (root / name).read_text()
        for text in (header + "1," + "a" * 200_000 + "\n", "a" * 200_000 + "\n1\n"):
            (root / name).write_text(text)
            with pytest.raises(DataFileError, match=rf"{name}, line [12]: not a CSV table \(field larger than"):
                open_opensurfaces(root)
        (root / name).write_text(before)
    (root / "photos.csv").write_text("photo_id\n" + "9" * 5000 + "\n")
    with pytest.raises(DataFileError, match="line 2: expected a whole number of at least 0 as 'photo_id', got '9999"):
        open_opensurfaces(root)


@pytest.mark.parametrize("folder", ["../x", "/etc", "a\\b", "c:/x", "a/../../x"])
def test_an_index_that_leads_outside_is_refused(tmp_path, folder):
    root = originals.write_ade20k(tmp_path)
    index = next(root.rglob("index*.mat"))
    names = np.array(["a.jpg", "b.jpg"], object)
    savemat(index, {"index": {
        "filename": names, "folder": np.array([folder, "b"], object), "scene": names, "objectnames": names,
    }})  # fmt: skip
    with pytest.raises(DataFileError, match="expected a file name and a relative folder"):
        open_ade20k(root)


def test_pipes_in_the_place_of_a_sources_tables_are_not_waited_for(tmp_path):
    ade, pascal, surfaces = (
        originals.write_ade20k(tmp_path),
        originals.write_pascal(tmp_path),
        originals.write_opensurfaces(tmp_path),
    )
    for root, name, call in (
        (ade, next(ade.rglob("index*.mat")), open_ade20k),
        (pascal, pascal / "part" / "part2ind.m", open_pascal),
        (surfaces, surfaces / "photos.csv", open_opensurfaces),
    ):
        name.unlink()
        os.mkfifo(name)
        with pytest.raises((DataFileError, DataNotFoundError), match=r"a named pipe|is missing|expected"):
            call(root)
