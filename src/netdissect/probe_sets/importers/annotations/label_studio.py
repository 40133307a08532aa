"""Read Label Studio's tasks (JSON or JSON-MIN); coordinates are percentages, and later regions are on top."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from netdissect.errors import DataFileError
from netdissect.io.images import ENDINGS
from netdissect.probe_sets.importers.annotations.bitmaps import BrushMask, decode_byte_list
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    locate_errors,
    parse_label,
    parse_size,
    read_numbers,
    read_tool_json,
    require_object,
    require_objects,
)
from netdissect.probe_sets.importers.annotations.shapes import (
    Ellipse,
    Polygon,
    make_box,
    make_rotated_box,
    parse_points,
)
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: Controls that regions are drawn with, without "labels" at the end.
_SHAPES = ("polygon", "rectangle", "ellipse", "brush")
_WITHOUT_PIXELS = {"keypoint": "points", "vector": "lines"}
#: Results that are not regions, but answers about an image or a region.
_ANSWERS = frozenset({
    "choices", "textarea", "rating", "number", "datetime", "taxonomy", "relation", "pairwise", "ranker", "labels",
})  # fmt: skip
#: The prefix that Label Studio adds to the name of an uploaded file.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def is_label_studio(content: Any) -> bool:
    """Return whether a JSON is Label Studio's, in full or JSON-MIN."""
    tasks = [content] if isinstance(content, dict) else content
    if not isinstance(tasks, list) or not tasks or not isinstance(tasks[0], dict):
        return False
    task = tasks[0]
    if isinstance(task.get("data"), dict):
        return "annotations" in task or "completions" in task
    keys = {"annotation_id", "annotator", "lead_time"}
    return any(_is_region_list(value) for value in task.values()) or keys <= set(task)


def read_label_studio(where: Path, found: AnnotationSet) -> None:
    """Read Label Studio's JSON; raise DataFileError for anything wrong with it."""
    content = read_tool_json(where, "Label Studio's tasks")
    if not is_label_studio(content):
        raise DataFileError(f"{where}: expected Label Studio's JSON or JSON-MIN: a list of tasks with annotations")
    with locate_errors(str(where)):
        tasks = require_objects([content] if isinstance(content, dict) else content, "tasks")
        for number, task in enumerate(tasks, start=1):
            task_name = f"{where}, task {abbreviate(task.get('id', number))}"
            with locate_errors(task_name):
                _read_task(where, task, task_name, found)


def _read_task(path: Path, task: dict[str, Any], task_name: str, found: AnnotationSet) -> None:
    if isinstance(task.get("data"), dict):
        results, data = _list_results(task, task_name), task["data"]
    else:  # JSON-MIN: the regions of every control are below its name
        results = [
            {"value": region, "original_width": region["original_width"], "original_height": region["original_height"],
             "type": _find_control(region)}
            for value in task.values() if _is_region_list(value) for region in value
        ]  # fmt: skip
        data = {key: value for key, value in task.items() if isinstance(value, str)}
    address = _find_image_name(data, task_name)
    sizes: list[tuple[int, int]] = []
    labels_apart = {entry.get("id"): entry for entry in results if entry.get("type") == "labels"}

    def read_label(entry: dict[str, Any]) -> str:
        if _read_kind(entry) in _ANSWERS:
            return ""
        apart = require_object(labels_apart.get(entry.get("id"), {}), "a label").get("value", {})
        return _read_label(_read_kind(entry), require_object(entry["value"], "a region's value"), apart)

    def read_shape(entry: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
        if _read_kind(entry) in _ANSWERS:
            return None
        size = parse_size(entry["original_height"], entry["original_width"])
        if sizes and sizes[0] != size:
            raise ValueError("regions of one task are of images of different sizes")
        sizes.append(size)
        if entry.get("image_rotation"):
            degrees = abbreviate(entry["image_rotation"])
            raise ValueError(f"the image was rotated by {degrees} degrees: rotate it back in Label Studio")
        return _read_shape(_read_kind(entry).removesuffix("labels"), entry["value"], size, where, found)

    shapes = found.read_shapes(results, f"{task_name}, region", read_label, read_shape)
    photo = None
    for name in _list_names(address):
        photo = photo or found.photos.find(name, where=task_name)
    found.add(photo, found.drop_unlabeled(shapes), name=address, file=path, size=sizes[0] if sizes else None)


def _read_kind(entry: dict[str, Any]) -> str:
    return str(entry.get("type"))


def _list_results(task: dict[str, Any], task_name: str) -> list[dict[str, Any]]:
    """Return the results of a task's only annotation, or of the one marked as ground truth."""
    annotations = [
        entry
        for entry in require_objects(task.get("annotations", task.get("completions")) or [], "annotations")
        if not entry.get("was_cancelled")
    ]
    if len(annotations) > 1:
        annotations = [entry for entry in annotations if entry.get("ground_truth")]
        if len(annotations) != 1:
            raise DataFileError(
                f"{task_name} has several annotations, and {len(annotations) or 'none'} of them is marked as ground truth: "
                f"mark the one to use"
            )
    return require_objects(annotations[0]["result"], "results") if annotations else []


def _is_region_list(value: object) -> bool:
    """Return whether a value of a JSON-MIN task is a list of regions."""
    return isinstance(value, list) and bool(value) and all(isinstance(r, dict) and "original_width" in r for r in value)


def _find_control(region: dict[str, Any]) -> str:
    """Return the control of a region of JSON-MIN, by the key of its labels or by its coordinates."""
    by_labels = (key for key in region if key.endswith("labels") and key != "labels")
    by_key = (control for key, control in _CONTROL_BY_KEY.items() if key in region)
    return next(by_labels, None) or next(by_key, "region")


_CONTROL_BY_KEY = {
    "points": "polygon", "rle": "brush", "radiusX": "ellipse", "height": "rectangle", "x": "keypoint",
}  # fmt: skip


def _read_label(kind: str, value: dict[str, Any], apart: dict[str, Any]) -> str:
    """Return the label of a region, which is under its control's name or under "labels"."""
    labels = value.get(kind) or value.get("labels") or apart.get("labels") or []
    if not isinstance(labels, list) or len(labels) > 1:
        raise ValueError(f"a region has the labels {abbreviate(labels)}, and one is expected")
    return parse_label(labels[0]) if labels else ""


def _read_shape(
    kind: str, value: dict[str, Any], size: tuple[int, int], where: str, found: AnnotationSet
) -> Shape | None:
    """Return the shape of a region; None if it is left out."""
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind not in _SHAPES:
        raise ValueError(
            f"unknown kind of region {abbreviate(kind)}: expected {', '.join(_SHAPES[:-1])} or {_SHAPES[-1]}"
        )
    if kind == "brush":
        if value.get("format", "rle") != "rle":
            raise ValueError(f"unknown format of a brush mask {abbreviate(value['format'])}: expected rle")
        return BrushMask(decode_byte_list(value["rle"]), size)
    down, across = size[0] / 100, size[1] / 100
    if kind == "polygon":
        return Polygon(tuple((x * across, y * down) for x, y in parse_points(value["points"])))
    degrees = parse_coordinate(value.get("rotation") or 0)
    sides = ("radiusX", "radiusY") if kind == "ellipse" else ("width", "height")
    x, y, width, height = read_numbers(value, "x", "y", *sides)
    x, y, width, height = x * across, y * down, width * across, height * down
    if kind == "ellipse":
        return Ellipse(x, y, width, height, degrees)
    return make_rotated_box(x, y, width, height, degrees, (x, y)) if degrees else make_box(x, y, x + width, y + height)


def _find_image_name(data: dict[str, Any], task_name: str) -> str:
    """Return the address of a task's image: the only text in its data that ends like an image file."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    names = {
        key: value for key, value in texts.items() if any(_get_suffix(name) in ENDINGS for name in _list_names(value))
    }
    names = names or texts
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise DataFileError(f"{task_name}: expected one image among its data, got {listed}")
    return next(iter(names.values()))


def _get_suffix(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def _list_names(address: str) -> list[str]:
    """Return the names that an image may have, from its address: the stored name, and the name before uploading."""
    parts = urlsplit(address)
    inner = parse_qs(parts.query).get("d", [])
    name = inner[0] if inner else unquote(parts.path) if parts.scheme or address.startswith("/data/") else address
    stored = re.sub(r"^([A-Za-z]:)?/*", "", name.replace("\\", "/"))
    if address.startswith("/data/upload/") or parts.scheme:
        stored = stored.rpartition("/")[2]
    last = stored.rpartition("/")[2]
    return [stored, _UPLOADED.sub("", last)] if _UPLOADED.match(last) else [stored]
