"""Read YOLO segmentation (Ultralytics): ``labels/IMAGE.txt`` has the polygons of ``images/IMAGE``, in image fractions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.reading import read_text
from netdissect.io.yaml_files import read_yaml
from netdissect.probe_sets.importers.annotations.records import AnnotationSet, locate_errors, parse_label
from netdissect.probe_sets.importers.annotations.shapes import Polygon, make_box
from netdissect.probe_sets.importers.painting import abbreviate
from netdissect.probe_sets.importers.split_names import find_split

if TYPE_CHECKING:
    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: Lists of class names that are read if there is no data.yaml: Label Studio's, Darknet's.
_NAME_FILES = ("classes.txt", "obj.names")
#: Corners may be outside of 0 to 1 by this much; larger numbers are refused, because they must be pixels.
_MARGIN = 1.0


def read_yolo(where: Path, found: AnnotationSet) -> None:
    """Read a data set of YOLO's, or its data.yaml; raise DataFileError for anything wrong with it."""
    root = where if where.is_dir() else where.parent
    names = _read_names(where, root)
    found.classes |= dict.fromkeys(names.values())
    found.smaller_on_top = True
    files = [
        path
        for path in found.find_files(root, "*.txt")
        if "labels" in path.relative_to(root).parts[:-1] and path.name not in _NAME_FILES
    ]
    if not files:
        raise DataNotFoundError(f"{root}: expected YOLO's labels in labels/IMAGE.txt next to images/, got none")
    for path in files:
        shapes = _read_shapes(path, names, found)
        folders = path.relative_to(root).parts[:-1]
        at = len(folders) - 1 - folders[::-1].index("labels")
        image = Path(*folders[:at], "images", *folders[at + 1 :], path.stem)
        split = find_split((*folders[:at][::-1], *folders[at + 1 :]))
        found.add(_find_image(root / image, found), shapes, name=image.as_posix(), file=path, split=split)


def _find_image(path: Path, found: AnnotationSet) -> Path | None:
    """Return the image with the name of a path without an ending."""
    if found.options.photos is not None:
        same = found.photos.find_stem(path.name)
    else:
        listed = sorted(path.parent.glob("*"))
        same = [each for each in listed if each.stem == path.name and each.suffix.lower() in images.ENDINGS]
    if len(same) > 1:
        raise DataFileError(f"{same[0]} and {same[1]} may both be the image of {path.name}.txt: rename one")
    return same[0] if same else None


def _read_shapes(path: Path, names: dict[int, str], found: AnnotationSet) -> list[tuple[str, Shape]]:
    text = read_text(path, "YOLO's labels", missing=DataFileError, wrong=DataFileError)
    return found.read_shapes(
        (line.split() for line in text.splitlines()), f"{path}, line",
        read_label=lambda words: _read_class(words[0], names) if words else "", read_shape=_read_shape,
    )  # fmt: skip


def _read_shape(words: list[str], where: str, found: AnnotationSet) -> Shape | None:
    """Return the shape on a line; None for an empty line, or if it is left out."""
    if not words:
        return None
    values = [_read_share(word) for word in words[1:]]
    if len(values) in (4, 5):
        if not found.takes_box("a line of a class and 4 numbers is a detection box", where):
            return None
        x, y, width, height = values[:4]
        return make_box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, shares=True)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"expected a class and at least three corners x y, got {len(values)} numbers")
    return Polygon(tuple(zip(values[::2], values[1::2], strict=True)), shares=True)


def _read_class(word: str, names: dict[int, str]) -> str:
    try:
        number = int(float(word))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected a class's number, got {abbreviate(word)}") from error
    if number not in names:
        raise ValueError(f"it is of class {abbreviate(word)}, and there are names for {min(names)} to {max(names)}")
    return names[number]


def _read_share(word: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise ValueError(f"expected a share of the image's side, got {abbreviate(word)}") from error
    if not -_MARGIN <= value <= 1 + _MARGIN:
        raise ValueError(f"expected shares of the image's sides, from 0 to 1, got {abbreviate(word)}")
    return value


def _read_names(where: Path, root: Path) -> dict[int, str]:
    """Return the class names by number: from data.yaml, or else from a list of names."""
    described = [where] if where.is_file() else sorted((*root.glob("*.yaml"), *root.glob("*.yml")))
    for path in described:
        content = read_yaml(path, "data.yaml", missing=DataFileError, wrong=DataFileError)
        if isinstance(content, dict) and "names" in content:
            if "kpt_shape" in content:
                raise DataFileError(
                    f"{path}: YOLO's poses (kpt_shape) are boxes and points, without outlines: export segmentations"
                )
            with locate_errors(str(path)):
                return _number_names(content["names"], content.get("nc"))
    for name in _NAME_FILES:
        if (root / name).is_file():
            lines = read_text(root / name, "the class list", missing=DataFileError, wrong=DataFileError).splitlines()
            return {number: parse_label(line) for number, line in enumerate(lines) if line.strip()}
    raise DataNotFoundError(f"{root}: expected YOLO's data.yaml with names, or classes.txt, and there is neither")


def _number_names(names: Any, count: Any) -> dict[int, str]:
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        raise ValueError(f"expected names as a list or as number: name, got {abbreviate(names)}")
    found = {int(number): parse_label(name) for number, name in listed.items()}
    if isinstance(count, str) and count.strip().isdigit() and int(count) != len(found):
        raise ValueError(f"it says {count} classes (nc) and names {len(found)}")
    return found
