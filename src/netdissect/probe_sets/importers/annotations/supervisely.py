"""Read Supervisely's projects: ``ann/IMAGE.json`` and ``img/IMAGE`` in each data set; later objects are on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.importers.annotations.bitmaps import PNGMask, parse_whole_numbers
from netdissect.probe_sets.importers.annotations.records import (
    AnnotationSet,
    locate_errors,
    parse_label,
    parse_size,
    read_tool_json,
    require_object,
    require_objects,
    require_text,
)
from netdissect.probe_sets.importers.annotations.shapes import Polygon, make_box, parse_points
from netdissect.probe_sets.importers.painting import abbreviate
from netdissect.probe_sets.importers.split_names import parse_split

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape

_WITHOUT_PIXELS = {"line": "lines", "polyline": "lines", "point": "points", "graph": "skeletons", "cuboid": "cuboids"}


def is_supervisely(content: Any) -> bool:
    """Return whether a JSON is Supervisely's annotation of an image."""
    return isinstance(content, dict) and "objects" in content and isinstance(content.get("size"), dict)


def read_supervisely(where: Path, found: AnnotationSet) -> None:
    """Read a project, a data set of it, or one annotation; raise DataFileError for anything wrong with the files."""
    files = [where]
    if where.is_file():
        found.set_root(where.parent.parent if where.parent.name == "ann" else where.parent)
    else:
        files = [path for path in found.find_files(where, "*.json") if path.parent.name == "ann"]
    if not files:
        raise DataNotFoundError(f"{where}: expected Supervisely's annotations in ann/, got none")
    meta = where / "meta.json"
    if meta.is_file():
        content = read_tool_json(meta, "Supervisely's classes")
        with locate_errors(str(meta)):
            for entry in require_objects(require_object(content, "Supervisely's classes")["classes"], "classes"):
                found.classes.setdefault(parse_label(entry["title"]))
    for path in files:
        content = read_tool_json(path, "Supervisely's annotations")
        if not is_supervisely(content):
            raise DataFileError(f"{path}: expected Supervisely's size and objects")
        with locate_errors(str(path)):
            shapes = found.read_shapes(
                require_objects(content["objects"], "objects"), f"{path}, object",
                read_label=lambda thing: thing["classTitle"], read_shape=_read_shape,
            )  # fmt: skip
            found.add(
                _find_image(path, found), shapes, name=path.name.removesuffix(".json"), file=path,
                size=parse_size(content["size"]["height"], content["size"]["width"]),
                split=parse_split(path.parent.parent.name),
            )  # fmt: skip


def _find_image(path: Path, found: AnnotationSet) -> Path | None:
    """Return the image of an annotation, in ``img/`` next to ``ann/``; older projects omit the image's ending in the name."""
    name = path.name.removesuffix(".json")
    if found.options.photos is not None:
        return found.photos.find(name, where=path)
    folder = path.parent.parent / "img"
    if (folder / name).is_file():
        return folder / name
    return next(
        (at for at in sorted(folder.glob("*")) if at.stem == name and at.suffix.lower() in images.ENDINGS), None
    )


def _read_shape(thing: dict[str, Any], where: str, found: AnnotationSet) -> Shape | None:
    """Return the shape of an object; None if it is left out."""
    kind = thing.get("geometryType") or ("bitmap" if thing.get("bitmap") else "polygon")
    if kind in _WITHOUT_PIXELS:
        found.leave_out(_WITHOUT_PIXELS[kind], kind, where)
        return None
    if kind == "bitmap":
        bitmap = require_object(thing["bitmap"], "a bitmap")
        column, row = parse_whole_numbers(bitmap["origin"], 2)
        return PNGMask(require_text(bitmap["data"], "a bitmap"), column, row)
    if kind not in ("polygon", "rectangle"):
        raise ValueError(f"unknown geometry of an object {abbreviate(kind)}: expected polygon, bitmap or rectangle")
    points = require_object(thing["points"], "points")
    outer = parse_points(points["exterior"])
    if kind == "polygon":
        return Polygon(outer, tuple(parse_points(ring) for ring in points.get("interior") or []))
    if len(outer) != 2:
        raise ValueError(f"a rectangle of {len(outer)} corners, and Supervisely's have 2")
    (left, top), (right, bottom) = outer
    # Corners are pixel positions; the last row and column belong to the rectangle.
    return make_box(min(left, right), min(top, bottom), max(left, right) + 1, max(top, bottom) + 1)
