"""Recognize and refuse formats that from-annotations does not read; the error says what to do instead."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING, Any, NoReturn

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.coco import ROBOFLOW_JSON

if TYPE_CHECKING:
    from pathlib import Path

#: The option --out in suggested commands.
_OUT_OPTION = "--out dataset/mine"
_AS_COCO = "export it as COCO with segmentations, and use netdissect data from-coco"
_USE_MASKS = "use its masks with netdissect data from-masks"
_ROBOFLOW_BOXES = "boxes as Roboflow exports them for TensorFlow"

#: File name endings, what they are, and what to do instead.
_SUFFIXES = (
    (".zip .tar .gz .tgz .7z .rar", "an archive", "unpack it, and give its folder"),
    (".pkl .pickle .pth .pt", "a pickle (as Detectron's), which is never opened", _AS_COCO),
    (".npy", "an array of numpy", "write label maps as PNG, and use netdissect data from-masks"),
    (".ndjson .jsonl", "NDJSON (Labelbox's and others')", _AS_COCO),
    (".manifest", "a manifest of SageMaker Ground Truth", _USE_MASKS),
    (".tfrecord .record", "a TFRecord", _AS_COCO),
    (".txt", "a text, perhaps of YOLO", "give the folder that holds labels/ and images/, or its data.yaml"),
)


def refuse_unsupported_folder(folder: Path) -> None:
    """Raise DataFileError, with what to do, if a folder has the layout of an unsupported format."""
    where = quote(str(folder))
    if (folder / "SegmentationClass").is_dir():
        layout = "laid out as PASCAL VOC (CVAT's segmentation mask too)"
        _refuse(folder, layout, f"netdissect data from-voc {where} {_OUT_OPTION}")
    if _find_file(folder, ROBOFLOW_JSON) is not None:
        _refuse(folder, "COCO's JSON as Roboflow exports it", f"netdissect data from-coco {where} {_OUT_OPTION}")
    masks = _find_file(folder, "_classes.csv")
    if masks is not None:
        _refuse(
            folder, "masks as Roboflow exports them",
            f"netdissect data from-masks {where} {where} --mask-suffix _mask --classes {quote(str(masks))} {_OUT_OPTION}",
        )  # fmt: skip
    if _find_file(folder, "_annotations.csv") is not None or any(folder.glob("*/*.tfrecord")):
        _refuse_boxes(folder, _ROBOFLOW_BOXES)
    if any(re.fullmatch(r"task-\d+-annotation-\d+-.*\.(png|npy)", path.name) for path in folder.glob("task-*")):
        _refuse(
            folder, "brush masks of Label Studio, which do not name their images",
            "export the same project as JSON, which holds the same masks, and give that file",
        )  # fmt: skip
    if any((folder / name).is_dir() for name in ("label_2", "training/label_2")):
        _refuse_boxes(folder, "KITTI's boxes")
    if any(folder.glob("annotations/*.xml")) or any(folder.glob("Annotations/*.xml")):
        _refuse_boxes(folder, "Pascal VOC's XML of boxes")


def refuse_unsupported_file(path: Path) -> None:
    """Raise DataFileError if a file has the ending or name of an unsupported format."""
    if path.name == "_classes.csv":
        refuse_unsupported_folder(path.parent)
    if path.name == "_annotations.csv":
        _refuse_boxes(path, _ROBOFLOW_BOXES)
    for suffixes, what, nearest in _SUFFIXES:
        if path.suffix.lower() in suffixes.split():
            _refuse(path, what, nearest)


def refuse_unsupported_xml(path: Path, head: str) -> None:
    """Raise DataFileError if an XML is of an unsupported tool."""
    if "<annotation" in head and "<polygon" in head:
        _refuse(path, "XML of MIT's LabelMe", "convert it with labelme or CVAT, and give what they write")
    if "<annotation" in head:
        _refuse_boxes(path, "Pascal VOC's XML of boxes")


def refuse_unsupported_json(path: Path, content: Any) -> None:
    """Raise DataFileError if a JSON is of an unsupported tool."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, dict):
        return
    for name, keys, nearest in _JSON_FORMATS:
        if all(key in first for key in keys.split(", ")):
            _refuse(path, name, nearest.replace("FILE", quote(str(path))).replace("FOLDER", quote(str(path.parent))))
    data_set = first.get("dataset")
    if isinstance(data_set, dict) and "samples" in data_set:
        _refuse(path, "a release of Segments.ai", _AS_COCO)


#: A format, keys of its JSON or of the first object in it, and what to do instead. The first format that fits is used.
_JSON_FORMATS = (
    ("COCO's JSON", "images, annotations, categories", f"netdissect data from-coco FILE PHOTOS {_OUT_OPTION}"),
    ("a backup of a CVAT task", "shapes, tracks, tags", "export it as CVAT for images 1.1"),
    ("Datumaro's JSON", "categories, items", _AS_COCO),
    ("VoTT's JSON", "asset, regions", _AS_COCO),
    ("VoTT's JSON", "assets, tags", _AS_COCO),
    (
        "the class list of Hasty's masks", "png_index, class_name",
        f"netdissect data from-masks PHOTOS FOLDER --classes FILE {_OUT_OPTION}",
    ),
    ("VIA 3's project", "project, config, metadata, view", "annotate with VIA 2, or export COCO"),
    ("Labelbox's export", "data_row, projects", _AS_COCO),
    ("Labelbox's export", "Labeled Data, Label", _AS_COCO),
    ("V7's Darwin JSON", "item, annotations, schema_ref", _AS_COCO),
    ("V7's Darwin JSON", "image, annotations, dataset", _AS_COCO),
    ("V7's Darwin JSON", "item, annotations, version", _AS_COCO),
    ("Dataloop's JSON", "filename, annotations, itemMetadata", _AS_COCO),
    ("Dataloop's JSON", "filename, annotations, metadata", _AS_COCO),
    ("SuperAnnotate's JSON", "metadata, instances", _AS_COCO),
    ("Scale's JSON", "task_id, response", _AS_COCO),
    ("Encord's JSON", "data_units, label_hash", _AS_COCO),
    ("Cityscapes' polygons", "imgHeight, imgWidth, objects", _USE_MASKS),
    ("BDD100K's labels", "name, labels, attributes", _USE_MASKS),
    ("ADE20K's annotation of an image", "annotation", "netdissect data from-ade with the release's folder"),
    ("SageMaker's output", "source-ref", _USE_MASKS),
    ("CreateML's boxes", "image, annotations", f"boxes have no outlines: {_AS_COCO}"),
)  # fmt: skip


def _find_file(folder: Path, name: str) -> Path | None:
    """Return a file by name, in a folder or one level below."""
    return next((path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()), None)


def _refuse(path: Path, what: str, nearest: str) -> NoReturn:
    raise DataFileError(f"{path}: {what}, which from-annotations does not read: {nearest}")


def _refuse_boxes(path: Path, what: str) -> NoReturn:
    _refuse(
        path,
        what,
        "they contain boxes only, without outlines: export segmentations (such as COCO, CVAT or YOLO segmentation)",
    )
