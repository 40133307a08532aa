"""Mistakes in class lists, COCO's JSON and folders."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image
from tests.errors.desk import mistake


def masks_with(desk, name, text, pixels=None):
    """Return the command that imports one image with its mask and a class list; `pixels` make a mask of 16 bits."""
    for folder, mode in (("photos", "RGB"), ("masks", "L")):
        (desk.folder / folder).mkdir()
        Image.new(mode, (32, 24)).save(desk.folder / folder / "a.png")
    if pixels is not None:
        Image.fromarray(np.array(pixels, np.uint16)).save(desk.folder / "masks" / "a.png")
    (desk.folder / name).write_text(text)
    return [
        "data", "from-masks", desk.folder / "photos", desk.folder / "masks", "--classes", desk.folder / name, "--out",
        desk.folder / "set",
    ]  # fmt: skip


def coco_with(desk, **changes):
    """Return the command that imports one annotated image; `changes` replace lists of the JSON."""
    (desk.folder / "photos").mkdir()
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(desk.folder / "photos" / "a.png")
    told = {
        "images": [{"id": 1, "file_name": "a.png", "height": 24, "width": 32}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [annotation()],
    } | changes
    (desk.folder / "instances.json").write_text(json.dumps(told))
    return ["data", "from-coco", desk.folder / "instances.json", desk.folder / "photos", "--out", desk.folder / "set"]


def annotation(**changes):
    return {
        "id": 7,
        "image_id": 1,
        "category_id": 1,
        "segmentation": [[1, 1, 9, 1, 9, 9]],
        "bbox": [1, 1, 8, 8],
    } | changes


@mistake("a class list that begins with several names without a label")
def _(desk):
    return masks_with(desk, "classes.txt", "background\nunlabeled\ncat\n")


@mistake("a class list of objects without numbers")
def _(desk):
    return masks_with(desk, "classes.json", '[{"name": "cat"}, {"name": "dog"}]')


@mistake("a class list whose numbers are in a column of another name")
def _(desk):
    return masks_with(desk, "classes.csv", "name,grey\ncat,40\ndog,80\n")


@mistake("an XML file instead of a class list")
def _(desk):
    return masks_with(desk, "a.xml", "<annotation><name>cat</name></annotation>")


@mistake("a class list in which only some lines have a number")
def _(desk):
    return masks_with(desk, "classes.txt", "1: cat\n2: dog\nbird\n")


@mistake("masks that are JPEG files")
def _(desk):
    words = masks_with(desk, "classes.txt", "cat\n")
    (desk.folder / "masks" / "a.png").rename(desk.folder / "masks" / "a.jpg")
    return words


@mistake("a folder in which only some subfolders are splits")
def _(desk):
    for name in ("train/cat", "valid/cat", "extra/cat"):
        (desk.folder / "folders" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(desk.folder / "folders" / name / "a.png")
    return ["data", "from-labels", desk.folder / "folders", "--out", desk.folder / "set"]


@mistake("COCO: a coordinate that is not a number")
def _(desk):
    return coco_with(desk, annotations=[annotation(segmentation=[[float("nan"), 1, 9, 1, 9, 9]])])


@mistake("COCO: a polygon that is not in a list of polygons")
def _(desk):
    return coco_with(desk, annotations=[annotation(segmentation=[1, 1, 9, 1, 9, 9])])


@mistake("COCO: boxes only")
def _(desk):
    return coco_with(desk, annotations=[annotation(segmentation=[])])


@mistake("COCO: an id that is a number in one place and text in another")
def _(desk):
    return coco_with(desk, annotations=[annotation(image_id="1")])


@mistake("COCO: two images with the same id")
def _(desk):
    images = [{"id": 1, "file_name": name, "height": 24, "width": 32} for name in ("a.png", "b.png")]
    return coco_with(desk, images=images)


@mistake("COCO: a name that cannot be written")
def _(desk):
    return coco_with(desk, categories=[{"id": 1, "name": "c\ud800at"}])


@mistake("COCO: a size that is not the image's")
def _(desk):
    return coco_with(desk, images=[{"id": 1, "file_name": "a.png", "height": 6000, "width": 8000}])


@mistake("a category whose name cannot be a file's")
def _(desk):
    return desk.table("category.csv", "texture,", "x/../../secret,")


@mistake("an image of `index.csv` names too many label maps")
def _(desk):
    lines = (desk.data / "index.csv").read_text().splitlines()
    lines[1] = "a/image 0.jpg,val,32,32,4000,4000," + ";".join(["a/image 1_object.png"] * 300) + ",,,,"
    return desk.write("index.csv", "\n".join(lines).encode())


@mistake("masks that hold numbers, with a class list of colors")
def _(desk):
    return masks_with(desk, "classes.csv", "name,r,g,b\ncat,9,9,9\n", pixels=[[0, 300]])


@mistake("an image of floating-point numbers")
def _(desk):
    words = masks_with(desk, "classes.txt", "cat\n")
    (desk.folder / "photos" / "a.png").unlink()
    Image.fromarray(np.zeros((24, 32), np.float32)).save(desk.folder / "photos" / "a.tif")
    return words


@mistake("a folder that is not a release of ADE20K")
def _(desk):
    return ["data", "from-ade", desk.folder / "gone", "--out", desk.folder / "set"]


@mistake("ADE20K: a class that no class map can hold")
def _(desk):
    told = {"annotation": {"scene": ["street"], "object": [{"name": "car", "name_ndx": 10**9}]}}
    (desk.folder / "ade").mkdir()
    (desk.folder / "ade" / "ADE_train_00000001.json").write_text(json.dumps(told))
    return ["data", "from-ade", desk.folder / "ade", "--out", desk.folder / "set"]
