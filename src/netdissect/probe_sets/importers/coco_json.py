"""Read and check COCO's JSON before any other work; errors name the annotation, image or category."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.json_files import InvalidJSONError, parse_json
from netdissect.io.names import is_below
from netdissect.io.reading import MAX_TEXT_BYTES, read_bytes
from netdissect.io.text import escape_line
from netdissect.probe_sets.importers import painting, rle
from netdissect.probe_sets.importers.painting import abbreviate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CocoId = int | str


class CocoImage(NamedTuple):
    """An image of the JSON: its file below the folder of images, its height and width, and the group of its video."""

    file: str
    size: tuple[int, int]
    group: str


class CocoShape(NamedTuple):
    """The outline of an annotation.

    Attributes:
        who: the annotation, for errors.
        kind: ``polygons``, ``runs`` or ``box``.
        outline: as the JSON has it.
    """

    who: str
    kind: str
    outline: Any


class CocoJson:
    """A JSON file in COCO's format; every method raises `DataFileError` if the part that it reads is invalid.

    Args:
        path: the file.

    Raises:
        DataNotFoundError: if there is no such file.
        DataFileError: if it is not JSON, or lacks images, annotations or categories.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            data = read_bytes(path, most=MAX_TEXT_BYTES)
            self._content = parse_json(data, lenient=True)
        except FileNotFoundError as error:
            raise DataNotFoundError(f"there is no annotation file {path}") from error
        except InvalidJSONError as error:
            raise self._make_error(f"expected COCO's JSON, got a file that cannot be parsed ({error})") from error
        except OSError as error:
            raise DataFileError(f"{path} cannot be read: {error.strerror or error}") from error
        for key in ("images", "annotations", "categories"):
            if not isinstance(self._content, dict) or key not in self._content:
                raise self._make_error(
                    f"expected COCO's instances or panoptic JSON; {key!r} is missing (netdissect data from-annotations takes "
                    f"what other tools write)"
                )
            if not isinstance(self._content[key], list):
                raise self._make_error(f"expected a list of {key}, got {abbreviate(self._content[key])}")
        self.digest = hashlib.sha256(data).hexdigest()

    @property
    def is_panoptic(self) -> bool:
        """Whether its annotations are label maps with segments."""
        return any("segments_info" in entry for entry in self._content["annotations"] if isinstance(entry, dict))

    def read_categories(self) -> dict[CocoId, str]:
        """Return the name of every category by its id."""
        found: dict[CocoId, str] = {}
        for entry in self._iterate_objects("categories"):
            own = self._read_id(entry, "id", "a category")
            name = entry.get("name")
            if isinstance(name, bool) or not isinstance(name, (str, int)) or not str(name).strip():
                raise self._make_error(f"category {own!a}: expected a name, got {abbreviate(name)}")
            if escape_line(" ".join(str(name).split())) != " ".join(str(name).split()):
                raise self._make_error(f"category {own!a}: its name {name!a} holds a character that cannot be written")
            if own in found:
                raise self._make_error(f"two categories have the id {own!a}: {found[own]!a} and {name!a}")
            found[own] = str(name)
        return found

    def read_images(self) -> dict[CocoId, CocoImage]:
        """Return every image by its id."""
        found: dict[CocoId, CocoImage] = {}
        files: dict[str, CocoId] = {}
        for entry in self._iterate_objects("images"):
            own = self._read_id(entry, "id", "an image")
            file = entry.get("file_name")
            if not isinstance(file, str) or not is_below(file) or escape_line(file) != file:
                raise self._make_error(
                    f"image {own!a}: expected a file below the folder of images as 'file_name', got {abbreviate(file)}"
                )
            if own in found:
                raise self._make_error(f"two images have the id {own!a}: {found[own].file} and {file}")
            if file in files:
                raise self._make_error(f"the images {files[file]!a} and {own!a} are one file, {file}")
            height, width = (self._read_side(entry, side, own) for side in ("height", "width"))
            if height * width > images.MAX_IMAGE_PIXELS:
                raise self._make_error(
                    f"image {own!a} ({file}): expected at most {images.MAX_IMAGE_PIXELS:,} pixels, got {width} x {height}"
                )
            files[file] = own
            video = entry.get("video_id")
            group = f"{self.path.parent.name}/{video}" if isinstance(video, (int, str)) else ""
            found[own] = CocoImage(file, (height, width), escape_line(group))
        return found

    def read_shapes(
        self, listed: Mapping[CocoId, CocoImage], labels: Mapping[CocoId, int], *, boxes: bool, skip: bool
    ) -> dict[CocoId, list[tuple[int, CocoShape]]]:
        """Return the label and shape of every annotation, by image.

        Args:
            listed: the images.
            labels: the label of every category; 0 leaves it out.
            boxes: use the box of an annotation without an outline.
            skip: leave out annotations without an outline, or of an image that is not listed.
        """
        found: dict[CocoId, list[tuple[int, CocoShape]]] = defaultdict(list)
        seen: set[CocoId] = set()
        for position, entry in enumerate(self._iterate_objects("annotations"), start=1):
            who = self._describe(entry, position, seen)
            image = self._read_image_id(entry, who, listed)
            label = self._read_label(entry, who, labels)
            if image not in listed:
                if skip:
                    continue
                raise self._make_unknown_image_error(who, image, listed)
            shape = self._read_shape(entry, who, boxes=boxes)
            if shape is None:
                if skip:
                    continue
                hint = ", only a box: --boxes takes boxes as masks" if entry.get("bbox") else " and no box"
                raise self._make_error(
                    f"{who} has no outline ('segmentation'){hint}; --skip-missing leaves such annotations out"
                )
            try:
                _check_shape(shape, listed[image].size)
            except (ValueError, TypeError, KeyError) as error:
                raise self._make_error(f"{who} of {listed[image].file}: its shape is damaged ({error})") from error
            if label:
                found[image].append((label, shape))
        return dict(found)

    def read_segments(
        self, listed: Mapping[CocoId, CocoImage], labels: Mapping[CocoId, int]
    ) -> dict[CocoId, tuple[str, tuple[tuple[int, int], ...]]]:
        """Return the file of the label map and the label of every segment, by image of a panoptic segmentation."""
        found: dict[CocoId, tuple[str, tuple[tuple[int, int], ...]]] = {}
        for position, entry in enumerate(self._iterate_objects("annotations"), start=1):
            who = f"annotation {position} (of image {abbreviate(entry.get('image_id'))})"
            image = self._read_image_id(entry, who, listed)
            file, segments = entry.get("file_name"), entry.get("segments_info")
            if image not in listed:
                raise self._make_unknown_image_error(who, image, listed)
            if image in found:
                raise self._make_error(f"{who}: the image already has an annotation")
            if not isinstance(segments, list) or not isinstance(file, str) or not is_below(file):
                raise self._make_error(f"{who}: expected 'segments_info' and a 'file_name' below the folder of masks")
            own: dict[int, int] = {}
            for each in segments:
                segment = each.get("id") if isinstance(each, dict) else None
                is_id = isinstance(segment, int) and not isinstance(segment, bool) and 0 < segment < 2**24
                if segment is None or not is_id or segment in own:
                    raise self._make_error(
                        f"{who}: expected segments of distinct ids from 1 to {2**24 - 1}, got {abbreviate(segment)}"
                    )
                own[segment] = self._read_label(each, f"{who}, segment {segment}", labels)
            found[image] = file, tuple(own.items())
        return found

    def _make_error(self, text: str) -> DataFileError:
        return DataFileError(f"{self.path}: {text}")

    def _make_unknown_image_error(self, who: str, image: CocoId, listed: Mapping[CocoId, CocoImage]) -> DataFileError:
        return self._make_error(
            f"{who} is of image {abbreviate(image)}, which is not among the {len(listed)} images; --skip-missing leaves such "
            f"annotations out"
        )

    def _iterate_objects(self, key: str) -> Iterator[Mapping[str, Any]]:
        for position, entry in enumerate(self._content[key], start=1):
            if not isinstance(entry, dict):
                raise self._make_error(f"expected {key} to be objects, got {abbreviate(entry)} as number {position}")
            yield entry

    def _read_id(self, entry: Mapping[str, Any], key: str, who: str) -> CocoId:
        """Return an id: a whole number or text."""
        value = _to_integer(entry.get(key))
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self._make_error(f"{who} has no valid id: expected a number or text, got {abbreviate(value)}")
        return value

    def _describe(self, entry: Mapping[str, Any], position: int, seen: set[CocoId]) -> str:
        """Return an annotation's name in error messages: its id, or else its position."""
        if entry.get("id") is None:
            return f"the annotation at position {position}"
        own = self._read_id(entry, "id", f"the annotation at position {position}")
        if own in seen:
            raise self._make_error(f"two annotations have the id {abbreviate(own)}")
        seen.add(own)
        return f"annotation {abbreviate(own)}"

    def _read_image_id(self, entry: Mapping[str, Any], who: str, listed: Mapping[CocoId, CocoImage]) -> CocoId:
        image = self._read_id(entry, "image_id", f"the 'image_id' of {who}")
        other = _convert_id(image)
        if image not in listed and other in listed:
            raise self._make_error(
                f"{who} is of image {image!a}, and the image's id is {other!a}: ids must be numbers in both places, or text in "
                f"both"
            )
        return image

    def _read_label(self, entry: Mapping[str, Any], who: str, labels: Mapping[CocoId, int]) -> int:
        category = self._read_id(entry, "category_id", f"the 'category_id' of {who}")
        if category not in labels:
            other = _convert_id(category)
            hint = f" (they list {other!a}: numbers in both places, or text in both)" if other in labels else ""
            raise self._make_error(
                f"{who} is of category {abbreviate(category)}, which its categories do not list{hint}"
            )
        return labels[category]

    def _read_side(self, entry: Mapping[str, Any], side: str, own: CocoId) -> int:
        value = _to_integer(entry.get(side))
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= images.MAX_IMAGE_PIXELS:
            raise self._make_error(
                f"image {own!a}: expected its {side} as a whole number from 1 to {images.MAX_IMAGE_PIXELS:,}, got "
                f"{abbreviate(value)}"
            )
        return value

    def _read_shape(self, entry: Mapping[str, Any], who: str, *, boxes: bool) -> CocoShape | None:
        outline = entry.get("segmentation")
        if isinstance(outline, dict):
            return CocoShape(who, "runs", outline)
        if isinstance(outline, list) and outline:
            return CocoShape(who, "polygons", outline)
        if outline not in (None, [], ""):
            raise self._make_error(
                f"{who}: expected polygons or run lengths as 'segmentation', got {abbreviate(outline)}"
            )
        return CocoShape(who, "box", entry["bbox"]) if boxes and entry.get("bbox") else None


def draw_coco_shape(shape: CocoShape, size: tuple[int, int]) -> painting.MaskPatch:
    """Return the mask of a shape; raise ValueError if it cannot be drawn."""
    if shape.kind == "box":
        return painting.draw_box(shape.outline, size)
    if shape.kind == "runs":
        return painting.MaskPatch(0, 0, rle.decode_run_lengths(shape.outline, size))
    # Lines between two corners, which cover no pixel, are common among polygons.
    return painting.draw_polygons([ring for ring in shape.outline if len(ring) >= 6], size)


def _check_shape(shape: CocoShape, size: tuple[int, int]) -> None:
    """Check the numbers of a shape without drawing it; raise ValueError if it cannot be drawn."""
    if shape.kind == "box":
        painting.parse_box(shape.outline, size)
    elif shape.kind == "runs":
        rle.check_run_lengths(shape.outline, size)
    elif not isinstance(shape.outline[0], list):
        raise ValueError(
            "expected a list of polygons [[x, y, x, y, …], …], got one list of numbers: put it into a list of its own"
        )
    else:
        for ring in shape.outline:
            if not isinstance(ring, list) or len(ring) % 2 or len(ring) > 5 or len(shape.outline) == 1:
                painting.parse_corners(ring, size)
        if all(len(ring) < 6 for ring in shape.outline):
            raise ValueError("none of its polygons has 3 corners")


def _to_integer(value: Any) -> Any:
    """Return a whole number that is written as a float, such as 3.0, as an integer, and any other value unchanged."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _convert_id(own: CocoId) -> CocoId | None:
    """Return a numeric id as text and a text id as a number; None if the text is not a number."""
    if isinstance(own, int):
        return str(own)
    return int(own) if own.isascii() and own.isdigit() and len(own) < 19 else None
