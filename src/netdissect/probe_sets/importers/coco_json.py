"""What COCO's JSON says, checked before any work: every mistake is told with the annotation, image or category it is in."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CocoId = int | str


class CocoImage(NamedTuple):
    """An image of the JSON: its file below the folder of images, and its height and width."""

    file: str
    size: tuple[int, int]


class CocoShape(NamedTuple):
    """What one annotation outlines.

    Attributes:
        who: the annotation, for messages.
        kind: ``draw_polygons``, ``runs`` or ``draw_box``.
        outline: as the JSON has it.
    """

    who: str
    kind: str
    outline: Any


def read_coco_json(path: Path) -> tuple[dict[str, Any], str]:
    """Return what the JSON says, and a hash of it.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is no JSON, or lacks images, annotations or categories.
    """
    try:
        data = read_bytes(path, most=MAX_TEXT_BYTES)
        told = parse_json(data, lenient=True)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no annotation file {path}") from error
    except InvalidJSONError as error:
        raise DataFileError(f"{path}: expected COCO's JSON, got a file that does not read ({error})") from error
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror or error}") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(told, dict) or key not in told:
            raise DataFileError(
                f"{path}: expected COCO's instances or panoptic JSON; {key!r} is missing (netdissect data from-annotations "
                f"takes what other tools write)"
            )
        if not isinstance(told[key], list):
            raise DataFileError(f"{path}: expected a list of {key}, got {painting.abbreviate(told[key])}")
    return told, hashlib.sha256(data).hexdigest()


def read_categories(path: Path, told: Mapping[str, Any]) -> dict[CocoId, str]:
    """Return the name of every category by its id.

    Raises:
        DataFileError: if two have one id, or a name cannot be written.
    """
    found: dict[CocoId, str] = {}
    for entry in _iterate_objects(path, told, "categories"):
        own = _read_id(path, entry, "id", "a category")
        name = entry.get("name")
        if isinstance(name, bool) or not isinstance(name, (str, int)) or not str(name).strip():
            raise DataFileError(f"{path}: category {own!a}: expected a name, got {painting.abbreviate(name)}")
        if escape_line(" ".join(str(name).split())) != " ".join(str(name).split()):
            raise DataFileError(f"{path}: category {own!a}: its name {name!a} holds a character that cannot be written")
        if own in found:
            raise DataFileError(f"{path}: two categories have the id {own!a}: {found[own]!a} and {name!a}")
        found[own] = str(name)
    return found


def read_coco_images(path: Path, told: Mapping[str, Any]) -> dict[CocoId, CocoImage]:
    """Return every image by its id.

    Raises:
        DataFileError: if two have one id or one file, a file lies elsewhere, or a size is none.
    """
    found: dict[CocoId, CocoImage] = {}
    files: dict[str, CocoId] = {}
    for entry in _iterate_objects(path, told, "images"):
        own = _read_id(path, entry, "id", "an image")
        file = entry.get("file_name")
        if not isinstance(file, str) or not is_below(file) or escape_line(file) != file:
            raise DataFileError(
                f"{path}: image {own!a}: expected a file below the folder of images as 'file_name', got {painting.abbreviate(file)}"
            )
        if own in found:
            raise DataFileError(f"{path}: two images have the id {own!a}: {found[own].file} and {file}")
        if file in files:
            raise DataFileError(f"{path}: the images {files[file]!a} and {own!a} are one file, {file}")
        height, width = (_read_side(path, entry, side, own) for side in ("height", "width"))
        if height * width > images.MAX_IMAGE_PIXELS:
            raise DataFileError(
                f"{path}: image {own!a} ({file}): expected at most {images.MAX_IMAGE_PIXELS:,} pixels, got {width} x {height}"
            )
        files[file] = own
        found[own] = CocoImage(file, (height, width))
    return found


def read_coco_shapes(
    path: Path, told: Mapping[str, Any], listed: Mapping[CocoId, CocoImage], labels: Mapping[CocoId, int], *,
    boxes: bool, skip: bool,
) -> dict[CocoId, list[tuple[int, CocoShape]]]:  # fmt: skip
    """Return, per image, the label and shape of every annotation.

    Args:
        path: the JSON.
        told: what it says.
        listed: its images.
        labels: the label of every category; 0 leaves it out.
        boxes: whether an annotation without an outline is its box.
        skip: whether annotations without an outline, or of no image that is listed, are left out.

    Raises:
        DataFileError: naming the annotation and what is wrong with it.
    """
    found: dict[CocoId, list[tuple[int, CocoShape]]] = defaultdict(list)
    seen: set[CocoId] = set()
    for position, entry in enumerate(_iterate_objects(path, told, "annotations"), start=1):
        who = _describe_annotation(path, entry, position, seen)
        image = _read_image_id(path, entry, who, listed)
        label = _read_label(path, entry, who, labels)
        if image not in listed:
            if skip:
                continue
            raise DataFileError(_describe_unknown_image(path, who, image, listed))
        shape = _read_shape(path, entry, who, boxes=boxes)
        if shape is None:
            if skip:
                continue
            raise DataFileError(
                f"{path}: {who} has no outline ('segmentation'){_suggest_boxes(entry)}; --skip-missing leaves such out"
            )
        try:
            _check_shape(shape, listed[image].size)
        except (ValueError, TypeError, KeyError) as error:
            raise DataFileError(f"{path}: {who} of {listed[image].file}: its shape is damaged ({error})") from error
        if label:
            found[image].append((label, shape))
    return dict(found)


def read_segments(
    path: Path, told: Mapping[str, Any], listed: Mapping[CocoId, CocoImage], labels: Mapping[CocoId, int]
) -> dict[CocoId, tuple[str, tuple[tuple[int, int], ...]]]:
    """Return, per image of a panoptic segmentation, the file of its label map and the label of every segment.

    Raises:
        DataFileError: naming the annotation and what is wrong with it.
    """
    found: dict[CocoId, tuple[str, tuple[tuple[int, int], ...]]] = {}
    for position, entry in enumerate(_iterate_objects(path, told, "annotations"), start=1):
        who = f"annotation {position} (of image {painting.abbreviate(entry.get('image_id'))})"
        image = _read_image_id(path, entry, who, listed)
        file, infos = entry.get("file_name"), entry.get("segments_info")
        if image not in listed:
            raise DataFileError(_describe_unknown_image(path, who, image, listed))
        if image in found:
            raise DataFileError(f"{path}: {who}: that image has an annotation before")
        if not isinstance(infos, list) or not isinstance(file, str) or not is_below(file):
            raise DataFileError(f"{path}: {who}: expected 'segments_info' and a 'file_name' below the folder of masks")
        own: dict[int, int] = {}
        for info in infos:
            segment = info.get("id") if isinstance(info, dict) else None
            if isinstance(segment, bool) or not isinstance(segment, int) or not 0 < segment < 2**24 or segment in own:
                raise DataFileError(
                    f"{path}: {who}: expected segments of distinct ids from 1 to {2**24 - 1}, got {painting.abbreviate(segment)}"
                )
            own[segment] = _read_label(path, info, f"{who}, segment {segment}", labels)
        found[image] = file, tuple(own.items())
    return found


def draw_coco_shape(shape: CocoShape, size: tuple[int, int]) -> painting.MaskPatch:
    """Draw a shape.

    Raises:
        ValueError: if it cannot be drawn.
    """
    if shape.kind == "box":
        return painting.draw_box(shape.outline, size)
    if shape.kind == "runs":
        return painting.MaskPatch(0, 0, rle.decode_run_lengths(shape.outline, size))
    # A line between two corners has no pixel; pieces of lines beside true polygons are common.
    return painting.draw_polygons([ring for ring in shape.outline if len(ring) >= 6], size)


def _check_shape(shape: CocoShape, size: tuple[int, int]) -> None:
    """Look at a shape's numbers without drawing it.

    Raises:
        ValueError: if it cannot be drawn.
    """
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


def _read_shape(path: Path, entry: Mapping[str, Any], who: str, *, boxes: bool) -> CocoShape | None:
    outline = entry.get("segmentation")
    if isinstance(outline, dict):
        return CocoShape(who, "runs", outline)
    if isinstance(outline, list) and outline:
        return CocoShape(who, "polygons", outline)
    if outline not in (None, [], ""):
        raise DataFileError(
            f"{path}: {who}: expected polygons or run lengths as 'segmentation', got {painting.abbreviate(outline)}"
        )
    return CocoShape(who, "box", entry["bbox"]) if boxes and entry.get("bbox") else None


def _suggest_boxes(entry: Mapping[str, Any]) -> str:
    return ", only a box: --boxes takes boxes as masks" if entry.get("bbox") else " and no box"


def _iterate_objects(path: Path, told: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    for position, entry in enumerate(told[key], start=1):
        if not isinstance(entry, dict):
            raise DataFileError(
                f"{path}: expected {key} to be objects, got {painting.abbreviate(entry)} as number {position}"
            )
        yield entry


def _read_id(path: Path, entry: Mapping[str, Any], key: str, who: str) -> CocoId:
    """Return an id: a whole number or text."""
    value = entry.get(key)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise DataFileError(
            f"{path}: {who} has no id that can be one: expected a number or text, got {painting.abbreviate(value)}"
        )
    return value


def _describe_annotation(path: Path, entry: Mapping[str, Any], position: int, seen: set[CocoId]) -> str:
    """Return what an annotation is called in messages: by its id, or by where it stands."""
    if entry.get("id") is None:
        return f"the annotation at position {position}"
    own = _read_id(path, entry, "id", f"the annotation at position {position}")
    if own in seen:
        raise DataFileError(f"{path}: two annotations have the id {painting.abbreviate(own)}")
    seen.add(own)
    return f"annotation {painting.abbreviate(own)}"


def _read_image_id(path: Path, entry: Mapping[str, Any], who: str, listed: Mapping[CocoId, CocoImage]) -> CocoId:
    image = _read_id(path, entry, "image_id", f"the 'image_id' of {who}")
    other = _convert_id(image)
    if image not in listed and other in listed:
        raise DataFileError(
            f"{path}: {who} is of image {image!a}, and the image's id is {other!a}: ids must be numbers in both places, or "
            f"text in both"
        )
    return image


def _read_label(path: Path, entry: Mapping[str, Any], who: str, labels: Mapping[CocoId, int]) -> int:
    category = _read_id(path, entry, "category_id", f"the 'category_id' of {who}")
    if category not in labels:
        other = _convert_id(category)
        hint = f" (they list {other!a}: numbers in both places, or text in both)" if other in labels else ""
        raise DataFileError(
            f"{path}: {who} is of category {painting.abbreviate(category)}, which its categories do not list{hint}"
        )
    return labels[category]


def _convert_id(own: CocoId) -> CocoId | None:
    if isinstance(own, int):
        return str(own)
    return int(own) if own.isascii() and own.isdigit() and len(own) < 19 else None


def _describe_unknown_image(path: Path, who: str, image: CocoId, listed: Mapping[CocoId, CocoImage]) -> str:
    return (
        f"{path}: {who} is of image {painting.abbreviate(image)}, which is none of its {len(listed)} images; --skip-missing leaves "
        f"such out"
    )


def _read_side(path: Path, entry: Mapping[str, Any], side: str, own: CocoId) -> int:
    value = entry.get(side)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= images.MAX_IMAGE_PIXELS:
        raise DataFileError(
            f"{path}: image {own!a}: expected its {side} as a whole number from 1 to {images.MAX_IMAGE_PIXELS:,}, got "
            f"{painting.abbreviate(value)}"
        )
    return value
