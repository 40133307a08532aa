"""Read PASCAL VOC 2010 with PASCAL-Part and PASCAL-Context (docs/broden.md, Building Broden)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.compile import matlab
from netdissect.probe_sets.compile.part_names import PartNames, read_part_names
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pascal(Source):
    """PASCAL: objects and parts. It has one image per annotation of PASCAL-Part.

    Attributes:
        photos: the folder ``JPEGImages``.
        parts: the folder ``Annotations_Part``.
        context: the folder of PASCAL-Context's label maps (459 classes); None takes the object masks of PASCAL-Part
            (20 classes).
        objects: the objects' names by number.
        part_names: the parts' names.
        skip_missing: leave out images whose photo or label map is missing.
    """

    photos: Path
    parts: Path
    context: Path | None
    objects: Mapping[int, str]
    part_names: PartNames
    skip_missing: bool = False

    name = "pascal"

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        labels = "PASCAL-Context (Mottaghi et al., CVPR 2014)" if self.context else "PASCAL-Part's own 20 classes"
        return f"PASCAL VOC 2010 with PASCAL-Part (Chen et al., CVPR 2014): parts; objects from {labels}"

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        names = self.part_names
        return hash_parts(
            "pascal", self.context is None, sorted(self.objects.items()), sorted(names.codes.items()), names.names,
            self.skip_missing,
        )  # fmt: skip

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images, sorted by name.

        Raises:
            DataNotFoundError: if there are none.
        """
        found = []
        for annotation in sorted(self.parts.glob("*.mat")):
            photo = self.photos / f"{annotation.stem}.jpg"
            context = None if self.context is None else self.context / annotation.name
            inputs = (photo, annotation, *([context] if context else []))
            if self.skip_missing and not all(path.is_file() for path in inputs):
                continue
            found.append(SourceImage(photo.name, (photo, annotation, context), inputs))
        if not found:
            raise DataNotFoundError(f"PASCAL: no annotation of {self.parts} has its image in {self.photos}")
        return found

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of an object or part label."""
        if label == 0:
            return ()
        if category == "part":
            return (self.part_names.names[label],)
        if label not in self.objects:
            raise DataFileError(f"PASCAL-Context: a label map holds number {label}, which labels.txt does not name")
        name = self.objects[label]
        return () if name == "unknown" else (name,)

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, RGB."""
        return images.load_image(entry.record[0])

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the object and part plane of an image; an image without objects has no part plane."""
        _, annotation, context = entry.record
        objects, parts = read_part_maps(annotation, self.part_names)
        labels: dict[str, CategoryLabels] = {}
        if context is not None:
            labels["object"] = read_context_map(context)
        elif objects is not None:
            labels["object"] = objects
        if parts is not None:
            labels["part"] = parts
        return labels


def open_pascal(folder: Path, *, skip_missing: bool = False) -> Pascal:
    """Open PASCAL.

    Args:
        folder: holds ``VOC2010/JPEGImages``, ``part/Annotations_Part``, ``part/part2ind.m``, ``context/labels.txt`` and
            ``context/trainval``, or some of them without the folder above.
        skip_missing: leave out images whose photo or label map is missing.

    Raises:
        DataNotFoundError: if one of them is missing; only the context is optional.
    """
    photos = _find_within(folder, "JPEGImages", "its photos")
    parts = _find_within(folder, "Annotations_Part", "PASCAL-Part")
    part_names = read_part_names(_find_within(folder, "part2ind.m", "PASCAL-Part's table"))
    labels = [*folder.glob("labels.txt"), *folder.glob("*/labels.txt")]
    if not labels:
        return Pascal(photos, parts, None, part_names.classes, part_names, skip_missing)
    context = labels[0].parent / "trainval"
    if not context.is_dir():
        raise DataNotFoundError(f"PASCAL: expected PASCAL-Context's label maps in {context}, next to labels.txt")
    return Pascal(photos, parts, context, read_context_names(labels[0]), part_names, skip_missing)


def read_context_names(path: Path) -> dict[int, str]:
    """Return the names by index in PASCAL-Context's ``labels.txt``: lines ``index: name``.

    Raises:
        DataFileError: if a line is something else, or an index is listed twice.
    """
    names: dict[int, str] = {}
    for line, text in enumerate(read_source_text(path, "PASCAL-Context's labels.txt").splitlines(), start=1):
        if not text.strip():
            continue
        number, _, name = (part.strip() for part in text.partition(":"))
        if not re.fullmatch(r"\d{1,5}", number, re.ASCII) or not name or int(number) in names:
            raise DataFileError(
                f"{path}, line {line}: expected 'index: name', each index once, got {text.strip()[:80]!r}"
            )
        names[int(number)] = name
    if not names:
        raise DataFileError(f"{path}: expected lines 'index: name', got none")
    return names


def read_context_map(path: Path) -> NDArray[np.integer[Any]]:
    """Read a label map of PASCAL-Context, uint16, shape (h, w).

    Raises:
        DataFileError: if it holds no plane of label numbers.
    """
    plane = np.asarray(matlab.read_mat_variable(path, "LabelMap"))
    if plane.ndim != 2 or plane.dtype.kind not in "uif" or not plane.size:
        raise DataFileError(f"{path}: expected a plane of label numbers as LabelMap, got {plane.dtype} {plane.shape}")
    with np.errstate(invalid="ignore"):
        labels: NDArray[np.uint16] = plane.astype(np.uint16)
    if (labels != plane).any():
        raise DataFileError(
            f"{path}: expected a plane of label numbers as LabelMap, whole and from 0 to 65535, got numbers from "
            f"{plane.min()} to {plane.max()}"
        )
    return labels


def read_part_maps(
    path: Path, part_names: PartNames
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]] | tuple[None, None]:
    """Read an annotation of PASCAL-Part.

    Returns:
        planes of object class and part, uint16, shape (h, w), later masks on top; None for both without objects.

    Raises:
        DataFileError: if masks differ in size, or a class or part has no name.
    """
    annotation = matlab.read_mat_variable(path, "anno")
    objects = matlab.to_list(matlab.get_field(annotation, "objects", path))
    planes: tuple[NDArray[np.uint16], NDArray[np.uint16]] | None = None
    for thing in objects:
        number = _parse_class_number(path, matlab.get_field(thing, "class_ind", path))
        if number not in part_names.classes:
            raise DataFileError(f"{path}: object class {number} is not in part2ind.m")
        mask = _parse_mask(path, thing)
        if planes is None:
            planes = np.zeros(mask.shape, np.uint16), np.zeros(mask.shape, np.uint16)
        _paint(path, planes[0], mask, number)
        for part in matlab.to_list(matlab.get_field(thing, "parts", path)):
            short = matlab.to_text(matlab.get_field(part, "part_name", path))
            if (number, short) not in part_names.codes:
                raise DataFileError(
                    f"{path}: part {short!r} of {part_names.classes[number]} is not in part2ind.m: "
                    f"the table belongs to another release"
                )
            _paint(path, planes[1], _parse_mask(path, part), part_names.codes[number, short])
    return planes or (None, None)


def _parse_class_number(path: Path, value: Any) -> int:
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "uif" or not np.isfinite(number).all() or number.item() % 1:
        raise DataFileError(f"{path}: expected a class number as class_ind, got {str(value)[:80]!r}")
    return int(number.item())


def _parse_mask(path: Path, structure: Any) -> NDArray[np.bool_]:
    mask = np.asarray(matlab.get_field(structure, "mask", path))
    if mask.ndim != 2:
        raise DataFileError(f"{path}: expected a mask of two dimensions, got {mask.shape}")
    return mask.astype(bool)


def _paint(path: Path, plane: NDArray[np.uint16], mask: NDArray[np.bool_], number: int) -> None:
    if mask.shape != plane.shape:
        raise DataFileError(f"{path}: masks of one image differ in size, {mask.shape} and {plane.shape}")
    plane[mask] = number


def _find_within(folder: Path, name: str, what: str) -> Path:
    found = [folder / name, *sorted(folder.glob(f"*/{name}")), *sorted(folder.glob(f"*/*/{name}"))]
    for path in found:
        if path.exists():
            return path
    raise DataNotFoundError(f"PASCAL: {what} is missing: expected {name} in {folder} or in a folder below it")
