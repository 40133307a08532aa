"""labelme: a JSON beside each image; its shapes lie over the upright image, a later one over an earlier one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netdissect.data.own.annotations.bitmaps import Png
from netdissect.data.own.annotations.record import (
    Embedded,
    Reading,
    label_of,
    reading,
    record,
    records,
    size_of,
    told_in,
)
from netdissect.data.own.annotations.shapes import Ellipse, Line, Polygon, box, points_of
from netdissect.data.own.painting import number, short
from netdissect.errors import DataFileError
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Point, Shape

#: What labelme draws lines and points with, in pixels.
_LINE, _POINT = 10, 5
_KNOWN = "polygon, rectangle, oriented_rectangle, circle, line, linestrip, point and mask"


def is_labelme(told: Any) -> bool:
    """Say whether a JSON is labelme's."""
    return isinstance(told, dict) and "shapes" in told and ("imagePath" in told or "imageData" in told)


def read(where: Path, found: Reading) -> None:
    """Read a folder of labelme's files, or one of them.

    Raises:
        DataFileError: for anything wrong with them.
    """
    files = [where]
    if where.is_dir():
        files = found.files(where, "*.json")
    for path in files:
        told = told_in(path, "labelme's annotations")
        if not is_labelme(told):
            raise DataFileError(f"{path}: expected labelme's shapes and imagePath: move other files out of its folder")
        with reading(str(path)):
            _read_one(path, told, found)


def _read_one(path: Path, told: dict[str, Any], found: Reading) -> None:
    shapes = []
    for place, shape in enumerate(records(told["shapes"], "shapes"), start=1):
        with reading(f"{path}, shape {place}"):
            label = label_of(shape["label"])
        where = f"{path}, shape {place} ({one_line(label)})"
        with reading(where):
            made = _shape(shape, where, found)
        if made is not None:
            shapes.append((label, made))
    size = None
    if told.get("imageHeight") is not None and told.get("imageWidth") is not None:
        size = size_of(told["imageHeight"], told["imageWidth"])
    spelled = told.get("imagePath") or f"{path.stem} (imagePath is missing)"
    if not isinstance(spelled, str):
        raise ValueError(f"expected imagePath as text, got {short(spelled)}")  # noqa: TRY004 - one kind
    photo: Path | Embedded | None
    if told.get("imageData"):  # what labelme itself shows, whether the image is there or not
        photo = _beside(spelled, path, found) or Embedded(path, "imageData")
    else:
        photo = found.photos.find(spelled, where=path, beside=path.parent)
    found.add(photo, shapes, spelled=spelled, file=path, size=size)


def _beside(spelled: str, path: Path, found: Reading) -> Path | None:
    """Return the image of a file that also holds it; where its name leads nowhere, the image within is taken."""
    try:
        return found.photos.find(spelled, where=path, beside=path.parent)
    except DataFileError:
        return None


def _shape(shape: dict[str, Any], where: str, found: Reading) -> Shape | None:
    """Return a shape as labelme draws it; None if it is left out."""
    kind = shape.get("shape_type") or "polygon"
    points = points_of(shape["points"])
    expected = {"rectangle": 2, "circle": 2, "line": 2, "point": 1, "mask": 2, "oriented_rectangle": 4}.get(kind)
    if expected is not None and len(points) != expected:
        raise ValueError(f"a {kind} of {len(points)} points, and labelme's have {expected}")
    if kind in ("polygon", "oriented_rectangle"):
        return Polygon(points)
    if kind == "rectangle":
        return box(*points[0], *points[1])
    if kind == "circle":
        return _disc(points[0], math.dist(*points))
    if kind == "mask":
        return _mask(shape, points)
    if kind in ("line", "linestrip"):
        return None if _left_out("lines", found) else Line(points, _LINE)
    if kind == "point":
        return None if _left_out("points", found) else _disc(points[0], _POINT)
    if kind == "points":
        found.leave_out("points", "group of points", where)
        return None
    raise ValueError(f"a shape of the kind {short(kind)}, which is not known: {_KNOWN} are")


def _left_out(kind: str, found: Reading) -> bool:
    if kind in found.wanted.leave_out:
        found.left_out[kind] += 1
        return True
    return False


def _disc(middle: Point, radius: float) -> Shape:
    return Ellipse(*middle, radius, radius)


def _mask(shape: dict[str, Any], points: tuple[Point, ...]) -> Shape:
    (left, top), (right, bottom) = ((int(number(x)), int(number(y))) for x, y in points)
    return Png(_text(record(shape, "a shape")["mask"]), left, top, (bottom - top + 1, right - left + 1))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a mask as base64, got {short(value)}")  # noqa: TRY004 - one kind
    return value
