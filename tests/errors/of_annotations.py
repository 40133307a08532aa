"""Mistakes in files of annotation tools."""

from __future__ import annotations

import base64
import json
import zlib

from tests.errors.desk import mistake
from tests.unit.probe_sets.importers.annotations import (
    test_cvat,
    test_hasty,
    test_label_studio,
    test_labelme,
    test_supervisely,
    test_via,
    test_yolo,
)
from tests.unit.probe_sets.importers.annotations.tiny_exports import photo

SQUARE = test_labelme.SQUARE


def typed(desk, *more, name="a.json", told=None, text=None):
    """Write an export of one file next to its image; return the command that imports it."""
    folder = desk.folder / "export"
    photo(folder / "a.jpg")
    (folder / name).write_text(json.dumps(told) if text is None else text)
    return ["data", "from-annotations", folder, "--out", desk.folder / "set", "--workers", "1", "--quiet", *more]


def labelme(desk, *shapes, **told):
    return typed(desk, told=test_labelme.told(*shapes, **told))


CAT = test_labelme.shape("cat", SQUARE)


@mistake("an export of a tool that is not supported")
def _(desk):
    return typed(desk, told=[{"data_row": {}, "projects": {}}])


@mistake("a folder that no annotation tool wrote")
def _(desk):
    return typed(desk, told={"cats": 3})


@mistake("COCO's JSON given to from-annotations")
def _(desk):
    return typed(desk, told={"images": [], "annotations": [], "categories": []})


@mistake("Roboflow's masks given to from-annotations")
def _(desk):
    return typed(desk, name="_classes.csv", text="Pixel Value, Class\n0, background\n")


@mistake("a folder without COCO's JSON")
def _(desk):
    photo(desk.folder / "export" / "a.jpg")
    return ["data", "from-coco", desk.folder / "export", "--out", desk.folder / "set"]


@mistake("an unknown tool")
def _(desk):
    return [*labelme(desk, CAT), "--tool", "label-me"]


@mistake("a shape of an unknown kind")
def _(desk):
    return labelme(desk, test_labelme.shape("cat", SQUARE, "blob"))


@mistake("a polygon of two corners")
def _(desk):
    return labelme(desk, test_labelme.shape("cat", SQUARE[:2]))


@mistake("a polygon whose outline is too long to draw")
def _(desk):
    zigzag = [[32 * (place % 2), 24 * (place % 3)] for place in range(100_000)]
    return labelme(desk, test_labelme.shape("cat", zigzag))


@mistake("another tool's JSON given to from-coco")
def _(desk):
    labelme(desk, CAT)
    return ["data", "from-coco", desk.folder / "export" / "a.json", "--out", desk.folder / "set", "--quiet"]


@mistake("`--leave-out` of an unknown kind of shape")
def _(desk):
    return [*labelme(desk, CAT), "--leave-out", "point"]


@mistake("a point, which covers no pixels")
def _(desk):
    point = test_label_studio.region("keypointlabels", {"x": 5, "y": 5, "keypointlabels": ["eye"]})
    return typed(desk, told=[test_label_studio.task(point)])


@mistake("detection boxes instead of polygons")
def _(desk):
    photo(desk.folder / "export" / "images" / "a.jpg")
    (desk.folder / "export" / "labels").mkdir()
    (desk.folder / "export" / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    return typed(desk, name="data.yaml", text=test_yolo.NAMES)


@mistake("a class that data.yaml does not name")
def _(desk):
    photo(desk.folder / "export" / "images" / "a.jpg")
    (desk.folder / "export" / "labels").mkdir()
    (desk.folder / "export" / "labels" / "a.txt").write_text("7 0 0 1 0 1 1\n")
    return typed(desk, name="data.yaml", text=test_yolo.NAMES)


@mistake("an image's name that leads outside the folder")
def _(desk):
    return labelme(desk, CAT, imagePath="../../secret.jpg")


@mistake("annotated images that are missing")
def _(desk):
    return labelme(desk, CAT, imagePath="b.jpg")


@mistake("two annotation files of one image")
def _(desk):
    labelme(desk, CAT)
    return typed(desk, name="b.json", told=test_labelme.told(CAT))


@mistake("an image of another size than was annotated")
def _(desk):
    return labelme(desk, CAT, imageWidth=20)


@mistake("an export without a single shape")
def _(desk):
    return labelme(desk)


@mistake("a brush mask of another size than its image")
def _(desk):
    return typed(desk, told=[test_label_studio.task(test_label_studio.brushed("fur", [[1, 1], [0, 1]]))])


@mistake("a task with several annotations")
def _(desk):
    task = test_label_studio.task(test_label_studio.rectangle("cat", 0, 0, 8, 8))
    task["annotations"] *= 2
    return typed(desk, told=[task])


@mistake("a bitmap that unpacks beyond its image")
def _(desk):
    data = base64.b64encode(zlib.compress(b"\x89PNG" + bytes(10**7))).decode()
    thing = test_supervisely.thing("fur", "bitmap", bitmap={"data": data, "origin": [0, 0]})
    test_supervisely.project(desk.folder / "export", thing)
    return [
        "data", "from-annotations", desk.folder / "export", "--out", desk.folder / "set", "--workers", "1", "--quiet",
    ]  # fmt: skip


@mistake("regions with several attributes")
def _(desk):
    return typed(desk, told=test_via.via(test_via.region(test_via.POLYGON, kind="cat", color="red")))


@mistake("runs of a mask that do not fit its box")
def _(desk):
    folder = test_hasty.project(
        desk.folder / "export", test_hasty.image(test_hasty.label("cat", bbox=[4, 2, 20, 12], mask=[1, 161]))
    )
    photo(folder / "a.jpg")
    return ["data", "from-annotations", folder, "--out", desk.folder / "set", "--workers", "1", "--quiet"]


@mistake("XML that declares entities")
def _(desk):
    text = test_cvat.xml(test_cvat.POLYGON.format(0), head='<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>')
    return typed(desk, name="annotations.xml", text=text)


@mistake("tracks of a video instead of images")
def _(desk):
    return typed(desk, name="annotations.xml", text='<annotations><track id="0" label="cat"/></annotations>')
