"""Exports of annotation tools in formats of other importers: unchanged folders, every pixel compared."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets.importers.annotations.tiny_exports import photo, write

from netdissect.cli import main
from netdissect.errors import DataFileError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden

SIZE = (32, 32)  # a set of twice that side has a label for every pixel


def maps_of(folder):
    """Return split and names of every pixel, (32, 32), of every image of a set."""
    source = Broden(folder)
    names = np.array(["", *source.vocabulary.names], object)
    found = {}
    for position, row in enumerate(source.rows):
        planes = source.read_labels(position).planes
        plane = np.max(np.stack(list(planes)), axis=0) if len(planes) else np.zeros(SIZE, int)
        found[row.image.rsplit("/", 1)[1]] = row.split, names[plane]
    return found


def expected():
    plane = np.full(SIZE, "", object)
    plane[2:12, 4:20] = "herring"
    plane[6:10, 8:12] = "gull"
    return plane


def typed(folder, out, *more):
    """Import a folder with the command that from-annotations answers it with."""
    with pytest.raises(DataFileError) as caught:
        importers.from_annotations(folder, out)
    command = str(caught.value).rsplit("read: ", 1)[1]
    words = shlex.split(command)
    assert words[:2] == ["netdissect", "data"]
    words[words.index("--out") + 1] = str(out)
    with pytest.raises(SystemExit) as left:
        main([*words[1:], *more, "--size", "64", "--no-colors", "--preview", "0", "--quiet", "--workers", "1"])
    assert left.value.code == 0
    return maps_of(out)


def test_roboflow_coco_is_read_as_it_comes_with_its_dummy_category(tmp_path):
    folder = tmp_path / "fish v1.coco"
    for split in ("train", "valid", "test"):
        photo(folder / split / "a_jpg.rf.0f.jpg", SIZE)
        square = [4, 2, 20, 2, 20, 12, 4, 12]
        write(folder / split / "_annotations.coco.json", {
            "info": {}, "licenses": [],
            "categories": [
                {"id": 0, "name": "birds-and-fish", "supercategory": "none"},
                {"id": 1, "name": "gull", "supercategory": "birds-and-fish"},
                {"id": 2, "name": "herring", "supercategory": "birds-and-fish"},
            ],
            "images": [{"id": 0, "license": 1, "file_name": "a_jpg.rf.0f.jpg", "height": 32, "width": 32}],
            "annotations": [
                {"id": 0, "image_id": 0, "category_id": 1, "bbox": [8, 6, 4, 4], "area": 16, "iscrowd": 0,
                 "segmentation": [[8, 6, 12, 6, 12, 10, 8, 10]]},
                {"id": 1, "image_id": 0, "category_id": 2, "bbox": [4, 2, 16, 10], "area": 160, "iscrowd": 0,
                 "segmentation": [square]},
            ],
        })  # fmt: skip
    found = typed(folder, tmp_path / "set")
    assert {split for split, _ in found.values()} == {"train", "val", "test"}
    assert len(found) == 3
    for _, plane in found.values():
        assert np.array_equal(plane, expected())
    assert set(Broden(tmp_path / "set").vocabulary.names) == {"herring", "gull"}


def test_a_folder_without_cocos_json_is_reported(tmp_path):
    photo(tmp_path / "a.jpg")
    with pytest.raises(DataFileError, match=r"expected COCO's JSON, or a folder that holds _annotations\.coco\.json"):
        importers.from_coco(tmp_path, None, tmp_path / "set")


def test_roboflow_masks_are_read_as_they_come(tmp_path):
    folder = tmp_path / "fish masks"
    for split in ("train", "valid"):
        photo(folder / split / f"{split}_jpg.rf.0f.jpg", SIZE)
        plane = np.zeros(SIZE, np.uint8)
        plane[2:12, 4:20] = 2
        plane[6:10, 8:12] = 1
        Image.fromarray(plane).save(folder / split / f"{split}_jpg.rf.0f_mask.png")
        write(folder / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, gull\n2, herring\n")
    found = typed(folder, tmp_path / "set")
    assert sorted(split for split, _ in found.values()) == ["train", "val"]
    for _, plane in found.values():
        assert np.array_equal(plane, expected())


def test_cvats_segmentation_mask_is_read_as_it_comes(tmp_path):
    folder = tmp_path / "task"
    photo(folder / "JPEGImages" / "a.jpg", SIZE)
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[2:12, 4:20] = (250, 50, 83)
    colors[6:10, 8:12] = (51, 221, 255)
    for kind in ("SegmentationClass", "SegmentationObject"):
        (folder / kind).mkdir()
        Image.fromarray(colors).save(folder / kind / "a.png")
    write(folder / "ImageSets" / "Segmentation" / "default.txt", "a\n")
    write(
        folder / "labelmap.txt",
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ngull:51,221,255::\nherring:250,50,83::\n",
    )
    ((_, plane),) = typed(folder, tmp_path / "set").values()
    assert np.array_equal(plane, expected())


def test_label_studios_coco_export_is_read_by_from_coco(tmp_path):
    folder = tmp_path / "project"
    photo(folder / "images" / "0a1b2c3d-a.jpg", SIZE)
    told = {
        "images": [{"width": 32, "height": 32, "id": 0, "file_name": "images/0a1b2c3d-a.jpg"}],
        "categories": [{"id": 0, "name": "herring"}, {"id": 1, "name": "gull"}],
        "annotations": [
            {"id": 0, "image_id": 0, "category_id": 0, "segmentation": [[4, 2, 20, 2, 20, 12, 4, 12]], "bbox": [4, 2, 16, 10],
             "ignore": 0, "iscrowd": 0, "area": 160.0},
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [[8, 6, 12, 6, 12, 10, 8, 10]], "bbox": [8, 6, 4, 4],
             "ignore": 0, "iscrowd": 0, "area": 16.0},
        ],
        "info": {"year": 2024, "version": "1.0", "description": "", "contributor": "Label Studio", "url": ""},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(told))
    with pytest.raises(DataFileError, match=r"COCO's JSON, .*: netdissect data from-coco .*result\.json PHOTOS"):
        importers.from_annotations(folder, tmp_path / "set")
    importers.from_coco(folder / "result.json", None, tmp_path / "set", size=64, colors=False, preview=0)
    ((_, plane),) = maps_of(tmp_path / "set").values()
    assert np.array_equal(plane, expected())


def test_hastys_masks_are_read_by_from_masks(tmp_path):
    photo(tmp_path / "photos" / "a.jpg", SIZE)
    plane = np.zeros(SIZE, np.uint8)
    plane[2:12, 4:20] = 1
    plane[6:10, 8:12] = 2
    (tmp_path / "masks").mkdir()
    Image.fromarray(plane).save(tmp_path / "masks" / "a.png")
    classes = [{"png_index": 2, "class_name": "gull", "color": "#4c4ffc", "class_type": "object"},
               {"png_index": 1, "class_name": "herring", "color": "#4df3ce", "class_type": "object"}]  # fmt: skip
    listed = write(tmp_path / "label_classes.json", classes)
    importers.from_masks(
        tmp_path / "photos", tmp_path / "masks", listed, tmp_path / "set", size=64, colors=False, preview=0
    )
    ((_, found),) = maps_of(tmp_path / "set").values()
    assert np.array_equal(found, expected())
