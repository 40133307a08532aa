"""``from-annotations``: import images annotated with a tool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io import images
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers import painting
from netdissect.probe_sets.importers.annotations import tool_table
from netdissect.probe_sets.importers.annotations.bitmaps import decode_base64
from netdissect.probe_sets.importers.annotations.records import (
    AnnotatedImage,
    AnnotationOptions,
    AnnotationSet,
    EmbeddedImage,
    locate_errors,
    read_tool_json,
)
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.importers.annotations.shapes import Shape
    from netdissect.probe_sets.importers.painting import MaskPatch

#: The EXIF tag of a photo's orientation, and its values that exchange height and width.
_ORIENTATION, _SWAPPED = 0x0112, (5, 6, 7, 8)
#: The image may be a copy that is up to 4 times smaller than the annotations say.
_LARGEST_SCALE = 4


@dataclass(frozen=True, kw_only=True)
class AnnotatedImages(ImportedImages):
    """Images annotated with a tool; an image's record is its `AnnotatedImage`.

    Attributes:
        labels: the label number of every class name in the annotations.
        smaller_on_top: whether smaller shapes are on top of larger ones; if not, later shapes are on top of earlier ones.
    """

    labels: Mapping[str, int]
    smaller_on_top: bool

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright or as stored, whichever was annotated."""
        image: AnnotatedImage = entry.record
        upright = _find_frame(image)[0]
        if isinstance(image.photo, Path):
            return images.load_image(image.photo, upright=upright)
        return images.decode_image(_read_embedded(image.photo), image.photo.path, upright=upright)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label map of an image for every category."""
        image: AnnotatedImage = entry.record
        size = _find_frame(image)[1]
        shapes = [
            (self.labels[name], (place, name, shape)) for place, (name, shape) in enumerate(image.shapes, start=1)
        ]

        def draw(entry: tuple[int, str, Shape]) -> MaskPatch:
            place, name, shape = entry
            with locate_errors(f"{_describe_image(image.photo)}, shape {place} ({escape_line(name)})"):
                return shape.draw_mask(size)

        paint = painting.paint_smallest_on_top if self.smaller_on_top else painting.paint_in_order
        return self.classes.split_by_category(paint(shapes, size, draw))


def from_annotations(
    where: str | Path,
    out: str | Path,
    *,
    tool: str | None = None,
    photos: str | Path | None = None,
    boxes: bool = False,
    leave_out: Sequence[str] = (),
    attribute: str | None = None,
    **options: Unpack[ImportOptionsDict],
) -> BuildResult:
    """Make a probe set of images annotated with a tool.

    Where shapes overlap, pixels belong to the one that the tool shows on top. Images without a shape are left out.

    Args:
        where: the folder or file that the tool exported: CVAT, Hasty, labelme, Label Studio, Supervisely, VGG VIA or YOLO.
        out: folder of the probe set.
        tool: the tool, if it cannot be recognized by the files (``cvat``, ``hasty``, ``labelme``, ``label-studio``,
            ``supervisely``, ``via``, ``yolo``).
        photos: folder of the images; None looks for them next to the annotations.
        boxes: use detection boxes, which have no outline, as masks.
        leave_out: kinds of shapes to leave out: points, lines, boxes, skeletons, cuboids.
        attribute: the attribute that holds a shape's class, if shapes have several attributes (VIA).
        options: see `ImportOptions`.

    Raises:
        DataError: or a subclass, if anything is wrong with the files, or an unsupported format.
        SettingsError: if an option is out of its range.
    """
    settings = ImportOptions.from_keywords(options)
    annotation_options = AnnotationOptions(boxes, leave_out, attribute, None if photos is None else Path(photos))
    tool_name = None if tool is None else tool.casefold().replace(" ", "-").replace("_", "-")
    if tool_name is not None and tool_name not in tool_table.TOOLS:
        raise SettingsError(f"--tool {tool}: {suggest_nearest(tool_name, tool_table.TOOLS)}")
    source = read_annotations(Path(where), Path(out), tool_name, annotation_options, settings)
    on_top = "the smaller is on top" if source.smaller_on_top else "the one that the tool shows on top counts"
    note = f"Made with: netdissect data from-annotations. Of overlapping shapes {on_top}."
    return settings.write_probe_set(source, out, note=note)


def read_annotations(
    where: Path, out: Path | None, tool: str | None, annotation_options: AnnotationOptions, options: ImportOptions
) -> AnnotatedImages:
    """Read a tool's files; `options.say` is called with the tool's name and with what is left out.

    Raises:
        DataError: or a subclass, if anything is wrong with the files, or an unsupported format.
    """
    chosen, path = (
        tool_table.recognize_tool(where, out) if tool is None else tool_table.find_tool_export(tool, where, out)
    )
    options.say(f"{path} is {chosen.title}'s")
    found = AnnotationSet(path if path.is_dir() else path.parent, out, annotation_options)
    chosen.read(path, found)
    for what, count in (+found.left_out).items():
        options.say(f"left out: {what} ({count:,})")
    _check_images(found, path, chosen.title, skip_missing=options.skip_missing)
    numbers = {name: number for number, name in enumerate(found.classes, start=1)}
    classes = options.read_classes({number: name for name, number in numbers.items()})
    labels = {name: classes.codes[number] for name, number in numbers.items()}
    return AnnotatedImages(
        name=options.choose_name(found.root), about=f"{path.name}, annotated with {chosen.title}", classes=classes,
        settings_hash=hash_parts(
            sorted(labels.items()), found.smaller_on_top, [(entry.record.size, hash_parts(*entry.record.shapes)) for entry in found.images]
        ),
        images=tuple(found.images), labels=labels, smaller_on_top=found.smaller_on_top,
    )  # fmt: skip


def _check_images(found: AnnotationSet, path: Path, title: str, *, skip_missing: bool) -> None:
    if found.missing and not skip_missing:
        shown = ", ".join(escape_line(name) for name in found.missing[:3])
        more = f" and {len(found.missing) - 3} more" if len(found.missing) > 3 else ""
        raise DataNotFoundError(
            f"{path}: {len(found.missing)} of its images are not below {found.photos.root}: {shown}{more}; --photos names "
            f"their folder, --skip-missing leaves them out"
        )
    if not found.images:
        raise DataFileError(f"{path}: no image of it has a shape with a label, as {title} writes them")
    files: dict[object, Path] = {}
    for entry in found.images:
        image: AnnotatedImage = entry.record
        try:
            f"{entry.file}{''.join(label for label, _ in image.shapes)}".encode()
        except UnicodeEncodeError as error:
            raise DataFileError(f"{path}: the name {error.object!a} cannot be written as UTF-8: rename it") from error
        if image.photo in files:
            both = " and ".join(dict.fromkeys((files[image.photo].name, image.file.name)))
            raise DataFileError(f"{path}: the image {entry.file} is annotated twice, in {both}: keep one of them")
        files[image.photo] = image.file


def _read_embedded(photo: EmbeddedImage) -> bytes:
    with locate_errors(str(photo.path)):
        return decode_base64(read_tool_json(photo.path, "annotations")[photo.key])


def _describe_image(photo: Path | EmbeddedImage) -> str:
    return str(photo.path if isinstance(photo, EmbeddedImage) else photo)


def _find_frame(image: AnnotatedImage) -> tuple[bool, tuple[int, int]]:
    """Return whether the upright image was annotated, and the height and width of what was annotated.

    Tools show images upright; if the size in the annotation file fits only the image as stored, that was annotated. The image
    may be a smaller copy.

    Raises:
        DataFileError: if the image has another shape.
    """
    where = _describe_image(image.photo)
    with images.open_image(
        _read_embedded(image.photo) if isinstance(image.photo, EmbeddedImage) else image.photo, where
    ) as opened:
        raw = opened.height, opened.width
        upright = raw[::-1] if opened.getexif().get(_ORIENTATION) in _SWAPPED else raw
    size = image.size or upright
    if max(size) <= _LARGEST_SCALE * max(raw):
        for frame, is_upright in ((upright, True), (raw, False)):
            if size == frame:
                return is_upright, size
        for frame, is_upright in ((upright, True), (raw, False)):
            if images.is_same_shape(frame, size):
                return is_upright, size
    raise DataFileError(
        f"{where}: {image.file.name} says {size[1]} x {size[0]} pixels, and the image has {upright[1]} x {upright[0]}: "
        f"use the image that was annotated"
    )
