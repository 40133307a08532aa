"""Label Studio's JSON and JSON-MIN: percents, rotated rectangles, ellipses and brush masks, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    SIZE,
    label_maps,
    nothing,
    photo,
    same,
    source_of,
    write,
)

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.annotations import bitmaps


def region(kind, value, **more):
    return {
        "id": "r1", "type": kind, "value": value, "original_width": 32, "original_height": 24, "image_rotation": 0,
        "from_name": "tag", "to_name": "image", **more,
    }  # fmt: skip


def task(*regions, number=1, image="/data/upload/1/0a1b2c3d-a.jpg", **more):
    return {"id": number, "data": {"image": image}, "annotations": [{"id": 9, "result": list(regions), **more}]}


def polygon(label, *corners):
    percents = [[100 * x / 32, 100 * y / 24] for x, y in corners]
    return region("polygonlabels", {"points": percents, "closed": True, "polygonlabels": [label]})


def rectangle(label, x, y, width, height, rotation=0):
    value = {"x": 100 * x / 32, "y": 100 * y / 24, "width": 100 * width / 32, "height": 100 * height / 24}
    return region("rectanglelabels", {**value, "rotation": rotation, "rectanglelabels": [label]})


def packed(mask, literal=False):
    """Pack a mask as Label Studio does: RGBA values, runs of them, lengths of 3, 4, 8 or 16 bits."""
    values = np.repeat(np.asarray(mask, np.uint8).ravel() * 255, 4)
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    ends = [*(np.flatnonzero(np.diff(values.astype(int))) + 1).tolist(), len(values)]
    start = 0
    for end in ends:
        while start < end:
            length = min(end - start, 8 if literal else 2**16)
            which, size = next((which, size) for which, size in enumerate((3, 4, 8, 16)) if length <= 2**size)
            bits += f"{0 if literal else 1}{which:02b}{length - 1:0{size}b}"
            bits += f"{values[start]:08b}" * (length if literal else 1)
            start += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def brushed(label, mask, **how):
    return region("brushlabels", {"format": "rle", "rle": packed(mask, **how), "brushlabels": [label]})


def one(folder, *regions, **more):
    photo(folder / "a.jpg")
    write(folder / "project-1.json", [task(*regions, **more)])
    return label_maps(folder)["a.jpg"]


def test_polygons_and_rectangles_are_in_percent_and_the_later_is_on_top(tmp_path):
    found = one(tmp_path, polygon("cat", (4, 2), (20, 2), (20, 12), (4, 12)), rectangle("dog", 10, 6, 18, 14))
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[6:20, 10:28] = "dog"
    same(found, expected)


def test_a_rectangle_is_rotated_clockwise_about_its_first_corner(tmp_path):
    expected = nothing()
    expected[4:14, 12:20] = "dog"  # from (20, 4), 10 to the right become 10 down, 8 down become 8 to the left
    same(one(tmp_path, rectangle("dog", 20, 4, 10, 8, rotation=90)), expected)


def test_an_ellipse_has_its_middle_and_radii_in_percent(tmp_path):
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 90, "ellipselabels": ["egg"]}
    rows, columns = np.mgrid[:24, :32] + 0.5
    expected = nothing()
    expected[((columns - 16) / 6) ** 2 + ((rows - 12) / 8) ** 2 <= 1] = "egg"  # rotated: its width becomes its height
    same(one(tmp_path, region("ellipselabels", value)), expected)


@pytest.mark.parametrize("literal", [False, True])
def test_brush_masks_are_unpacked(tmp_path, literal):
    mask = np.random.default_rng(3).random(SIZE) < 0.3
    mask[10:20, 5:30] = True
    expected = nothing()
    expected[mask] = "fur"
    same(one(tmp_path, brushed("fur", mask, literal=literal)), expected)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(np.ones(SIZE))[:6], "ends too early"),
        (packed(np.ones((5, 5))), "holds 100 values, and four per pixel would be 3,072"),
        ([255] * 40, "holds 4,294,967,295 values, and four per pixel would be 3,072"),
        ([1, 2, 300], "list of bytes"),
        (packed(np.ones(SIZE))[:4] + [255] * 40, "holds values of 32 bits, and 8 bits are expected"),
    ],
)
def test_a_damaged_brush_mask_is_named_before_it_is_unpacked(tmp_path, data, words):
    with pytest.raises(DataFileError, match=rf"1 \(fur\): .*{words}"):
        one(tmp_path, region("brushlabels", {"format": "rle", "rle": data, "brushlabels": ["fur"]}))


def test_values_that_begin_within_a_byte_are_read():
    assert (
        bitmaps.decode_brush(bytes(packed([[0, 1, 1, 0]], literal=True)), 16).tolist() == [0] * 4 + [255] * 8 + [0] * 4
    )


def test_labels_may_be_apart_from_their_shape_and_answers_are_no_shapes(tmp_path):
    place = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0}
    found = one(
        tmp_path, region("rectangle", place, id="r7"), region("labels", {**place, "labels": ["cat"]}, id="r7"),
        region("choices", {"choices": ["indoor"]}), region("textarea", {**place, "text": ["a cat"]}, id="r7"),
    )  # fmt: skip
    expected = nothing()
    expected[:12, :16] = "cat"
    same(found, expected)


def test_json_min_is_read_as_well(tmp_path):
    photo(tmp_path / "a.jpg")
    mask = np.zeros(SIZE, bool)
    mask[20:] = True
    sizes = {"original_width": 32, "original_height": 24}
    write(tmp_path / "min.json", [{
        "image": "/data/local-files/?d=photos%2Fa.jpg", "id": 1, "annotator": 1, "annotation_id": 9, "lead_time": 3.1,
        "tag": [{"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["cat"], **sizes}],
        "brush": [{"format": "rle", "rle": packed(mask), "brushlabels": ["mat"], **sizes}],
    }])  # fmt: skip
    expected = nothing()
    expected[:12, :16] = "cat"
    expected[20:] = "mat"
    same(label_maps(tmp_path)["a.jpg"], expected)


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/1/0a1b2c3d-a.jpg", "/data/local-files/?d=photos/a.jpg", "s3://bucket/deep/a.jpg", "a.jpg",
        "https://host.example/x/a.jpg?token=1",
    ],
)  # fmt: skip
def test_images_are_found_whatever_address_they_had(tmp_path, address):
    photo(tmp_path / "images" / "a.jpg")
    write(tmp_path / "p.json", [task(polygon("cat", (0, 0), (9, 0), (9, 9)), image=address)])
    assert list(label_maps(tmp_path)) == ["images-a.jpg"]


def test_the_ground_truth_of_several_annotations_counts_and_otherwise_they_are_reported(tmp_path):
    photo(tmp_path / "a.jpg")
    two = task(rectangle("cat", 0, 0, 8, 8))
    two["annotations"] += [{"id": 10, "result": [rectangle("dog", 0, 0, 8, 8)]}]
    write(tmp_path / "p.json", [two])
    with pytest.raises(
        DataFileError, match=r"task 1 has several annotations, and none of them is marked as ground truth"
    ):
        source_of(tmp_path)
    two["annotations"][1]["ground_truth"] = True
    write(tmp_path / "p.json", [two])
    assert set(label_maps(tmp_path)["a.jpg"].ravel()) == {"", "dog"}
    two["annotations"][0]["was_cancelled"], two["annotations"][1]["ground_truth"] = True, False
    write(tmp_path / "p.json", [two])
    assert set(label_maps(tmp_path)["a.jpg"].ravel()) == {"", "dog"}


def test_points_are_named_and_left_out_on_request(tmp_path):
    point = region("keypointlabels", {"x": 5, "y": 5, "width": 1, "keypointlabels": ["eye"]})
    with pytest.raises(DataFileError, match=r"region 1 \(eye\): a keypoint covers no pixels: --leave-out points"):
        one(tmp_path, point)
    said = []
    write(tmp_path / "project-1.json", [task(point, rectangle("cat", 0, 0, 8, 8)), task(number=2, image="b.jpg")])
    assert "eye" not in label_maps(tmp_path, leave_out=["points"], said=said)["a.jpg"]
    assert said[1:] == ["left out: points (1)", "left out: images without a shape (1)"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (region("polygonlabels", {"points": [[1, 2]], "polygonlabels": ["a", "b"]}), r"the labels \['a', 'b'\]"),
        (region("videorectangle", {"labels": ["a"]}), r"unknown kind of region 'videorectangle'"),
        (region("rectanglelabels", {"x": 1, "rectanglelabels": ["a"]}), r"region 1 \(a\): 'y' is missing"),
        (rectangle("a", 0, 0, 4, 4) | {"image_rotation": 90}, r"region 1 \(a\): the image was rotated by 90 degrees"),
        (rectangle("a", 0, 0, 4, 4) | {"original_width": 0}, r"region 1 \(a\): expected an image's height and width"),
    ],
)
def test_a_region_that_is_not_understood_is_named(tmp_path, wrong, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, wrong)
