"""labelme's files: every shape as labelme draws it, pixel by pixel."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    SIZE,
    label_maps,
    nothing,
    photo,
    png,
    same,
    source_of,
    write,
)

from netdissect.errors import DataFileError, DataNotFoundError


def told(*shapes, **more):
    return {
        "version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.jpg", "imageData": None,
        "imageHeight": 24, "imageWidth": 32, **more,
    }  # fmt: skip


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


SQUARE = [[4, 2], [20, 2], [20, 12], [4, 12]]


def one(folder, *shapes, **more):
    """Return the label map of one image with shapes."""
    photo(folder / "a.jpg")
    write(folder / "a.json", told(*shapes, **more))
    return label_maps(folder)["a.jpg"]


def test_polygons_and_rectangles_are_in_the_order_of_the_file(tmp_path):
    found = one(
        tmp_path, shape("herring", SQUARE), shape("gull", [[28.0, 20.0], [10.0, 6.0]], "rectangle"),
        shape("eye", [[11, 7], [13, 7], [13, 9], [11, 9]], None),
    )  # fmt: skip
    expected = nothing()
    expected[2:12, 4:20] = "herring"
    expected[6:20, 10:28] = "gull"
    expected[7:9, 11:13] = "eye"
    same(found, expected)


def test_background_and_ignored_regions_take_away_what_is_below(tmp_path):
    found = one(
        tmp_path, shape("herring", SQUARE), shape("_background_", [[4, 2], [8, 2], [8, 12], [4, 12]]),
        shape("__ignore__", [[16, 2], [20, 2], [20, 12], [16, 12]]),
    )  # fmt: skip
    expected = nothing()
    expected[2:12, 8:16] = "herring"
    same(found, expected)


def test_a_mask_is_in_its_box_and_is_cut_at_the_edge(tmp_path):
    mask = np.zeros((4, 5), bool)
    mask[0] = mask[:, 4] = True
    corner = np.ones((4, 4), bool)
    found = one(
        tmp_path, shape("wing", [[6, 3], [10, 6]], "mask", mask=png(mask)),
        shape("tail", [[30, 22], [33, 25]], "mask", mask=png(corner, "L")),
        shape("head", [[-2, -2], [1, 1]], "mask", mask=png(corner)),
    )  # fmt: skip
    expected = nothing()
    expected[3:7, 6:11][mask] = "wing"
    expected[22:, 30:] = "tail"
    expected[:2, :2] = "head"
    same(found, expected)


def test_circles_are_discs_and_lines_are_ten_pixels_wide(tmp_path):
    found = one(tmp_path, shape("ball", [[12, 12], [12, 7]], "circle"))
    rows, columns = np.mgrid[:24, :32] + 0.5
    expected = nothing()
    expected[(rows - 12) ** 2 + (columns - 12) ** 2 <= 25] = "ball"
    same(found, expected)
    found = one(tmp_path, shape("rope", [[2, 12], [30, 12]], "linestrip"))
    canvas = Image.new("L", SIZE[::-1])
    ImageDraw.Draw(canvas).line([(2, 12), (30, 12)], fill=1, width=10)
    assert np.array_equal(found == "rope", np.asarray(canvas) == 1)
    said = []
    write(tmp_path / "a.json", told(shape("rope", [[2, 12], [30, 12]], "line"), shape("cat", SQUARE)))
    assert (label_maps(tmp_path, leave_out=["lines"], said=said)["a.jpg"] != "rope").all()
    assert "left out: lines (1)" in said


def test_a_slanted_polygon_covers_what_is_in_it(tmp_path):
    from matplotlib.path import Path as Outline

    corners = [[3.2, 2.7], [27.9, 6.1], [20.4, 21.3]]
    rows, columns = np.mgrid[:24, :32]
    inside = Outline(corners).contains_points(np.stack([columns, rows], -1).reshape(-1, 2) + 0.5).reshape(SIZE)
    found = one(tmp_path, shape("sail", corners)) == "sail"
    assert (found & inside).sum() / (found | inside).sum() > 0.95


def test_a_photo_that_its_camera_rotated_is_annotated_upright(tmp_path):
    photo(tmp_path / "a.jpg", (24, 32), turned=6)
    write(tmp_path / "a.json", told(shape("cat", [[0, 0], [24, 0], [24, 8], [0, 8]]), imageHeight=32, imageWidth=24))
    expected = nothing((32, 24))
    expected[:8] = "cat"
    same(label_maps(tmp_path)["a.jpg"], expected)
    write(tmp_path / "a.json", told(shape("cat", [[0, 0], [32, 0], [32, 8], [0, 8]])))
    expected = nothing()
    expected[:8] = "cat"
    same(label_maps(tmp_path)["a.jpg"], expected)  # the size in the file: it was drawn on the image as stored


def test_sizes_that_fit_neither_way_are_reported(tmp_path):
    with pytest.raises(DataFileError, match=r"a\.jpg: a\.json says 20 x 24 pixels, and the image has 32 x 24: use"):
        one(tmp_path, shape("cat", SQUARE), imageWidth=20)
    with pytest.raises(DataFileError, match=r"a\.json says 32000 x 24000 pixels, and the image has 32 x 24"):
        one(tmp_path, shape("cat", SQUARE), imageWidth=32000, imageHeight=24000)


def test_a_smaller_copy_of_the_image_that_was_annotated_is_read(tmp_path):
    photo(tmp_path / "a.jpg", (12, 16))
    write(tmp_path / "a.json", told(shape("cat", SQUARE)))
    source = source_of(tmp_path)
    (item,) = source.list_images()
    (plane,) = source.read_labels(item).values()
    assert (plane.shape, source.read_image(item).shape) == ((24, 32), (12, 16, 3))
    assert plane[2:12, 4:20].all()
    assert (plane != 0).sum() == 160


def test_an_image_that_is_only_in_the_json_is_read(tmp_path):
    data = base64.b64encode(photo(tmp_path / "gone.jpg").read_bytes()).decode()
    (tmp_path / "gone.jpg").unlink()
    write(tmp_path / "b.json", told(shape("cat", SQUARE), imagePath="..\\gone.jpg", imageData=data))
    assert (label_maps(tmp_path)["b.json"] == "cat").sum() == 160


def test_images_beside_the_folder_of_annotations_are_found_as_windows_spells_them(tmp_path):
    photo(tmp_path / "images" / "a.jpg")
    write(tmp_path / "json" / "a.json", told(shape("cat", SQUARE), imagePath="..\\images\\a.jpg"))
    assert list(label_maps(tmp_path)) == ["images-a.jpg"]
    with pytest.raises(
        DataFileError, match=r"its image '\.\.\\\\images\\\\a\.jpg' is outside of .*json: --photos names"
    ):
        label_maps(tmp_path / "json")
    assert list(label_maps(tmp_path / "json", photos=tmp_path / "images")) == ["a.jpg"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (shape("cat", SQUARE[:2]), r"shape 1 \(cat\): expected a polygon of at least 3 corners"),
        (shape("cat", SQUARE, "rectangle"), r"shape 1 \(cat\): a rectangle of 4 points, and labelme's have 2"),
        (shape("cat", SQUARE, "blob"), r"shape 1 \(cat\): unknown kind of shape 'blob'"),
        (shape("cat", [[1, 2], [3]]), r"shape 1 \(cat\): expected a point \[x, y\], got \[3\]"),
        (shape("cat", [[1, 2], [3, "x"], [5, 5]]), r"shape 1 \(cat\): expected a number, got 'x'"),
        (shape("cat", [[1, 2], [1e30, 3], [5, 5]]), r"a\.jpg, shape 1 \(cat\): a corner is at 1e\+30, far outside"),
        (shape("cat", [[6, 3], [10, 6]], "mask"), r"shape 1 \(cat\): 'mask' is missing"),
        (shape("cat", [[6, 3], [10, 6]], "mask", mask="%%"), r"shape 1 \(cat\): its base64 is damaged"),
        (shape("cat", [[6, 3], [9, 6]], "mask", mask=png(np.ones((4, 5)))), r"its mask has 5 x 4 pixels, and .* 4 x 4"),
        (shape(7, SQUARE), r"a\.json, shape 1: expected a label as text, got 7"),
    ],
)
def test_a_damaged_shape_is_named(tmp_path, wrong, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, wrong)


def test_missing_images_are_counted_and_can_be_left_out(tmp_path):
    photo(tmp_path / "a.jpg")
    write(tmp_path / "a.json", told(shape("cat", SQUARE)))
    write(tmp_path / "b.json", told(shape("cat", SQUARE), imagePath="b.jpg"))
    with pytest.raises(DataNotFoundError, match=r"1 of its images are not below .*: b\.jpg; --photos"):
        source_of(tmp_path)
    assert list(label_maps(tmp_path, skip_missing=True)) == ["a.jpg"]


def test_one_image_annotated_twice_and_a_stray_json_are_reported(tmp_path):
    photo(tmp_path / "a.jpg")
    write(tmp_path / "a.json", told(shape("cat", SQUARE)))
    write(tmp_path / "b.json", told(shape("dog", SQUARE)))
    with pytest.raises(DataFileError, match=r"the image a\.jpg is annotated twice, in a\.json and b\.json"):
        source_of(tmp_path)
    write(tmp_path / "b.json", {"names": ["cat"]})
    with pytest.raises(DataFileError, match=r"b\.json: expected labelme's shapes and imagePath"):
        source_of(tmp_path)
