"""Read CVAT for images 1.1: an XML file; shapes with a higher ``z_order`` are on top, and of equal ones the later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import DataFileError
from netdissect.io.text import escape_line
from netdissect.io.xml_files import read_xml
from netdissect.probe_sets.importers.annotations.bitmaps import RunLengthMask, parse_whole_numbers
from netdissect.probe_sets.importers.annotations.records import AnnotationSet, locate_errors, parse_label, parse_size
from netdissect.probe_sets.importers.annotations.shapes import Ellipse, Polygon, make_box, make_rotated_box
from netdissect.probe_sets.importers.split_names import parse_split

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from netdissect.probe_sets.importers.annotations.shapes import Shape

_WITHOUT_PIXELS = {"polyline": "lines", "points": "points", "skeleton": "skeletons", "cuboid": "cuboids"}


def read_cvat_xml(where: Path, found: AnnotationSet) -> None:
    """Read CVAT's XML; raise DataFileError for anything wrong with it."""
    path = where / "annotations.xml" if where.is_dir() else where
    root = read_xml(path, "CVAT's annotations", missing=DataFileError, wrong=DataFileError)
    if root.tag != "annotations":
        raise DataFileError(f"{path}: expected CVAT's annotations, got <{escape_line(root.tag)}>")
    if root.find("track") is not None:
        raise DataFileError(
            f"{path}: expected CVAT for images 1.1, got tracks of a video: export it as CVAT for images"
        )
    for listed in root.findall("meta//labels/label/name"):
        if listed.text:
            found.classes.setdefault(parse_label(listed.text))
    for image in root.findall("image"):
        where_image = f"{path}, image {escape_line(image.get('name') or '')}"
        with locate_errors(where_image):
            name, subset = image.attrib["name"], image.get("subset") or ""
            shapes = found.read_shapes(
                (each for each in image if each.tag != "tag"), f"{where_image}, shape",
                read_label=lambda element: element.attrib["label"], read_shape=_read_shape,
                read_depth=lambda element: int(element.get("z_order") or 0),
            )  # fmt: skip
            found.add(
                found.photos.find(name, where=path, first_folder=found.root / "images" / subset), shapes, name=name, file=path,
                size=parse_size(float(image.attrib["height"]), float(image.attrib["width"])), split=parse_split(subset),
            )  # fmt: skip


def _read_shape(element: Element, where: str, found: AnnotationSet) -> Shape | None:
    """Return a shape; None if it is left out."""
    tag, values = element.tag, element.attrib
    if tag in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[tag], tag, where)
        return None
    degrees = float(values["rotation"]) if values.get("rotation") else 0.0
    if tag == "polygon":
        corners = [pair.split(",") for pair in values["points"].split(";")]
        if any(len(corner) != 2 for corner in corners):
            raise ValueError("expected points as x,y;x,y;…")
        return Polygon(tuple((float(x), float(y)) for x, y in corners))
    if tag == "box":
        left, top, right, bottom = (float(values[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        if degrees:
            middle = (left + right) / 2, (top + bottom) / 2
            return make_rotated_box(left, top, right - left, bottom - top, degrees, middle)
        return make_box(left, top, right, bottom)
    if tag == "ellipse":
        x, y, across, down = (float(values[key]) for key in ("cx", "cy", "rx", "ry"))
        return Ellipse(x, y, across, down, degrees)
    if tag == "mask":
        lengths = parse_whole_numbers([int(length) for length in values["rle"].split(",")])
        left, top, width, height = (int(float(values[key])) for key in ("left", "top", "width", "height"))
        return RunLengthMask(lengths, left, top, width, height)
    raise ValueError(f"unknown shape <{escape_line(tag)}>: expected polygon, box, ellipse or mask")
