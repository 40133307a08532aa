"""Supervisely's projects: polygons with holes, bitmaps and rectangles, pixel by pixel."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    label_maps,
    nothing,
    photo,
    png,
    same,
    source_of,
    splits,
    write,
)

from netdissect.errors import DataFileError, DataNotFoundError

SQUARE = [[4, 2], [20, 2], [20, 12], [4, 12]]


def thing(title, kind, exterior=(), interior=(), **more):
    points = {"exterior": list(exterior), "interior": list(interior)}
    return {"id": 1, "classId": 2, "classTitle": title, "geometryType": kind, "tags": [], "points": points, **more}


def bitmap(title, mask, origin, mode="RGBA", pack=True):
    data = base64.b64decode(png(mask, mode))
    text = base64.b64encode(zlib.compress(data) if pack else data).decode()
    return thing(title, "bitmap", bitmap={"data": text, "origin": origin})


def project(folder, *things, data_set="ds0", name="a.jpg", ending=".jpg"):
    photo(folder / data_set / "img" / f"a{ending}")
    write(folder / "meta.json", {"classes": [{"title": "fur", "shape": "bitmap", "color": "#FF0000"}], "tags": []})
    told = {"description": "", "tags": [], "size": {"height": 24, "width": 32}, "objects": list(things)}
    write(folder / data_set / "ann" / f"{name}.json", told)
    return folder


def one(folder, *things):
    return label_maps(project(folder, *things))["ds0-img-a.jpg"]


def test_a_polygon_has_holes_and_a_rectangle_its_last_pixels(tmp_path):
    hole = [[8, 4], [14, 4], [14, 8], [8, 8]]
    found = one(tmp_path, thing("cat", "polygon", SQUARE, [hole]), thing("dog", "rectangle", [[18, 10], [25, 15]]))
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[4:8, 8:14] = ""
    expected[10:16, 18:26] = "dog"
    same(found, expected)


def test_a_hole_shows_what_is_below(tmp_path):
    hole = [[8, 4], [14, 4], [14, 8], [8, 8]]
    found = one(tmp_path, thing("mat", "rectangle", [[0, 0], [31, 23]]), thing("cat", "polygon", SQUARE, [hole]))
    expected = np.full((24, 32), "mat", object)
    expected[2:12, 4:20] = "cat"
    expected[4:8, 8:14] = "mat"
    same(found, expected)


@pytest.mark.parametrize("mode", ["RGBA", "L", "1"])
@pytest.mark.parametrize("pack", [True, False])
def test_bitmaps_are_at_their_origin(tmp_path, mode, pack):
    mask = np.eye(6, 9, dtype=bool)
    expected = nothing()
    expected[5:11, 7:16][mask] = "fur"
    expected[22:, 28:] = "fur"
    same(one(tmp_path, bitmap("fur", mask, [7, 5], mode, pack), bitmap("fur", np.ones((5, 5)), [28, 22])), expected)


def test_a_bitmap_that_the_sdk_documents_is_read(tmp_path):
    text = (
        "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44sKHhISMDuxpTYrr0"
        "3F6gDIOnq5/LOqeEJgDM5ht6"
    )
    expected = nothing()
    expected[:3, :3] = "fur"
    expected[1, 1] = ""
    same(one(tmp_path, thing("fur", "bitmap", bitmap={"data": text, "origin": [0, 0]})), expected)


def test_a_bitmap_that_unpacks_beyond_its_image_is_refused(tmp_path):
    bomb = base64.b64encode(zlib.compress(b"\x89PNG" + b"\0" * 20_000_000)).decode()
    with pytest.raises(DataFileError, match=r"a\.jpg, shape 1 \(fur\): its mask unpacks to more than the 69,376 bytes"):
        one(tmp_path, thing("fur", "bitmap", bitmap={"data": bomb, "origin": [0, 0]}))


def test_a_png_that_is_larger_than_its_image_is_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"its mask of 2000 x 1 pixels is larger than the image"):
        one(tmp_path, bitmap("fur", np.ones((1, 2000)), [0, 0], "1"))


def test_data_sets_are_splits_and_old_projects_leave_endings_away(tmp_path):
    project(tmp_path, thing("cat", "polygon", SQUARE), data_set="train")
    project(tmp_path, thing("cat", "polygon", SQUARE), data_set="val", name="a", ending=".png")
    assert splits(tmp_path) == {"train-img-a.jpg": "train", "val-img-a.png": "val"}
    assert list(label_maps(tmp_path / "train")) == ["img-a.jpg"]
    assert list(label_maps(tmp_path / "train" / "ann" / "a.jpg.json")) == ["img-a.jpg"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (thing("eye", "point", [[3, 3]]), r"object 1 \(eye\): a point covers no pixels: --leave-out points"),
        (thing("rope", "line", [[3, 3], [4, 4]]), r"object 1 \(rope\): a line covers no pixels: --leave-out lines"),
        (thing("man", "graph"), r"object 1 \(man\): a graph covers no pixels: --leave-out skeletons"),
        (thing("x", "alpha_mask"), r"object 1 \(x\): unknown geometry of an object 'alpha_mask'"),
        (thing("x", "rectangle", SQUARE), r"object 1 \(x\): a rectangle of 4 corners, and Supervisely's have 2"),
        (thing("x", "bitmap"), r"object 1 \(x\): 'bitmap' is missing"),
        (thing(None, "polygon", SQUARE) | {"classTitle": 3}, r"object 1: expected a label as text, got 3"),
    ],
)
def test_an_object_that_is_not_understood_is_named(tmp_path, wrong, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, wrong)


def test_an_annotation_without_its_image_is_reported(tmp_path):
    project(tmp_path, thing("cat", "polygon", SQUARE))
    (tmp_path / "ds0" / "img" / "a.jpg").unlink()
    with pytest.raises(DataNotFoundError, match=r"1 of its images are not below .*: a\.jpg"):
        source_of(tmp_path)
