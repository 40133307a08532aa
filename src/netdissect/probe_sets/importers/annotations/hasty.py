"""Read Hasty (CloudFactory): one JSON file for all images; labels with a higher ``z_index`` are on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers.annotations.bitmaps import RunLengthMask, parse_whole_numbers
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    locate_errors,
    parse_label,
    parse_size,
    read_tool_json,
    require_objects,
    require_text,
)
from netdissect.probe_sets.importers.annotations.shapes import Polygon, make_box, parse_points
from netdissect.probe_sets.importers.painting import parse_coordinate
from netdissect.probe_sets.importers.split_names import parse_split

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape


def is_hasty(content: Any) -> bool:
    """Return whether a JSON is Hasty's."""
    return isinstance(content, dict) and "label_classes" in content and "images" in content


def read_hasty(where: Path, found: AnnotationSet) -> None:
    """Read Hasty's JSON, of format 1.0 or 1.1; raise DataFileError for anything wrong with it."""
    content = read_tool_json(where, "Hasty's annotations")
    if not is_hasty(content):
        raise DataFileError(f"{where}: expected Hasty's label_classes and images")
    with locate_errors(str(where)):
        background = set()
        for entry in require_objects(content["label_classes"], "label_classes"):
            if entry.get("class_type") == "background":
                background.add(parse_label(entry["class_name"]))
            else:
                found.classes.setdefault(parse_label(entry["class_name"]))
        for image in require_objects(content["images"], "images"):
            _read_image(where, image, background, found)


def _read_image(path: Path, image: dict[str, Any], background: set[str], found: AnnotationSet) -> None:
    name = require_text(image["image_name"], "image_name")
    shapes = found.read_shapes(
        require_objects(image.get("labels") or [], f"labels of {escape_line(name)}"),
        f"{path}, image {escape_line(name)}, label",
        read_label=lambda entry: entry["class_name"], read_shape=_read_shape,
        read_depth=lambda entry: parse_coordinate(entry.get("z_index") or 0),
    )  # fmt: skip
    data_set = parse_label(image.get("dataset_name"))
    first_folder = (
        found.photos.root / data_set if data_set and data_set not in (".", "..") and "/" not in data_set else None
    )
    found.add(
        found.photos.find(name, where=path, first_folder=first_folder),
        [("background" if label in background else label, shape) for label, shape in shapes],
        name=name, file=path, size=parse_size(image["height"], image["width"]), split=parse_split(data_set),
    )  # fmt: skip


def _read_shape(entry: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
    """Return the shape of a label: its mask, else its polygon, else its box if boxes are used as masks."""
    bounds = entry.get("bbox")
    if entry.get("mask"):
        x, y, end, below = parse_whole_numbers(bounds, 4)
        return RunLengthMask(parse_whole_numbers(entry["mask"]), x, y, end - x, below - y, pairs=True)
    if entry.get("polygon"):
        return Polygon(parse_points(entry["polygon"]))
    if bounds is None:
        raise ValueError("it has no mask, no polygon and no box")
    if not found.takes_box("a label with a box and neither mask nor polygon", where):
        return None
    left, top, right, bottom = parse_whole_numbers(bounds, 4)
    return make_box(left, top, right, bottom)
