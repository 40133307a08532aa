"""Reading a probe set; every fault of one is a one-sentence error."""

from __future__ import annotations

import io
import os
import re
import sys

import numpy as np
import pytest
from PIL import Image
from tests import small_probe_set

from netdissect.errors import (
    DataError,
    DataFileError,
    DataNotFoundError,
    LabelError,
    MissingExtraError,
    SettingsError,
)
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden


@pytest.fixture
def folder(tmp_path):
    return small_probe_set.write_probe_set(tmp_path / "small set é")


def edit(folder, table, change):
    path = folder / table
    path.write_text(change(path.read_text()))


def test_every_kind_of_field_is_read(folder):
    probe_set = Broden(folder)
    assert len(probe_set) == 6
    assert set(probe_set.vocabulary.categories) == {"object", "part", "color", "scene", "texture"}
    first, second = probe_set.read_labels(0), probe_set.read_labels(1)
    assert first.planes.shape == (1, 16, 16)
    assert first.whole.tolist() == [6]  # the 0 beside it is nothing
    assert second.planes.shape == (4, 16, 16)
    assert second.whole.tolist() == [5]
    assert probe_set.read_image(0).shape == (32, 32, 3)
    assert probe_set.read_image(0, (8, 12)).shape == (8, 12, 3)


def test_a_row_without_any_label_is_dropped_and_rows_keep_their_number(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    lines.insert(1, "a/empty.jpg,train,32,32,16,16,,,,,")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    probe_set = Broden(folder)
    assert len(probe_set) == 6
    assert [probe_set.row(index) for index in range(6)] == [1, 2, 3, 4, 5, 6]


def test_a_row_with_nothing_but_zeros_is_dropped_as_the_released_code_does(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    header = lines[0].split(",")
    record = dict.fromkeys(header, "") | {
        "image": "a/image 9.jpg",
        "split": "val",
        "ih": "32",
        "iw": "32",
        "sh": "16",
        "sw": "16",
    }
    record |= {"texture": "0", "scene": "0;0"}
    (folder / "index.csv").write_text("\n".join([*lines, ",".join(record[name] for name in header)]) + "\n")
    probe_set = Broden(folder)
    assert [row.number for row in probe_set.rows] == [0, 1, 2, 3, 4, 5]
    report = check_probe_set(folder)
    assert (report.images, report.unlabeled_images) == (6, 1)
    record["scene"] = "0;5"
    (folder / "index.csv").write_text("\n".join([*lines, ",".join(record[name] for name in header)]) + "\n")
    assert Broden(folder).read_labels(6).whole.tolist() == [5]


def test_label_maps_of_one_image_have_a_budget_before_any_is_read(folder):
    """A small file named often, or many small files, would take gigabytes."""
    bomb = ";".join(["a/image 1_object.png"] * 300)
    lines = (folder / "index.csv").read_text().splitlines()
    lines[1] = f"a/image 0.jpg,val,32,32,4000,4000,{bomb},,,,"
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    for read in (Broden, check_probe_set):
        with pytest.raises(
            DataFileError, match=r"index\.csv, line 2: 300 label maps of 4000 x 4000 pixels are 4,800,000,000"
        ):
            read(folder)


@pytest.mark.parametrize(
    ("category", "said"),
    [
        ("x/../../secret", "it holds '/'"),
        ("..", "it is dots and spaces only"),
        ("a\x1bb", "it holds"),
        ("c" * 300, "longer than 200 bytes"),
        ("split", "index.csv has such a column for every image"),
    ],
)
def test_a_category_that_cannot_be_a_files_name_is_refused_before_its_table_is_looked_for(folder, category, said):
    (folder / "category.csv").write_text(f"name,first,last,count,frequency\nobject,1,2,2,2\n{category},,,,\n")
    with pytest.raises(DataFileError, match=f"category.csv: the category .* cannot have that name: .*{said}"):
        Broden(folder)


@pytest.mark.parametrize("image", ["../x.jpg", "/etc/passwd", "a\\..\\x.jpg", "c:/x.jpg", ""])
def test_an_image_elsewhere_is_refused(folder, image):
    edit(folder, "index.csv", lambda text: text.replace("a/image 0.jpg", image, 1))
    with pytest.raises(DataFileError, match="line 2: expected a file below images/"):
        Broden(folder)


def test_tables_that_are_no_regular_files_are_refused_at_once(folder):
    (folder / "label.csv").unlink()
    os.mkfifo(folder / "label.csv")
    with pytest.raises(DataFileError, match=r"label\.csv cannot be read as a table: .* got a named pipe"):
        Broden(folder)


def test_split_and_limit_choose_rows(folder):
    assert [Broden(folder, split="val").row(index) for index in range(2)] == [0, 3]
    assert len(Broden(folder, limit=2)) == 2
    assert Broden(folder, limit=2).fingerprint != Broden(folder).fingerprint
    with pytest.raises(SettingsError, match="no image of .* is of split 'vall': did you mean val"):
        Broden(folder, split="vall")


def test_an_images_file_is_given_as_it_is(folder):
    assert Broden(folder).read_image_file(1) == (folder / "images/a/image 1.jpg").read_bytes()


def test_a_label_of_a_whole_image_in_a_gap_of_the_list_is_refused(folder):
    edit(folder, "label.csv", lambda text: text.replace("\n6,", "\n9,"))
    edit(folder, "c_texture.csv", lambda text: text.replace("1,6,dotted", "1,9,dotted"))
    with pytest.raises(LabelError, match=r"index\.csv, line \d: label 6 is not listed in label\.csv"):
        Broden(folder)


def test_a_set_is_narrowed_to_a_split_and_to_its_first_images_and_else_stays_itself(folder):
    whole = Broden(folder)
    assert whole.select() is whole
    val = whole.select(split="val")
    assert (val.split, val.limit, len(val)) == ("val", None, len(Broden(folder, split="val")))
    assert val.select(split="val") is val
    assert len(val.select(limit=1)) == 1
    assert len(whole.select(limit=3).select(limit=5)) == 3


@pytest.mark.parametrize(
    ("sizes", "got"),
    [("65535,65537,4,4", 65535 * 65537), ("4,4,65537,65535", 65535 * 65537), ("20000,3,20001,20003", 20001 * 20003)],
)
def test_an_image_or_label_map_beyond_measure_is_reported_with_its_pixels(folder, sizes, got):
    edit(folder, "index.csv", lambda text: text.replace("32,32,16,16", sizes, 1))
    with pytest.raises(DataFileError, match=f"line 2: expected images of at most 134,217,728 pixels, got {got:,}$"):
        Broden(folder)


def test_the_primary_category_is_the_one_with_the_largest_coverage_and_of_equals_the_later(folder):
    probe_set = Broden(folder)
    assert {c.name: c.category for c in probe_set.vocabulary.concepts} == small_probe_set.CONCEPTS
    for coverage, category in (("0.1", None), ("0.05", "object"), ("0.2", "part")):
        edit(folder, "c_part.csv", lambda text, c=coverage: text.split("\n")[0] + f"\n1,3,leaf,1,0.1\n2,2,tree,1,{c}\n")
        later = max(("object", "part"), key=Broden(folder).vocabulary.categories.index)
        tree = Broden(folder).vocabulary.concepts[1]
        assert tree.category == (category or later)


def test_numbers_may_have_gaps(folder):
    edit(folder, "label.csv", lambda text: text.replace("\n6,dotted", "\n60,dotted"))
    edit(folder, "c_texture.csv", lambda text: text.replace("1,6,dotted", "1,60,dotted"))
    edit(folder, "index.csv", lambda text: text.replace("6;0", "60;0"))
    probe_set = Broden(folder)
    assert [c.number for c in probe_set.vocabulary.concepts] == [1, 2, 3, 4, 5, 60]
    assert probe_set.read_labels(0).whole.tolist() == [6]  # its code


def plane_of(folder, name="a/image 1_object.png"):
    return folder / "images" / name


@pytest.mark.parametrize(
    ("mode", "words"), [("L", "8-bit gray"), ("P", "palette"), ("1", "1-bit"), ("I;16", "16-bit gray")]
)
def test_label_maps_that_are_not_24_bit_are_refused(folder, mode, words):
    Image.new(mode, (16, 16)).save(plane_of(folder))
    with pytest.raises(LabelError, match=f"image 1_object.png: expected a 24-bit RGB .* got an? {words} PNG"):
        Broden(folder).read_labels(1)


def test_a_label_beyond_the_list_is_refused(folder):
    Image.new("RGB", (16, 16), (7, 0, 0)).save(plane_of(folder))
    with pytest.raises(LabelError, match=r"label 7 is beyond the largest number in label.csv, 6"):
        Broden(folder).read_labels(1)
    Image.new("RGB", (16, 16), (0, 255, 0)).save(plane_of(folder))
    with pytest.raises(LabelError, match="label 65280 is beyond"):
        Broden(folder).read_labels(1)


def test_a_label_in_a_gap_of_the_list_is_refused(folder):
    edit(folder, "label.csv", lambda text: text.replace("\n6,dotted", "\n60,dotted"))
    edit(folder, "c_texture.csv", lambda text: text.replace("1,6,dotted", "1,60,dotted"))
    edit(folder, "index.csv", lambda text: text.replace("6;0", "60;0"))
    for number, accepted in ((5, True), (6, False), (7, False), (59, False), (60, True), (61, False)):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(plane_of(folder))
        if accepted:
            assert np.unique(Broden(folder).read_labels(1).planes[0]).tolist() == [min(number, 6)]  # its code
        else:
            with pytest.raises(LabelError, match=rf"image 1_object\.png: label {number} .* label\.csv"):
                Broden(folder).read_labels(1)


def test_concepts_stand_by_rising_number_whatever_the_order_of_the_lines(folder):
    before = Broden(folder).vocabulary

    def turned(text):
        header, *lines = text.splitlines()
        return "\n".join([header, *reversed(lines)]) + "\n"

    edit(folder, "label.csv", turned)
    after = Broden(folder).vocabulary
    assert after.concepts == before.concepts
    assert [concept.number for concept in after.concepts] == [1, 2, 3, 4, 5, 6]
    assert after.codes.tolist() == list(range(7))


def test_a_label_map_of_another_size_is_refused(folder):
    Image.new("RGB", (16, 20)).save(plane_of(folder))
    with pytest.raises(DataFileError, match="expected a label map of 16 x 16 pixels as index.csv says, got 16 x 20"):
        Broden(folder).read_labels(1)


def test_an_image_of_another_size_is_refused(folder):
    out = io.BytesIO()
    Image.new("RGB", (31, 32)).save(out, format="JPEG")
    (folder / "images/a/image 0.jpg").write_bytes(out.getvalue())
    with pytest.raises(DataFileError, match="expected 32 x 32 pixels as index.csv says, got 31 x 32"):
        Broden(folder).read_image(0)


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_truncated_image_or_label_map_is_reported_by_name(folder, cut):
    for path, read in (
        (folder / "images/a/image 0.jpg", "read_image"),
        (plane_of(folder, "a/image 0_color.png"), "read_labels"),
    ):
        path.write_bytes(path.read_bytes()[:cut])
        if cut == 200 and read == "read_labels":
            continue  # so small a PNG may still be whole
        with pytest.raises(DataFileError, match="image 0"):
            getattr(Broden(folder), read)(0)


def test_missing_files_are_reported_by_name(folder, tmp_path):
    plane_of(folder).unlink()
    with pytest.raises(DataNotFoundError, match="label map .*image 1_object.png, named in index.csv, does not exist"):
        Broden(folder).read_labels(1)
    (folder / "images/a/image 0.jpg").unlink()
    with pytest.raises(DataNotFoundError, match="image .*image 0.jpg, named in index.csv, does not exist"):
        Broden(folder).read_image(0)
    with pytest.raises(DataNotFoundError, match="there is no probe set at"):
        Broden(tmp_path / "nothing")


@pytest.mark.parametrize("table", ["index.csv", "label.csv", "category.csv", "c_part.csv"])
def test_a_folder_without_one_of_its_tables_is_reported_so(folder, table):
    (folder / table).unlink()
    with pytest.raises(DataNotFoundError, match=f"not a complete Broden folder: {table} is missing"):
        Broden(folder)


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("index.csv", "image,split,ih", "picture,split,ih", "'image' is missing"),
        ("index.csv", ",32,32,16,16,", ",32,32,16,", "line 2: expected 11 fields"),
        ("index.csv", ",32,32,16,16,", ",32,0,16,16,", "line 2: expected a whole number of at least 1 as 'iw', got '0'"),
        ("index.csv", ",32,32,16,16,", ",32,-3,16,16,", "got '-3'"),
        ("index.csv", ",32,32,16,16,", ",32,1234567890,16,16,", "'iw', got '1234567890'"),
        ("index.csv", "6;0", "7;0", "label 7 is not listed in label.csv"),
        ("index.csv", "6;0", "999999999999;0", "label 999999999999 is not listed"),
        ("index.csv", "a/image 0.jpg", "../../etc/passwd", "expected a file below images/"),
        ("index.csv", "a/image 0_color.png", "/etc/passwd", "expected a file below images/"),
        ("index.csv", "a/image 1.jpg", "a/image 0.jpg", "is already listed in line 2"),
        ("label.csv", "\n2,", "\n1,", "label 1 is listed twice"),
        ("label.csv", "\n2,", "\ntwo,", "expected a whole number"),
        ("label.csv", "\n6,", "\n70000,", "beyond what a label map can hold"),
        ("c_part.csv", "1,3,leaf", "1,33,leaf", "label 33 is not listed in label.csv"),
        ("c_part.csv", "1,3,leaf", "1,-1,leaf", "line 2: expected .* 'number', got '-1'"),
        ("c_part.csv", "coverage", "coverage,code", "c_part.csv: a column is listed twice in the first line"),
        ("label.csv", "number,name", "number,number,name", "label.csv: a column is listed twice in the first line"),
        ("c_part.csv", "0.1", "much", "line 2: expected a number of at least 0 as 'coverage', got 'much'"),
        ("c_part.csv", "0.1", "nan", "line 2: expected a number of at least 0 as 'coverage', got 'nan'"),
        ("c_part.csv", "0.1", "-0.1", "line 2: expected a number of at least 0 as 'coverage', got '-0.1'"),
        ("c_part.csv", "0.1", "1e400", "line 2: .* 'coverage', got '1e400'"),
        ("c_texture.csv", "1,6,dotted,1,0.1\n", "", r"label 6 \(dotted\) of label.csv is in no c_<category>.csv"),
        ("category.csv", "part,", "object,", "must be distinct"),
    ],
)  # fmt: skip
def test_tables_that_say_something_impossible_are_reported_by_line(folder, table, old, new, message):
    assert old in (folder / table).read_text()
    edit(folder, table, lambda text: text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        Broden(folder)


def test_tables_that_a_spreadsheet_saved_are_read(folder):
    """Spreadsheets write a byte order mark and other line ends."""
    before, problems = Broden(folder), check_probe_set(folder).problems
    for path in folder.glob("*.csv"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [row.image for row in Broden(folder).rows] == [row.image for row in before.rows]
    assert Broden(folder).vocabulary == before.vocabulary
    assert check_probe_set(folder).problems == problems


def test_a_table_that_is_no_text_is_reported_so(folder):
    (folder / "label.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(DataFileError, match=r"label.csv: expected a table as text in UTF-8"):
        Broden(folder)


def test_a_table_that_is_no_csv_is_reported_by_its_line(folder):
    edit(folder, "index.csv", lambda text: text + "a" * 200_000 + "\n")
    with pytest.raises(DataFileError, match=rf"{re.escape(str(folder / 'index.csv'))}, line 8: not a CSV table"):
        Broden(folder)


def test_every_image_has_the_latent_of_its_row(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join([lines[0], "a/empty.jpg,train,32,32,16,16,,,,,", *lines[1:]]) + "\n")
    np.save(folder / "latents.npy", np.arange(14, dtype=np.float32).reshape(7, 2))
    assert [Broden(folder).latent(index).tolist() for index in (0, 5)] == [[2, 3], [12, 13]]
    np.save(folder / "latents.npy", np.zeros((6, 2), np.float32))
    assert Broden(folder).latent(4).tolist() == [0, 0]
    with pytest.raises(DataFileError, match=r"latents\.npy: expected a latent for every image, got 6"):
        Broden(folder).latent(5)
    (folder / "latents.npy").write_bytes(b"nothing")
    with pytest.raises(DataFileError, match=r"latents\.npy: expected a table of latents, got"):
        Broden(folder).latent(0)
    (folder / "latents.npy").unlink()
    with pytest.raises(DataNotFoundError, match=r"holds no latents\.npy"):
        Broden(folder).latent(0)


def test_an_address_that_cannot_be_read_is_reported_by_what_it_lacks(monkeypatch):
    pytest.importorskip("upath")
    monkeypatch.setitem(sys.modules, "s3fs", None)  # not installed
    with pytest.raises(MissingExtraError, match=r"s3://bucket/set needs a library that is not installed"):
        Broden("s3://bucket/set")
    with pytest.raises(SettingsError, match=r"nowhere://set is not an address"):
        Broden("nowhere://set")


def test_grey_and_png_images_are_read_as_rgb(folder):
    Image.new("L", (32, 32), 90).save(folder / "images/a/image 0.jpg")
    assert np.unique(Broden(folder).read_image(0)).tolist() == [90]
    Image.new("RGBA", (32, 32), (1, 2, 3, 4)).save(folder / "images/a/image 0.jpg", format="PNG")
    assert Broden(folder).read_image(0)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.shared
def test_genuine_photographs_decode_as_pillow_decodes_them(shared):
    probe_set = Broden(shared / "data/real_a_227")
    assert (len(probe_set), len(probe_set.vocabulary)) == (899, 81)
    for index in range(0, 899, 90):
        with Image.open(shared / "data/real_a_227/images" / probe_set.image_name(index)) as image:
            np.testing.assert_array_equal(probe_set.read_image(index), np.asarray(image.convert("RGB")))


def test_a_probe_set_behind_a_url_is_read_alike(folder):
    import pickle

    upath = pytest.importorskip("upath")
    remote = upath.UPath("memory://bucket/small set é")
    for path in folder.rglob("*"):
        if path.is_file():
            target = remote / path.relative_to(folder).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    here, there = Broden(folder), pickle.loads(pickle.dumps(Broden(str(remote))))
    assert (there.name, there.fingerprint, len(there)) == (here.name, here.fingerprint, len(here))
    np.testing.assert_array_equal(there.read_labels(1).planes, here.read_labels(1).planes)
    np.testing.assert_array_equal(there.read_image(1), here.read_image(1))
    (remote / "images/a/image 0.jpg").unlink()
    with pytest.raises(DataNotFoundError, match="image 0.jpg"):
        there.read_image(0)
    with pytest.raises(DataNotFoundError, match="there is no probe set at memory://"):
        Broden("memory://bucket/other")


def test_a_probe_set_behind_an_address_that_does_not_answer_is_reported(monkeypatch):
    upath = pytest.importorskip("upath")
    monkeypatch.setattr(
        type(upath.UPath("memory://bucket")), "exists", lambda _: (_ for _ in ()).throw(ConnectionError("no route"))
    )
    with pytest.raises(DataNotFoundError, match="the probe set at memory://bucket/set cannot be reached: no route"):
        Broden("memory://bucket/set")
