"""VGG VIA 1 and 2, JSON and CSV: every shape, and which attribute is the class."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import label_maps, nothing, photo, same, source_of, write

from netdissect.errors import DataFileError

POLYGON = {"name": "polygon", "all_points_x": [4, 20, 20, 4], "all_points_y": [2, 2, 12, 12]}
RECT = {"name": "rect", "x": 10, "y": 6, "width": 18, "height": 14}


def region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


def via(*regions, version=2):
    listed = list(regions) if version == 2 else {str(place): each for place, each in enumerate(regions)}
    images = {"a.jpg9999": {"filename": "a.jpg", "size": 9999, "regions": listed, "file_attributes": {}}}
    return {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {}} if version == 2 else images


def one(folder, *regions, version=2, **asked):
    photo(folder / "a.jpg")
    write(folder / "via_project.json", via(*regions, version=version))
    return label_maps(folder, **asked)["a.jpg"]


@pytest.mark.parametrize("version", [1, 2])
def test_regions_of_both_versions_are_in_their_order(tmp_path, version):
    found = one(tmp_path, region(POLYGON, kind="cat"), region(RECT, kind="dog"), version=version)
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[6:20, 10:28] = "dog"
    same(found, expected)


def test_circles_and_rotated_ellipses(tmp_path):
    rows, columns = np.mgrid[:24, :32] + 0.5
    circle = {"name": "circle", "cx": 8, "cy": 8, "r": 5.5}
    turned = {"name": "ellipse", "cx": 22, "cy": 12, "rx": 9, "ry": 4, "theta": math.pi / 2}
    expected = nothing()
    expected[(rows - 8) ** 2 + (columns - 8) ** 2 <= 5.5**2] = "ball"
    expected[((rows - 12) / 9) ** 2 + ((columns - 22) / 4) ** 2 <= 1] = "egg"
    same(one(tmp_path, region(circle, kind="ball"), region(turned, kind="egg")), expected)


def test_a_rotated_ellipse_leans_clockwise(tmp_path):
    found = one(tmp_path, region({"name": "ellipse", "cx": 16, "cy": 12, "rx": 10, "ry": 2, "theta": 0.5}, kind="egg"))
    assert found[12 + 3, 16 + 6] == "egg"  # down on the right, as on a screen
    assert found[12 - 3, 16 + 6] == ""


def test_the_csv_says_the_same(tmp_path):
    photo(tmp_path / "a.jpg")
    with (tmp_path / "via.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([
            "filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes",
            "region_attributes",
        ])  # fmt: skip
        for place, (shape, name) in enumerate([(POLYGON, "cat"), (RECT, "dog")]):
            table.writerow(["a.jpg", 9999, "{}", 2, place, json.dumps(shape), json.dumps({"kind": name})])
        table.writerow(["b.jpg", 9, "{}", 0, 0, "{}", "{}"])
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[6:20, 10:28] = "dog"
    said = []
    same(label_maps(tmp_path, said=said)["a.jpg"], expected)
    same(label_maps(tmp_path / "via.csv")["a.jpg"], expected)
    assert "left out: images without a shape (1)" in said
    text = (tmp_path / "via.csv").read_text()
    (tmp_path / "via.csv").write_text(text.replace('""name"": ""rect""', '""name"": '))
    with pytest.raises(DataFileError, match=r"via\.csv, line 3: line 1, column"):
        source_of(tmp_path)


def test_which_attribute_is_the_class_is_asked(tmp_path):
    regions = region(POLYGON, kind="cat", color="red"), region(RECT, kind="dog", color="blue")
    with pytest.raises(DataFileError, match=r"regions have the attributes kind, color: --attribute names the one"):
        one(tmp_path, *regions)
    assert set(one(tmp_path, *regions, attribute="color").ravel()) == {"", "red", "blue"}
    with pytest.raises(DataFileError, match=r"no region has the attribute 'size'; there are kind, color"):
        one(tmp_path, *regions, attribute="size")


def test_a_ticked_box_is_a_class_and_a_region_without_one_is_reported(tmp_path):
    said = []
    found = one(
        tmp_path,
        region(POLYGON, kind={"cat": True, "dog": False}),
        region(RECT, kind=""),
        region(RECT, kind={}),
        said=said,
    )
    assert set(found.ravel()) == {"", "cat"}
    assert "left out: regions without a label (2)" in said
    with pytest.raises(DataFileError, match=r"region 1: it has the classes cat, dog, and one is expected"):
        one(tmp_path, region(POLYGON, kind={"cat": True, "dog": True}))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"name": "polyline", "all_points_x": [1], "all_points_y": [1]},
            "a polyline covers no pixels: --leave-out lines",
        ),
        ({"name": "point", "cx": 1, "cy": 1}, "a point covers no pixels: --leave-out points"),
        ({"name": "star"}, "region 1 \\(x\\): unknown shape of a region 'star'"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1]}, "as many x as y coordinates"),
        ({"name": "circle", "cx": 1, "cy": 2}, "region 1 \\(x\\): 'r' is missing"),
        ({"name": "circle", "cx": 1, "cy": 2, "r": -3}, "none can be negative"),
        ({"name": "circle", "cx": 1, "cy": 2, "r": 1e9}, "far outside"),
    ],
)
def test_a_region_that_is_not_understood_is_named(tmp_path, wrong, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, region(wrong, kind="x"))
