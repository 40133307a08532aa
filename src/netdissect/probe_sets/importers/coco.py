"""``from-coco``: import COCO's JSON of instances (polygons, run lengths) or of panoptic label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.compile import source_pixels
from netdissect.probe_sets.importers import painting
from netdissect.probe_sets.importers.coco_json import CocoJson, CocoShape, draw_coco_shape
from netdissect.probe_sets.importers.image_folders import derive_names_and_splits
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult

#: The JSON that Roboflow writes into the image folder of every split.
ROBOFLOW_JSON = "_annotations.coco.json"
#: The image may be a copy that is up to 4 times smaller than the JSON says.
_LARGEST_SCALE = 4


@dataclass(frozen=True, kw_only=True)
class CocoImages(ImportedImages):
    """Images annotated in COCO's format.

    An image's record is its file, its height and width in the JSON, and its annotations: shapes with their labels, or the
    file of a panoptic label map with the label of every segment.
    """

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright or as stored, whichever fits its annotations."""
        photo, size, _ = entry.record
        return images.load_image_in_frame(photo, size)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label map of an image for every category."""
        photo, size, annotated = entry.record
        _check_size(photo, size)
        plane = (
            _read_panoptic(annotated, size) if isinstance(annotated, tuple) else _draw_shapes(photo, size, annotated)
        )
        return self.classes.split_by_category(plane)


def from_coco(
    annotations: str | Path,
    photos: str | Path | None,
    out: str | Path,
    *,
    masks: str | Path | None = None,
    boxes: bool = False,
    **options: Unpack[ImportOptionsDict],
) -> BuildResult:
    """Make a probe set of COCO annotations.

    Where objects overlap, the one with fewer pixels is on top. Images without annotations are left out.

    Args:
        annotations: the JSON of instances, or of a panoptic segmentation; or a folder as Roboflow exports it, with
            ``_annotations.coco.json`` next to the images of every split.
        photos: folder of the images; None takes the folder of the JSON.
        out: folder of the probe set.
        masks: folder of the panoptic label maps; None takes the folder with the JSON's name.
        boxes: use the box of an annotation without an outline as its mask.
        options: see `ImportOptions`.

    Raises:
        DataError: or a subclass, if anything is wrong with the files.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    root = Path(annotations)
    files = [(CocoJson(path), folder) for path, folder in _find_json_files(root, photos)]
    categories = [file.read_categories() for file, _ in files]
    names = dict.fromkeys(name for own in categories for name in own.values())
    numbers = {name: number for number, name in enumerate(names, start=1)}
    if not numbers:
        raise DataFileError(f"{root}: it lists no category")
    classes = settings.read_classes({number: name for name, number in numbers.items()})
    found = []
    for (file, folder), own in zip(files, categories, strict=True):
        labels = {number: classes.codes[numbers[name]] for number, name in own.items()}
        found += _read_images(file, folder, labels, masks, settings, boxes=boxes)
    base = files[0][1] if len(files) == 1 else root
    if not found:
        raise DataNotFoundError(f"{root}: none of its annotated images is in {base}")
    kind = "panoptic" if isinstance(found[0][0][2], tuple) else "instances"
    names_and_splits = derive_names_and_splits([photo for (photo, *_), _ in found], base)
    source = CocoImages(
        name=settings.choose_name(base), about=f"{root.name}, COCO's {kind}", classes=classes,
        settings_hash=hash_parts([file.digest for file, _ in files], boxes),
        images=tuple(
            SourceImage(name, record, (record[0], *record[2][:1]) if kind == "panoptic" else record[:1], split, group)
            for (record, group), (name, split) in zip(found, names_and_splits, strict=True)
        ),
    )  # fmt: skip
    note = "Made with: netdissect data from-coco. Of overlapping objects the smaller is on top."
    return settings.write_probe_set(source, out, note=note)


def _find_json_files(root: Path, photos: str | Path | None) -> list[tuple[Path, Path]]:
    """Return every JSON with the folder of its images."""
    if not root.is_dir():
        return [(root, Path(photos) if photos is not None else root.parent)]
    files = [path for path in (root / ROBOFLOW_JSON, *sorted(root.glob(f"*/{ROBOFLOW_JSON}"))) if path.is_file()]
    if not files:
        raise DataFileError(
            f"{root}: expected COCO's JSON, or a folder that holds {ROBOFLOW_JSON}: name the JSON in it"
        )
    if len(files) > 1 and photos is not None and Path(photos).resolve() != root.resolve():
        raise DataFileError(f"{root} holds {len(files)} files {ROBOFLOW_JSON}, each next to its images: omit {photos}")
    return [(path, path.parent) for path in files]


def _read_images(
    file: CocoJson,
    folder: Path,
    labels: Mapping[Any, int],
    masks: str | Path | None,
    options: ImportOptions,
    *,
    boxes: bool,
) -> list[tuple[tuple[Path, tuple[int, int], Any], str]]:
    """Return the file, size and annotations of every image of a JSON that has annotations, and its group."""
    listed = file.read_images()
    annotated: Mapping[Any, Any]
    if file.is_panoptic:
        mask_folder = Path(masks) if masks else file.path.with_suffix("")
        if not mask_folder.is_dir():
            raise DataNotFoundError(
                f"{file.path}: its label maps are missing: expected the folder {mask_folder}, or name it with --masks"
            )
        segments = file.read_segments(listed, labels)
        annotated = {own: (mask_folder / name, table) for own, (name, table) in segments.items()}
    else:
        annotated = file.read_shapes(listed, labels, boxes=boxes, skip=options.skip_missing)
    found = [
        ((folder / image.file, image.size, annotated[own]), image.group)
        for own, image in listed.items()
        if own in annotated
    ]
    return [image for image in found if not options.skip_missing or image[0][0].is_file()]


def _check_size(photo: Path, size: tuple[int, int]) -> None:
    """Raise DataFileError if the image does not have the size in the JSON; called before label maps are drawn."""
    stored = images.read_image_size(photo)
    fits = images.is_same_shape(stored, size) or images.is_same_shape(stored[::-1], size)
    if not fits or max(size) > _LARGEST_SCALE * max(stored):
        raise DataFileError(
            f"{photo}: the JSON says {size[1]} x {size[0]} pixels, and the image has {stored[1]} x {stored[0]}: use the image "
            f"that was annotated"
        )


def _draw_shapes(photo: Path, size: tuple[int, int], shapes: Sequence[tuple[int, CocoShape]]) -> NDArray[np.uint16]:
    def draw(shape: CocoShape) -> painting.MaskPatch:
        try:
            return draw_coco_shape(shape, size)
        except (ValueError, TypeError) as error:
            raise DataFileError(f"{photo.name}: {shape.who}: its shape is damaged ({error})") from error

    return painting.paint_smallest_on_top(shapes, size, draw)


def _read_panoptic(segmented: tuple[Path, Sequence[tuple[int, int]]], size: tuple[int, int]) -> NDArray[np.uint16]:
    """Return the labels of a panoptic label map, whose pixels hold segment ids R + 256·G + 65536·B."""
    path, labels = segmented
    rgb = source_pixels.read_rgb_label_map(path).astype(np.int32)
    if not images.is_same_shape((rgb.shape[0], rgb.shape[1]), size):
        raise DataFileError(
            f"{path}: the label map is {rgb.shape[1]} x {rgb.shape[0]} pixels, and its image {size[1]} x {size[0]} in the JSON"
        )
    table = dict(labels)

    def find_label(segment: int) -> int:
        if segment and segment not in table:
            raise DataFileError(f"{path}: segment {segment} is in the label map, and not in the JSON")
        return table.get(segment, 0)

    return source_pixels.relabel(rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], find_label)
