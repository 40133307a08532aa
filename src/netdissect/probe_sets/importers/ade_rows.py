"""ADE20K's release of 2021 as a Hugging Face data set: a row an image, its class maps and what is named in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError
from netdissect.io import images
from netdissect.probe_sets.compile.ade20k import decode_classes
from netdissect.probe_sets.importers.ade_names import check_class_number, order_class_names, read_scene_name
from netdissect.probe_sets.importers.hugging_face import list_dataset_parts, open_dataset, read_cell, read_image_bytes
from netdissect.probe_sets.importers.split_names import find_split
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_COLUMNS = ("image", "segmentations", "filename", "scene", "objects")


@dataclass(frozen=True)
class AdeRows(Source):
    """The rows of a copy of ADE20K: a Source. The first class map of a row holds objects, the others parts, by level.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        parts: the data set's parts and the split each goes to; a part is opened again in every process.
        rows: per part, file name, scene and split of every row.
        object_names: names of class 1, 2, … as the rows spell them.
        scenes: the scenes' names, sorted.
    """

    name: str
    about: str
    parts: tuple[tuple[Any, str], ...]
    rows: tuple[tuple[tuple[str, str, str], ...], ...]
    object_names: tuple[str, ...]
    scenes: tuple[str, ...]

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        data = [getattr(part, "_fingerprint", "") for part, _ in self.parts]
        return hash_parts("ade rows", data, self.rows, self.object_names, self.scenes)

    def list_images(self) -> Sequence[SourceImage]:
        """Return its rows."""
        return [
            SourceImage(file, (position, row, scene), (), split)
            for position, rows in enumerate(self.rows)
            for row, (file, scene, split) in enumerate(rows)
        ]

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
        """Return a row's image, turned as its class map is."""
        where = self._place(entry, "image")
        return images.decode_image_in_frame(
            read_image_bytes(self._cell(entry, "image"), where), where, self._maps(entry)[0].shape
        )

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return scene, object plane and part planes of a row."""
        objects, *parts = self._maps(entry)
        labels: dict[str, CategoryLabels] = {"object": objects}
        if entry.record[2]:
            labels["scene"] = (self._scene_number[entry.record[2]],)
        if parts:
            labels["part"] = np.stack(parts)
        return labels

    @cached_property
    def _scene_number(self) -> dict[str, int]:
        return {scene: number for number, scene in enumerate(self.scenes, start=1)}

    def _maps(self, entry: SourceImage) -> list[NDArray[np.uint16]]:
        where = self._place(entry, "segmentations")
        maps = []
        for found in self._cell(entry, "segmentations") or ():
            with images.open_image(read_image_bytes(found, where), where, what="class map") as image:
                rgb = images.extract_label_numbers(image, where, "class map")
            if rgb.ndim != 3:
                raise DataFileError(f"{where}: expected class maps in RGB, got one in grey")
            maps.append(decode_classes(rgb.astype(np.uint8, copy=False)))
        if not maps or len({level.shape for level in maps}) > 1:
            raise DataFileError(f"{where}: expected class maps of one size, of objects and of every level of parts")
        return maps

    def _cell(self, entry: SourceImage, column: str) -> Any:
        position, row, _ = entry.record
        return read_cell(self.parts[position][0], row, column, self._place(entry, column))

    def _place(self, entry: SourceImage, column: str) -> str:
        return f"{self.name}, row {entry.record[1]} ({entry.file}), column {column!r}"


def open_ade_rows(dataset: str | Path, name: str, *, splits: bool) -> AdeRows:
    """Open a copy of ADE20K by its name on the hub, or the folder it lies in.

    Args:
        dataset: its name or folder.
        name: what it is called as a source.
        splits: whether its parts, or the folders that its rows name, decide the split.

    Raises:
        MissingExtraError: if the library ``datasets`` is not installed.
        DataNotFoundError: if it cannot be opened.
        DataFileError: if it is none.
    """
    parts = list_dataset_parts(open_dataset(dataset), None)
    names: dict[int, str] = {}
    tables = []
    for rows, split in parts:
        missing = [column for column in _COLUMNS if column not in rows.column_names]
        if missing:
            raise DataFileError(
                f"{dataset}: expected ADE20K with the columns {', '.join(_COLUMNS)}; {missing[0]!r} is missing: other data "
                f"sets are brought in with netdissect data from-hf"
            )
        names |= _read_class_names(dataset, rows)
        told = [rows.with_format(None)[column] for column in ("filename", "scene")]
        folders = rows.with_format(None)["folder"] if "folder" in rows.column_names else [""] * len(rows)
        tables.append(
            tuple(
                (
                    str(file),
                    read_scene_name(scene),
                    (split or find_split(str(folder or "").split("/"))) if splits else "",
                )
                for file, scene, folder in zip(*told, folders, strict=True)
            )
        )
    scenes = tuple(sorted({scene for table in tables for _, scene, _ in table if scene}))
    about = (
        f"ADE20K (Zhou et al., CVPR 2017), release of 2021, as the data set {dataset}: {sum(map(len, tables))} images"
    )
    return AdeRows(name, about, parts, tuple(tables), order_class_names(names), scenes)


def _read_class_names(dataset: object, rows: Any) -> dict[int, str]:
    """Return the name of every class that a row names; polygons and dates are never turned into Python's objects."""
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


#: Rows whose objects are looked at together.
_ROWS_PER_READ = 1000
