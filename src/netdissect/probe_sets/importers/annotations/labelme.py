"""Read labelme's files: a JSON next to each image; shapes are on the upright image, and later shapes are on top."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.annotations.bitmaps import PNGMask
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    EmbeddedImage,
    locate_errors,
    parse_size,
    read_tool_json,
    require_objects,
    require_text,
)
from netdissect.probe_sets.importers.annotations.shapes import Ellipse, Line, Polygon, make_box, parse_points
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Point, Shape

#: Width of lines and radius of points as labelme draws them, in pixels.
_LINE, _POINT = 10, 5
_KNOWN = "polygon, rectangle, oriented_rectangle, circle, line, linestrip, point or mask"


def is_labelme(content: Any) -> bool:
    """Return whether a JSON is labelme's."""
    return isinstance(content, dict) and "shapes" in content and ("imagePath" in content or "imageData" in content)


def read_labelme(where: Path, found: AnnotationSet) -> None:
    """Read a folder of labelme's files, or one of them; raise DataFileError for anything wrong with them."""
    for path in found.find_files(where, "*.json") if where.is_dir() else [where]:
        content = read_tool_json(path, "labelme's annotations")
        if not is_labelme(content):
            raise DataFileError(f"{path}: expected labelme's shapes and imagePath: move other files out of its folder")
        with locate_errors(str(path)):
            _read_file(path, content, found)


def _read_file(path: Path, content: dict[str, Any], found: AnnotationSet) -> None:
    shapes = found.read_shapes(
        require_objects(content["shapes"], "shapes"), f"{path}, shape", lambda shape: shape["label"], _read_shape
    )
    size = None
    if content.get("imageHeight") is not None and content.get("imageWidth") is not None:
        size = parse_size(content["imageHeight"], content["imageWidth"])
    name = require_text(content.get("imagePath") or f"{path.stem} (imagePath is missing)", "imagePath")
    photo: Path | EmbeddedImage | None
    try:
        photo = found.photos.find(name, where=path, first_folder=path.parent)
    except DataFileError:
        if not content.get("imageData"):
            raise
        photo = None
    if photo is None and content.get("imageData"):
        photo = EmbeddedImage(path, "imageData")
    found.add(photo, shapes, name=name, file=path, size=size)


def _read_shape(shape: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
    """Return a shape as labelme draws it; None if it is left out."""
    kind = shape.get("shape_type") or "polygon"
    points = parse_points(shape["points"])
    expected = {"rectangle": 2, "circle": 2, "line": 2, "point": 1, "mask": 2, "oriented_rectangle": 4}.get(kind)
    if expected is not None and len(points) != expected:
        raise ValueError(f"a {kind} of {len(points)} points, and labelme's have {expected}")
    if kind in ("polygon", "oriented_rectangle"):
        return Polygon(points)
    if kind == "rectangle":
        return make_box(*points[0], *points[1])
    if kind == "circle":
        return _make_disc(points[0], math.dist(*points))
    if kind == "mask":
        return _read_mask(shape, points)
    if kind in ("line", "linestrip"):
        return None if found.leaves_out("lines") else Line(points, _LINE)
    if kind == "point":
        return None if found.leaves_out("points") else _make_disc(points[0], _POINT)
    if kind == "points":
        found.leave_out("points", "group of points", where)
        return None
    raise ValueError(f"unknown kind of shape {abbreviate(kind)}: expected {_KNOWN}")


def _make_disc(center: Point, radius: float) -> Shape:
    return Ellipse(*center, radius, radius)


def _read_mask(shape: dict[str, Any], points: tuple[Point, ...]) -> Shape:
    (left, top), (right, bottom) = ((int(parse_coordinate(x)), int(parse_coordinate(y))) for x, y in points)
    return PNGMask(require_text(shape["mask"], "a mask"), left, top, (bottom - top + 1, right - left + 1))
