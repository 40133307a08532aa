"""Read ADE20K, the full release of 2016 or of 2021 (docs/broden.md, Building Broden)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io import images
from netdissect.io.names import is_below
from netdissect.probe_sets.compile import matlab, source_pixels
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_INDEX_FIELDS = ("filename", "folder", "scene", "objectnames")


@dataclass(frozen=True)
class Ade20k(Source):
    """ADE20K: scenes, objects, and parts on several levels.

    Attributes:
        root: the folder that the index's folders are relative to; it holds ``ADE20K_2016_07_26/`` or ``images/``.
        files: file name, folder and scene of every image.
        object_names: names of class 1, 2, … as the index spells them.
        scenes: the scenes' names, sorted; a scene's label is its position plus 1.
        skip_missing: leave out images whose files are missing.
        splits: the split of every folder; empty divides by the hash of the image's name.
    """

    root: Path
    files: tuple[tuple[str, str, str], ...]
    object_names: tuple[str, ...]
    scenes: tuple[str, ...] = field(default=())
    skip_missing: bool = False
    splits: Mapping[str, str] = field(default_factory=dict)

    name = "ade20k"

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return f"ADE20K (Zhou et al., CVPR 2017): {len(self.files)} images in its index, scenes, objects and parts"

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        tables = self.files, self.object_names, self.scenes, self.skip_missing
        return hash_parts("ade20k", *tables, *([sorted(self.splits.items())] if self.splits else []))

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images, in the order of the index.

        Raises:
            DataNotFoundError: if files are to be skipped, and those of every image are missing.
        """
        found = []
        for file, folder, scene in self.files:
            photo = _find_image(self.root / folder / file)
            stem = photo.with_suffix("")
            plane = Path(f"{stem}_seg.png")
            if self.skip_missing and not (photo.is_file() and plane.is_file()):
                continue
            parts = _find_part_maps(stem)
            split = self.splits.get(folder, "")
            found.append(SourceImage(file, (photo, plane, parts, scene), (photo, plane, *parts), split))
        if not found:
            raise DataNotFoundError(f"ADE20K: none of the {len(self.files)} images of its index lie below {self.root}")
        return found

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the names of a scene, object or part label."""
        if label == 0:
            return ()
        if category == "scene":
            return (f"{self.scenes[label - 1]}-s",)
        if label > len(self.object_names):
            raise DataFileError(
                f"ADE20K: a label map below {self.root} holds class {label}, and the index names only "
                f"{len(self.object_names)}: the index belongs to another release"
            )
        return tuple(re.split(r",\s*", self.object_names[label - 1]))

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, RGB, in the orientation of its label map."""
        photo, plane, *_ = entry.record
        return images.load_image_in_frame(photo, images.read_image_size(plane, "label map"))

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return scene, object plane and part planes of an image; those that it lacks are left out."""
        _, plane, parts, scene = entry.record
        labels: dict[str, CategoryLabels] = {"object": read_class_map(plane)}
        if scene in self._scene_number:
            labels["scene"] = (self._scene_number[scene],)
        if parts:
            levels = [read_class_map(path) for path in parts]
            if len({level.shape for level in levels}) > 1:
                raise DataFileError(f"{parts[0]} and its neighbors: part maps of one image differ in size")
            labels["part"] = np.stack(levels)
        return labels

    @cached_property
    def _scene_number(self) -> dict[str, int]:
        return {scene: number for number, scene in enumerate(self.scenes, start=1)}


def open_ade20k(folder: Path, *, skip_missing: bool = False) -> Ade20k:
    """Open an ADE20K release by its index.

    Args:
        folder: the folder of ``index_ade20k.mat``, or the one above it.
        skip_missing: leave out images whose files are missing.

    Raises:
        DataNotFoundError: if there is no index.
        DataFileError: if the index is damaged or lacks a field.
    """
    index_file = find_ade20k_index(folder)
    index = matlab.read_mat_variable(index_file, "index")
    columns = [
        [matlab.to_text(x) for x in matlab.to_list(matlab.get_field(index, name, index_file))] for name in _INDEX_FIELDS
    ]
    files, folders, scenes, names = columns
    if not len(files) == len(folders) == len(scenes):
        raise DataFileError(
            f"{index_file}: expected as many folders and scenes as file names ({len(files)}), "
            f"got {len(folders)} and {len(scenes)}"
        )
    for file, inside in zip(files, folders, strict=True):
        if "/" in file or not is_below(f"{inside or '.'}/{file}") or file in ("", "."):
            raise DataFileError(
                f"{index_file}: expected a file name and a relative folder, got {inside[:200]!r} and {file[:200]!r}"
            )
    scenes = [normalize_scene(scene) for scene in scenes]
    known = sorted({scene for scene in scenes if scene and not scene.startswith("~")})
    root, folders = _find_root(index_file, folders)
    rows = tuple(zip(files, folders, scenes, strict=True))
    return Ade20k(root, rows, tuple(names), tuple(known), skip_missing)


def find_ade20k_index(folder: Path) -> Path:
    """Return the index file of a release: in the folder or one level below.

    Raises:
        DataNotFoundError: if there is none.
    """
    found = sorted([*folder.glob("index*.mat"), *folder.glob("*/index*.mat")])
    if not found:
        raise DataNotFoundError(f"ADE20K: expected index_ade20k.mat in {folder} or in a folder below it")
    return found[0]


def normalize_scene(scene: str) -> str:
    """Return a scene's name as Broden spells it.

    >>> normalize_scene("arrival_gate/outdoor"), normalize_scene("bow_window - indoor")
    ('arrival_gate-outdoor', 'bow_window-indoor')
    """
    return scene.replace(" - ", "-").replace("/", "-")


def read_class_map(path: Path) -> NDArray[np.uint16]:
    """Read a class map, uint16, shape (h, w): class = (R // 10)·256 + G."""
    return decode_classes(source_pixels.read_rgb_label_map(path))


def decode_classes(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return the classes of a class map's RGB values, given with shape (h, w, 3)."""
    high = (rgb[..., 0] // 10).astype(np.uint16)
    return high * np.uint16(256) + rgb[..., 1]


def _find_image(path: Path) -> Path:
    """Return an image's path as the index spells it, or the one with another suffix if only that exists."""
    if path.is_file():
        return path
    others = (path.with_suffix(ending) for ending in sorted(images.ENDINGS))
    return next((other for other in others if other.is_file()), path)


def _find_part_maps(stem: Path) -> tuple[Path, ...]:
    """Return the existing part maps of an image, level by level."""
    found: list[Path] = []
    while (level := Path(f"{stem}_parts_{len(found) + 1}.png")).is_file():
        found.append(level)
    return tuple(found)


def _find_root(index_file: Path, folders: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the folder that the index's folders are relative to, and those folders.

    It is the folder above the release, or the release itself, which may have been renamed.
    """
    own = index_file.parent
    first = PurePosixPath(folders[0]).parts[0] if folders and folders[0] else ""
    for root in (own.parent, own):
        if first and (root / first).is_dir():
            return root, list(folders)
    inner = [PurePosixPath(*PurePosixPath(folder).parts[1:]).as_posix() for folder in folders]
    return (own, inner) if inner and (own / inner[0]).is_dir() else (own, list(folders))
