"""CVAT for images 1.1: an XML; a shape of a higher ``z_order`` lies over one of a lower, of equals the later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.data.own.annotations.bitmaps import Runs, whole_numbers
from netdissect.data.own.annotations.record import Reading, label_of, reading, size_of
from netdissect.data.own.annotations.shapes import Ellipse, Polygon, box, turned_box
from netdissect.data.own.splits import split_of
from netdissect.errors import DataFileError
from netdissect.io.text import one_line
from netdissect.io.xml_files import read_xml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from netdissect.data.own.annotations.shapes import Shape

_WITHOUT_PIXELS = {"polyline": "lines", "points": "points", "skeleton": "skeletons", "cuboid": "cuboids"}


def read(where: Path, found: Reading) -> None:
    """Read CVAT's XML.

    Raises:
        DataFileError: for anything wrong with it.
    """
    path = where / "annotations.xml" if where.is_dir() else where
    root = read_xml(path, "CVAT's annotations", missing=DataFileError, wrong=DataFileError)
    if root.tag != "annotations":
        raise DataFileError(f"{path}: expected CVAT's annotations, got <{one_line(root.tag)}>")
    if root.find("track") is not None:
        raise DataFileError(
            f"{path}: expected CVAT for images 1.1, got tracks of a video: export it as CVAT for images"
        )
    for name in root.findall("meta//labels/label/name"):
        if name.text:
            found.classes.setdefault(label_of(name.text))
    for image in root.findall("image"):
        with reading(f"{path}, image {one_line(image.get('name') or '')}"):
            _read_one(path, image, found)


def _read_one(path: Path, image: Element, found: Reading) -> None:
    name = image.attrib["name"]
    shapes = []
    for place, element in enumerate((each for each in image if each.tag != "tag"), start=1):
        label = label_of(element.attrib["label"])
        where = f"{path}, image {one_line(name)}, shape {place} ({one_line(label)})"
        with reading(where):
            made = _shape(element.tag, element.attrib, where, found)
            depth = int(element.get("z_order") or 0)
        if made is not None:
            shapes.append((depth, label, made))
    shapes.sort(key=lambda shape: shape[0])
    split = split_of(image.get("subset") or "") or ""
    photo = found.photos.find(name, where=path, beside=found.root / "images" / (image.get("subset") or ""))
    found.add(
        photo, [(label, made) for _, label, made in shapes], spelled=name, file=path, split=split,
        size=size_of(_number(image.attrib, "height"), _number(image.attrib, "width")),
    )  # fmt: skip


def _shape(tag: str, said: Mapping[str, str], where: str, found: Reading) -> Shape | None:
    """Return a shape; None if it is left out."""
    if tag in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[tag], tag, where)
        return None
    degrees = _number(said, "rotation") if said.get("rotation") else 0.0
    if tag == "polygon":
        corners = [pair.split(",") for pair in said["points"].split(";")]
        if any(len(corner) != 2 for corner in corners):
            raise ValueError("expected points as x,y;x,y;…")
        return Polygon(tuple((float(x), float(y)) for x, y in corners))
    if tag == "box":
        left, top, right, bottom = (_number(said, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        if degrees:
            middle = (left + right) / 2, (top + bottom) / 2
            return turned_box(left, top, right - left, bottom - top, degrees, middle)
        return box(left, top, right, bottom)
    if tag == "ellipse":
        x, y, across, down = (_number(said, key) for key in ("cx", "cy", "rx", "ry"))
        return Ellipse(x, y, across, down, degrees)
    if tag == "mask":
        lengths = whole_numbers([int(length) for length in said["rle"].split(",")])
        left, top, width, height = (int(_number(said, key)) for key in ("left", "top", "width", "height"))
        return Runs(lengths, left, top, width, height)
    raise ValueError(f"a shape <{one_line(tag)}>, which is not known: polygon, box, ellipse and mask are")


def _number(said: Mapping[str, str], key: str) -> float:
    return float(said[key])
