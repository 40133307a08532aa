"""Annotated images as a source of a probe set, whatever tool they were annotated with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.importers.annotations.shapes import Shape
    from netdissect.probe_sets.importers.painting import MaskPatch

#: Tag of a camera's note how to turn its photograph (EXIF), and the notes that exchange height and width.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
#: Annotations may be of sides so many times as long as those of the image at hand, which is a smaller copy then.
_LARGEST_SCALE = 4


@dataclass(frozen=True)
class AnnotatedImages(Source):
    """Images annotated with a tool: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the classes, numbered from 1 as `numbers` has them.
        numbers: number of every label.
        images: the images.
        smaller_on_top: whether of shapes that overlap the smaller lies on top, and not the later.
    """

    name: str
    about: str
    classes: ClassList
    numbers: Mapping[str, int]
    images: tuple[AnnotatedImage, ...]
    smaller_on_top: bool

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        shapes = [(image.name, image.size, image.split, hash_parts(*image.shapes)) for image in self.images]
        return hash_parts(
            "annotations", self.classes.fingerprint(), sorted(self.numbers.items()), self.smaller_on_top, shapes
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the shapes of all images behind when it travels: a worker finds them in its items."""
        return {**self.__dict__, "images": ()}

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images."""
        return [
            SourceImage(
                image.name,
                image,
                image.files if isinstance(image.photo, EmbeddedImage) else (image.photo, *image.files),
                image.split,
            )
            for image in self.images
        ]

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, turned as its annotations are."""
        image: AnnotatedImage = entry.record
        upright = _find_frame(image)[0]
        if isinstance(image.photo, Path):
            return images.load_image(image.photo, upright=upright)
        return images.decode_image(_read_embedded(image.photo), image.photo.path, upright=upright)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label planes of an image, one per category."""
        image: AnnotatedImage = entry.record
        size = _find_frame(image)[1]
        shapes = [
            (self.classes.codes[self.numbers[label]], (place, label, shape))
            for place, (label, shape) in enumerate(image.shapes, start=1)
        ]

        def patch_of(placed: tuple[int, str, Shape]) -> MaskPatch:
            place, label, shape = placed
            with locate_errors(f"{_describe_image(image.photo)}, shape {place} ({escape_line(label)})"):
                return shape.patch(size)

        if self.smaller_on_top:
            return dict(self.classes.split(painting.paint_smallest_on_top(shapes, size, patch_of)))
        plane = np.zeros(size, np.uint16)
        for label, placed in shapes:
            top, left, mask = patch_of(placed)
            plane[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = label
        return dict(self.classes.split(plane))


def from_annotations(
    where: str | Path,
    out: str | Path,
    *,
    tool: str | None = None,
    photos: str | Path | None = None,
    boxes: bool = False,
    leave_out: Sequence[str] = (),
    attribute: str | None = None,
    **options: Any,
) -> BuildResult:
    """Make a probe set of what an annotation tool wrote.

    Of shapes that overlap, the one that the tool shows on top counts; images without a shape are left out.

    Args:
        where: the folder or file that the tool exported: of CVAT, Hasty, labelme, Label Studio, Supervisely, VGG VIA or
            YOLO.
        out: the set's folder.
        tool: the tool's name, where the files do not tell (``cvat``, ``hasty``, ``labelme``, ``label-studio``,
            ``supervisely``, ``via``, ``yolo``).
        photos: folder of the images; None looks for them beside the annotations.
        boxes: take detection boxes, which say nothing of an outline, as masks.
        leave_out: kinds of shapes that are left out: points, lines, boxes, skeletons, cuboids.
        attribute: which of a shape's attributes is its class, where it has several (VIA).
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files, or a format that is not taken.
        SettingsError: for an option out of its range.
    """
    making = ImportOptions.of(options)
    wanted = AnnotationOptions.of(boxes=boxes, leave_out=leave_out, attribute=attribute, photos=photos)
    named = None if tool is None else tool.casefold().replace(" ", "-").replace("_", "-")
    if named is not None and named not in tool_table.TOOLS:
        raise SettingsError(f"--tool {tool}: {suggest_nearest(named, tool_table.TOOLS)}")
    source = read_annotations(Path(where), Path(out), named, wanted, making)
    on_top = "the smaller is on top" if source.smaller_on_top else "the one that the tool shows on top counts"
    about = f"Made with: netdissect data from-annotations. Of overlapping shapes {on_top}."
    return making.finish(source, out, about=about)


def read_annotations(
    where: Path, out: Path | None, tool: str | None, wanted: AnnotationOptions, making: ImportOptions
) -> AnnotatedImages:
    """Return what a tool wrote as a source; whose it is, and what is left out, is told.

    Raises:
        DataError: one of its leaves, for anything wrong with the files, or a format that is not taken.
    """
    chosen, path = (
        tool_table.recognize_tool(where, out) if tool is None else tool_table.find_tool_export(tool, where, out)
    )
    making.say(f"{path} is {chosen.title}'s")
    found = AnnotationSet(path if path.is_dir() else path.parent, out, wanted)
    chosen.read(path, found)
    for what, count in found.left_out.items():
        making.say(f"left out: {count} {what}")
    _check_images(found, path, chosen.title, skip_missing=making.skip_missing)
    numbers = {label: number for number, label in enumerate(found.classes, start=1)}
    classes = making.classes(read_class_list({number: label for label, number in numbers.items()}, making.category))
    return AnnotatedImages(
        making.source_name(found.root), f"{path.name}, annotated with {chosen.title}", classes, numbers,
        tuple(found.images), found.smaller_on_top,
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
    taken: dict[object, AnnotatedImage] = {}
    for image in found.images:
        try:
            f"{image.name}{''.join(label for label, _ in image.shapes)}".encode()
        except UnicodeEncodeError as error:
            raise DataFileError(f"{path}: the name {error.object!a} cannot be written as UTF-8: rename it") from error
        other = taken.setdefault(image.photo, image)
        if other is not image:
            files = " and ".join(dict.fromkeys((other.files[0].name, image.files[0].name)))
            raise DataFileError(f"{path}: the image {image.name} is annotated twice, in {files}: keep one of them")


def _read_embedded(photo: EmbeddedImage) -> bytes:
    with locate_errors(str(photo.path)):
        return decode_base64(read_tool_json(photo.path, "annotations")[photo.key])


def _describe_image(photo: Path | EmbeddedImage) -> str:
    return str(photo.path if isinstance(photo, EmbeddedImage) else photo)


def _find_frame(image: AnnotatedImage) -> tuple[bool, tuple[int, int]]:
    """Return whether annotations lie over the upright image, and the height and width that they are of.

    Tools show images upright; the size that a file says tells where one did not. The image may be a smaller copy.

    Raises:
        DataFileError: if it is of another shape than the annotations.
    """
    where = _describe_image(image.photo)
    with images.open_image(
        _read_embedded(image.photo) if isinstance(image.photo, EmbeddedImage) else image.photo, where
    ) as opened:
        raw = opened.height, opened.width
        upright = raw[::-1] if opened.getexif().get(_ORIENTATION) in _LYING else raw
    size = image.size or upright
    if max(size) <= _LARGEST_SCALE * max(raw):
        for frame, turned in ((upright, True), (raw, False)):
            if size == frame:
                return turned, size
        for frame, turned in ((upright, True), (raw, False)):
            if images.is_same_shape(frame, size):
                return turned, size
    raise DataFileError(
        f"{where}: {image.files[0].name} says {size[1]} x {size[0]} pixels, and the image has {upright[1]} x {upright[0]}: "
        f"bring the image that was annotated"
    )
