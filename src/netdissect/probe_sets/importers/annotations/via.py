"""Read the JSON or CSV of VGG Image Annotator (VIA) 1 and 2; later regions are on top."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError
from netdissect.io.json_files import parse_json
from netdissect.io.reading import read_text
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    locate_errors,
    parse_label,
    read_numbers,
    read_tool_json,
    require_object,
    require_objects,
    require_text,
)
from netdissect.probe_sets.importers.annotations.shapes import Ellipse, Polygon, make_box
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: Columns of the CSV, besides sizes and counts.
VIA_COLUMNS = frozenset({"filename", "region_shape_attributes", "region_attributes"})
_WITHOUT_PIXELS = {"polyline": "lines", "line": "lines", "point": "points"}

_Region = tuple[dict[str, Any], dict[str, Any]]


def is_via(content: Any) -> bool:
    """Return whether a JSON is VIA's: a project, or its annotations."""
    if not isinstance(content, dict) or not content:
        return False
    if "_via_img_metadata" in content:
        return True
    first = next(iter(content.values()))
    return isinstance(first, dict) and "regions" in first and "filename" in first


def read_via(where: Path, found: AnnotationSet) -> None:
    """Read VIA's JSON or CSV; raise DataFileError for anything wrong with it."""
    images = list(_read_csv(where) if where.suffix.lower() == ".csv" else _read_json(where))
    attribute = _choose_attribute(where, [region for _, regions in images for region in regions], found)
    for name, regions in images:
        shapes = found.read_shapes(
            regions, f"{where}, image {escape_line(name)}, region",
            read_label=lambda region: _read_class(region[1].get(attribute)),
            read_shape=lambda region, where, found: _read_shape(region[0], where, found),
        )  # fmt: skip
        photo = found.photos.find(name, where=where, first_folder=where.parent)
        found.add(photo, found.drop_unlabeled(shapes), name=name, file=where)


def _read_json(where: Path) -> Iterator[tuple[str, list[_Region]]]:
    content = read_tool_json(where, "VIA's annotations")
    if not is_via(content):
        raise DataFileError(f"{where}: expected VIA's annotations: images with filename and regions")
    with locate_errors(str(where)):
        for image in require_object(content.get("_via_img_metadata", content), "VIA's images").values():
            regions = require_object(image, "an image")["regions"]
            listed = list(regions.values()) if isinstance(regions, dict) else regions
            pairs = [
                (
                    require_object(region["shape_attributes"], "shape_attributes"),
                    require_object(region.get("region_attributes") or {}, "region_attributes"),
                )
                for region in require_objects(listed, "regions")
            ]
            yield require_text(image["filename"], "filename"), pairs


def _read_csv(where: Path) -> Iterator[tuple[str, list[_Region]]]:
    text = read_text(where, "VIA's CSV", missing=DataFileError, wrong=DataFileError)
    reader = csv.DictReader(io.StringIO(text.removeprefix("#"), newline=""))
    if not set(reader.fieldnames or ()) >= VIA_COLUMNS:
        raise DataFileError(f"{where}: expected VIA's columns {', '.join(sorted(VIA_COLUMNS))}")
    images: dict[str, list[_Region]] = {}
    try:
        for line in reader:
            with locate_errors(f"{where}, line {reader.line_num}"):
                regions = images.setdefault(require_text(line["filename"], "filename"), [])
                shape = require_object(parse_json(line["region_shape_attributes"]), "region_shape_attributes")
                if shape:  # a line without a shape is an image without regions
                    regions.append((shape, require_object(parse_json(line["region_attributes"]), "region_attributes")))
    except csv.Error as error:
        raise DataFileError(f"{where}, line {reader.line_num}: {error}") from error
    yield from images.items()


def _choose_attribute(where: Path, regions: list[_Region], found: AnnotationSet) -> str:
    """Return the attribute that holds the class of regions: the one in the options, or else the only one."""
    names = dict.fromkeys(name for _, attributes in regions for name in attributes)
    if found.options.attribute is not None:
        if found.options.attribute not in names:
            listed = ", ".join(map(escape_line, names)) or "none"
            raise DataFileError(f"{where}: no region has the attribute {found.options.attribute!r}; there are {listed}")
        return found.options.attribute
    if len(names) > 1:
        listed = ", ".join(map(escape_line, names))
        raise DataFileError(
            f"{where}: its regions have the attributes {listed}: --attribute names the one that is the class"
        )
    return next(iter(names), "")


def _read_class(value: object) -> str:
    """Return the class in an attribute: its text, or the one box that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, state in value.items() if state is True]
        if len(ticked) > 1:
            raise ValueError(f"it has the classes {', '.join(map(escape_line, ticked))}, and one is expected")
        return parse_label(ticked[0]) if ticked else ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}"
    return parse_label(value)


def _read_shape(shape: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
    """Return the shape of a region; None if it is left out."""
    kind = shape["name"]
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind == "polygon":
        across, down = shape["all_points_x"], shape["all_points_y"]
        if not isinstance(across, list) or not isinstance(down, list) or len(across) != len(down):
            raise ValueError("expected a polygon with as many x as y coordinates")
        return Polygon(tuple((parse_coordinate(x), parse_coordinate(y)) for x, y in zip(across, down, strict=True)))
    if kind == "rect":
        left, top, width, height = read_numbers(shape, "x", "y", "width", "height")
        return make_box(left, top, left + width, top + height)
    if kind == "circle":
        x, y, radius = read_numbers(shape, "cx", "cy", "r")
        return Ellipse(x, y, radius, radius)
    if kind == "ellipse":
        x, y, across, down = read_numbers(shape, "cx", "cy", "rx", "ry")
        return Ellipse(x, y, across, down, parse_coordinate(shape.get("theta") or 0) * 180 / 3.141592653589793)
    raise ValueError(f"unknown shape of a region {abbreviate(kind)}: expected polygon, rect, circle or ellipse")
