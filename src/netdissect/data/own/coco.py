"""``from-coco``: COCO's JSON, instances (polygons, run lengths) or panoptic (label pictures)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data.build import pixels
from netdissect.data.build.source import Item, Labelling, hashed
from netdissect.data.own import coco_json, painting, splits
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.data.build.make import Made

#: The JSON may say sides so many times as long as those of the image at hand, which is a smaller copy then.
_LARGER = 4


@dataclass(frozen=True)
class CocoPictures:
    """Pictures annotated in COCO's format: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes by COCO's category id.
        images: name in the set, file, (height, width), split and what is annotated, for every image: shapes with their
            labels; or a label map and the label of every segment in it.
        decided: hash of the JSON.
    """

    name: str
    about: str
    classes: ClassList
    images: tuple[tuple[str, Path, tuple[int, int], str, Any], ...]
    decided: str

    aligned = True

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hashed(
            "coco", self.classes.fingerprint(), self.decided, [(name, split) for name, _, _, split, _ in self.images]
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the shapes of all images behind when it travels: a worker finds them in its items."""
        return {**self.__dict__, "images": ()}

    def items(self) -> Sequence[Item]:
        """Return its images."""
        return [
            Item(name, (photo, size, made), (photo, made[0]) if isinstance(made, tuple) else (photo,), split)
            for name, photo, size, split, made in self.images
        ]

    def names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def photo(self, item: Item) -> NDArray[np.uint8]:
        """Return an image, turned as what is annotated in it."""
        photo, size, _ = item.record
        return images.load_framed(photo, size)

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return the label planes of an image, one per category."""
        photo, size, made = item.record
        _refuse_other_sizes(photo, size)
        plane = _segments(made, size) if isinstance(made, tuple) else _drawn(photo, size, made)
        return dict(self.classes.split(plane))


def from_coco(
    annotations: str | Path,
    photos: str | Path,
    out: str | Path,
    *,
    masks: str | Path | None = None,
    boxes: bool = False,
    **options: Any,
) -> Made:
    """Make a probe set of COCO annotations.

    Of objects that overlap the smaller lies on top, by the pixels of its mask; images without an annotation are left out.
    A class's category is `category`, unless a renaming says another.

    Args:
        annotations: the JSON of instances, or of a panoptic segmentation.
        photos: folder of the images.
        out: the set's folder.
        masks: folder of the panoptic label maps; None takes the one named as the JSON.
        boxes: whether the box of an annotation without an outline is its mask.
        options: as `Making`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    path, folder = Path(annotations), Path(photos)
    told, decided = coco_json.read(path)
    named = coco_json.categories(path, told)
    if not named:
        raise DataFileError(f"{path}: it lists no category")
    classes = making.classes(read_classes(dict(enumerate(named.values(), start=1)), making.category))
    labels = {own: classes.codes[number] for number, own in enumerate(named, start=1)}
    listed = coco_json.images_of(path, told)
    panoptic = any("segments_info" in entry for entry in told["annotations"] if isinstance(entry, dict))
    drawn: Mapping[Any, Any]
    if panoptic:
        folder_of_masks = Path(masks) if masks else path.with_suffix("")
        if not folder_of_masks.is_dir():
            raise DataNotFoundError(
                f"{path}: its label pictures are missing: expected the folder {folder_of_masks}, or say --masks"
            )
        found = coco_json.segments(path, told, listed, labels)
        drawn = {own: (folder_of_masks / file, segments) for own, (file, segments) in found.items()}
    else:
        drawn = coco_json.shapes(path, told, listed, labels, boxes=boxes, skip=making.skip_missing)
    wanted = [(image, drawn[own]) for own, image in listed.items() if own in drawn]
    if making.skip_missing:
        wanted = [(image, made) for image, made in wanted if (folder / image.file).is_file()]
    if not wanted:
        raise DataNotFoundError(f"{path}: no annotated image of it lies in {folder}")
    places = [image.file.split("/") for image, _ in wanted]
    at = splits.split_folder(places, besides=0)
    source = CocoPictures(
        making.source_name(folder),
        f"{path.name}, COCO's {'panoptic' if panoptic else 'instances'}",
        classes,
        tuple(
            (image.file.replace("/", "-"), folder / image.file, image.size, splits.split_at(place, at), made)
            for (image, made), place in zip(wanted, places, strict=True)
        ),
        hashed(decided, boxes),
    )
    return making.finish(
        source, out, about="Made with: netdissect data from-coco. Of overlapping objects the smaller is on top."
    )


def _refuse_other_sizes(photo: Path, size: tuple[int, int]) -> None:
    """Refuse a size of the JSON that is not its image's, before anything of that size is drawn.

    Raises:
        DataFileError: if it is of another shape, or more than four times as large.
    """
    stored = images.size_of(photo)
    fits = images.same_shape(stored, size) or images.same_shape(stored[::-1], size)
    if not fits or max(size) > _LARGER * max(stored):
        raise DataFileError(
            f"{photo}: the JSON says {size[1]} x {size[0]} pixels, and the image has {stored[1]} x {stored[0]}: bring the "
            f"image that was annotated"
        )


def _drawn(photo: Path, size: tuple[int, int], shapes: Sequence[tuple[int, coco_json.Shape]]) -> NDArray[np.uint16]:
    def patch_of(shape: coco_json.Shape) -> painting.Patch:
        try:
            return coco_json.patch(shape, size)
        except (ValueError, TypeError) as error:
            raise DataFileError(f"{photo.name}: {shape.who}: its shape is damaged ({error})") from error

    return painting.painted(shapes, size, patch_of)


def _segments(made: tuple[Path, Sequence[tuple[int, int]]], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Read a panoptic label map: segment = R + 256·G + 65536·B."""
    path, labels = made
    rgb = pixels.read_rgb(path).astype(np.int32)
    if not images.same_shape((rgb.shape[0], rgb.shape[1]), size):
        raise DataFileError(
            f"{path}: the label map is {rgb.shape[1]} x {rgb.shape[0]} pixels, and its image {size[1]} x {size[0]} in the JSON"
        )
    table = dict(labels)

    def label(segment: int) -> int:
        if segment and segment not in table:
            raise DataFileError(f"{path}: segment {segment} stands in the picture, and not in the JSON")
        return table.get(segment, 0)

    return pixels.relabelled(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], label)
