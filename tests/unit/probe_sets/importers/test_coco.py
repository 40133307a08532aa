"""COCO's JSON as tools write it, with the right label map; and damaged, with an error that names the annotation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from netdissect.errors import DataFileError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden

PLAIN = {"size": 240, "colors": False, "preview": 0}
TABLE = [10, 10, 110, 10, 110, 70, 10, 70]
PLATE = [40, 30, 80, 30, 80, 50, 40, 50]


@pytest.fixture
def dinner(tmp_path):
    """A plate, listed first, on a table, in an image of 120 x 80."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (120, 80), "white").save(tmp_path / "photos" / "a.png")
    return tmp_path, {
        "images": [{"id": 1, "file_name": "a.png", "width": 120, "height": 80}],
        "categories": [{"id": 1, "name": "table"}, {"id": 2, "name": "plate"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 2, "segmentation": [PLATE], "bbox": [40, 30, 40, 20]},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [TABLE], "bbox": [10, 10, 100, 60]},
        ],
    }  # fmt: skip


def made_of(folder, told, **options):
    (folder / "instances.json").write_text(told if isinstance(told, str) else json.dumps(told))
    return importers.from_coco(folder / "instances.json", folder / "photos", folder / "out", **{**PLAIN, **options})


def shares(made):
    """Return, per name, its share of the first image's label map."""
    source = Broden(made.folder)
    plane = source.read_labels(0).planes[0]
    return {concept.name: float((plane == concept.number).mean()) for concept in source.vocabulary.concepts}


@pytest.mark.parametrize(
    "areas", [(800, 6000), (None, None), (0, 0), (800, 1.0), (1e9, -5), (float("nan"), 3), ("800", "6000")]
)
def test_what_is_on_top_is_measured_whatever_the_file_says_of_areas(dinner, areas):
    folder, told = dinner
    for entry, area in zip(told["annotations"], areas, strict=True):
        if area is not None:
            entry["area"] = area
    found = shares(made_of(folder, told))
    assert found == {
        "table": pytest.approx((6000 - 800) / 9600, abs=0.01), "plate": pytest.approx(800 / 9600, abs=0.01),
    }  # fmt: skip


def test_run_lengths_are_measured_as_polygons_are(dinner):
    folder, told = dinner
    told["annotations"][1]["segmentation"] = {"size": [80, 120], "counts": [0, 9600]}
    assert shares(made_of(folder, told)) == {
        "table": pytest.approx(8800 / 9600, abs=0.01),
        "plate": pytest.approx(0.083, abs=0.01),
    }


@pytest.mark.parametrize("turn", [6, 8, 3, 5])
def test_a_photo_that_its_camera_rotated_fits_its_annotations(tmp_path, turn):
    upright = np.full((120, 80, 3), 255, np.uint8)
    upright[10:50, 10:40] = (255, 0, 0)
    back = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180,
            5: Image.Transpose.TRANSPOSE}[turn]  # fmt: skip
    stored, exif = Image.fromarray(upright).transpose(back), Image.Exif()
    exif[0x0112] = turn
    (tmp_path / "photos").mkdir()
    stored.save(tmp_path / "photos" / "a.jpg", quality=95, exif=exif)
    told = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 80, "height": 120}],
        "categories": [{"id": 1, "name": "box"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[10, 10, 40, 10, 40, 50, 10, 50]]}],
    }
    assert agreement(made_of(tmp_path, told)) > 0.9
    # Annotations on the image as stored, as its size says.
    if turn != 3:
        box = np.argwhere(np.asarray(stored)[..., 1] < 128).tolist()
        (top, left), (bottom, right) = np.min(box, axis=0).tolist(), (np.max(box, axis=0) + 1).tolist()
        told["images"][0] |= {"width": 120, "height": 80}
        told["annotations"][0]["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
        assert agreement(made_of(tmp_path, told)) > 0.9


def agreement(made):
    source = Broden(made.folder)
    picture = source.read_image(0, source.label_size(0)).astype(int)
    red = (picture[..., 0] - picture[..., 1]) > 100
    label = source.read_labels(0).planes[0] > 0
    return (red & label).sum() / (red | label).sum()


def test_boxes_are_masks_where_they_are_asked_for(dinner):
    folder, told = dinner
    told["annotations"][1]["segmentation"] = []
    with pytest.raises(DataFileError, match="annotation 2 has no outline .'segmentation'., only a box: --boxes takes"):
        made_of(folder, told)
    assert shares(made_of(folder, told, boxes=True))["table"] == pytest.approx(5200 / 9600, abs=0.01)
    assert shares(made_of(folder, told, skip_missing=True)) == {"plate": pytest.approx(800 / 9600, abs=0.01)}
    del told["annotations"][1]["bbox"]
    with pytest.raises(DataFileError, match="annotation 2 has no outline .'segmentation'. and no box"):
        made_of(folder, told, boxes=True)


def at(kind, position, **changes):
    def change(told):
        told[kind][position] |= changes

    return change


def again(kind, **changes):
    def change(told):
        told[kind].append({**told[kind][0], **changes})

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (at("annotations", 0, segmentation=PLATE), "annotation 1 of a.png: its shape is damaged .*got one list of numbers"),
        (at("annotations", 0, segmentation=[[float("nan"), *PLATE[1:]]]), "annotation 1 of a.png.*nan is not a coordinate"),
        (at("annotations", 1, segmentation=[[float("inf"), *PLATE[1:]]]), "annotation 2 of a.png.*inf is not a coordinate"),
        (at("annotations", 1, segmentation=[[1e30, *PLATE[1:]]]), "annotation 2 of a.png.* far outside of the image"),
        (at("annotations", 1, segmentation=[["10", *PLATE[1:]]]), "annotation 2 of a.png.*expected a number, got '10'"),
        (at("annotations", 1, segmentation=[PLATE[:4]]), "annotation 2 of a.png.* at least 3 corners"),
        (at("annotations", 1, segmentation=[PLATE[:4], PLATE[:2]]), "annotation 2 of a.png.*none of its polygons has 3"),
        (at("annotations", 1, segmentation=[PLATE, PLATE[:7]]), "annotation 2 of a.png.* got 7 coordinates"),
        (at("annotations", 1, segmentation="plate"), "annotation 2: expected polygons or run lengths"),
        (
            at("annotations", 1, segmentation={"size": [10**6, 10**6], "counts": [10**12]}),
            r"annotation 2 of a.png.* have the size \[1000000, 1000000\], and the image \[80, 120\]",
        ),
        (at("annotations", 1, segmentation={"size": [80, 120], "counts": [-1, 9601]}), "annotation 2 of .*got -1"),
        (at("annotations", 1, segmentation={"size": [80, 120], "counts": "o" * 10**6}), "annotation 2: .* 40 bits"),
        (at("annotations", 1, id=1), "two annotations have the id 1"),
        (at("annotations", 1, id=1.5), "the annotation at position 2 has no valid id.* got 1.5"),
        (at("annotations", 1, image_id="1"), "annotation 2 is of image '1', and the image's id is 1: ids must be numbers"),
        (at("annotations", 1, image_id=9), "annotation 2 is of image 9, which is not among the 1 images"),
        (at("annotations", 1, category_id="1"), "annotation 2 is of category '1'.*they list 1: numbers in both places"),
        (at("annotations", 1, category_id=None), "the 'category_id' of annotation 2 has no valid id.* got None"),
        (at("images", 0, id="1"), "annotation 1 is of image 1, and the image's id is '1': ids must be numbers"),
        (at("images", 0, width=-120), "image 1: expected its width as a whole number from 1 .* got -120"),
        (at("images", 0, width=1e30), "image 1: expected its width as a whole number"),
        (at("images", 0, width=float("nan")), "image 1: expected its width as a whole number .* got nan"),
        (at("images", 0, width=120.5), "image 1: expected its width as a whole number .* got 120.5"),
        (at("images", 0, width=10**5, height=10**5), "image 1 .a.png.: expected at most 134,217,728 pixels"),
        (at("images", 0, width=6000, height=4000), "the JSON says 6000 x 4000 pixels, and the image has 120 x 80"),
        (at("images", 0, width=120, height=120), "the JSON says 120 x 120 pixels, and the image has 120 x 80"),
        (at("images", 0, file_name="..\\a.png"), "image 1: expected a file below the folder of images"),
        (at("images", 0, file_name=7), "image 1: expected a file below the folder of images .* got 7"),
        (again("images", file_name="b.png"), "two images have the id 1: a.png and b.png"),
        (again("images", id=2), "the images 1 and 2 are one file, a.png"),
        (again("categories", name="cup"), "two categories have the id 1: 'table' and 'cup'"),
        (at("categories", 0, name="c\ud800at"), r"category 1: its name 'c\\ud800at' holds a character that cannot be"),
        (at("categories", 0, name="c\x1b[2Jat"), "category 1: its name .* holds a character that cannot be written"),
        (at("categories", 0, name=None), "category 1: expected a name, got None"),
        (lambda told: told.update(images={}), "expected a list of images, got {}"),
        (lambda told: told["annotations"].append(5), "expected annotations to be objects, got 5 as number 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_with_the_annotation_image_or_category(dinner, change, said):
    folder, told = dinner
    change(told)
    with pytest.raises(DataFileError, match=said):
        made_of(folder, told)
    assert not (folder / "out" / "index.csv").exists()


def test_ids_that_are_text_everywhere_are_ids(dinner):
    folder, told = dinner
    told["images"][0]["id"] = "1"
    for entry in told["annotations"]:
        entry |= {"image_id": "1", "category_id": f"c{entry['category_id']}"}
    for entry in told["categories"]:
        entry["id"] = f"c{entry['id']}"
    assert set(shares(made_of(folder, told))) == {"table", "plate"}


def test_nesting_without_end_is_one_sentence(dinner):
    folder, _ = dinner
    with pytest.raises(DataFileError, match="nested deeper than 100 times"):
        made_of(folder, '{"images": ' + "[" * 100_000)


def test_folders_of_splits_in_file_names_are_the_splits(dinner):
    folder, told = dinner
    for name in ("train2017", "val2017"):
        (folder / "photos" / name).mkdir()
        Image.new("RGB", (120, 80), "white").save(folder / "photos" / name / "a.png")
    told["images"] = [
        {"id": 1, "file_name": "train2017/a.png", "width": 120, "height": 80},
        {"id": 2, "file_name": "val2017/a.png", "width": 120, "height": 80},
    ]
    told["annotations"][1]["image_id"] = 2
    made = made_of(folder, told)
    assert {row.image.rsplit("/", 1)[1]: row.split for row in Broden(made.folder).rows} == {
        "train2017-a.jpg": "train", "val2017-a.jpg": "val",
    }  # fmt: skip


def test_panoptic_segments_become_the_classes_that_the_json_says(dinner):
    folder, told = dinner
    segments = np.zeros((80, 120, 3), np.uint8)
    segments[:40] = (1, 2, 3)  # 1 + 2 · 256 + 3 · 65536
    segments[40:, :30] = (9, 0, 0)
    (folder / "masks").mkdir()
    Image.fromarray(segments).save(folder / "masks" / "a.png")
    infos = [{"id": 1 + 512 + 196608, "category_id": 1, "iscrowd": 0, "area": 4800}, {"id": 9, "category_id": 2}]
    told["annotations"] = [{"image_id": 1, "file_name": "a.png", "segments_info": infos}]
    found = shares(made_of(folder, told, masks=folder / "masks"))
    assert found == {"table": pytest.approx(0.5, abs=0.01), "plate": pytest.approx(0.125, abs=0.01)}
    for change, said in (
        ({"segments_info": [infos[0], infos[0]]}, "distinct ids from 1 to 16777215, got 197121"),
        ({"segments_info": [{"id": 0, "category_id": 1}]}, "distinct ids from 1 to 16777215, got 0"),
        ({"segments_info": [{"id": 9, "category_id": 5}]}, "segment 9 is of category 5"),
        ({"file_name": "../a.png"}, "a 'file_name' below the folder of masks"),
    ):
        wrong = {**told, "annotations": [{**told["annotations"][0], **change}]}
        with pytest.raises(DataFileError, match=said):
            made_of(folder, wrong, masks=folder / "masks")
    wrong = {**told, "annotations": told["annotations"] * 2}
    with pytest.raises(DataFileError, match="annotation 2 .of image 1.: the image already has an annotation"):
        made_of(folder, wrong, masks=folder / "masks")
