"""``from-hf``: a Hugging Face data set with a column of masks, or of classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError
from netdissect.io import images
from netdissect.optional_libraries import import_optional
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions
from netdissect.probe_sets.importers.split_names import parse_split
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult

_MASK_WORDS = ("mask", "annotation", "label", "seg", "gt")


@dataclass(frozen=True)
class HuggingFaceImages(Source):
    """The rows of a data set: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: what masks' numbers, or class labels, mean.
        parts: the data set's parts and the split each goes to; a part is opened again in every process.
        columns: names of the image and the label column.
        whole: whether the label column holds a class per image and not a mask.
    """

    name: str
    about: str
    classes: ClassList
    parts: tuple[tuple[Any, str], ...]
    columns: tuple[str, str]
    whole: bool

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        data = [getattr(part, "_fingerprint", "") for part, _ in self.parts]
        return hash_parts("hf", self.classes.fingerprint(), data, self.columns, self.whole)

    def list_images(self) -> Sequence[SourceImage]:
        """Return its rows."""
        return [
            SourceImage(f"{position}_{row:07d}" if len(self.parts) > 1 else f"{row:07d}", (position, row), (), split)
            for position, (part, split) in enumerate(self.parts)
            for row in range(len(part))
        ]

    def list_names(self, category: str, label: int) -> Sequence[str]:
        """Return the name of a class; a scene's ends in ``-s``."""
        if not label:
            return ()
        name = self.classes.names[label - 1]
        return (f"{name.removesuffix('-s')}-s" if self.whole and category == "scene" else name,)

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return a row's image, upright, or turned as its mask is."""
        where = self._place(entry, 0)
        data = read_image_bytes(self._cell(entry, 0), where)
        if self.whole:
            return images.decode_image(data, where, upright=True)
        return images.decode_image_in_frame(data, where, self._mask(entry).shape[:2])

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return a row's label planes, or its label."""
        if not self.whole:
            return dict(self.classes.split(self.classes.labels(self._mask(entry), self._place(entry, 1))))
        found = self._cell(entry, 1)
        if isinstance(found, bool) or not isinstance(found, int):
            raise DataFileError(f"{self._place(entry, 1)}: expected the number of a class, got {found!a}")
        label = self.classes.codes.get(found, 0)
        return {self.classes.categories[label - 1]: (label,)} if label else {}

    def _mask(self, entry: SourceImage) -> NDArray[np.integer[Any]]:
        found, where = self._cell(entry, 1), self._place(entry, 1)
        if isinstance(found, dict):
            with images.open_image(read_image_bytes(found, where), where, what="mask") as image:
                return images.extract_label_numbers(image, where, "mask")
        mask = np.asarray(found)
        if mask.dtype == bool:
            mask = mask.astype(np.uint8)
        if mask.dtype.kind not in "ui" or mask.ndim not in (2, 3):
            raise DataFileError(f"{where}: expected a mask of whole numbers, got {mask.dtype} {mask.shape}")
        return mask

    def _place(self, entry: SourceImage, column: int) -> str:
        return f"{self.name}, row {entry.record[1]}, column {self.columns[column]!r}"

    def _cell(self, entry: SourceImage, column: int) -> Any:
        position, row = entry.record
        return read_cell(self.parts[position][0], row, self.columns[column], self._place(entry, column))


def read_cell(rows: Any, row: int, column: str, where: str) -> Any:
    """Return a cell as it is stored; an image is not decoded, but ``{"bytes": …, "path": …}``.

    Raises:
        DataFileError: if it does not read.
    """
    try:
        return rows.with_format("arrow", columns=[column])[row].column(column)[0].as_py()
    except (OSError, ValueError, KeyError) as error:
        raise DataFileError(f"{where} does not read ({error})") from error


def read_image_bytes(found: Any, where: str) -> bytes:
    """Return the file of an image that a cell holds or names.

    Raises:
        DataFileError: if it does neither.
        DataNotFoundError: if it names one that is not there.
    """
    data = found.get("bytes") if isinstance(found, dict) else None
    if isinstance(data, bytes):
        return data
    if isinstance(found, dict) and isinstance(found.get("path"), str):
        return images.read_image_bytes(Path(found["path"]))
    raise DataFileError(f"{where} holds no image")


def from_hf(
    dataset: Any,
    out: str | Path,
    *,
    image: str | None = None,
    mask: str | None = None,
    label: str | None = None,
    classes: str | Path | Sequence[str] | Mapping[int, str] | None = None,
    part: str | None = None,
    first: int | None = None,
    **options: Any,
) -> BuildResult:
    """Make a probe set of a Hugging Face data set.

    Args:
        dataset: a ``datasets.Dataset`` or ``DatasetDict``, a folder that one was saved to, or a name on the hub.
        out: the set's folder.
        image: column of the images; None finds it.
        mask: column of the masks; None finds it.
        label: column of classes instead of masks: labels of whole images.
        classes: the class list; None takes the one the data set carries for `label`.
        part: only this part, such as ``validation``; None takes all, and they decide the split.
        first: number of the first class of a plain list; masks of a data set often start at 0.
        options: as `ImportOptions`; with `label`, `category` is ``scene`` if not given.

    Raises:
        MissingExtraError: if the library ``datasets`` is not installed.
        DataError: one of its leaves, for anything wrong with the data.
        SettingsError: for an option out of its range, or a column that is not there.
    """
    making = ImportOptions.of({"category": "scene" if label else "object", **options})
    parts = list_dataset_parts(open_dataset(dataset), part)
    columns = _find_columns(parts[0][0], image, label or mask)
    if classes is None:
        classes = _read_feature_names(parts[0][0], columns[1])
        first = 0 if first is None else first
    if classes is None:
        raise SettingsError("the data set does not say what its masks mean: give a class list with --classes")
    listed = making.classes(read_class_list(classes, making.category, first=first))
    source = HuggingFaceImages(
        making.source_name(dataset if isinstance(dataset, (str, Path)) else "hf"),
        f"the data set {dataset if isinstance(dataset, (str, Path)) else 'given'}, columns {columns[0]} and {columns[1]}",
        listed, parts, columns, whole=label is not None,
    )  # fmt: skip
    return making.finish(source, out, about="Made with: netdissect data from-hf.")


def open_dataset(dataset: Any) -> Any:
    """Return a data set by what is given for it."""
    if not isinstance(dataset, (str, Path)):
        return dataset
    library = import_optional("datasets", extra="hf", purpose="for Hugging Face data sets")
    try:
        if Path(dataset).is_dir():
            saved = any((Path(dataset) / name).is_file() for name in ("state.json", "dataset_dict.json"))
            return library.load_from_disk(str(dataset)) if saved else library.load_dataset(str(dataset))
        return library.load_dataset(str(dataset))
    except Exception as error:  # the library raises dozens of kinds, its own and others'
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataNotFoundError(
            f"the data set {str(dataset)!r} cannot be opened: expected a folder it was saved to, or its name on the hub "
            f"({reason})"
        ) from error


def list_dataset_parts(dataset: Any, part: str | None) -> tuple[tuple[Any, str], ...]:
    """Return the parts of a data set and the split each goes to."""
    if not hasattr(dataset, "keys"):
        if part is not None:
            raise SettingsError(f"--part {part}: the data set has one part only")
        return ((dataset, ""),)
    names = list(dataset.keys())
    if part is not None and part not in names:
        raise SettingsError(f"the data set has no part {part!r}: choose from {', '.join(names)}")
    if part is not None or len(names) == 1:
        return ((dataset[part or names[0]], ""),)
    return tuple((dataset[name], parse_split(name) or "") for name in names)


def _find_columns(rows: Any, image: str | None, label: str | None) -> tuple[str, str]:
    """Return the columns of images and labels: those that are asked for, or those that look like it."""
    names = list(rows.column_names)
    for asked in (image, label):
        if asked is not None and asked not in names:
            raise SettingsError(f"the data set has no column {asked!r}: choose from {', '.join(names)}")
    of_pictures = [name for name in names if type(rows.features[name]).__name__ == "Image"]
    looks = [name for name in of_pictures if any(word in name.lower() for word in _MASK_WORDS)]
    found_label = label or next((name for name in looks if name != image), None)
    found_image = image or next((name for name in of_pictures if name != found_label), None)
    if {"segmentations", "objects"} <= set(names):
        raise SettingsError(
            f"the data set is ADE20K's release of 2021 (columns {', '.join(names)}): netdissect data from-ade takes it by the "
            f"same name or folder"
        )
    if found_image is None or found_label is None:
        raise SettingsError(
            f"which columns hold pictures and masks? choose --image and --mask from {', '.join(names)}; or --label, a column "
            f"of classes"
        )
    return found_image, found_label


def _read_feature_names(rows: Any, column: str) -> list[str] | None:
    """Return the class names that a data set carries for a column."""
    feature = rows.features[column]
    names = getattr(feature, "names", None)
    return [str(name) for name in names] if names else None
