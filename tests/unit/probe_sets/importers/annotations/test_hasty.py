"""Hasty's JSON: masks as runs in a box, polygons, boxes on request, in the order of z_index."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.probe_sets.importers.annotations.tiny_exports import (
    label_maps,
    nothing,
    photo,
    same,
    source_of,
    splits,
    write,
)

from netdissect.errors import DataFileError

SQUARE = [[4, 2], [20, 2], [20, 12], [4, 12]]


def label(name, depth=1, bbox=None, polygon=None, mask=None):
    return {"class_name": name, "bbox": bbox, "polygon": polygon, "mask": mask, "z_index": depth, "attributes": {}}


def image(*labels, name="a.jpg", data_set="train dataset"):
    return {
        "image_name": name, "dataset_name": data_set, "width": 32, "height": 24, "image_status": "DONE",
        "labels": list(labels), "tags": [],
    }  # fmt: skip


def project(folder, *images):
    classes = [{"class_name": name, "color": "#1f78b44d", "class_type": kind}
               for name, kind in (("cat", "object"), ("dog", "object"), ("ground", "background"))]  # fmt: skip
    told = {"project_name": "p", "create_date": "2019-10-22 19:04:16Z", "export_format_version": "1.1",
            "attributes": [], "label_classes": classes, "images": list(images)}  # fmt: skip
    write(folder / "export.json", told)
    return folder


def one(folder, *labels, **asked):
    photo(folder / "a.jpg")
    return label_maps(project(folder, image(*labels)), **asked)["a.jpg"]


def runs(mask):
    """Return where each run of a mask starts, counted from 1 row by row, and its length."""
    flat = np.concatenate([[0], np.asarray(mask, int).ravel(), [0]])
    edges = np.flatnonzero(np.diff(flat))
    return [number for start, end in edges.reshape(-1, 2).tolist() for number in (start + 1, end - start)]


def test_the_highest_z_index_is_on_top_wherever_it_is(tmp_path):
    mask = np.random.default_rng(1).random((7, 9)) < 0.5
    found = one(
        tmp_path, label("dog", 5, [10, 5, 19, 12], mask=runs(mask)), label("cat", 2, [4, 2, 20, 12], polygon=SQUARE)
    )
    expected = nothing()
    expected[2:12, 4:20] = "cat"
    expected[5:12, 10:19][mask] = "dog"
    same(found, expected)


def test_a_background_class_takes_away_what_is_below(tmp_path):
    found = one(
        tmp_path, label("cat", 1, polygon=SQUARE), label("ground", 2, [0, 0, 8, 24], mask=runs(np.ones((24, 8))))
    )
    assert set(found.ravel()) == {"", "cat"}


def test_boxes_are_refused_taken_or_left_out(tmp_path):
    boxes = label("cat", 1, [4, 2, 20, 12]), label("dog", 2, polygon=[[0, 0], [8, 0], [8, 8], [0, 8]])
    with pytest.raises(DataFileError, match=r"image a\.jpg, label 1 \(cat\): a label with a box .*: --boxes uses"):
        one(tmp_path, *boxes)
    expected = nothing()
    expected[:8, :8] = "dog"
    said = []
    same(one(tmp_path, *boxes, leave_out=["boxes"], said=said), expected)
    assert "left out: boxes (1)" in said
    expected[2:12, 4:20] = "cat"
    expected[:8, :8] = "dog"
    same(one(tmp_path, *boxes, boxes=True), expected)


def test_images_of_one_name_are_in_their_data_sets(tmp_path):
    photo(tmp_path / "train" / "a.jpg")
    photo(tmp_path / "valid" / "a.jpg")
    cat, dog = label("cat", polygon=SQUARE), label("dog", polygon=SQUARE)
    project(tmp_path, image(cat, data_set="train"), image(dog, data_set="valid"))
    assert splits(tmp_path) == {"train-a.jpg": "train", "valid-a.jpg": "val"}
    assert "dog" in label_maps(tmp_path)["valid-a.jpg"]
    project(tmp_path, image(cat, data_set="other"))
    with pytest.raises(DataFileError, match=r"its image 'a\.jpg' may be train/a\.jpg or valid/a\.jpg"):
        source_of(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (label("cat"), r"label 1 \(cat\): it has no mask, no polygon and no box"),
        (label("cat", bbox=[4, 2, 20, 12], mask=[1, 161]), r"a run of its mask, from 1 on, does not fit .* 16 x 10"),
        (label("cat", bbox=[4, 2, 20, 12], mask=[9, 2, 3, 2]), r"a run of its mask, from 3 on, does not fit"),
        (label("cat", bbox=[4, 2, 20, 12], mask=[9]), r"its mask has a start without a length"),
        (
            label("cat", bbox=[0, 0, 99999, 99999], mask=[1, 1]),
            r"its mask of 99999 x 99999 pixels does not fit the image",
        ),
        (label("cat", bbox=None, mask=[1, 1]), r"label 1 \(cat\): expected a list of 4 numbers, got None"),
        (label("cat", "high", polygon=SQUARE), r"label 1 \(cat\): expected a number, got 'high'"),
    ],
)
def test_a_label_that_is_damaged_is_named(tmp_path, wrong, words):
    with pytest.raises(DataFileError, match=words):
        one(tmp_path, wrong)
