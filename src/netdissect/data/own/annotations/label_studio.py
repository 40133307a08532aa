"""Label Studio: a JSON of tasks (JSON or JSON-MIN); places are in percent, a later region lies over an earlier one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from netdissect.data.own.annotations.bitmaps import packed_bytes
from netdissect.data.own.annotations.brush import Brush
from netdissect.data.own.annotations.record import (
    Reading,
    label_of,
    reading,
    record,
    records,
    size_of,
    told_in,
)
from netdissect.data.own.annotations.shapes import Ellipse, Polygon, box, points_of, turned_box
from netdissect.data.own.painting import number, short
from netdissect.errors import DataFileError
from netdissect.io.images import ENDINGS
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Shape

#: Regions by the control that made them, without "labels" at its end.
_SHAPES = ("polygon", "rectangle", "ellipse", "brush")
_WITHOUT_PIXELS = {"keypoint": "points", "vector": "lines"}
#: Results that are no regions: answers about an image or a region.
_ANSWERS = frozenset({
    "choices", "textarea", "rating", "number", "datetime", "taxonomy", "relation", "pairwise", "ranker", "labels",
})  # fmt: skip
#: What Label Studio puts before the name of a file that was uploaded.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def is_label_studio(told: Any) -> bool:
    """Say whether a JSON is Label Studio's, in full or JSON-MIN."""
    if isinstance(told, dict):
        told = [told]
    if not isinstance(told, list) or not told or not isinstance(told[0], dict):
        return False
    task = told[0]
    if isinstance(task.get("data"), dict):
        return "annotations" in task or "completions" in task
    return any(_regions(value) for value in task.values()) or {"annotation_id", "annotator", "lead_time"} <= set(task)


def read(where: Path, found: Reading) -> None:
    """Read Label Studio's JSON.

    Raises:
        DataFileError: for anything wrong with it.
    """
    told = told_in(where, "Label Studio's tasks")
    if not is_label_studio(told):
        raise DataFileError(f"{where}: expected Label Studio's JSON or JSON-MIN: a list of tasks with annotations")
    with reading(str(where)):
        for place, task in enumerate(records([told] if isinstance(told, dict) else told, "tasks"), start=1):
            called = f"{where}, task {short(task.get('id', place))}"
            with reading(called):
                _read_one(where, task, called, found)


def _read_one(path: Path, task: dict[str, Any], called: str, found: Reading) -> None:
    if isinstance(task.get("data"), dict):
        results, data = _results(task, called), task["data"]
    else:  # JSON-MIN: every control's regions stand below its name
        results = [
            {"value": region, "original_width": region["original_width"], "original_height": region["original_height"],
             "type": _control(region)}
            for value in task.values() if _regions(value) for region in value
        ]  # fmt: skip
        data = {key: value for key, value in task.items() if isinstance(value, str)}
    spelled = _image(data, called)
    shapes: list[tuple[str, Shape]] = []
    size = None
    named = {entry.get("id"): entry for entry in results if entry.get("type") == "labels"}
    for place, entry in enumerate(results, start=1):
        kind = str(entry.get("type"))
        if kind in _ANSWERS:
            continue
        value = record(entry["value"], "a region's value")
        label = _label(kind, value, record(named.get(entry.get("id"), {}), "a label").get("value", {}))
        where = f"{called}, region {place} ({one_line(label)})"
        with reading(where):
            its = size_of(entry["original_height"], entry["original_width"])
            if size not in (None, its):
                raise ValueError("regions of one task are of images of different sizes")
            size = its
            if entry.get("image_rotation"):
                raise ValueError(
                    f"the image was turned by {short(entry['image_rotation'])} degrees: turn it back there"
                )
            made = _shape(kind.removesuffix("labels"), value, its, where, found)
        if made is None:
            continue
        if label:
            shapes.append((label, made))
        else:
            found.left_out["regions without a label"] += 1
    photo = None
    for name in _names(spelled):
        photo = photo or found.photos.find(name, where=called)
    found.add(photo, shapes, spelled=spelled, file=path, size=size)


def _results(task: dict[str, Any], called: str) -> list[dict[str, Any]]:
    """Return the regions of a task's one annotation, or of the one that is called the ground truth."""
    annotations = [
        entry
        for entry in records(task.get("annotations", task.get("completions")) or [], "annotations")
        if not entry.get("was_cancelled")
    ]
    if len(annotations) > 1:
        annotations = [entry for entry in annotations if entry.get("ground_truth")]
        if len(annotations) != 1:
            raise DataFileError(
                f"{called} has several annotations, and {len(annotations) or 'none'} of them is marked as ground truth: "
                f"mark the one that counts"
            )
    return records(annotations[0]["result"], "results") if annotations else []


def _regions(value: object) -> bool:
    """Say whether a value of a JSON-MIN task is a list of regions."""
    return isinstance(value, list) and bool(value) and all(isinstance(r, dict) and "original_width" in r for r in value)


def _control(region: dict[str, Any]) -> str:
    """Return the kind of a region of JSON-MIN: it names its labels so, or its coordinates tell."""
    named = next((key for key in region if key.endswith("labels") and key != "labels"), None)
    if named is not None:
        return named
    return next((kind for key, kind in _MARKS if key in region), "region")


_MARKS = (("points", "polygon"), ("rle", "brush"), ("radiusX", "ellipse"), ("height", "rectangle"), ("x", "keypoint"))


def _label(kind: str, value: dict[str, Any], apart: dict[str, Any]) -> str:
    """Return the label of a region; it stands below its control's name, or below "labels"."""
    labels = value.get(kind) or value.get("labels") or apart.get("labels") or []
    if not isinstance(labels, list) or len(labels) > 1:
        raise ValueError(f"a region has the labels {short(labels)}, and one is expected")
    return label_of(labels[0]) if labels else ""


def _shape(kind: str, value: dict[str, Any], size: tuple[int, int], where: str, found: Reading) -> Shape | None:
    """Return a region's shape; None if it is left out."""
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind not in _SHAPES:
        raise ValueError(f"a region of the kind {short(kind)}, which is not known: {', '.join(_SHAPES)} are")
    if kind == "brush":
        if value.get("format", "rle") != "rle":
            raise ValueError(f"a brush mask of the format {short(value['format'])}, which is not known")
        return Brush(packed_bytes(value["rle"]), size)
    down, across = size[0] / 100, size[1] / 100
    if kind == "polygon":
        return Polygon(tuple((x * across, y * down) for x, y in points_of(value["points"])))
    x, y = number(value["x"]) * across, number(value["y"]) * down
    degrees = number(value.get("rotation") or 0)
    if kind == "ellipse":
        return Ellipse(x, y, number(value["radiusX"]) * across, number(value["radiusY"]) * down, degrees)
    width, height = number(value["width"]) * across, number(value["height"]) * down
    return turned_box(x, y, width, height, degrees, (x, y)) if degrees else box(x, y, x + width, y + height)


def _image(data: dict[str, Any], called: str) -> str:
    """Return what a task's image is called: the one of its data that ends as images do."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    names = {key: value for key, value in texts.items() if any(_ending(name) in ENDINGS for name in _names(value))}
    names = names or texts
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise DataFileError(f"{called}: expected one image among its data, got {listed}")
    return next(iter(names.values()))


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def _names(address: str) -> list[str]:
    """Return what a file may be called that Label Studio gives an address of: as it is stored, and as it was uploaded."""
    parts = urlsplit(address)
    inner = parse_qs(parts.query).get("d", [])
    name = inner[0] if inner else unquote(parts.path) if parts.scheme or address.startswith("/data/") else address
    stored = re.sub(r"^([A-Za-z]:)?/*", "", name.replace("\\", "/"))
    if address.startswith("/data/upload/") or parts.scheme:
        stored = stored.rpartition("/")[2]
    last = stored.rpartition("/")[2]
    return [stored, _UPLOADED.sub("", last)] if _UPLOADED.match(last) else [stored]
