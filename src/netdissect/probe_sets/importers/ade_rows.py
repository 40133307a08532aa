"""ADE20K's release of 2021 as a Hugging Face data set: one row per image, with its class maps and their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io import images, label_images
from netdissect.probe_sets.compile.ade20k import decode_classes, normalize_scene
from netdissect.probe_sets.importers.hugging_face import DatasetRows, list_dataset_parts, open_dataset, read_cell_file
from netdissect.probe_sets.importers.split_names import find_split
from netdissect.probe_sets.source import CategoryLabels, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_COLUMNS = ("image", "segmentations", "filename", "scene", "objects")
#: Rows whose objects are read together.
_ROWS_PER_READ = 1000
#: Class maps hold a class as (R // 10)·256 + G.
_LARGEST_CLASS = 25 * 256 + 255


@dataclass(frozen=True)
class AdeRows(DatasetRows):
    """The rows of a copy of ADE20K; a row's first class map holds objects, the others hold one level of parts each.

    Attributes:
        name: the folder below ``images/``.
        about: a sentence for README.txt.
        parts: the data set's parts, each with its split.
        images: the images; an image's record is the position of its part, the position of its row, and its scene.
        object_names: names of class 1, 2, …, as spelled in the rows.
        scenes: the scenes' names, sorted.
    """

    name: str
    about: str
    parts: tuple[tuple[Any, str], ...]
    images: tuple[SourceImage, ...]
    object_names: tuple[str, ...]
    scenes: tuple[str, ...]

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of the tables."""
        return hash_parts("ade rows", self.hash_data(), self.images, self.object_names, self.scenes)

    def list_images(self) -> Sequence[SourceImage]:
        """Return the images."""
        return self.images

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the names of a scene, object or part."""
        if label == 0:
            return ()
        if category == "scene":
            return (f"{self.scenes[label - 1]}-s",)
        if label > len(self.object_names) or self.object_names[label - 1] == "-":
            raise DataFileError(f"{self.name}: a class map holds class {label}, and no row names it")
        return tuple(re.split(r",\s*", self.object_names[label - 1]))

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image, upright or as stored, whichever fits its class maps."""
        where = self.describe_cell(entry, "image")
        data = read_cell_file(self.read_cell(entry, "image"), where)
        return images.decode_image_in_frame(data, where, self._read_class_maps(entry)[0].shape)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the scene, the label map of objects and those of parts."""
        objects, *parts = self._read_class_maps(entry)
        labels: dict[str, CategoryLabels] = {"object": objects}
        if entry.record[2]:
            labels["scene"] = (self._scene_number[entry.record[2]],)
        if parts:
            labels["part"] = np.stack(parts)
        return labels

    @cached_property
    def _scene_number(self) -> dict[str, int]:
        return {scene: number for number, scene in enumerate(self.scenes, start=1)}

    def _read_class_maps(self, entry: SourceImage) -> list[NDArray[np.uint16]]:
        where = self.describe_cell(entry, "segmentations")
        maps = []
        for cell in self.read_cell(entry, "segmentations") or ():
            with images.open_image(read_cell_file(cell, where), where, what="class map") as image:
                rgb = label_images.extract_label_numbers(image, where, "class map")
            if rgb.ndim != 3:
                raise DataFileError(f"{where}: expected class maps in RGB, got one in gray")
            maps.append(decode_classes(rgb.astype(np.uint8, copy=False)))
        if not maps or len({level.shape for level in maps}) > 1:
            raise DataFileError(f"{where}: expected class maps of one size, of objects and of every level of parts")
        return maps


def open_ade_rows(dataset: str | Path, name: str, *, splits: bool) -> AdeRows:
    """Open a copy of ADE20K's release of 2021 as a Hugging Face data set.

    Args:
        dataset: its name on the hub, or its folder.
        name: the source's name.
        splits: whether images have the splits of the parts, or of the folders in the rows.

    Raises:
        MissingExtraError: if the library ``datasets`` is not installed.
        DataNotFoundError: if it cannot be opened.
        DataFileError: if it is another data set.
    """
    parts = list_dataset_parts(open_dataset(dataset), None)
    names: dict[int, str] = {}
    found = []
    for position, (rows, split) in enumerate(parts):
        missing = [column for column in _COLUMNS if column not in rows.column_names]
        if missing:
            raise DataFileError(
                f"{dataset}: expected ADE20K with the columns {', '.join(_COLUMNS)}; {missing[0]!r} is missing: other data "
                f"sets are brought in with netdissect data from-hf"
            )
        names |= _read_class_names(dataset, rows)
        plain = rows.with_format(None)
        folders = plain["folder"] if "folder" in rows.column_names else [""] * len(rows)
        for row, (file, scene, folder) in enumerate(zip(plain["filename"], plain["scene"], folders, strict=True)):
            own = split or find_split(str(folder or "").split("/"))
            found.append(SourceImage(str(file), (position, row, read_scene_name(scene)), (), own if splits else ""))
    about = f"ADE20K (Zhou et al., CVPR 2017), release of 2021, as the data set {dataset}: {len(found)} images"
    scenes = tuple(sorted({entry.record[2] for entry in found if entry.record[2]}))
    return AdeRows(name, about, parts, tuple(found), order_class_names(names), scenes)


def _read_class_names(dataset: object, rows: Any) -> dict[int, str]:
    """Return the name of every class in the rows, without converting their polygons to Python objects."""
    names: dict[int, str] = {}
    try:
        for start in range(0, len(rows), _ROWS_PER_READ):
            table = rows.with_format("arrow", columns=["objects"])[start : start + _ROWS_PER_READ]
            things = table.column("objects").combine_chunks().flatten()
            for number, name in zip(
                things.field("name_ndx").to_pylist(), things.field("name").to_pylist(), strict=True
            ):
                names[check_class_number(number)] = str(name)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataFileError(f"{dataset}: expected ADE20K's objects, each with name and name_ndx ({error})") from error
    return names


def wrap_in_list(value: Any) -> list[Any]:
    """Return a value as a list: MATLAB writes a list of one item to JSON as the item itself."""
    return value if isinstance(value, list) else [value]


def read_scene_name(path: Any) -> str:
    """Return a scene's name as Broden spells it: the last part of its path; empty if there is none."""
    last = str(wrap_in_list(path)[-1]) if path else ""
    scene = normalize_scene(last.strip("/").rsplit("/", 1)[-1] if isinstance(path, str) else last)
    return "" if scene.startswith("~") else scene


def check_class_number(number: Any) -> int:
    """Return the number of a class; raise ValueError if it does not fit into a class map."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= _LARGEST_CLASS:
        raise ValueError(f"expected a class from 1 to {_LARGEST_CLASS} as 'name_ndx', got {ascii(number)[:40]}")
    return number


def order_class_names(names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of class 1, 2, …; ``-`` for a number that no row names."""
    return tuple(names.get(number, "-") for number in range(1, max(names, default=0) + 1))
