"""Formats that are not taken here, each refused by its name with the nearest way that is."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING, Any, NoReturn

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.coco import ROBOFLOW_JSON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What stands for the new set in commands.
_OUT_OPTION = "--out dataset/mine"
_AS_COCO = "export it as COCO with segmentations, and use netdissect data from-coco"
_BOXES = "and boxes outline nothing: export segmentations"


def refuse_unsupported_folder(folder: Path) -> None:
    """Refuse a folder of another format; do nothing if it is none that is known.

    Raises:
        DataFileError: with the format's name and what to do.
    """
    if (folder / "SegmentationClass").is_dir():
        _refuse(
            folder,
            "laid out as PASCAL VOC (CVAT's segmentation mask too)",
            f"netdissect data from-voc {quote(str(folder))} {_OUT_OPTION}",
        )
    if _find_file(folder, ROBOFLOW_JSON) is not None:
        _refuse(
            folder,
            "COCO's JSON as Roboflow exports it",
            f"netdissect data from-coco {quote(str(folder))} {_OUT_OPTION}",
        )
    masks = _find_file(folder, "_classes.csv")
    if masks is not None:
        where = quote(str(folder))
        _refuse(
            folder, "masks as Roboflow exports them",
            f"netdissect data from-masks {where} {where} --mask-suffix _mask --classes {quote(str(masks))} {_OUT_OPTION}",
        )  # fmt: skip
    if _find_file(folder, "_annotations.csv") is not None or any(folder.glob("*/*.tfrecord")):
        _refuse_boxes(folder, "boxes as Roboflow exports them for TensorFlow")
    if any(re.fullmatch(r"task-\d+-annotation-\d+-.*\.(png|npy)", path.name) for path in folder.glob("task-*")):
        _refuse(
            folder, "brush masks of Label Studio, which do not say whose they are",
            "export the same project as JSON, which holds the same masks, and give that file",
        )  # fmt: skip
    for name in ("label_2", "training/label_2"):
        if (folder / name).is_dir():
            _refuse_boxes(folder, "KITTI's boxes")
    if any(folder.glob("annotations/*.xml")) or any(folder.glob("Annotations/*.xml")):
        _refuse_boxes(folder, "Pascal VOC's XML of boxes")


def refuse_unsupported_file(path: Path) -> None:
    """Refuse a file of another format by its ending or beginning."""
    ending = path.suffix.lower()
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        _refuse(path, "an archive", "unpack it, and give its folder")
    if ending in (".pkl", ".pickle", ".pth", ".pt"):
        _refuse(path, "a pickle (as Detectron's), which is never opened", _AS_COCO)
    if ending == ".npy":
        _refuse(path, "an array of numpy", "write label maps as PNG, and use netdissect data from-masks")
    if ending in (".ndjson", ".jsonl"):
        _refuse(path, "NDJSON (Labelbox's and others')", _AS_COCO)
    if ending == ".manifest":
        _refuse(path, "a manifest of SageMaker Ground Truth", "use its masks with netdissect data from-masks")
    if ending in (".tfrecord", ".record"):
        _refuse(path, "a TFRecord", _AS_COCO)
    if path.name == "_classes.csv":
        refuse_unsupported_folder(path.parent)
    if path.name == "_annotations.csv":
        _refuse_boxes(path, "boxes as Roboflow exports them for TensorFlow")
    if ending == ".txt":
        _refuse(path, "a text, perhaps of YOLO", "give the folder that holds labels/ and images/, or its data.yaml")


def refuse_unsupported_xml(path: Path, head: str) -> None:
    """Refuse an XML of another tool."""
    if "<annotation" in head and "<polygon" in head:
        _refuse(path, "XML of MIT's LabelMe", "convert it with labelme or CVAT, and give what they write")
    if "<annotation" in head:
        _refuse_boxes(path, "Pascal VOC's XML of boxes")


def refuse_unsupported_json(path: Path, told: Any) -> None:
    """Refuse a JSON of another tool."""
    for name, wrote, nearest in _JSON_FORMATS:
        if wrote(told):
            _refuse(path, name, nearest.replace("FILE", quote(str(path))).replace("FOLDER", quote(str(path.parent))))


def _has_keys(*names: str) -> Callable[[Any], bool]:
    """Return what says whether a JSON is an object with keys, or a list of such."""

    def wrote(told: Any) -> bool:
        first = told[0] if isinstance(told, list) and told else told
        return isinstance(first, dict) and set(names) <= set(first)

    return wrote


#: Name, whether a JSON is one, and what to do instead. The first that fits counts.
_JSON_FORMATS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "COCO's JSON",
        _has_keys("images", "annotations", "categories"),
        f"netdissect data from-coco FILE PHOTOS {_OUT_OPTION}",
    ),
    ("a backup of a CVAT task", _has_keys("shapes", "tracks", "tags"), "export it as CVAT for images 1.1"),
    ("Datumaro's JSON", _has_keys("categories", "items"), _AS_COCO),
    ("VoTT's JSON", _has_keys("asset", "regions"), _AS_COCO),
    ("VoTT's JSON", _has_keys("assets", "tags"), _AS_COCO),
    (
        "the class list of Hasty's masks",
        _has_keys("png_index", "class_name"),
        f"netdissect data from-masks PHOTOS FOLDER --classes FILE {_OUT_OPTION}",
    ),
    ("VIA 3's project", _has_keys("project", "config", "metadata", "view"), "annotate with VIA 2, or export COCO"),
    ("Labelbox's export", _has_keys("data_row", "projects"), _AS_COCO),
    ("Labelbox's export", _has_keys("Labeled Data", "Label"), _AS_COCO),
    ("V7's Darwin JSON", _has_keys("item", "annotations", "schema_ref"), _AS_COCO),
    ("V7's Darwin JSON", _has_keys("image", "annotations", "dataset"), _AS_COCO),
    ("V7's Darwin JSON", _has_keys("item", "annotations", "version"), _AS_COCO),
    ("Dataloop's JSON", _has_keys("filename", "annotations", "itemMetadata"), _AS_COCO),
    ("Dataloop's JSON", _has_keys("filename", "annotations", "metadata"), _AS_COCO),
    (
        "a release of Segments.ai",
        lambda told: _has_keys("dataset")(told) and "samples" in (told.get("dataset") or ()),
        _AS_COCO,
    ),
    ("SuperAnnotate's JSON", _has_keys("metadata", "instances"), _AS_COCO),
    ("Scale's JSON", _has_keys("task_id", "response"), _AS_COCO),
    ("Encord's JSON", _has_keys("data_units", "label_hash"), _AS_COCO),
    (
        "Cityscapes' polygons",
        _has_keys("imgHeight", "imgWidth", "objects"),
        "use its masks with netdissect data from-masks",
    ),
    ("BDD100K's labels", _has_keys("name", "labels", "attributes"), "use its masks with netdissect data from-masks"),
    ("ADE20K's annotation of an image", _has_keys("annotation"), "netdissect data from-ade with the release's folder"),
    ("SageMaker's output", _has_keys("source-ref"), "use its masks with netdissect data from-masks"),
    ("CreateML's boxes", _has_keys("image", "annotations"), f"boxes outline nothing: {_AS_COCO}"),
)


def _find_file(folder: Path, name: str) -> Path | None:
    """Return a file of a name in a folder or in one of those in it."""
    return next((path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()), None)


def _refuse(path: Path, what: str, nearest: str) -> NoReturn:
    raise DataFileError(f"{path}: {what}, which from-annotations does not take: {nearest}")


def _refuse_boxes(path: Path, what: str) -> NoReturn:
    _refuse(path, what, f"they hold nothing but boxes, {_BOXES} (of the tools: COCO, CVAT, YOLO segmentation)")
