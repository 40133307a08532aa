"""``from-coco``: COCO's JSON, instances (polygons, run lengths) or panoptic (label maps)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.compile import source_pixels
from netdissect.probe_sets.importers import coco_json, painting, split_names
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult

#: What Roboflow calls the JSON that lies beside the images of every split.
ROBOFLOW_JSON = "_annotations.coco.json"
#: The JSON may say sides so many times as long as those of the image at hand, which is a smaller copy then.
_LARGEST_SCALE = 4


@dataclass(frozen=True)
class CocoImages(Source):
    """Images annotated in COCO's format: a Source.

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

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts(
            "coco", self.classes.fingerprint(), self.decided, [(name, split) for name, _, _, split, _ in self.images]
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the shapes of all images behind when it travels: a worker finds them in its items."""
        return {**self.__dict__, "images": ()}

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images."""
        return [
            SourceImage(name, (photo, size, made), (photo, made[0]) if isinstance(made, tuple) else (photo,), split)
            for name, photo, size, split, made in self.images
        ]

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, turned as what is annotated in it."""
        photo, size, _ = entry.record
        return images.load_image_in_frame(photo, size)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label planes of an image, one per category."""
        photo, size, made = entry.record
        _check_size(photo, size)
        plane = _read_panoptic(made, size) if isinstance(made, tuple) else _draw_shapes(photo, size, made)
        return dict(self.classes.split(plane))


def from_coco(
    annotations: str | Path,
    photos: str | Path | None,
    out: str | Path,
    *,
    masks: str | Path | None = None,
    boxes: bool = False,
    **options: Any,
) -> BuildResult:
    """Make a probe set of COCO annotations.

    Of objects that overlap the smaller lies on top, by the pixels of its mask; images without an annotation are left out.
    A class's category is `category`, unless a renaming says another.

    Args:
        annotations: the JSON of instances, or of a panoptic segmentation; or a folder as Roboflow exports it, with
            ``_annotations.coco.json`` beside the images of every split.
        photos: folder of the images; None takes the JSON's own.
        out: the set's folder.
        masks: folder of the panoptic label maps; None takes the one named as the JSON.
        boxes: whether the box of an annotation without an outline is its mask.
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of(options)
    root = Path(annotations)
    parts = [
        _CocoFile(path, folder, *coco_json.read_coco_json(path)) for path, folder in _find_json_files(root, photos)
    ]
    named = {part.path: coco_json.read_categories(part.path, part.told) for part in parts}
    numbers = {
        name: number for number, name in enumerate(dict.fromkeys(n for own in named.values() for n in own.values()), 1)
    }
    if not numbers:
        raise DataFileError(f"{root}: it lists no category")
    classes = making.classes(read_class_list({number: name for name, number in numbers.items()}, making.category))
    found = []
    for part in parts:
        labels = {own: classes.codes[numbers[name]] for own, name in named[part.path].items()}
        found += _read_images(part, labels, masks, making, boxes=boxes)
    base = parts[0].folder if len(parts) == 1 else root
    if not found:
        raise DataNotFoundError(f"{root}: no annotated image of it lies in {base}")
    places = [photo.relative_to(base).parts for photo, _, _ in found]
    at = split_names.find_split_depth(places, besides=0)
    panoptic = isinstance(found[0][2], tuple)
    source = CocoImages(
        making.source_name(base),
        f"{root.name}, COCO's {'panoptic' if panoptic else 'instances'}",
        classes,
        tuple(
            ("-".join(place), photo, size, split_names.read_split_at(place, at), made)
            for (photo, size, made), place in zip(found, places, strict=True)
        ),
        hash_parts([part.decided for part in parts], boxes),
    )
    return making.finish(
        source, out, about="Made with: netdissect data from-coco. Of overlapping objects the smaller is on top."
    )


class _CocoFile(NamedTuple):
    """A JSON: where it is, the folder of its images, what it says, and a hash of that."""

    path: Path
    folder: Path
    told: dict[str, Any]
    decided: str


def _find_json_files(root: Path, photos: str | Path | None) -> list[tuple[Path, Path]]:
    """Return every JSON with the folder of its images.

    Raises:
        DataFileError: if a folder holds none of the name that Roboflow gives them.
    """
    if not root.is_dir():
        return [(root, Path(photos) if photos is not None else root.parent)]
    files = [path for path in (root / ROBOFLOW_JSON, *sorted(root.glob(f"*/{ROBOFLOW_JSON}"))) if path.is_file()]
    if not files:
        raise DataFileError(
            f"{root}: expected COCO's JSON, or a folder that holds {ROBOFLOW_JSON}: name the JSON in it"
        )
    if len(files) > 1 and photos is not None and Path(photos).resolve() != root.resolve():
        raise DataFileError(
            f"{root} holds {len(files)} files {ROBOFLOW_JSON}, each beside its images: leave {photos} away"
        )
    return [(path, path.parent) for path in files]


def _read_images(
    part: _CocoFile, labels: Mapping[Any, int], masks: str | Path | None, making: ImportOptions, *, boxes: bool
) -> list[tuple[Path, tuple[int, int], Any]]:
    """Return image, size and what is annotated in it, of every image of a JSON that has annotations."""
    path, folder, told, _ = part
    listed = coco_json.read_coco_images(path, told)
    drawn: Mapping[Any, Any]
    if any("segments_info" in entry for entry in told["annotations"] if isinstance(entry, dict)):
        folder_of_masks = Path(masks) if masks else path.with_suffix("")
        if not folder_of_masks.is_dir():
            raise DataNotFoundError(
                f"{path}: its label pictures are missing: expected the folder {folder_of_masks}, or say --masks"
            )
        found = coco_json.read_segments(path, told, listed, labels)
        drawn = {own: (folder_of_masks / file, segments) for own, (file, segments) in found.items()}
    else:
        drawn = coco_json.read_coco_shapes(path, told, listed, labels, boxes=boxes, skip=making.skip_missing)
    wanted = [(folder / image.file, image.size, drawn[own]) for own, image in listed.items() if own in drawn]
    return [image for image in wanted if not making.skip_missing or image[0].is_file()]


def _check_size(photo: Path, size: tuple[int, int]) -> None:
    """Refuse a size of the JSON that is not its image's, before anything of that size is drawn.

    Raises:
        DataFileError: if it is of another shape, or more than four times as large.
    """
    stored = images.read_image_size(photo)
    fits = images.is_same_shape(stored, size) or images.is_same_shape(stored[::-1], size)
    if not fits or max(size) > _LARGEST_SCALE * max(stored):
        raise DataFileError(
            f"{photo}: the JSON says {size[1]} x {size[0]} pixels, and the image has {stored[1]} x {stored[0]}: bring the "
            f"image that was annotated"
        )


def _draw_shapes(
    photo: Path, size: tuple[int, int], shapes: Sequence[tuple[int, coco_json.CocoShape]]
) -> NDArray[np.uint16]:
    def patch_of(shape: coco_json.CocoShape) -> painting.MaskPatch:
        try:
            return coco_json.draw_coco_shape(shape, size)
        except (ValueError, TypeError) as error:
            raise DataFileError(f"{photo.name}: {shape.who}: its shape is damaged ({error})") from error

    return painting.paint_smallest_on_top(shapes, size, patch_of)


def _read_panoptic(made: tuple[Path, Sequence[tuple[int, int]]], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Read a panoptic label map: segment = R + 256·G + 65536·B."""
    path, labels = made
    rgb = source_pixels.read_rgb_label_map(path).astype(np.int32)
    if not images.is_same_shape((rgb.shape[0], rgb.shape[1]), size):
        raise DataFileError(
            f"{path}: the label map is {rgb.shape[1]} x {rgb.shape[0]} pixels, and its image {size[1]} x {size[0]} in the JSON"
        )
    table = dict(labels)

    def label(segment: int) -> int:
        if segment and segment not in table:
            raise DataFileError(f"{path}: segment {segment} stands in the picture, and not in the JSON")
        return table.get(segment, 0)

    return source_pixels.relabel(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], label)
