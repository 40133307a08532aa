"""What is read from a tool's files: an image and its shapes, the same for every tool."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, NetdissectError, SettingsError, suggest_nearest
from netdissect.io.json_files import read_json
from netdissect.probe_sets.importers.annotations.image_finder import ImageFinder, find_files
from netdissect.probe_sets.importers.painting import abbreviate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netdissect.probe_sets.importers.annotations.shapes import Shape

#: What covers no pixels, or is no outline, and may be left out on request.
SHAPE_KINDS = ("points", "lines", "boxes", "skeletons", "cuboids")


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image that lies in the annotation file itself, as base64 below a key.

    Attributes:
        path: the file, a JSON.
        key: the key.
    """

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image and what is annotated in it.

    Attributes:
        name: what it is called in the set.
        photo: the image.
        size: its height and width as the file says them, if it does.
        shapes: label and shape of everything in it, the undermost first.
        split: the part of the set it belongs to, if the file says one.
        files: the annotation files.
    """

    name: str
    photo: Path | EmbeddedImage
    size: tuple[int, int] | None
    shapes: tuple[tuple[str, Shape], ...]
    split: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class AnnotationOptions:
    """What a person asks for.

    Attributes:
        boxes: detection boxes are taken as masks.
        leave_out: kinds of shapes (`SHAPE_KINDS`) that are left out.
        attribute: which of several attributes of a shape is its class (VIA).
        photos: folder of the images; None takes the one with the annotations.
    """

    boxes: bool = False
    leave_out: frozenset[str] = frozenset()
    attribute: str | None = None
    photos: Path | None = None

    @classmethod
    def of(
        cls, *, boxes: bool, leave_out: Sequence[str], attribute: str | None, photos: str | Path | None
    ) -> AnnotationOptions:
        """Return what is asked for.

        Raises:
            SettingsError: if there is no such kind of shape.
        """
        for kind in leave_out:
            if kind not in SHAPE_KINDS:
                raise SettingsError(f"--leave-out {kind}: {suggest_nearest(kind, SHAPE_KINDS)}")
        if boxes and "boxes" in leave_out:
            raise SettingsError("--boxes takes boxes as masks, and --leave-out boxes leaves them out: choose one")
        return cls(boxes, frozenset(leave_out), attribute, Path(photos) if photos is not None else None)


@dataclass
class AnnotationSet:
    """What a reader has found so far; readers fill it.

    Attributes:
        root: the folder that was given, or the folder of the file.
        out: the set's folder, in which nothing is looked for.
        wanted: what is asked for.
        images: the images.
        classes: the classes in the order of the tool's list, or as they were met.
        smaller_on_top: whether of shapes that overlap the smaller lies on top, and not the later.
        left_out: how many of what were left out.
        missing: images that were not found.
    """

    root: Path
    out: Path | None
    wanted: AnnotationOptions
    images: list[AnnotatedImage] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)
    smaller_on_top: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Know where images are looked for."""
        self.look_in(self.root)

    def look_in(self, root: Path) -> None:
        """Take another folder as the one that the annotations and, unless one is asked for, the images lie below."""
        self.root = root
        self.photos = ImageFinder(self.wanted.photos or self.root, self.out, apart=self.wanted.photos is not None)

    def files(self, where: Path, pattern: str) -> list[Path]:
        """Return the files below a folder that fit a pattern, sorted; hidden ones and those of the set are left aside."""
        return find_files(where, pattern, self.out)

    def add(
        self,
        photo: Path | EmbeddedImage | None,
        shapes: Sequence[tuple[str, Shape]],
        *,
        spelled: str,
        file: Path,
        size: tuple[int, int] | None = None,
        split: str = "",
    ) -> None:
        """Add an image.

        Args:
            photo: the image; None if it was not found.
            shapes: label and shape, the undermost first.
            spelled: what the file calls it.
            file: the annotation file.
            size: its height and width, if the file says them.
            split: its part of the set, if the file says one.
        """
        if not shapes:
            self.left_out["images without a shape"] += 1
            return
        if photo is None:
            self.missing.append(spelled)
            return
        for label, _ in shapes:
            self.classes.setdefault(label)
        name = photo.path.name if isinstance(photo, EmbeddedImage) else self.photos.name(photo)
        self.images.append(AnnotatedImage(name, photo, size, tuple(shapes), split, (file,)))

    def leave_out(self, kind: str, what: str, where: str) -> None:
        """Leave out a shape that has no outline, if that is asked for.

        Args:
            kind: one of `SHAPE_KINDS`.
            what: what it is, as the tool calls it.
            where: file, image and label.

        Raises:
            DataFileError: if it is not asked for.
        """
        if kind not in self.wanted.leave_out:
            raise DataFileError(f"{where}: a {what} covers no pixels: --leave-out {kind} leaves such shapes out")
        self.left_out[kind] += 1

    def takes_box(self, what: str, where: str) -> bool:
        """Say whether a detection box is taken as a mask; False if it is left out.

        Raises:
            DataFileError: if neither is asked for.
        """
        if "boxes" in self.wanted.leave_out:
            self.left_out["boxes"] += 1
        elif not self.wanted.boxes:
            raise DataFileError(
                f"{where}: {what}, and nothing is known of the object's outline: --boxes takes such boxes as masks, "
                f"--leave-out boxes leaves them out"
            )
        return self.wanted.boxes


@contextlib.contextmanager
def locate_errors(where: str) -> Iterator[None]:
    """Turn what goes wrong with a damaged record into one sentence that says where.

    Raises:
        DataFileError: for a missing key, a value of another kind, or a number that is none.
    """
    try:
        yield
    except NetdissectError:
        raise
    except KeyError as error:
        raise DataFileError(f"{where}: {error.args[0]!r} is missing") from error
    except (TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DataFileError(f"{where}: {error}") from error


def read_tool_json(path: Path, what: str) -> Any:
    """Return what a tool's JSON says.

    Raises:
        DataFileError: if it does not read.
    """
    return read_json(path, what, missing=DataFileError, wrong=DataFileError, lenient=True)


def require_object(value: object, what: str) -> dict[str, Any]:
    """Return an object of a JSON.

    Raises:
        ValueError: if it is something else.
    """
    if not isinstance(value, dict):
        raise ValueError(f"expected {what} as an object, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return value


def require_objects(value: object, what: str) -> list[dict[str, Any]]:
    """Return a list of objects of a JSON.

    Raises:
        ValueError: if it is something else.
    """
    if not isinstance(value, list):
        raise ValueError(f"expected {what} as a list, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return [require_object(entry, f"each of {what}") for entry in value]


def parse_label(value: object) -> str:
    """Return a label as one line, empty if there is none.

    Raises:
        ValueError: if it is no text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"expected a label as text, got {abbreviate(value)}")  # noqa: TRY004 - one kind
    return " ".join(value.split())


def parse_size(height: object, width: object) -> tuple[int, int]:
    """Return an image's height and width.

    Raises:
        ValueError: if they are no sizes.
    """
    for side in (height, width):
        if isinstance(side, bool) or not isinstance(side, (int, float)) or side < 1 or side != int(side):
            raise ValueError(f"expected an image's height and width, got {abbreviate(height)} and {abbreviate(width)}")
    return int(height), int(width)  # type: ignore[call-overload]  # looked at above
