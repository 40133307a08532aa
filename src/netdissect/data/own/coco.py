"""``from-coco``: COCO's JSON, instances (polygons, run lengths) or panoptic (label pictures)."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data.build import pixels
from netdissect.data.build.source import Item, Labelling, hashed
from netdissect.data.own import rle
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making
from netdissect.data.own.polygons import filled
from netdissect.errors import DataFileError, DataNotFoundError, NetdissectError
from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.data.build.make import Made


@dataclass(frozen=True)
class CocoPictures:
    """Pictures annotated in COCO's format: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes by COCO's category id.
        images: name in the set, picture, (height, width) and what is annotated, for every image: shapes with their
            label, the largest first; or a label picture and the label of every segment in it.
        decided: hash of the JSON.
    """

    name: str
    about: str
    classes: ClassList
    images: tuple[tuple[str, Path, tuple[int, int], Any], ...]
    decided: str

    aligned = True

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hashed("coco", self.classes.fingerprint(), self.decided, [name for name, *_ in self.images])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the shapes of all images behind when it travels: a worker finds them in its items."""
        return {**self.__dict__, "images": ()}

    def items(self) -> Sequence[Item]:
        """Return its images."""
        return [
            Item(name, (photo, size, made), (photo, made[0]) if isinstance(made, tuple) else (photo,))
            for name, photo, size, made in self.images
        ]

    def names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def photo(self, item: Item) -> NDArray[np.uint8]:
        """Return an image's picture."""
        return images.load(item.record[0])

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return the label planes of an image, one per category."""
        photo, size, made = item.record
        plane = _segments(*made) if isinstance(made, tuple) else _drawn(photo, size, made)
        return dict(self.classes.split(plane))


def from_coco(
    annotations: str | Path,
    photos: str | Path,
    out: str | Path,
    *,
    masks: str | Path | None = None,
    **options: Any,
) -> Made:
    """Make a probe set of COCO annotations.

    Of objects that overlap the smaller lies on top; pictures without an annotation are left out. A class's category is `category`, unless a renaming says another.

    Args:
        annotations: the JSON of instances, or of a panoptic segmentation.
        photos: folder of the pictures.
        out: the set's folder.
        masks: folder of the panoptic label pictures; None takes the one named as the JSON.
        options: as `Making`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    path, folder = Path(annotations), Path(photos)
    told, decided = _read(path)
    try:
        classes = making.classes(
            read_classes({int(entry["id"]): str(entry["name"]) for entry in told["categories"]}, making.category)
        )
        panoptic = any("segments_info" in entry for entry in told["annotations"][:1])
        drawn = (
            _panoptic(path, told, classes, Path(masks) if masks else path.with_suffix(""))
            if panoptic
            else _instances(path, told, classes)
        )
        images = []
        for entry in told["images"]:
            file = str(entry["file_name"])
            photo = folder / _plain(path, file)
            made = drawn.get(entry["id"])
            if made is None or (making.skip_missing and not photo.is_file()):
                continue
            images.append((file.replace("/", "-"), photo, (int(entry["height"]), int(entry["width"])), made))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, NetdissectError):
            raise
        raise DataFileError(f"{path}: expected COCO's images, annotations and categories ({error!r})") from error
    if not images:
        raise DataNotFoundError(f"{path}: no annotated picture of it lies in {folder}")
    source = CocoPictures(
        making.source_name(folder),
        f"{path.name}, COCO's {'panoptic' if panoptic else 'instances'}",
        classes,
        tuple(images),
        decided,
    )
    return making.finish(
        source, out, about="Made with: netdissect data from-coco. Of overlapping objects the smaller is on top."
    )


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """Return what the JSON says, and a hash of it."""
    try:
        text = path.read_bytes()
        told = json.loads(text)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no annotation file {path}") from error
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path}: expected COCO's JSON, got a file that does not read ({error})") from error
    missing = [key for key in ("images", "annotations", "categories") if not isinstance(told, dict) or key not in told]
    if missing:
        raise DataFileError(f"{path}: expected COCO's instances or panoptic JSON; {missing[0]!r} is missing")
    return dict(told), hashlib.sha256(text).hexdigest()


def _plain(path: Path, file: str) -> str:
    pure = PurePosixPath(file)
    if pure.is_absolute() or ".." in pure.parts or not file:
        raise DataFileError(f"{path}: expected a file below the folder of pictures, got {file!r}")
    return file


def _instances(path: Path, told: Mapping[str, Any], classes: ClassList) -> dict[Any, list[Any]]:
    """Return, per image, the shapes with their label, the largest first."""
    shapes: dict[Any, list[tuple[float, int, Any]]] = defaultdict(list)
    for entry in told["annotations"]:
        label = _label(path, classes, entry["category_id"])
        outline = entry.get("segmentation")
        if label and outline:
            shapes[entry["image_id"]].append((-float(entry.get("area") or 0.0), label, outline))
    return {
        image: [(label, outline) for _, label, outline in sorted(found, key=lambda shape: shape[0])]
        for image, found in shapes.items()
    }


def _panoptic(path: Path, told: Mapping[str, Any], classes: ClassList, masks: Path) -> dict[Any, tuple[Any, ...]]:
    """Return, per image, its label picture and the label of every segment."""
    if not masks.is_dir():
        raise DataNotFoundError(f"{path}: its label pictures are missing: expected the folder {masks}, or say --masks")
    return {
        entry["image_id"]: (
            masks / _plain(path, str(entry["file_name"])),
            tuple((int(s["id"]), _label(path, classes, s["category_id"])) for s in entry["segments_info"]),
        )
        for entry in told["annotations"]
    }


def _label(path: Path, classes: ClassList, category: Any) -> int:
    if category not in classes.codes:
        raise DataFileError(f"{path}: an annotation is of category {category}, which its categories do not list")
    return classes.codes[category]


def _drawn(photo: Path, size: tuple[int, int], shapes: Sequence[tuple[int, Any]]) -> NDArray[np.uint16]:
    plane = np.zeros(size, np.uint16)
    for label, outline in shapes:
        try:
            mask = _outline(outline, size)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise DataFileError(f"{photo.name}: an annotated shape of it is damaged ({error})") from error
        if mask.shape != size:
            raise DataFileError(f"{photo.name}: a mask of {mask.shape} in a picture of {size}")
        plane[mask] = label
    return plane


def _outline(outline: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of a shape: polygons, or run lengths."""
    if isinstance(outline, dict):
        return rle.decode(outline)
    return filled([list(zip(polygon[::2], polygon[1::2], strict=True)) for polygon in outline], size)


def _segments(path: Path, labels: Sequence[tuple[int, int]]) -> NDArray[np.uint16]:
    """Read a panoptic label picture: segment = R + 256·G + 65536·B."""
    rgb = pixels.read_rgb(path).astype(np.int32)
    table = dict(labels)

    def label(segment: int) -> int:
        if segment and segment not in table:
            raise DataFileError(f"{path}: segment {segment} stands in the picture, and not in the JSON")
        return table.get(segment, 0)

    return pixels.relabelled(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], label)
