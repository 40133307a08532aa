"""YOLO segmentation (Ultralytics): ``labels/IMAGE.txt`` beside ``images/IMAGE``, polygons in shares; the smaller on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.data.own.annotations.record import Reading, label_of, reading
from netdissect.data.own.annotations.shapes import Polygon, box
from netdissect.data.own.painting import short
from netdissect.data.own.splits import split_of
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.reading import read_text
from netdissect.io.yaml_files import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.annotations.shapes import Shape

#: Lists of names where there is no data.yaml: Label Studio's, Darknet's.
_LISTS = ("classes.txt", "obj.names")
#: Corners may lie so far outside of 0 to 1; more is in pixels, not in shares.
_OUTSIDE = 1.0


def read(where: Path, found: Reading) -> None:
    """Read a data set of YOLO's, or its data.yaml.

    Raises:
        DataFileError: for anything wrong with it.
    """
    root = where if where.is_dir() else where.parent
    names = _names(where, root)
    for label in names.values():
        found.classes.setdefault(label)
    found.smaller_on_top = True
    files = [
        path
        for path in found.files(root, "*.txt")
        if "labels" in path.relative_to(root).parts[:-1] and path.name not in _LISTS
    ]
    if not files:
        raise DataNotFoundError(f"{root}: expected YOLO's labels in labels/IMAGE.txt beside images/, got none")
    for path in files:
        shapes = _shapes(path, names, found)
        parts = path.relative_to(root).parts
        at = len(parts) - 2 - parts[-2::-1].index("labels")
        split = next((split for part in (*parts[:at][::-1], *parts[at + 1 : -1]) if (split := split_of(part))), "")
        photo = _photo(root.joinpath(*parts[:at], "images", *parts[at + 1 : -1]), path.stem, found)
        found.add(
            photo,
            shapes,
            spelled="/".join((*parts[:at], "images", *parts[at + 1 : -1], path.stem)),
            file=path,
            split=split,
        )


def _photo(folder: Path, stem: str, found: Reading) -> Path | None:
    if found.wanted.photos is not None:
        same = found.photos.stems(stem)
        if len(same) > 1:
            raise DataFileError(f"{same[0]} and {same[1]} may both be the image of {stem}.txt: rename one")
        return same[0] if same else None
    same = [path for path in sorted(folder.glob("*")) if path.stem == stem and path.suffix.lower() in images.ENDINGS]
    if len(same) > 1:
        raise DataFileError(f"{same[0]} and {same[1].name} may both be the image of {stem}.txt: rename one")
    return same[0] if same else None


def _shapes(path: Path, names: dict[int, str], found: Reading) -> list[tuple[str, Shape]]:
    text = read_text(path, "YOLO's labels", missing=DataFileError, wrong=DataFileError)
    shapes = []
    for place, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {place}"
        with reading(where):
            label = _class(words[0], names)
            made = _shape([_share(word) for word in words[1:]], where, found)
        if made is not None:
            shapes.append((label, made))
    return shapes


def _shape(values: list[float], where: str, found: Reading) -> Shape | None:
    if len(values) in (4, 5):
        if not found.takes_box("a line of a class and 4 numbers is a detection box", where):
            return None
        x, y, width, height = values[:4]
        return box(x - width / 2, y - height / 2, x + width / 2, y + height / 2, shares=True)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"expected a class and at least three corners x y, got {len(values)} numbers")
    return Polygon(tuple(zip(values[::2], values[1::2], strict=True)), shares=True)


def _class(word: str, names: dict[int, str]) -> str:
    try:
        number = int(float(word))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected a class's number, got {short(word)}") from error
    if number not in names:
        raise ValueError(f"it is of class {short(word)}, and there are names for {min(names)} to {max(names)}")
    return names[number]


def _share(word: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise ValueError(f"expected a share of the image's side, got {short(word)}") from error
    if not -_OUTSIDE <= value <= 1 + _OUTSIDE:
        raise ValueError(f"expected shares of the image's sides, from 0 to 1, got {short(word)}")
    return value


def _names(where: Path, root: Path) -> dict[int, str]:
    """Return the classes by number: of data.yaml, else of a list beside it."""
    described = [where] if where.is_file() else sorted((*root.glob("*.yaml"), *root.glob("*.yml")))
    for path in described:
        told = read_yaml(path, "data.yaml", missing=DataFileError, wrong=DataFileError)
        if isinstance(told, dict) and "names" in told:
            if "kpt_shape" in told:
                raise DataFileError(
                    f"{path}: YOLO's poses (kpt_shape) are boxes and points, and outline nothing: export segmentations"
                )
            with reading(str(path)):
                return _numbered(told["names"], told.get("nc"))
    for name in _LISTS:
        if (root / name).is_file():
            lines = read_text(root / name, "the class list", missing=DataFileError, wrong=DataFileError).splitlines()
            return {number: label_of(line) for number, line in enumerate(lines) if line.strip()}
    raise DataNotFoundError(f"{root}: expected YOLO's data.yaml with names, or classes.txt, and there is neither")


def _numbered(names: Any, count: Any) -> dict[int, str]:
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        raise ValueError(f"expected names as a list or as number: name, got {short(names)}")
    found = {int(number): label_of(name) for number, name in listed.items()}
    if isinstance(count, str) and count.strip().isdigit() and int(count) != len(found):
        raise ValueError(f"it says {count} classes (nc) and names {len(found)}")
    return found
