"""VGG Image Annotator (VIA) 1 and 2: a JSON, or its CSV; a later region lies over an earlier one."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from netdissect.data.own.annotations.record import Reading, label_of, reading, record, told_in
from netdissect.data.own.annotations.shapes import Ellipse, Polygon, box
from netdissect.data.own.painting import number, short
from netdissect.errors import DataFileError
from netdissect.io.json_files import parse_json
from netdissect.io.reading import read_text
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Shape

#: Columns of the CSV, besides sizes and counts.
COLUMNS = frozenset({"filename", "region_shape_attributes", "region_attributes"})
_WITHOUT_PIXELS = {"polyline": "lines", "line": "lines", "point": "points"}

_Region = tuple[dict[str, Any], dict[str, Any]]


def is_via(told: Any) -> bool:
    """Say whether a JSON is VIA's: a project, or the annotations of one."""
    if not isinstance(told, dict) or not told:
        return False
    if "_via_img_metadata" in told:
        return True
    first = next(iter(told.values()))
    return isinstance(first, dict) and "regions" in first and "filename" in first


def read(where: Path, found: Reading) -> None:
    """Read VIA's JSON or CSV.

    Raises:
        DataFileError: for anything wrong with it.
    """
    images = list(_from_csv(where) if where.suffix.lower() == ".csv" else _from_json(where))
    attribute = _attribute(where, [region for _, regions in images for region in regions], found)
    for name, regions in images:
        shapes = []
        for place, (shape, attributes) in enumerate(regions, start=1):
            called = f"{where}, image {one_line(name)}, region {place}"
            with reading(called):
                made = _shape(shape, called, found)
                label = _value(attributes.get(attribute))
            if made is None:
                continue
            if label:
                shapes.append((label, made))
            else:
                found.left_out["regions without a label"] += 1
        photo = found.photos.find(name, where=where, beside=where.parent)
        found.add(photo, shapes, spelled=name, file=where)


def _from_json(where: Path) -> Iterator[tuple[str, list[_Region]]]:
    told = told_in(where, "VIA's annotations")
    if not is_via(told):
        raise DataFileError(f"{where}: expected VIA's annotations: images with filename and regions")
    with reading(str(where)):
        for image in record(told.get("_via_img_metadata", told), "VIA's images").values():
            regions = record(image, "an image")["regions"]
            listed = regions.values() if isinstance(regions, dict) else regions
            yield (
                _name(image["filename"]),
                [
                    (
                        record(record(region, "a region")["shape_attributes"], "shape_attributes"),
                        record(region.get("region_attributes") or {}, "region_attributes"),
                    )
                    for region in listed
                ],
            )


def _from_csv(where: Path) -> Iterator[tuple[str, list[_Region]]]:
    text = read_text(where, "VIA's CSV", missing=DataFileError, wrong=DataFileError)
    reader = csv.DictReader(io.StringIO(text.removeprefix("#"), newline=""))
    if not set(reader.fieldnames or ()) >= COLUMNS:
        raise DataFileError(f"{where}: expected VIA's columns {', '.join(sorted(COLUMNS))}")
    images: dict[str, list[_Region]] = {}
    try:
        for line in reader:
            with reading(f"{where}, line {reader.line_num}"):
                regions = images.setdefault(_name(line["filename"]), [])
                shape = record(parse_json(line["region_shape_attributes"]), "region_shape_attributes")
                if shape:  # a line without one is an image without a region
                    regions.append((shape, record(parse_json(line["region_attributes"]), "region_attributes")))
    except csv.Error as error:
        raise DataFileError(f"{where}, line {reader.line_num}: {error}") from error
    yield from images.items()


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected filename as text, got {short(value)}")  # noqa: TRY004 - one kind
    return value


def _attribute(where: Path, regions: list[_Region], found: Reading) -> str:
    """Return the attribute of regions that is their class: the one they have, or the one that is asked for."""
    named = dict.fromkeys(name for _, attributes in regions for name in attributes)
    if found.wanted.attribute is not None:
        if found.wanted.attribute not in named:
            listed = ", ".join(map(one_line, named)) or "none"
            raise DataFileError(f"{where}: no region has the attribute {found.wanted.attribute!r}; there are {listed}")
        return found.wanted.attribute
    if len(named) > 1:
        listed = ", ".join(map(one_line, named))
        raise DataFileError(
            f"{where}: its regions have the attributes {listed}: --attribute names the one that is the class"
        )
    return next(iter(named), "")


def _value(value: object) -> str:
    """Return the class that an attribute says: its text, or the one box that is ticked."""
    if isinstance(value, dict):
        ticked = [name for name, state in value.items() if state is True]
        if len(ticked) > 1:
            raise ValueError(f"it has the classes {', '.join(map(one_line, ticked))}, and one is expected")
        return label_of(ticked[0]) if ticked else ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}"
    return label_of(value)


def _shape(shape: dict[str, Any], where: str, found: Reading) -> Shape | None:
    """Return a region's shape; None if it is left out."""
    kind = shape["name"]
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind == "polygon":
        across, down = shape["all_points_x"], shape["all_points_y"]
        if not isinstance(across, list) or not isinstance(down, list) or len(across) != len(down):
            raise ValueError("a polygon with as many x as y was expected")
        return Polygon(tuple((number(x), number(y)) for x, y in zip(across, down, strict=True)))
    if kind == "rect":
        left, top, width, height = (number(shape[key]) for key in ("x", "y", "width", "height"))
        return box(left, top, left + width, top + height)
    if kind == "circle":
        return Ellipse(number(shape["cx"]), number(shape["cy"]), number(shape["r"]), number(shape["r"]))
    if kind == "ellipse":
        theta = number(shape.get("theta") or 0)  # in radians
        across, down = number(shape["rx"]), number(shape["ry"])
        return Ellipse(number(shape["cx"]), number(shape["cy"]), across, down, theta * 180 / 3.141592653589793)
    raise ValueError(f"a region of the shape {short(kind)}, which is not known: polygon, rect, circle and ellipse are")
