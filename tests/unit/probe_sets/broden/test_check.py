"""Checking a probe set: every problem is found, and its labels are summarized."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.probe_sets.broden import label_pngs
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.compile.build_broden import build_broden


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "set"
    sources = originals.write_all_sources(tmp_path / "sources")
    build_broden(sources, out, size=32, min_frequency=1, min_coverage=0)
    return out


def edit(path, change):
    """Change the lines of a table, each a list of fields."""
    lines = list(csv.reader(io.StringIO(path.read_text())))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(change(lines))
    path.write_text(out.getvalue())


def test_a_sound_set_is_summed_up(folder):
    report = check_probe_set(folder)
    assert report.problems == ()
    assert (report.images, report.unlabeled_images) == (12, 0)
    assert sum(report.splits.values()) == 12
    assert report.sizes == {(32, 32): 12}
    assert report.label_sizes == {(16, 16): 12}
    material = next(category for category in report.categories if category.name == "material")
    assert [use.name for use in material.uses] == ["fabric", "plastic-clear"]
    assert [use.images for use in material.uses] == [3, 2]
    assert material.uses[0].share == pytest.approx(0.5)
    assert material.unlabeled == pytest.approx(1 / 6)
    color = next(category for category in report.categories if category.name == "color")
    assert (color.images, color.unlabeled) == (12, 0.0)
    assert 0 < report.unlabeled < 1


def test_any_number_of_workers_finds_the_same(folder):
    assert check_probe_set(folder, workers=2) == check_probe_set(folder)


def test_every_missing_file_is_reported(folder):
    (folder / "images" / "dtd" / "banded_1.jpg").unlink()
    (folder / "images" / "opensurfaces" / "2_material.png").unlink()
    problems = sorted(check_probe_set(folder).problems)
    assert len(problems) == 2
    assert "banded_1.jpg, named in index.csv, does not exist" in problems[0]
    assert "2_material.png, named in index.csv, does not exist" in problems[1]


def test_images_that_do_not_decode_or_have_another_size_are_reported(folder):
    (folder / "images" / "dtd" / "banded_1.jpg").write_bytes(b"\xff\xd8nothing")
    Image.new("RGB", (30, 32)).save(folder / "images" / "dtd" / "banded_2.jpg")
    (folder / "images" / "opensurfaces" / "1_material.png").write_bytes(b"nothing")
    Image.new("RGB", (16, 15)).save(folder / "images" / "opensurfaces" / "2_material.png")
    Image.new("L", (16, 16)).save(folder / "images" / "opensurfaces" / "3_material.png")
    found = check_probe_set(folder).problems
    assert len(found) == 5
    problems = " ".join(found)
    assert "banded_1.jpg does not decode" in problems
    assert "banded_2.jpg: expected 32 x 32 pixels as index.csv says, got 30 x 32" in problems
    assert "1_material.png does not decode: expected PNG" in problems
    assert "expected a label map of 16 x 16 pixels" in problems
    assert "expected a 24-bit RGB label map" in problems


def test_a_number_that_its_category_does_not_list_is_reported(folder):
    path = folder / "images" / "opensurfaces" / "2_material.png"
    path.write_bytes(label_pngs.encode_label_map(np.full((16, 16), 1)))
    path = folder / "images" / "opensurfaces" / "3_material.png"
    path.write_bytes(label_pngs.encode_label_map(np.full((16, 16), 900)))
    problems = " ".join(check_probe_set(folder).problems)
    assert "hold number 1, which c_material.csv does not list" in problems
    assert "hold number 900, which c_material.csv does not list" in problems


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("category.csv", lambda t: [t[0], [t[1][0], *t[1][1:3], "99", t[1][4]], *t[2:]], "count 99"),
        ("c_material.csv", lambda t: [t[0], [*t[1][:2], "wool", *t[1][3:]], *t[2:]], "is called 'wool', but 'fabric'"),
        ("c_material.csv", lambda t: [*t, t[1]], "a number is listed twice"),
        ("c_material.csv", lambda t: [t[0], t[2], t[1]], "the codes are not 1, 2, 3"),
        ("label.csv", lambda t: [t[0], [*t[1][:2], "scene(3)", *t[1][3:]], *t[2:]], "names the categories scene"),
        (
            "label.csv",
            lambda t: [t[0], [*t[1][:2], t[1][2].replace("(", "(9"), *t[1][3:]], *t[2:]],
            "images in color, but",
        ),
        (
            "label.csv",
            lambda t: [t[0], [*t[1][:3], "99", *t[1][4:]], *t[2:]],
            "has the frequency 99, but its categories",
        ),
        (
            "label.csv",
            lambda t: [t[0], [*t[1][:4], "99", *t[1][5:]], *t[2:]],
            "has the coverage 99, but its categories",
        ),
    ],
)
def test_tables_that_do_not_agree_are_reported(folder, table, change, message):
    edit(folder / table, change)
    assert message in " ".join(check_probe_set(folder).problems)


def test_a_damaged_table_is_reported_at_once(folder):
    edit(folder / "label.csv", lambda t: [["number"], *t[1:]])
    with pytest.raises(DataFileError, match=r"label\.csv: expected the columns number, name"):
        check_probe_set(folder)
    (folder / "label.csv").unlink()
    with pytest.raises(DataNotFoundError, match=r"label\.csv is missing"):
        check_probe_set(folder)


def test_images_without_a_label_and_labels_without_an_image_are_counted(folder):
    edit(folder / "index.csv", lambda t: [*t, ["x/bare.jpg", "val", "32", "32", "16", "16", *[""] * (len(t[0]) - 6)]])
    (folder / "images" / "opensurfaces" / "2_material.png").write_bytes(
        label_pngs.encode_label_map(np.zeros((16, 16), int))
    )
    (folder / "images" / "opensurfaces" / "3_material.png").write_bytes(
        label_pngs.encode_label_map(np.zeros((16, 16), int))
    )
    report = check_probe_set(folder)
    assert report.unlabeled_images == 1
    material = next(category for category in report.categories if category.name == "material")
    assert material.absent == ("plastic-clear",)
    assert material.images == 1


@pytest.mark.shared
def test_genuine_sets_are_sound(shared):
    report = check_probe_set(shared / "data" / "real_a_227", workers=2)
    assert report.problems == ()
    assert {category.name for category in report.categories} >= {"color", "object", "part", "material", "scene"}
