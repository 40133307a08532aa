"""Supervisely: ``ann/IMAGE.json`` and ``img/IMAGE`` below each data set; a later object lies over an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.data.own.annotations.bitmaps import Png, whole_numbers
from netdissect.data.own.annotations.record import (
    Reading,
    label_of,
    reading,
    record,
    records,
    size_of,
    told_in,
)
from netdissect.data.own.annotations.shapes import Polygon, box, points_of
from netdissect.data.own.painting import short
from netdissect.data.own.splits import split_of
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Shape

_WITHOUT_PIXELS = {"line": "lines", "polyline": "lines", "point": "points", "graph": "skeletons", "cuboid": "cuboids"}


def is_supervisely(told: Any) -> bool:
    """Say whether a JSON is Supervisely's annotation of an image."""
    return isinstance(told, dict) and "objects" in told and isinstance(told.get("size"), dict)


def read(where: Path, found: Reading) -> None:
    """Read a project, a data set of it, or one annotation.

    Raises:
        DataFileError: for anything wrong with the files.
    """
    files = [where] if where.is_file() else [path for path in found.files(where, "*.json") if path.parent.name == "ann"]
    if where.is_file():
        found.look_in(where.parent.parent if where.parent.name == "ann" else where.parent)
    if not files:
        raise DataNotFoundError(f"{where}: expected Supervisely's annotations in ann/, got none")
    meta = where / "meta.json"
    if meta.is_file():
        told = told_in(meta, "Supervisely's classes")
        with reading(str(meta)):
            for entry in records(record(told, "Supervisely's classes")["classes"], "classes"):
                found.classes.setdefault(label_of(entry["title"]))
    for path in files:
        told = told_in(path, "Supervisely's annotations")
        if not is_supervisely(told):
            raise DataFileError(f"{path}: expected Supervisely's size and objects")
        with reading(str(path)):
            _read_one(path, told, found)


def _read_one(path: Path, told: dict[str, Any], found: Reading) -> None:
    shapes = []
    for place, thing in enumerate(records(told["objects"], "objects"), start=1):
        with reading(f"{path}, object {place}"):
            label = label_of(thing["classTitle"])
        where = f"{path}, object {place} ({one_line(label)})"
        with reading(where):
            made = _shape(thing, where, found)
        if made is not None:
            shapes.append((label, made))
    size = size_of(told["size"]["height"], told["size"]["width"])
    data_set = path.parent.parent
    found.add(
        _photo(path, found), shapes, spelled=path.name.removesuffix(".json"), file=path, size=size,
        split=split_of(data_set.name) or "",
    )  # fmt: skip


def _photo(path: Path, found: Reading) -> Path | None:
    """Return an annotation's image: ``img/`` beside ``ann/``, of the file's name, older projects' without its ending."""
    name = path.name.removesuffix(".json")
    if found.wanted.photos is not None:
        return found.photos.find(name, where=path)
    folder = path.parent.parent / "img"
    if (folder / name).is_file():
        return folder / name
    return next(
        (at for at in sorted(folder.glob("*")) if at.stem == name and at.suffix.lower() in images.ENDINGS), None
    )


def _shape(thing: dict[str, Any], where: str, found: Reading) -> Shape | None:
    """Return an object as Supervisely draws it; None if it is left out."""
    kind = thing.get("geometryType") or ("bitmap" if thing.get("bitmap") else "polygon")
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind == "bitmap":
        bitmap = record(thing["bitmap"], "a bitmap")
        column, row = whole_numbers(bitmap["origin"], 2)
        if not isinstance(bitmap["data"], str):
            raise ValueError(f"expected a bitmap as base64, got {short(bitmap['data'])}")
        return Png(bitmap["data"], column, row)
    if kind not in ("polygon", "rectangle"):
        raise ValueError(
            f"an object of the geometry {short(kind)}, which is not known: polygon, bitmap and rectangle are"
        )
    points = record(thing["points"], "points")
    outer = points_of(points["exterior"])
    if kind == "polygon":
        return Polygon(outer, tuple(points_of(ring) for ring in points.get("interior") or []))
    if len(outer) != 2:
        raise ValueError(f"a rectangle of {len(outer)} corners, and Supervisely's have 2")
    (left, top), (right, bottom) = outer
    # Its corners are pixels, and the last ones belong to it.
    return box(min(left, right), min(top, bottom), max(left, right) + 1, max(top, bottom) + 1)
