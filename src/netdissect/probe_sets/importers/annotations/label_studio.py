"""Label Studio: a JSON of tasks (JSON or JSON-MIN); places are in percent, a later region lies over an earlier one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from netdissect.errors import DataFileError
from netdissect.io.images import ENDINGS
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers.annotations.bitmaps import decode_byte_list
from netdissect.probe_sets.importers.annotations.brush_masks import BrushMask
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    locate_errors,
    parse_label,
    parse_size,
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
    return any(_is_region_list(value) for value in task.values()) or {"annotation_id", "annotator", "lead_time"} <= set(
        task
    )


def read_label_studio(where: Path, found: AnnotationSet) -> None:
    """Read Label Studio's JSON.

    Raises:
        DataFileError: for anything wrong with it.
    """
    told = read_tool_json(where, "Label Studio's tasks")
    if not is_label_studio(told):
        raise DataFileError(f"{where}: expected Label Studio's JSON or JSON-MIN: a list of tasks with annotations")
    with locate_errors(str(where)):
        for place, task in enumerate(require_objects([told] if isinstance(told, dict) else told, "tasks"), start=1):
            called = f"{where}, task {abbreviate(task.get('id', place))}"
            with locate_errors(called):
                _read_task(where, task, called, found)


def _read_task(path: Path, task: dict[str, Any], called: str, found: AnnotationSet) -> None:
    if isinstance(task.get("data"), dict):
        results, data = _list_results(task, called), task["data"]
    else:  # JSON-MIN: every control's regions stand below its name
        results = [
            {"value": region, "original_width": region["original_width"], "original_height": region["original_height"],
             "type": _find_control(region)}
            for value in task.values() if _is_region_list(value) for region in value
        ]  # fmt: skip
        data = {key: value for key, value in task.items() if isinstance(value, str)}
    spelled = _find_image_name(data, called)
    shapes: list[tuple[str, Shape]] = []
    size = None
    named = {entry.get("id"): entry for entry in results if entry.get("type") == "labels"}
    for place, entry in enumerate(results, start=1):
        kind = str(entry.get("type"))
        if kind in _ANSWERS:
            continue
        value = require_object(entry["value"], "a region's value")
        label = _read_label(kind, value, require_object(named.get(entry.get("id"), {}), "a label").get("value", {}))
        where = f"{called}, region {place} ({escape_line(label)})"
        with locate_errors(where):
            its = parse_size(entry["original_height"], entry["original_width"])
            if size not in (None, its):
                raise ValueError("regions of one task are of images of different sizes")
            size = its
            if entry.get("image_rotation"):
                raise ValueError(
                    f"the image was turned by {abbreviate(entry['image_rotation'])} degrees: turn it back there"
                )
            made = _read_shape(kind.removesuffix("labels"), value, its, where, found)
        if made is None:
            continue
        if label:
            shapes.append((label, made))
        else:
            found.left_out["regions without a label"] += 1
    photo = None
    for name in _list_names(spelled):
        photo = photo or found.photos.find(name, where=called)
    found.add(photo, shapes, spelled=spelled, file=path, size=size)


def _list_results(task: dict[str, Any], called: str) -> list[dict[str, Any]]:
    """Return the regions of a task's one annotation, or of the one that is called the ground truth."""
    annotations = [
        entry
        for entry in require_objects(task.get("annotations", task.get("completions")) or [], "annotations")
        if not entry.get("was_cancelled")
    ]
    if len(annotations) > 1:
        annotations = [entry for entry in annotations if entry.get("ground_truth")]
        if len(annotations) != 1:
            raise DataFileError(
                f"{called} has several annotations, and {len(annotations) or 'none'} of them is marked as ground truth: "
                f"mark the one that counts"
            )
    return require_objects(annotations[0]["result"], "results") if annotations else []


def _is_region_list(value: object) -> bool:
    """Say whether a value of a JSON-MIN task is a list of regions."""
    return isinstance(value, list) and bool(value) and all(isinstance(r, dict) and "original_width" in r for r in value)


def _find_control(region: dict[str, Any]) -> str:
    """Return the kind of a region of JSON-MIN: it names its labels so, or its coordinates tell."""
    named = next((key for key in region if key.endswith("labels") and key != "labels"), None)
    if named is not None:
        return named
    return next((kind for key, kind in _CONTROL_BY_KEY if key in region), "region")


_CONTROL_BY_KEY = (
    ("points", "polygon"),
    ("rle", "brush"),
    ("radiusX", "ellipse"),
    ("height", "rectangle"),
    ("x", "keypoint"),
)


def _read_label(kind: str, value: dict[str, Any], apart: dict[str, Any]) -> str:
    """Return the label of a region; it stands below its control's name, or below "labels"."""
    labels = value.get(kind) or value.get("labels") or apart.get("labels") or []
    if not isinstance(labels, list) or len(labels) > 1:
        raise ValueError(f"a region has the labels {abbreviate(labels)}, and one is expected")
    return parse_label(labels[0]) if labels else ""


def _read_shape(
    kind: str, value: dict[str, Any], size: tuple[int, int], where: str, found: AnnotationSet
) -> Shape | None:
    """Return a region's shape; None if it is left out."""
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind not in _SHAPES:
        raise ValueError(f"a region of the kind {abbreviate(kind)}, which is not known: {', '.join(_SHAPES)} are")
    if kind == "brush":
        if value.get("format", "rle") != "rle":
            raise ValueError(f"a brush mask of the format {abbreviate(value['format'])}, which is not known")
        return BrushMask(decode_byte_list(value["rle"]), size)
    down, across = size[0] / 100, size[1] / 100
    if kind == "polygon":
        return Polygon(tuple((x * across, y * down) for x, y in parse_points(value["points"])))
    x, y = parse_coordinate(value["x"]) * across, parse_coordinate(value["y"]) * down
    degrees = parse_coordinate(value.get("rotation") or 0)
    if kind == "ellipse":
        return Ellipse(
            x, y, parse_coordinate(value["radiusX"]) * across, parse_coordinate(value["radiusY"]) * down, degrees
        )
    width, height = parse_coordinate(value["width"]) * across, parse_coordinate(value["height"]) * down
    return make_rotated_box(x, y, width, height, degrees, (x, y)) if degrees else make_box(x, y, x + width, y + height)


def _find_image_name(data: dict[str, Any], called: str) -> str:
    """Return what a task's image is called: the one of its data that ends as images do."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    names = {
        key: value for key, value in texts.items() if any(_suffix_of(name) in ENDINGS for name in _list_names(value))
    }
    names = names or texts
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise DataFileError(f"{called}: expected one image among its data, got {listed}")
    return next(iter(names.values()))


def _suffix_of(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}"


def _list_names(address: str) -> list[str]:
    """Return what a file may be called that Label Studio gives an address of: as it is stored, and as it was uploaded."""
    parts = urlsplit(address)
    inner = parse_qs(parts.query).get("d", [])
    name = inner[0] if inner else unquote(parts.path) if parts.scheme or address.startswith("/data/") else address
    stored = re.sub(r"^([A-Za-z]:)?/*", "", name.replace("\\", "/"))
    if address.startswith("/data/upload/") or parts.scheme:
        stored = stored.rpartition("/")[2]
    last = stored.rpartition("/")[2]
    return [stored, _UPLOADED.sub("", last)] if _UPLOADED.match(last) else [stored]
