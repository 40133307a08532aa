"""Class lists as tools write them: every format gives the numbers of its masks, or is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tests.unit.probe_sets import originals

from netdissect.errors import DataFileError, LabelError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.importers.class_list import read_class_list, read_class_names

SIZE = (24, 32)


def read(folder, name, text, **asked):
    (folder / name).write_text(text)
    return read_class_list(folder / name, "object", **asked)


def meaning(classes):
    return {number: classes.names[label - 1] if label else "" for number, label in classes.codes.items()}


def colors(classes):
    return {color: classes.names[label - 1] if label else "" for color, label in classes.colors.items()}


CITYSCAPES = (
    "name,id,trainId,category,catId,hasInstances,ignoreInEval,color\n"
    'unlabeled,0,255,void,0,False,True,"(0, 0, 0)"\n'
    'ego vehicle,1,255,void,0,False,True,"(0, 0, 0)"\n'
    'road,7,0,flat,1,False,False,"(128, 64,128)"\n'
    'parking,9,255,flat,1,False,True,"(250,170,160)"\n'
    'car,26,13,vehicle,7,True,False,"(0, 0,142)"\n'
    'license plate,-1,-1,vehicle,7,False,True,"(0, 0,142)"\n'
)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("labels.txt", "__ignore__\n_background_\nherring\ngull\n", {0: "", 1: "herring", 2: "gull"}),
        ("class_names.txt", "_background_\nherring\ngull\n", {0: "", 1: "herring", 2: "gull"}),
        ("c.json", '[{"id": 0, "name": "background"}, {"id": 7, "name": "gull"}]', {0: "", 7: "gull"}),
        (
            "c.json",
            '[{"id": 0, "name": "background"}, {"id": 7, "name": "gull", "color": [9, 8, 7]}]',
            {0: "", 7: "gull"},
        ),
        ("c.json", '[{"id": 7, "class_name": "gull", "color": "#80123445"}]', {7: "gull"}),
        ("c.json", '{"categories": [{"supercategory": "a", "isthing": 1, "id": 7, "name": "gull"}]}', {7: "gull"}),
        ("notes.json", '{"categories": [{"id": 0, "name": "gull"}], "info": {"year": 2026}}', {0: "gull"}),
        ("c.json", '{"7": {"name": "gull", "color": "#010203"}}', {7: "gull"}),
        ("c.json", '{"gull": {"value": 7}}', {7: "gull"}),
        ("config.json", '{"id2label": {"0": "gull"}, "label2id": {"gull": 0}}', {0: "gull"}),
        ("c.json", '{"names": ["herring", "gull"]}', {1: "herring", 2: "gull"}),
        ("_classes.csv", "Pixel Value, Class\n0, background\n1, gull\n", {0: "", 1: "gull"}),
        ("c.csv", "label,name\n3,gull\n", {3: "gull"}),
        ("c.tsv", "id\tname\n3\tgull\n", {3: "gull"}),
        ("c.txt", "Idx;Class\n3;gull\n", {3: "gull"}),
        ("c.txt", "gull: 3\nherring: 4\n", {3: "gull", 4: "herring"}),
        ("c.txt", "3=gull\n4=herring\n", {3: "gull", 4: "herring"}),
        ("c.txt", "3 1 2 3 gull\n", {3: "gull"}),
        ("c.txt", "door, double\nwall; brick\n", {1: "door, double", 2: "wall; brick"}),
        ("c.txt", "cat\n7 up\ndog\nbird\n", {1: "cat", 2: "7 up", 3: "dog", 4: "bird"}),
        ("c.txt", "/a/airfield 0\n/a/cabin 1\n", {0: "/a/airfield", 1: "/a/cabin"}),
        ("c.txt", "class 1\nclass 2\n", {1: "class 1", 2: "class 2"}),
        ("c.txt", "0. gull\n1. herring\n", {0: "gull", 1: "herring"}),
        ("c.txt", "0: 'gull',\n1: 'herring',\n", {0: "gull", 1: "herring"}),
        ("data.yaml", "nc: 2\ntrain: x\nnames: [gull, herring]\n", {0: "gull", 1: "herring"}),
        ("data.yaml", "names:\n  0: gull\n  7: herring\n", {0: "gull", 7: "herring"}),
        ("kitti.yaml", "labels:\n  0: unlabeled\n  10: gull\ncolor_map:\n  0: [0, 0, 0]\n", {0: "", 10: "gull"}),
        ("c.yml", "gull: 3\nherring: 4\n", {3: "gull", 4: "herring"}),
        ("c.yaml", "- {id: 7, name: gull}\n", {7: "gull"}),
        ("c.txt", "- gull\n- herring\n", {1: "gull", 2: "herring"}),
        ("c.txt", "path: x\nnames:\n  0: gull\n", {0: "gull"}),
        ("cityscapes.csv", CITYSCAPES, {0: "", 1: "", 7: "road", 9: "parking", 26: "car"}),
        (
            "objectInfo150.txt",
            "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t9\t9\t0\twall\n2\t0.1\t9\t9\t0\tbuilding, edifice\n",
            {1: "wall", 2: "building"},
        ),
        (
            "objectInfo150.csv",
            "Idx,Ratio,Train,Val,Stuff,Name\n1,0.1,9,9,0,wall\n2,0.1,9,9,0,building;edifice\n",
            {1: "wall", 2: "building"},
        ),
    ],
)
def test_every_format_gives_the_numbers_that_its_masks_hold(tmp_path, name, text, expected):
    assert meaning(read(tmp_path, name, text)) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.txt", "128 64 128\tgull\n0 0 9\therring\n"),
        ("p.txt", "gull 128 64 128\nherring 0 0 9\n"),
        ("p.txt", "gull:128,64,128\nherring:0,0,9\n"),
        ("p.csv", "name,r,g,b\ngull,128,64,128\nherring,0,0,9\n"),
        ("p.csv", 'name,color\ngull,"[128, 64, 128]"\nherring,#000009\n'),
        ("labelmap.txt", "# label:color_rgb:parts:actions\ngull:128,64,128::\nherring:0,0,9::\n"),
        ("obj_class_to_machine_color.json", '{"gull": [128, 64, 128], "herring": [0, 0, 9]}'),
        ("p.json", '{"#804080": "gull", "#000009": "herring"}'),
        (
            "meta.json",
            json.dumps({"classes": [
                {"title": "gull", "shape": "bitmap", "color": "#804080", "id": 11},
                {"title": "herring", "shape": "bitmap", "color": "#000009", "id": 12},
            ], "tags": []}),
        ),
        (
            "labels.json",
            json.dumps([
                {"name": "gull", "id": 41, "color": "#804080", "attributes": []},
                {"name": "herring", "id": 42, "color": "#000009", "attributes": []},
            ]),
        ),
    ],
)  # fmt: skip
def test_palettes_name_classes_by_their_colors(tmp_path, name, text):
    classes = read(tmp_path, name, text)
    assert colors(classes) == {0x804080: "gull", 9: "herring"}
    assert not {11, 12, 41, 42} & set(classes.codes)  # numbers of a tool's database


def test_a_list_of_colors_only_gives_no_number_to_masks_of_numbers(tmp_path):
    classes = read(tmp_path, "p.csv", "name,r,g,b\ngull,128,64,128\n")
    with pytest.raises(LabelError, match=r"m\.png: the mask holds numbers, and the class list names only colors"):
        classes.label_mask(np.array([[1]]), "m.png")
    assert (
        read(tmp_path, "p.csv", "name,r,g,b\ngull,128,64,128\n", first=0).label_mask(np.array([[0]]), "m").item() == 1
    )
    assert read_class_names(tmp_path / "p.csv") == ["gull"]


def test_cityscapes_numbers_for_training_are_read_where_they_are_asked_for(tmp_path):
    assert meaning(read(tmp_path, "c.csv", CITYSCAPES, trained=True)) == {255: "", 0: "road", 13: "car"}
    assert meaning(read(tmp_path, "c.csv", CITYSCAPES, column="trainId")) == {255: "", 0: "road", 13: "car"}
    assert colors(read(tmp_path, "c.csv", CITYSCAPES)) == {0: "", 0x804080: "road", 0xFAAAA0: "parking", 142: "car"}


def test_a_column_of_numbers_is_chosen_by_name(tmp_path):
    text = "name,grey\ngull,40\nherring,80\n"
    with pytest.raises(DataFileError, match="its column 'grey' holds numbers, and nothing says"):
        read(tmp_path, "c.csv", text)
    assert meaning(read(tmp_path, "c.csv", text, column="grey")) == {40: "gull", 80: "herring"}
    with pytest.raises(DataFileError, match="it has no column 'gray': choose from name, grey|'name', 'grey'"):
        read(tmp_path, "c.csv", text, column="gray")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.txt", "background\nunlabeled\ncat\n", "begins with 2 names without a label .background, unlabeled."),
        ("c.txt", "_background_\n__ignore__\ncat\n", "begins with 2 names without a label"),
        ("c.txt", "void\nnone\n-\ncat\n", "begins with 3 names without a label"),
        ("c.json", '["void", "background", "cat"]', "begins with 2 names without a label"),
        ("c.json", '[{"name": "cat"}, {"name": "dog"}]', "gives them neither numbers .id. nor colors"),
        ("c.json", '[{"colour": 1}]', "expected a column 'name', got 'colour'"),
        ("c.json", '[{"id": 1, "name": "a"}, {"name": "b"}]', "entry 2: a number or color is invalid .'id' is missing"),
        ("c.json", '[{"id": "x", "name": "a"}]', "entry 1: a number or color is invalid"),
        ("c.json", '[{"id": 1.5, "name": "a"}]', "entry 1: a number or color is invalid"),
        ("c.json", '[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]', "number 1 or its color is listed twice"),
        ("c.json", '{"version": "5", "shapes": []}', "an object with the keys 'version', 'shapes', which is none of these"),
        ("c.json", '["cat", 3]', "expected a JSON list of names"),
        ("c.json", '["c\\ud800at"]', "half of a surrogate pair"),
        ("c.csv", "name,id,index\ncat,5,0\ndog,6,1\n", "'index' and 'id'|'id' and 'index'"),
        ("c.csv", "name,pixels\ncat,5\n", "its column 'pixels' holds numbers"),
        ("c.csv", "id,name\n1,cat\n2\n", "line 3: expected 2 fields"),
        ("data.yaml", "names: [cat", "data.yaml, line 1: expected YAML"),
        ("data.yaml", "path: x\ntrain: y\n", "an object with the keys 'path', 'train', which is none of these"),
        ("c.txt", "- background\n- void\n- cat\n", "begins with 2 names without a label"),
        ("c.txt", "<annotation><name>cat</name></annotation>", "got an XML file or web page"),
        ("labels.py", "labels = [\n]\n", "got a Python file"),
        ("c.txt", "labels = [\n  Label('unlabeled', 0)\n]\n", "got a Python file"),
        ("map.pbtxt", "item {\n  id: 1\n}\n", "got a protocol-buffer text"),
        ("c.txt", "item {\n  id: 1\n  name: 'cat'\n}\n", "got a protocol-buffer text"),
        ("c.txt", "1: cat\n2: dog\nbird\n", "a list that cannot be understood .a line of it is '1: cat'"),
        ("c.txt", "id name\n1 cat\n", "a list that cannot be understood"),
        ("c.txt", "id: 1\nname: cat\n", "a list that cannot be understood"),
        ("c.txt", "cat|1\ndog|2\n", "a list that cannot be understood"),
        ("c.txt", "1,cat,animal\n2,dog,animal\n", "a table without a first line that names its columns"),
        ("c.txt", "1 2 cat\n3 4 dog\n", "lines of several numbers"),
        ("c.txt", "Boeing 737\nAirbus 320\n", "lines that end in numbers, of the classes or of their names"),
        ("c.txt", "a" + " " * 10**6 + "b\n" + "c" * 400, "a line of 400 characters"),
        ("c.txt", "cat,1,0.5\ndog,2,0.5\n", "a list that cannot be understood"),
        ("c.txt", "1,128,64,300,cat\n", "colors from 0 to 255"),
        ("c.txt", "c\x1bat\n", "a character that cannot be written"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_and_never_numbered_by_guess(tmp_path, name, text, told):
    with pytest.raises(DataFileError, match=told):
        read(tmp_path, name, text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({7: "gull"}, {7: "gull"}),
        ({np.int64(7): "gull"}, {7: "gull"}),
        ({"gull": 7}, {7: "gull"}),
        ([{"id": 7, "name": "gull"}], {7: "gull"}),
        (("background", "gull"), {0: "", 1: "gull"}),
    ],
)
def test_python_takes_what_a_file_may_hold(given, expected):
    assert meaning(read_class_list(given, "object")) == expected


@pytest.mark.parametrize("given", [[1, 2], {"gull": None}, {7: None}, {"a": "b"}, [None], [["gull"]], {1.5: "gull"}])
def test_python_is_reported_what_is_no_class_list(given):
    with pytest.raises(DataFileError, match="the class list: expected a JSON list of names, an object number → name"):
        read_class_list(given, "object")


# ── Seen from the importers ───────────────────────────────────────────────────────────────────────────────────────────


def coverage(folder):
    """Return coverage by name, from label.csv."""
    lines = (folder / "label.csv").read_text().splitlines()[1:]
    fields = [line.split(",") for line in lines]
    return {field[1]: float(field[4]) for field in fields}


@pytest.mark.parametrize("way", ["masks", "voc"])
@pytest.mark.parametrize(
    ("name", "text", "first"),
    [
        ("labels.txt", "__ignore__\n_background_\nherring\ngull\nrope\n", 1),
        (
            "classes.json",
            '[{"id": 0, "name": "background"}, {"id": 7, "name": "herring"}, {"id": 9, "name": "gull"}]',
            7,
        ),
    ],
)
def test_lists_of_tools_keep_coverage_and_names(tmp_path, way, name, text, first):
    mask = np.zeros(SIZE, np.uint8)
    mask[:12, :8] = first
    mask[12:, :16] = first + (2 if first == 7 else 1)
    photos, masks = ("JPEGImages", "SegmentationClass") if way == "voc" else ("photos", "masks")
    originals.write_image(tmp_path / "in" / photos / "a.jpg", SIZE)
    (tmp_path / "in" / masks).mkdir()
    Image.fromarray(mask).save(tmp_path / "in" / masks / "a.png")
    (tmp_path / name).write_text(text)
    options = {"size": 32, "colors": False, "preview": 0}
    if way == "voc":
        importers.from_voc(tmp_path / "in", tmp_path / "out", classes=tmp_path / name, **options)
    else:
        importers.from_masks(
            tmp_path / "in" / photos, tmp_path / "in" / masks, tmp_path / name, tmp_path / "out", **options
        )
    assert coverage(tmp_path / "out") == {"herring": 0.125, "gull": 0.25}


def test_masks_of_a_palette_are_read_as_colors_where_the_list_knows_colors_only(tmp_path):
    originals.write_image(tmp_path / "photos" / "a.jpg", SIZE)
    mask = Image.fromarray(originals.make_halves(SIZE, 1, 0).astype(np.uint8), mode="P")
    mask.putpalette([0, 0, 0, 128, 64, 128])
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / "a.png")
    (tmp_path / "c.csv").write_text("name,r,g,b\ngull,128,64,128\n")
    made = importers.from_masks(
        tmp_path / "photos", tmp_path / "masks", tmp_path / "c.csv", tmp_path / "out", size=32, colors=False, preview=0
    )
    assert coverage(made.folder) == {"gull": 0.5}
    assert Broden(made.folder).vocabulary.names == ("gull",) or list(Broden(made.folder).vocabulary.names) == ["gull"]
