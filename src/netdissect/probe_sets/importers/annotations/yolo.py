"""YOLO segmentation (Ultralytics): ``labels/IMAGE.txt`` beside ``images/IMAGE``, polygons in shares; the smaller on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.reading import read_text
from netdissect.io.yaml_files import read_yaml
from netdissect.probe_sets.importers.annotations.records import AnnotationSet, locate_errors, parse_label
from netdissect.probe_sets.importers.annotations.shapes import Polygon, make_box
from netdissect.probe_sets.importers.painting import abbreviate
from netdissect.probe_sets.importers.split_names import parse_split

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: Lists of names where there is no data.yaml: Label Studio's, Darknet's.
_NAME_FILES = ("classes.txt", "obj.names")
#: Corners may lie so far outside of 0 to 1; more is in pixels, not in shares.
_MARGIN = 1.0


def read_yolo(where: Path, found: AnnotationSet) -> None:
    """Read a data set of YOLO's, or its data.yaml.

    Raises:
        DataFileError: for anything wrong with it.
    """
    root = where if where.is_dir() else where.parent
    names = _read_names(where, root)
    for label in names.values():
        found.classes.setdefault(label)
    found.smaller_on_top = True
    files = [
        path
        for path in found.files(root, "*.txt")
        if "labels" in path.relative_to(root).parts[:-1] and path.name not in _NAME_FILES
    ]
    if not files:
        raise DataNotFoundError(f"{root}: expected YOLO's labels in labels/IMAGE.txt beside images/, got none")
    for path in files:
        shapes = _read_shapes(path, names, found)
        parts = path.relative_to(root).parts
        at = len(parts) - 2 - parts[-2::-1].index("labels")
        split = next((split for part in (*parts[:at][::-1], *parts[at + 1 : -1]) if (split := parse_split(part))), "")
        photo = _find_image(root.joinpath(*parts[:at], "images", *parts[at + 1 : -1]), path.stem, found)
        found.add(
            photo,
            shapes,
            spelled="/".join((*parts[:at], "images", *parts[at + 1 : -1], path.stem)),
            file=path,
            split=split,
        )


def _find_image(folder: Path, stem: str, found: AnnotationSet) -> Path | None:
    if found.wanted.photos is not None:
        same = found.photos.stems(stem)
        if len(same) > 1:
            raise DataFileError(f"{same[0]} and {same[1]} may both be the image of {stem}.txt: rename one")
        return same[0] if same else None
    same = [path for path in sorted(folder.glob("*")) if path.stem == stem and path.suffix.lower() in images.ENDINGS]
    if len(same) > 1:
        raise DataFileError(f"{same[0]} and {same[1].name} may both be the image of {stem}.txt: rename one")
    return same[0] if same else None


def _read_shapes(path: Path, names: dict[int, str], found: AnnotationSet) -> list[tuple[str, Shape]]:
    text = read_text(path, "YOLO's labels", missing=DataFileError, wrong=DataFileError)
    shapes = []
    for place, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {place}"
        with locate_errors(where):
            label = _read_class(words[0], names)
            made = _read_shape([_read_share(word) for word in words[1:]], where, found)
        if made is not None:
            shapes.append((label, made))
    return shapes


def _read_shape(values: list[float], where: str, found: AnnotationSet) -> Shape | None:
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
    """Return the classes by number: of data.yaml, else of a list beside it."""
    described = [where] if where.is_file() else sorted((*root.glob("*.yaml"), *root.glob("*.yml")))
    for path in described:
        told = read_yaml(path, "data.yaml", missing=DataFileError, wrong=DataFileError)
        if isinstance(told, dict) and "names" in told:
            if "kpt_shape" in told:
                raise DataFileError(
                    f"{path}: YOLO's poses (kpt_shape) are boxes and points, and outline nothing: export segmentations"
                )
            with locate_errors(str(path)):
                return _number_names(told["names"], told.get("nc"))
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
