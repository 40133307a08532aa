"""Damaged files of annotation tools raise only the project's errors, of one sentence."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.damage import changes_of_bytes, check_one_sentence, damage_file
from tests.unit.probe_sets.importers.annotations import (
    test_hasty,
    test_label_studio,
    test_labelme,
    test_supervisely,
    test_tool_table,
    test_via,
)
from tests.unit.probe_sets.importers.annotations.tiny_exports import SIZE, label_maps, photo, png, write

from netdissect.errors import NetdissectError

MASK = np.eye(7, 9, dtype=bool)
ODD = (
    None, True, -1, 0, 1e30, float("nan"), "", "x", [], {}, [1], {"a": 1}, "../../x", 10**30, -5.5, "\ud800", "\x1b[2J",
    [[1, 2], [3, 4]],
)  # fmt: skip


def labelme(folder):
    photo(folder / "a.jpg")
    make = test_labelme.shape
    shapes = (
        make("cat", test_labelme.SQUARE), make("fur", [[6, 3], [14, 9]], "mask", mask=png(MASK)),
        make("ball", [[9, 9], [9, 12]], "circle"), make("box", [[1, 1], [5, 5]], "rectangle"),
        make("rope", [[1, 1], [5, 5]], "line"),
    )  # fmt: skip
    return write(folder / "a.json", test_labelme.told(*shapes))


def label_studio(folder):
    photo(folder / "a.jpg")
    make = test_label_studio
    fur = np.zeros(SIZE, bool)
    fur[3:9, 3:9] = True
    egg = make.region(
        "ellipselabels", {"x": 50, "y": 50, "radiusX": 5, "radiusY": 9, "rotation": 3, "ellipselabels": ["e"]}
    )
    cat, dog = make.polygon("cat", (1, 1), (9, 1), (9, 9)), make.rectangle("dog", 1, 1, 5, 5, 30)
    return write(folder / "p.json", [make.task(cat, dog, make.brushed("fur", fur), egg)])


def supervisely(folder):
    make = test_supervisely
    cat = make.thing("cat", "polygon", make.SQUARE, [[[8, 4], [14, 4], [14, 8]]])
    make.project(folder, cat, make.bitmap("fur", MASK, [3, 3]), make.thing("box", "rectangle", [[1, 1], [5, 5]]))
    return folder / "ds0" / "ann" / "a.jpg.json"


def hasty(folder):
    photo(folder / "a.jpg")
    make = test_hasty
    labels = make.label("cat", 1, polygon=make.SQUARE), make.label("dog", 2, [3, 3, 12, 10], mask=make.runs(MASK))
    make.project(folder, make.image(*labels, make.label("cat", 3, [3, 3, 12, 10])))
    return folder / "export.json"


def via(folder):
    photo(folder / "a.jpg")
    make = test_via
    egg = {"name": "ellipse", "cx": 9, "cy": 9, "rx": 3, "ry": 2, "theta": 0.4}
    return write(
        folder / "v.json", make.via(make.region(make.POLYGON, kind="cat"), make.region(egg, kind={"dog": True}))
    )


WRITERS = {"labelme": labelme, "label-studio": label_studio, "supervisely": supervisely, "hasty": hasty, "via": via}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Return an undamaged export of every tool."""
    folder = tmp_path_factory.mktemp("exports")
    files = {tool: make(folder / tool) for tool, make in WRITERS.items()}
    for tool in ("YOLO", "CVAT"):
        test_tool_table.TOOLS[tool](folder / tool)
    files["yolo"] = folder / "YOLO" / "train" / "labels" / "a.txt"
    files["data.yaml"] = folder / "YOLO" / "data.yaml"
    files["cvat"] = folder / "CVAT" / "annotations.xml"
    return folder, files


def find_paths(value, path=()):
    """Return the path of every value in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:30]) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in find_paths(each, (*path, key)))]


def replace_value(document, path, new):
    """Return a copy of a JSON document with one value replaced."""
    if not path:
        return new
    document = copy.deepcopy(document)
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return document


def read(folder):
    try:
        label_maps(folder, boxes=True)
    except NetdissectError as error:
        check_one_sentence(error)


@pytest.mark.parametrize("tool", list(WRITERS))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_is_read_or_refused(exports, tool, data):
    folder, files = exports
    whole = files[tool].read_text()
    document = json.loads(whole)
    path = data.draw(st.sampled_from(find_paths(document)))
    try:
        files[tool].write_text(json.dumps(replace_value(document, path, data.draw(st.sampled_from(ODD)))))
        read(folder / tool)
    finally:
        files[tool].write_text(whole)


@pytest.mark.parametrize("tool", ["labelme", "label-studio", "yolo", "data.yaml", "cvat"])
@settings(max_examples=10, deadline=None)
@given(changes=changes_of_bytes)
def test_a_file_of_damaged_bytes_is_read_or_refused(exports, tool, changes):
    folder, files = exports
    with damage_file(files[tool], changes):
        read(folder / {"yolo": "YOLO", "data.yaml": "YOLO", "cvat": "CVAT"}.get(tool, tool))
