"""Read OpenSurfaces after its post-processing (opensurfaces_shapes.py; docs/broden.md, Building Broden)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.probe_sets.broden.tables import parse_table
from netdissect.probe_sets.compile import source_pixels
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts, read_source_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.probe_sets.broden.tables import TableLine


@dataclass(frozen=True)
class OpenSurfaces(Source):
    """OpenSurfaces: materials. Its scenes and objects are unbalanced, so Broden does not use them.

    Attributes:
        root: the folder with ``photos/`` and ``photos-labels/``.
        photos: the photos' numbers, in the order of ``photos.csv``.
        substances: the materials' names by red value.
        skip_missing: leave out photos whose image or label map is missing.
    """

    root: Path
    photos: tuple[int, ...]
    substances: Mapping[int, str]
    skip_missing: bool = False

    name = "opensurfaces"
    aligned = False  # its label maps are drawn with an aspect ratio from a table

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return f"OpenSurfaces release 0 (Bell et al., SIGGRAPH 2013): {len(self.photos)} photos in its list, materials"

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts("opensurfaces", self.photos, sorted(self.substances.items()), self.skip_missing)

    def list_images(self) -> Sequence[SourceImage]:
        """Return its photos, in the order of ``photos.csv``."""
        found = []
        for number in self.photos:
            photo, plane = self.root / "photos" / f"{number}.jpg", self.root / "photos-labels" / f"{number}.png"
            if self.skip_missing and not (photo.is_file() and plane.is_file()):
                continue
            found.append(SourceImage(photo.name, (photo, plane), (photo, plane)))
        if not found:
            raise DataNotFoundError(
                f"OpenSurfaces: none of the {len(self.photos)} photos of photos.csv lie in {self.root / 'photos'}"
            )
        return found

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - it has one category
        """Return the names of a material label."""
        if label == 0:
            return ()
        if label not in self.substances:
            raise DataFileError(
                f"OpenSurfaces: a label map in {self.root / 'photos-labels'} holds red value {label}, which "
                f"label-substance-colors.csv does not name"
            )
        return tuple(normalize_material(name) for name in self.substances[label].split("/"))

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, RGB, in the orientation of its label map."""
        photo, plane, *_ = entry.record
        return images.load_image_in_frame(photo, images.read_image_size(plane, "label map"))

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the material plane of an image: the red channel of its label map."""
        return {"material": source_pixels.read_rgb_label_map(entry.record[1])[..., 0]}


def open_opensurfaces(folder: Path, *, skip_missing: bool = False) -> OpenSurfaces:
    """Open OpenSurfaces after its post-processing.

    Args:
        folder: the folder of ``photos.csv``.
        skip_missing: leave out photos whose image or label map is missing.

    Raises:
        DataNotFoundError: if a table is missing.
        DataFileError: if a table is damaged or contradicts itself.
    """
    substances: dict[int, str] = {}
    for line in _read_lines(folder / "label-substance-colors.csv", ["substance_name", "red_color"]):
        red = line.parse_integer("red_color", 1)
        if red > 255 or red in substances:
            raise line.error(f"expected red values from 1 to 255, each once, got {red}")
        substances[red] = line["substance_name"]
    lines = _read_lines(folder / "photos.csv", ["photo_id"])
    photos = tuple(line.parse_integer("photo_id", 0) for line in lines)
    if len(set(photos)) < len(photos):
        raise DataFileError(f"{folder / 'photos.csv'}: a photo_id is listed twice")
    return OpenSurfaces(folder, photos, substances, skip_missing)


def normalize_material(name: str) -> str:
    """Return a material's name as Broden spells it.

    >>> normalize_material("Plastic - clear"), normalize_material(" Fabric")
    ('plastic-clear', 'fabric')
    """
    return name.replace(" - ", "-").strip().lower()


def _read_lines(path: Path, columns: Sequence[str]) -> Sequence[TableLine]:
    """Return the lines of one of OpenSurfaces' tables, which has at least one."""
    lines = parse_table(path, read_source_text(path, "OpenSurfaces' table"), columns, strict=False).lines
    if not lines:
        raise DataFileError(f"{path}: expected at least one line below the columns")
    return lines
