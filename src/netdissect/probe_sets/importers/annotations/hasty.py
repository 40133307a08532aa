"""Hasty (CloudFactory): one JSON for all images; a label of a higher ``z_index`` lies over one of a lower."""

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
)
from netdissect.probe_sets.importers.annotations.shapes import Polygon, make_box, parse_points
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate
from netdissect.probe_sets.importers.split_names import parse_split

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape


def is_hasty(told: Any) -> bool:
    """Say whether a JSON is Hasty's."""
    return isinstance(told, dict) and "label_classes" in told and "images" in told


def read_hasty(where: Path, found: AnnotationSet) -> None:
    """Read Hasty's JSON, of format 1.0 or 1.1.

    Raises:
        DataFileError: for anything wrong with it.
    """
    told = read_tool_json(where, "Hasty's annotations")
    if not is_hasty(told):
        raise DataFileError(f"{where}: expected Hasty's label_classes and images")
    with locate_errors(str(where)):
        for entry in require_objects(told["label_classes"], "label_classes"):
            if entry.get("class_type") != "background":
                found.classes.setdefault(parse_label(entry["class_name"]))
        nothing = {
            parse_label(entry["class_name"])
            for entry in told["label_classes"]
            if entry.get("class_type") == "background"
        }
        for image in require_objects(told["images"], "images"):
            _read_image(where, image, nothing, found)


def _read_image(path: Path, image: dict[str, Any], nothing: set[str], found: AnnotationSet) -> None:
    name = image["image_name"]
    if not isinstance(name, str):
        raise ValueError(f"expected image_name as text, got {abbreviate(name)}")  # noqa: TRY004 - one kind
    shapes = []
    for place, entry in enumerate(
        require_objects(image.get("labels") or [], f"labels of {escape_line(name)}"), start=1
    ):
        with locate_errors(f"{path}, image {escape_line(name)}, label {place}"):
            label = parse_label(entry["class_name"])
        where = f"{path}, image {escape_line(name)}, label {place} ({escape_line(label)})"
        with locate_errors(where):
            made = _read_shape(entry, where, found)
            depth = parse_coordinate(entry.get("z_index") or 0)
        if made is not None:
            shapes.append((depth, "background" if label in nothing else label, made))
    shapes.sort(key=lambda shape: shape[0])
    data_set = parse_label(image.get("dataset_name"))
    beside = found.photos.root / data_set if data_set and data_set not in (".", "..") and "/" not in data_set else None
    found.add(
        found.photos.find(name, where=path, beside=beside), [(label, made) for _, label, made in shapes], spelled=name,
        file=path, size=parse_size(image["height"], image["width"]), split=parse_split(data_set) or "",
    )  # fmt: skip


def _read_shape(entry: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
    """Return a label's shape: its mask, else its polygon, else its box if boxes are taken."""
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
