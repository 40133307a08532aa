"""Which tool wrote a file or folder; unsupported formats are refused by name with the nearest supported one."""

from __future__ import annotations

import csv

import pytest
from tests.unit.probe_sets.importers.annotations import (
    test_cvat,
    test_hasty,
    test_label_studio,
    test_labelme,
    test_supervisely,
    test_via,
    test_yolo,
)
from tests.unit.probe_sets.importers.annotations.tiny_exports import label_maps, photo, source_of, write

from netdissect.cli import main
from netdissect.errors import DataError, DataFileError, DataNotFoundError, SettingsError
from netdissect.probe_sets import importers
from netdissect.probe_sets.broden.check import check_probe_set
from netdissect.probe_sets.broden.reader import Broden


def labelme(folder):
    photo(folder / "a.jpg")
    write(folder / "a.json", test_labelme.told(test_labelme.shape("cat", test_labelme.SQUARE)))


def label_studio(folder):
    photo(folder / "a.jpg")
    write(folder / "project-1-at-2024.json", [test_label_studio.task(test_label_studio.rectangle("cat", 4, 2, 16, 10))])


def supervisely(folder):
    test_supervisely.project(folder, test_supervisely.thing("cat", "polygon", test_supervisely.SQUARE))


def hasty(folder):
    photo(folder / "a.jpg")
    test_hasty.project(folder, test_hasty.image(test_hasty.label("cat", polygon=test_hasty.SQUARE)))


def via(folder):
    photo(folder / "a.jpg")
    write(folder / "via_region_data.json", test_via.via(test_via.region(test_via.POLYGON, kind="cat")))


def yolo(folder):
    photo(folder / "train" / "images" / "a.jpg")
    write(folder / "train" / "labels" / "a.txt", test_yolo.CAT)
    write(folder / "data.yaml", test_yolo.NAMES)


def cvat(folder):
    photo(folder / "images" / "a.jpg")
    write(folder / "annotations.xml", test_cvat.xml(test_cvat.POLYGON.format(0)))


TOOLS = {
    "labelme": labelme, "Label Studio": label_studio, "Supervisely": supervisely, "Hasty": hasty, "VGG VIA": via,
    "YOLO": yolo, "CVAT": cvat,
}  # fmt: skip


@pytest.mark.parametrize("title", list(TOOLS))
def test_the_tool_is_recognized_printed_and_its_set_is_sound(tmp_path, title):
    TOOLS[title](tmp_path / "export")
    said = []
    made = importers.from_annotations(tmp_path / "export", tmp_path / "set", size=32, colors=False, say=said.append)
    assert said[0].endswith(f" is {title}'s")
    assert check_probe_set(made.folder).problems == ()
    source = Broden(made.folder)
    assert list(source.vocabulary.names) == ["cat"]
    plane = source.read_labels(0).planes[0]
    assert plane.shape == (16, 16)
    assert plane[2:7, 3:9].all()  # 2..12 of 24 rows, 4..20 of 32 columns
    assert 32 <= (plane != 0).sum() <= 64


def test_a_file_is_recognized_as_its_folder_is_and_the_tool_may_be_named(tmp_path):
    yolo(tmp_path / "y")
    hasty(tmp_path / "h")
    cvat(tmp_path / "c")
    assert list(label_maps(tmp_path / "y" / "data.yaml")) == ["train-images-a.jpg"]
    assert list(label_maps(tmp_path / "h" / "export.json", tool="hasty")) == ["a.jpg"]
    assert list(label_maps(tmp_path / "c" / "annotations.xml")) == ["images-a.jpg"]
    with pytest.raises(DataFileError, match=r"h: expected one file that VGG VIA wrote, got none: name it"):
        source_of(tmp_path / "h", tool="via")
    with pytest.raises(DataNotFoundError, match="there is no file or folder"):
        source_of(tmp_path / "gone", tool="via")
    with pytest.raises(DataFileError, match=r"export\.json: expected VIA's annotations"):
        source_of(tmp_path / "h" / "export.json", tool="via")
    with pytest.raises(SettingsError, match=r"--tool label-me: did you mean labelme"):
        importers.from_annotations(tmp_path / "h", tmp_path / "set", tool="label-me")
    with pytest.raises(SettingsError, match=r"--leave-out point: did you mean points"):
        importers.from_annotations(tmp_path / "h", tmp_path / "set", leave_out=["point"])
    with pytest.raises(SettingsError, match=r"--boxes takes boxes as masks, and --leave-out boxes leaves them out"):
        importers.from_annotations(tmp_path / "h", tmp_path / "set", boxes=True, leave_out=["boxes"])


@pytest.mark.parametrize("title", list(TOOLS))
def test_a_command_named_after_the_tool_is_the_same(tmp_path, title):
    TOOLS[title](tmp_path / "export")
    name = title.removeprefix("VGG ").lower().replace(" ", "-")
    words = ["data", f"from-{name}", tmp_path / "export", "--out", tmp_path / "set", "--size", "32", "--no-colors"]
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in (*words, "--preview", "0", "--quiet", "--workers", "1")])
    assert left.value.code == 0
    assert list(Broden(tmp_path / "set").vocabulary.names) == ["cat"]


COCO = {"images": [], "annotations": [], "categories": []}

REFUSED = {
    "x.json COCO": (COCO, r"COCO's JSON, .*: netdissect data from-coco .*x\.json PHOTOS --out"),
    "x.json VIA 3": ({"project": {}, "config": {}, "metadata": {}, "view": {}}, "VIA 3's project"),
    "x.json CVAT's backup": (
        [{"version": 0, "tags": [], "shapes": [], "tracks": []}],
        "a backup of a CVAT task, .*for images",
    ),
    "x.json Datumaro": ({"info": {}, "categories": {}, "items": []}, "Datumaro's JSON"),
    "x.json VoTT": ({"asset": {}, "regions": [], "version": "2.1.0"}, "VoTT's JSON"),
    "x.json VoTT's export": ({"name": "a", "assets": {}, "tags": []}, "VoTT's JSON"),
    "x.json Hasty's masks": (
        [{"png_index": 1, "class_name": "cat", "color": "#4df3ce", "class_type": "object"}],
        r"the class list of Hasty's masks, .*: netdissect data from-masks PHOTOS .*export --classes .*x\.json",
    ),
    "x.json Labelbox": ([{"data_row": {}, "media_attributes": {}, "projects": {}}], "Labelbox's export"),
    "x.json Labelbox 1": ([{"ID": "a", "Labeled Data": "u", "Label": {}}], "Labelbox's export"),
    "x.json Darwin 2": ({"version": "2.0", "schema_ref": "u", "item": {}, "annotations": []}, "V7's Darwin JSON"),
    "x.json Darwin 1": ({"dataset": "a", "image": {}, "annotations": []}, "V7's Darwin JSON"),
    "x.json Dataloop": ({"filename": "/a.jpg", "itemMetadata": {}, "annotations": []}, "Dataloop's JSON"),
    "x.json Segments.ai": ({"name": "v1", "dataset": {"samples": []}}, r"a release of Segments\.ai"),
    "x.json SuperAnnotate": ({"metadata": {}, "instances": []}, "SuperAnnotate's JSON"),
    "x.json Scale": ({"task_id": "a", "response": {}}, "Scale's JSON"),
    "x.json Encord": ([{"label_hash": "a", "data_units": {}}], "Encord's JSON"),
    "x.json Cityscapes": ({"imgHeight": 1, "imgWidth": 1, "objects": []}, "Cityscapes' polygons"),
    "x.json CreateML": ([{"image": "a.jpg", "annotations": []}], "CreateML's boxes"),
    "x.json SageMaker": ({"source-ref": "s3://b/a.jpg"}, "SageMaker's output"),
    "x.xml VOC": ("<annotation><object><name>cat</name><bndbox/></object></annotation>", "Pascal VOC's XML of boxes"),
    "x.xml LabelMe": ("<annotation><object><polygon/></object></annotation>", "XML of MIT's LabelMe"),
    "x.ndjson": ("{}\n{}", r"NDJSON \(Labelbox's and others'\)"),
    "x.manifest": ("{}", "a manifest of SageMaker Ground Truth"),
    "x.pkl": ("", r"a pickle \(as Detectron's\), which is never opened"),
    "x.tfrecord": ("", "a TFRecord"),
    "x.zip": ("", "an archive, .*: unpack it, and give its folder"),
    "x.txt": ("0 0 0 1 1 1 0", r"perhaps of YOLO, .*: give the folder that holds labels/ and images/"),
    "_annotations.csv": ("filename,width", "boxes as Roboflow exports them for TensorFlow"),
    "x.json of nobody": (
        {"shapes": []},
        r"expected a file of an annotation tool \(CVAT, .* from-coco reads .* from-masks reads masks",
    ),
    "x.csv of nobody": ("a,b\n1,2", r"expected a file of an annotation tool"),
}


@pytest.mark.parametrize("case", list(REFUSED))
@pytest.mark.parametrize("in_folder", [False, True])
def test_a_format_that_is_not_taken_is_refused_by_name(tmp_path, case, in_folder):
    told, words = REFUSED[case]
    path = write(tmp_path / "export" / case.split()[0], told)
    if in_folder and path.suffix == ".txt":
        words = "expected a file of an annotation tool"
    with pytest.raises(DataFileError, match=words) as caught:
        source_of(path.parent if in_folder else path)
    assert "\n" not in str(caught.value)


FOLDERS = {
    "train/label_2/000001.txt": "KITTI's boxes|expected a file of an annotation tool",
    "label_2/000001.txt": "KITTI's boxes",
    "Annotations/a.xml": "Pascal VOC's XML of boxes",
    "SegmentationClass/a.png": r"laid out as PASCAL VOC \(CVAT's segmentation mask too\), .*: netdissect data from-voc",
    "task-1-annotation-2-by-3-tag-cat-0.png": "brush masks of Label Studio, .*: export the same project as JSON",
    "train/_annotations.coco.json": "COCO's JSON as Roboflow exports it, .*: netdissect data from-coco",
    "train/_classes.csv": r"masks as Roboflow exports them, .*: netdissect data from-masks .* --mask-suffix _mask --classes",
    "labels/a.txt": r"expected YOLO's data\.yaml with names, or classes\.txt",
}


@pytest.mark.parametrize("path", list(FOLDERS))
def test_a_layout_that_is_not_taken_is_refused_by_name(tmp_path, path):
    write(tmp_path / path, "")
    with pytest.raises(DataError, match=FOLDERS[path]):
        source_of(tmp_path)


def test_nothing_and_several_are_reported(tmp_path):
    with pytest.raises(DataNotFoundError, match="there is no file or folder"):
        source_of(tmp_path / "gone")
    with pytest.raises(DataFileError, match="expected a file of an annotation tool"):
        source_of(tmp_path)
    hasty(tmp_path)
    write(tmp_path / "other.json", test_via.via(test_via.region(test_via.POLYGON, kind="cat")))
    with pytest.raises(
        DataFileError, match=r"holds several files of annotations, such as export\.json and other\.json"
    ):
        source_of(tmp_path)


def test_names_that_lead_outside_are_refused_and_links_are_not_looked_through(tmp_path):
    photo(tmp_path / "secret.jpg")
    folder = tmp_path / "export"
    for name in ("../secret.jpg", "/etc/passwd.jpg", "C:\\secret.jpg", "x/../../secret.jpg"):
        write(folder / "a.json", test_labelme.told(test_labelme.shape("cat", test_labelme.SQUARE), imagePath=name))
        with pytest.raises(DataFileError, match=r"is outside of .*export: --photos names the folder of the images"):
            source_of(folder)


def test_images_of_one_name_are_distinguished_by_their_folders(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / "photos" / name / "1.jpg")
    write(tmp_path / "export" / "annotations.xml", test_cvat.xml(test_cvat.POLYGON.format(0), name="deep/b/1.jpg"))
    assert list(label_maps(tmp_path / "export", photos=tmp_path / "photos")) == ["b-1.jpg"]
    write(tmp_path / "export" / "annotations.xml", test_cvat.xml(test_cvat.POLYGON.format(0), name="1.jpg"))
    with pytest.raises(DataFileError, match=r"may be a/1\.jpg or b/1\.jpg"):
        source_of(tmp_path / "export", photos=tmp_path / "photos")


def test_a_pipe_in_place_of_a_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(DataFileError, match="expected a file or folder of annotations, and it is neither"):
        source_of(tmp_path / "x.json")


def test_names_that_cannot_be_written_are_reported_before_any_work(tmp_path):
    import os

    yolo(tmp_path / "export")
    folder = os.fsencode(tmp_path / "export" / "train")
    os.rename(folder + b"/images/a.jpg", folder + b"/images/a\xff.jpg")  # noqa: PTH104 - a name that is no text
    os.rename(folder + b"/labels/a.txt", folder + b"/labels/a\xff.txt")  # noqa: PTH104
    with pytest.raises(
        DataFileError, match=r"a\\udcff\.jpg' cannot be written as UTF-8|cannot be written as UTF-8: rename"
    ):
        importers.from_annotations(tmp_path / "export", tmp_path / "set", size=32)
    assert not (tmp_path / "set").exists()


def test_a_second_call_knows_that_nothing_changed_and_a_changed_shape_is_made_again(tmp_path):
    labelme(tmp_path / "export")
    options = {"size": 32, "colors": False, "preview": 0}
    assert importers.from_annotations(tmp_path / "export", tmp_path / "set", **options).is_new
    assert not importers.from_annotations(tmp_path / "export", tmp_path / "set", **options).is_new
    write(tmp_path / "export" / "a.json", test_labelme.told(test_labelme.shape("dog", test_labelme.SQUARE)))
    assert importers.from_annotations(tmp_path / "export", tmp_path / "set", **options).is_new
    assert list(Broden(tmp_path / "set").vocabulary.names) == ["dog"]


def test_classes_are_renamed_and_dropped_as_everywhere(tmp_path):
    test_hasty.project(
        tmp_path,
        test_hasty.image(
            test_hasty.label("cat", 1, polygon=test_hasty.SQUARE),
            test_hasty.label("dog", 2, polygon=[[0, 0], [32, 0], [32, 6], [0, 6]]),
        ),
    )
    photo(tmp_path / "a.jpg")
    with (tmp_path / "rename.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "as", "category"], ["cat", "fur", "material"], ["dog", "", ""]])
    (found,) = label_maps(tmp_path / "export.json", rename=tmp_path / "rename.csv").values()
    assert (found == "fur").sum() == 6 * 16  # the dropped class still covers what is below


@pytest.mark.parametrize("title", list(TOOLS))
def test_the_set_may_be_in_the_folder_that_is_read(tmp_path, title):
    TOOLS[title](tmp_path)
    options = {"size": 32, "colors": False, "preview": 0}
    assert importers.from_annotations(tmp_path, tmp_path / "dataset" / "mine", **options).images == 1
    assert not importers.from_annotations(tmp_path, tmp_path / "dataset" / "mine", **options).is_new


def test_numbers_that_are_none_matter_only_where_they_are_used(tmp_path):
    labelme(tmp_path)
    shape = test_labelme.shape("cat", test_labelme.SQUARE, score=float("nan"))
    write(tmp_path / "a.json", test_labelme.told(shape))
    assert "cat" in label_maps(tmp_path)["a.jpg"]
    write(tmp_path / "a.json", test_labelme.told(test_labelme.shape("cat", [[0, float("inf")], [1, 1], [2, 0]])))
    with pytest.raises(DataFileError, match=r"shape 1 \(cat\): inf is not a coordinate"):
        source_of(tmp_path)


@pytest.mark.parametrize("name", ["c\ud800at", "c\x1b[2Jat"])
def test_class_names_that_cannot_be_written_are_reported_before_any_work(tmp_path, name):
    labelme(tmp_path / "export")
    write(tmp_path / "export" / "a.json", test_labelme.told(test_labelme.shape(name, test_labelme.SQUARE)))
    with pytest.raises(DataFileError, match=r"cannot be written"):
        importers.from_annotations(tmp_path / "export", tmp_path / "set", size=32)
    assert not (tmp_path / "set").exists()


def test_an_outline_that_would_take_the_memory_is_refused(tmp_path):
    labelme(tmp_path)
    zigzag = [[32 * (place % 2), 24 * (place % 3)] for place in range(100_000)]
    write(tmp_path / "a.json", test_labelme.told(test_labelme.shape("cat", zigzag)))
    with pytest.raises(DataFileError, match=r"shape 1 \(cat\): the outline of a polygon is 3,\d+,\d+ pixels long"):
        label_maps(tmp_path)
