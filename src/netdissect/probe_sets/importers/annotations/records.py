"""Records of the images and shapes in annotation files, the same for every annotation tool."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, NetdissectError, SettingsError, suggest_nearest
from netdissect.io.json_files import read_json
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers.annotations.image_finder import ImageFinder, find_files
from netdissect.probe_sets.importers.painting import abbreviate, parse_coordinate
from netdissect.probe_sets.source import SourceImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: Kinds of shapes that have no pixels or no outline, and can be left out.
SHAPE_KINDS = ("points", "lines", "boxes", "skeletons", "cuboids")


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image stored in an annotation file, as base64.

    Attributes:
        path: the file, a JSON.
        key: the key of the base64.
    """

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image and its shapes.

    Attributes:
        photo: the image.
        size: height and width in the annotation file, if it gives any.
        shapes: label and outline of every shape, from bottom to top.
        file: the annotation file.
    """

    photo: Path | EmbeddedImage
    size: tuple[int, int] | None
    shapes: tuple[tuple[str, Shape], ...]
    file: Path


@dataclass(frozen=True)
class AnnotationOptions:
    """Options for annotation tools.

    Attributes:
        boxes: use detection boxes as masks.
        leave_out: kinds of shapes (`SHAPE_KINDS`) to leave out.
        attribute: the attribute that holds a shape's class (VIA).
        photos: folder of the images; None takes that of the annotations.
    """

    boxes: bool = False
    leave_out: Sequence[str] = ()
    attribute: str | None = None
    photos: Path | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            SettingsError: if there is no such kind of shape, or boxes are both taken and left out.
        """
        for kind in self.leave_out:
            if kind not in SHAPE_KINDS:
                raise SettingsError(f"--leave-out {kind}: {suggest_nearest(kind, SHAPE_KINDS)}")
        if self.boxes and "boxes" in self.leave_out:
            raise SettingsError("--boxes takes boxes as masks, and --leave-out boxes leaves them out: choose one")


@dataclass
class AnnotationSet:
    """The images and classes read so far; the reader of a tool fills it.

    Attributes:
        root: the folder of the annotations.
        out: folder of the probe set; files in it are ignored.
        options: the options.
        images: the images; their records are `AnnotatedImage`.
        classes: the classes in the order of the tool's list, or else of the shapes.
        smaller_on_top: whether smaller shapes are on top of larger ones; if not, later shapes are on top of earlier ones.
        left_out: the number of shapes and images left out, by kind.
        missing: names of images that were not found.
    """

    root: Path
    out: Path | None
    options: AnnotationOptions
    images: list[SourceImage] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)
    smaller_on_top: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look for images in the root."""
        self.set_root(self.root)

    def set_root(self, root: Path) -> None:
        """Set the folder of the annotations and, unless the option `photos` names one, of the images."""
        self.root = root
        self.photos = ImageFinder(self.options.photos or root, self.out, images_only=self.options.photos is not None)

    def find_files(self, where: Path, pattern: str) -> list[Path]:
        """Return the files below a folder whose names match a pattern, sorted; hidden files and the probe set are skipped."""
        return find_files(where, pattern, self.out)

    def read_shapes(
        self,
        entries: Iterable[Any],
        where: str,
        read_label: Callable[[Any], object],
        read_shape: Callable[[Any, str, AnnotationSet], Shape | None],
        read_depth: Callable[[Any], float] = lambda _: 0,
    ) -> list[tuple[str, Shape]]:
        """Read the shapes of an image, and return them from bottom to top; errors name the shape.

        Args:
            entries: the shapes as the tool writes them.
            where: the name of a shape in error messages, without its number.
            read_label: returns the label of a shape.
            read_shape: returns the outline of a shape; None leaves it out.
            read_depth: returns the depth of a shape; higher ones are on top, and of equal depth the later.
        """
        found = []
        for number, entry in enumerate(entries, start=1):
            with locate_errors(f"{where} {number}"):
                label = parse_label(read_label(entry))
            where_shape = f"{where} {number} ({escape_line(label)})" if label else f"{where} {number}"
            with locate_errors(where_shape):
                shape = read_shape(entry, where_shape, self)
                depth = read_depth(entry)
            if shape is not None:
                found.append((depth, label, shape))
        return [(label, shape) for _, label, shape in sorted(found, key=lambda each: each[0])]

    def drop_unlabeled(self, shapes: Sequence[tuple[str, Shape]]) -> list[tuple[str, Shape]]:
        """Return the shapes that have a label; the others are counted as left out."""
        labeled = [(label, shape) for label, shape in shapes if label]
        if len(labeled) < len(shapes):
            self.left_out["regions without a label"] += len(shapes) - len(labeled)
        return labeled

    def add(
        self,
        photo: Path | EmbeddedImage | None,
        shapes: Sequence[tuple[str, Shape]],
        *,
        name: str,
        file: Path,
        size: tuple[int, int] | None = None,
        split: str = "",
    ) -> None:
        """Add an image.

        Args:
            photo: the image; None if it was not found.
            shapes: label and outline of every shape, from bottom to top.
            name: the image's name in the annotation file.
            file: the annotation file.
            size: height and width in the file.
            split: the split in the file.
        """
        if not shapes:
            self.left_out["images without a shape"] += 1
            return
        if photo is None:
            self.missing.append(name)
            return
        self.classes |= dict.fromkeys(label for label, _ in shapes if label not in self.classes)
        record = AnnotatedImage(photo, size, tuple(shapes), file)
        inputs = (photo, file) if isinstance(photo, Path) else (file,)
        own = self.photos.name_image(photo) if isinstance(photo, Path) else photo.path.name
        self.images.append(SourceImage(own, record, inputs, split))

    def leaves_out(self, kind: str) -> bool:
        """Return whether shapes of a kind are left out; if so, count one more as left out."""
        self.left_out[kind] += kind in self.options.leave_out
        return kind in self.options.leave_out

    def leave_out(self, kind: str, what: str, where: str) -> None:
        """Count a shape without pixels as left out; raise DataFileError if the options do not leave its kind out.

        Args:
            kind: one of `SHAPE_KINDS`.
            what: what the tool calls the shape.
            where: file, image and label.
        """
        if not self.leaves_out(kind):
            raise DataFileError(f"{where}: a {what} covers no pixels: --leave-out {kind} leaves such shapes out")

    def takes_box(self, what: str, where: str) -> bool:
        """Return whether detection boxes are used as masks; raise DataFileError if they are neither used nor left out."""
        if not self.leaves_out("boxes") and not self.options.boxes:
            raise DataFileError(
                f"{where}: {what}, which gives no outline of the object: --boxes uses such boxes as masks, "
                f"--leave-out boxes leaves them out"
            )
        return self.options.boxes


@contextlib.contextmanager
def locate_errors(where: str) -> Iterator[None]:
    """Return a context manager that raises errors about a damaged record as a `DataFileError` with its location."""
    try:
        yield
    except NetdissectError:
        raise
    except KeyError as error:
        raise DataFileError(f"{where}: {error.args[0]!r} is missing") from error
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DataFileError(f"{where}: {error}") from error


def read_tool_json(path: Path, what: str) -> Any:
    """Return the content of a tool's JSON file; raise DataFileError if it cannot be read."""
    return read_json(path, what, missing=DataFileError, wrong=DataFileError, lenient=True)


def require_object(value: object, what: str) -> dict[str, Any]:
    """Return an object of a JSON; raise ValueError if it is something else."""
    if not isinstance(value, dict):
        raise ValueError(f"expected {what} as an object, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return value


def require_objects(value: object, what: str) -> list[dict[str, Any]]:
    """Return a list of objects of a JSON; raise ValueError if it is something else."""
    if not isinstance(value, list):
        raise ValueError(f"expected {what} as a list, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return [require_object(entry, f"each of {what}") for entry in value]


def read_numbers(entry: Mapping[str, Any], *keys: str) -> tuple[float, ...]:
    """Return the numbers under some keys of an object; raise ValueError if one is not finite."""
    return tuple(parse_coordinate(entry[key]) for key in keys)


def parse_label(value: object) -> str:
    """Return a label with single spaces, empty for None; raise ValueError if it is not text."""
    if value is None:
        return ""
    return " ".join(require_text(value, "a label").split())


def require_text(value: object, what: str) -> str:
    """Return a text of a JSON; raise ValueError if it is something else."""
    if not isinstance(value, str):
        raise ValueError(f"expected {what} as text, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return value


def parse_size(height: object, width: object) -> tuple[int, int]:
    """Return an image's height and width; raise ValueError if they are not positive whole numbers."""
    for side in (height, width):
        if isinstance(side, bool) or not isinstance(side, (int, float)) or side < 1 or side != int(side):
            raise ValueError(f"expected an image's height and width, got {abbreviate(height)} and {abbreviate(width)}")
    return int(height), int(width)  # type: ignore[call-overload]  # checked above
