"""Hasty (CloudFactory): one JSON for all images; a label of a higher ``z_index`` lies over one of a lower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.data.own.annotations.bitmaps import Runs, whole_numbers
from netdissect.data.own.annotations.record import (
    Reading,
    label_of,
    reading,
    records,
    size_of,
    told_in,
)
from netdissect.data.own.annotations.shapes import Polygon, box, points_of
from netdissect.data.own.painting import number, short
from netdissect.data.own.splits import split_of
from netdissect.errors import DataFileError
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Shape


def is_hasty(told: Any) -> bool:
    """Say whether a JSON is Hasty's."""
    return isinstance(told, dict) and "label_classes" in told and "images" in told


def read(where: Path, found: Reading) -> None:
    """Read Hasty's JSON, of format 1.0 or 1.1.

    Raises:
        DataFileError: for anything wrong with it.
    """
    told = told_in(where, "Hasty's annotations")
    if not is_hasty(told):
        raise DataFileError(f"{where}: expected Hasty's label_classes and images")
    with reading(str(where)):
        for entry in records(told["label_classes"], "label_classes"):
            if entry.get("class_type") != "background":
                found.classes.setdefault(label_of(entry["class_name"]))
        nothing = {
            label_of(entry["class_name"]) for entry in told["label_classes"] if entry.get("class_type") == "background"
        }
        for image in records(told["images"], "images"):
            _read_one(where, image, nothing, found)


def _read_one(path: Path, image: dict[str, Any], nothing: set[str], found: Reading) -> None:
    name = image["image_name"]
    if not isinstance(name, str):
        raise ValueError(f"expected image_name as text, got {short(name)}")  # noqa: TRY004 - one kind
    shapes = []
    for place, entry in enumerate(records(image.get("labels") or [], f"labels of {one_line(name)}"), start=1):
        with reading(f"{path}, image {one_line(name)}, label {place}"):
            label = label_of(entry["class_name"])
        where = f"{path}, image {one_line(name)}, label {place} ({one_line(label)})"
        with reading(where):
            made = _shape(entry, where, found)
            depth = number(entry.get("z_index") or 0)
        if made is not None:
            shapes.append((depth, "background" if label in nothing else label, made))
    shapes.sort(key=lambda shape: shape[0])
    data_set = label_of(image.get("dataset_name"))
    beside = found.photos.root / data_set if data_set and data_set not in (".", "..") and "/" not in data_set else None
    found.add(
        found.photos.find(name, where=path, beside=beside), [(label, made) for _, label, made in shapes], spelled=name,
        file=path, size=size_of(image["height"], image["width"]), split=split_of(data_set) or "",
    )  # fmt: skip


def _shape(entry: dict[str, Any], where: str, found: Reading) -> Shape | None:
    """Return a label's shape: its mask, else its polygon, else its box if boxes are taken."""
    bounds = entry.get("bbox")
    if entry.get("mask"):
        x, y, end, below = whole_numbers(bounds, 4)
        return Runs(whole_numbers(entry["mask"]), x, y, end - x, below - y, pairs=True)
    if entry.get("polygon"):
        return Polygon(points_of(entry["polygon"]))
    if bounds is None:
        raise ValueError("it has no mask, no polygon and no box")
    if not found.takes_box("a label with a box and neither mask nor polygon", where):
        return None
    left, top, right, bottom = whole_numbers(bounds, 4)
    return box(left, top, right, bottom)
