"""Annotated images as a source of a probe set, whatever tool they were annotated with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data.build.source import Item, Labelling, hashed
from netdissect.data.own import painting
from netdissect.data.own.annotations import whose
from netdissect.data.own.annotations.bitmaps import from_base64
from netdissect.data.own.annotations.record import Annotated, Embedded, Reading, Wanted, reading, told_in
from netdissect.data.own.classes import ClassList, read_classes
from netdissect.data.own.making import Making
from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, nearest
from netdissect.io import images
from netdissect.io.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.data.build.make import Made
    from netdissect.data.own.annotations.shapes import Shape
    from netdissect.data.own.painting import Patch

#: Tag of a camera's note how to turn its photograph (EXIF), and the notes that exchange height and width.
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)
#: Annotations may be of sides so many times as long as those of the image at hand, which is a smaller copy then.
_LARGER = 4


@dataclass(frozen=True)
class AnnotatedImages:
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
    images: tuple[Annotated, ...]
    smaller_on_top: bool

    aligned = True

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        shapes = [(image.name, image.size, image.split, hashed(*image.shapes)) for image in self.images]
        return hashed(
            "annotations", self.classes.fingerprint(), sorted(self.numbers.items()), self.smaller_on_top, shapes
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave the shapes of all images behind when it travels: a worker finds them in its items."""
        return {**self.__dict__, "images": ()}

    def items(self) -> Sequence[Item]:
        """Return its images."""
        return [
            Item(
                image.name,
                image,
                image.files if isinstance(image.photo, Embedded) else (image.photo, *image.files),
                image.split,
            )
            for image in self.images
        ]

    def names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def photo(self, item: Item) -> NDArray[np.uint8]:
        """Return an image, turned as its annotations are."""
        image: Annotated = item.record
        upright = _frame(image)[0]
        if isinstance(image.photo, Path):
            return images.load(image.photo, upright=upright)
        return images.decode(_embedded(image.photo), image.photo.path, upright=upright)

    def labels(self, item: Item) -> Mapping[str, Labelling]:
        """Return the label planes of an image, one per category."""
        image: Annotated = item.record
        size = _frame(image)[1]
        shapes = [
            (self.classes.codes[self.numbers[label]], (place, label, shape))
            for place, (label, shape) in enumerate(image.shapes, start=1)
        ]

        def patch_of(placed: tuple[int, str, Shape]) -> Patch:
            place, label, shape = placed
            with reading(f"{_called(image.photo)}, shape {place} ({one_line(label)})"):
                return shape.patch(size)

        if self.smaller_on_top:
            return dict(self.classes.split(painting.painted(shapes, size, patch_of)))
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
) -> Made:
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
        options: as `Making`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files, or a format that is not taken.
        SettingsError: for an option out of its range.
    """
    making = Making.of(options)
    wanted = Wanted.of(boxes=boxes, leave_out=leave_out, attribute=attribute, photos=photos)
    named = None if tool is None else tool.casefold().replace(" ", "-").replace("_", "-")
    if named is not None and named not in whose.TOOLS:
        raise SettingsError(f"--tool {tool}: {nearest(named, whose.TOOLS)}")
    source = annotated(Path(where), Path(out), named, wanted, making)
    on_top = "the smaller is on top" if source.smaller_on_top else "the one that the tool shows on top counts"
    about = f"Made with: netdissect data from-annotations. Of overlapping shapes {on_top}."
    return making.finish(source, out, about=about)


def annotated(where: Path, out: Path | None, tool: str | None, wanted: Wanted, making: Making) -> AnnotatedImages:
    """Return what a tool wrote as a source; whose it is, and what is left out, is told.

    Raises:
        DataError: one of its leaves, for anything wrong with the files, or a format that is not taken.
    """
    chosen, path = whose.recognised(where, out) if tool is None else whose.named(tool, where, out)
    making.say(f"{path} is {chosen.title}'s")
    found = Reading(path if path.is_dir() else path.parent, out, wanted)
    chosen.read(path, found)
    for what, count in found.left_out.items():
        making.say(f"left out: {count} {what}")
    _require_whole(found, path, chosen.title, skip_missing=making.skip_missing)
    numbers = {label: number for number, label in enumerate(found.classes, start=1)}
    classes = making.classes(read_classes({number: label for label, number in numbers.items()}, making.category))
    return AnnotatedImages(
        making.source_name(found.root), f"{path.name}, annotated with {chosen.title}", classes, numbers,
        tuple(found.images), found.smaller_on_top,
    )  # fmt: skip


def _require_whole(found: Reading, path: Path, title: str, *, skip_missing: bool) -> None:
    if found.missing and not skip_missing:
        shown = ", ".join(one_line(name) for name in found.missing[:3])
        more = f" and {len(found.missing) - 3} more" if len(found.missing) > 3 else ""
        raise DataNotFoundError(
            f"{path}: {len(found.missing)} of its images are not below {found.photos.root}: {shown}{more}; --photos names "
            f"their folder, --skip-missing leaves them out"
        )
    if not found.images:
        raise DataFileError(f"{path}: no image of it has a shape with a label, as {title} writes them")
    taken: dict[object, Annotated] = {}
    for image in found.images:
        try:
            f"{image.name}{''.join(label for label, _ in image.shapes)}".encode()
        except UnicodeEncodeError as error:
            raise DataFileError(f"{path}: the name {error.object!a} cannot be written as UTF-8: rename it") from error
        other = taken.setdefault(image.photo, image)
        if other is not image:
            files = " and ".join(dict.fromkeys((other.files[0].name, image.files[0].name)))
            raise DataFileError(f"{path}: the image {image.name} is annotated twice, in {files}: keep one of them")


def _embedded(photo: Embedded) -> bytes:
    with reading(str(photo.path)):
        return from_base64(told_in(photo.path, "annotations")[photo.key])


def _called(photo: Path | Embedded) -> str:
    return str(photo.path if isinstance(photo, Embedded) else photo)


def _frame(image: Annotated) -> tuple[bool, tuple[int, int]]:
    """Return whether annotations lie over the upright image, and the height and width that they are of.

    Tools show images upright; the size that a file says tells where one did not. The image may be a smaller copy.

    Raises:
        DataFileError: if it is of another shape than the annotations.
    """
    where = _called(image.photo)
    with images.opened(_embedded(image.photo) if isinstance(image.photo, Embedded) else image.photo, where) as opened:
        raw = opened.height, opened.width
        upright = raw[::-1] if opened.getexif().get(_ORIENTATION) in _LYING else raw
    size = image.size or upright
    if max(size) <= _LARGER * max(raw):
        for frame, turned in ((upright, True), (raw, False)):
            if size == frame:
                return turned, size
        for frame, turned in ((upright, True), (raw, False)):
            if images.same_shape(frame, size):
                return turned, size
    raise DataFileError(
        f"{where}: {image.files[0].name} says {size[1]} x {size[0]} pixels, and the image has {upright[1]} x {upright[0]}: "
        f"bring the image that was annotated"
    )
