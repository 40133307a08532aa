"""labelme: a JSON beside each image; its shapes lie over the upright image, a later one over an earlier one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers.annotations.bitmaps import PNGMask
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    EmbeddedImage,
    locate_errors,
    parse_label,
    parse_size,
    read_tool_json,
    require_object,
    require_objects,
)
from netdissect.probe_sets.importers.annotations.shapes import Ellipse, Line, Polygon, make_box, parse_points
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Point, Shape

#: What labelme draws lines and points with, in pixels.
_LINE, _POINT = 10, 5
_KNOWN = "polygon, rectangle, oriented_rectangle, circle, line, linestrip, point and mask"


def is_labelme(told: Any) -> bool:
    """Say whether a JSON is labelme's."""
    return isinstance(told, dict) and "shapes" in told and ("imagePath" in told or "imageData" in told)


def read_labelme(where: Path, found: AnnotationSet) -> None:
    """Read a folder of labelme's files, or one of them.

    Raises:
        DataFileError: for anything wrong with them.
    """
    files = [where]
    if where.is_dir():
        files = found.files(where, "*.json")
    for path in files:
        told = read_tool_json(path, "labelme's annotations")
        if not is_labelme(told):
            raise DataFileError(f"{path}: expected labelme's shapes and imagePath: move other files out of its folder")
        with locate_errors(str(path)):
            _read_file(path, told, found)


def _read_file(path: Path, told: dict[str, Any], found: AnnotationSet) -> None:
    shapes = []
    for place, shape in enumerate(require_objects(told["shapes"], "shapes"), start=1):
        with locate_errors(f"{path}, shape {place}"):
            label = parse_label(shape["label"])
        where = f"{path}, shape {place} ({escape_line(label)})"
        with locate_errors(where):
            made = _read_shape(shape, where, found)
        if made is not None:
            shapes.append((label, made))
    size = None
    if told.get("imageHeight") is not None and told.get("imageWidth") is not None:
        size = parse_size(told["imageHeight"], told["imageWidth"])
    spelled = told.get("imagePath") or f"{path.stem} (imagePath is missing)"
    if not isinstance(spelled, str):
        raise ValueError(f"expected imagePath as text, got {abbreviate(spelled)}")  # noqa: TRY004 - one kind
    photo: Path | EmbeddedImage | None
    if told.get("imageData"):  # what labelme itself shows, whether the image is there or not
        photo = _find_image_or_none(spelled, path, found) or EmbeddedImage(path, "imageData")
    else:
        photo = found.photos.find(spelled, where=path, beside=path.parent)
    found.add(photo, shapes, spelled=spelled, file=path, size=size)


def _find_image_or_none(spelled: str, path: Path, found: AnnotationSet) -> Path | None:
    """Return the image of a file that also holds it; where its name leads nowhere, the image within is taken."""
    try:
        return found.photos.find(spelled, where=path, beside=path.parent)
    except DataFileError:
        return None


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
        return None if _leaves_out("lines", found) else Line(points, _LINE)
    if kind == "point":
        return None if _leaves_out("points", found) else _make_disc(points[0], _POINT)
    if kind == "points":
        found.leave_out("points", "group of points", where)
        return None
    raise ValueError(f"a shape of the kind {abbreviate(kind)}, which is not known: {_KNOWN} are")


def _leaves_out(kind: str, found: AnnotationSet) -> bool:
    if kind in found.wanted.leave_out:
        found.left_out[kind] += 1
        return True
    return False


def _make_disc(middle: Point, radius: float) -> Shape:
    return Ellipse(*middle, radius, radius)


def _read_mask(shape: dict[str, Any], points: tuple[Point, ...]) -> Shape:
    (left, top), (right, bottom) = ((int(parse_coordinate(x)), int(parse_coordinate(y))) for x, y in points)
    return PNGMask(
        _require_text(require_object(shape, "a shape")["mask"]), left, top, (bottom - top + 1, right - left + 1)
    )


def _require_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a mask as base64, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return value
