"""``from-hf``: a Hugging Face data set with a column of masks, or of classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from netdissect.errors import DataFileError, DataNotFoundError, SettingsError, root_message
from netdissect.io import images, label_images
from netdissect.io.text import escape_line
from netdissect.optional_libraries import import_optional
from netdissect.probe_sets.importers.import_options import ImportOptions, ImportOptionsDict
from netdissect.probe_sets.importers.imported_images import ImportedImages
from netdissect.probe_sets.importers.prepared_data import is_prepared_dataset, write_prepared_back
from netdissect.probe_sets.importers.split_names import parse_split
from netdissect.probe_sets.prepared.probe_folder import is_prepared_file
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts
from netdissect.protocols import GROUP_COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.probe_sets.importers.class_list import ClassListLike

_MASK_WORDS = ("mask", "annotation", "label", "seg", "gt")


class DatasetRows(Source):
    """Rows of a Hugging Face data set; an image's record begins with the positions of its part and row.

    Attributes:
        parts: the data set's parts, each with its split; worker processes open them again.
    """

    parts: tuple[tuple[Any, str], ...]

    def hash_data(self) -> list[str]:
        """Return the library's own hashes of the parts."""
        return [getattr(part, "_fingerprint", "") for part, _ in self.parts]

    def describe_cell(self, entry: SourceImage, column: str) -> str:
        """Return the name of a cell in error messages."""
        return f"{self.name}, row {entry.record[1]}, column {column!r}"

    def read_cell(self, entry: SourceImage, column: str) -> Any:
        """Return a cell as it is stored; an image is a dict of its file's ``bytes`` and ``path``.

        Raises:
            DataFileError: if it cannot be read.
        """
        part, row, *_ = entry.record
        try:
            return self.parts[part][0].with_format("arrow", columns=[column])[row].column(column)[0].as_py()
        except (OSError, ValueError, KeyError) as error:
            raise DataFileError(f"{self.describe_cell(entry, column)} cannot be read ({error})") from error


def read_cell_file(cell: Any, where: str) -> bytes:
    """Return the image file that a cell holds or names.

    Raises:
        DataFileError: if the cell is not an image.
        DataNotFoundError: if it names a file that is missing.
    """
    if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes):
        data: bytes = cell["bytes"]
        return data
    if isinstance(cell, dict) and isinstance(cell.get("path"), str):
        return images.read_image_bytes(Path(cell["path"]))
    raise DataFileError(f"{where} holds no image")


@dataclass(frozen=True, kw_only=True)
class HuggingFaceImages(ImportedImages, DatasetRows):
    """Rows of a data set with a column of images and one of masks, or of classes (`whole_images`).

    Attributes:
        parts: the data set's parts, each with its split.
        columns: names of the image column and the label column.
    """

    parts: tuple[tuple[Any, str], ...]
    columns: tuple[str, str]

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image: upright, or as stored if that fits its mask."""
        where = self.describe_cell(entry, self.columns[0])
        data = read_cell_file(self.read_cell(entry, self.columns[0]), where)
        if self.whole_images:
            return images.decode_image(data, where, upright=True)
        return images.decode_image_in_frame(data, where, self._read_mask(entry).shape[:2])

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label map of an image for every category, or the label of the whole image."""
        where = self.describe_cell(entry, self.columns[1])
        if not self.whole_images:
            return self.classes.split_by_category(self.classes.label_mask(self._read_mask(entry), where))
        number = self.read_cell(entry, self.columns[1])
        if isinstance(number, bool) or not isinstance(number, int):
            raise DataFileError(f"{where}: expected the number of a class, got {number!a}")
        return self.classes.label_image(self.classes.codes.get(number, 0))

    def _read_mask(self, entry: SourceImage) -> NDArray[np.integer[Any]]:
        cell, where = self.read_cell(entry, self.columns[1]), self.describe_cell(entry, self.columns[1])
        if isinstance(cell, dict):
            with images.open_image(read_cell_file(cell, where), where, what="mask") as image:
                return label_images.extract_label_numbers(image, where, "mask")
        mask = np.asarray(cell)
        if mask.dtype == bool:
            mask = mask.astype(np.uint8)
        if mask.dtype.kind not in "ui" or mask.ndim not in (2, 3):
            raise DataFileError(f"{where}: expected a mask of whole numbers, got {mask.dtype} {mask.shape}")
        return mask


def from_hf(
    dataset: Any,
    out: str | Path,
    *,
    image: str | None = None,
    mask: str | None = None,
    label: str | None = None,
    classes: ClassListLike | None = None,
    part: str | None = None,
    first: int | None = None,
    **options: Unpack[ImportOptionsDict],
) -> BuildResult:
    """Make a probe set of a Hugging Face data set; of a prepared probe set, write the folder it was made of.

    Args:
        dataset: a ``datasets.Dataset`` or ``DatasetDict``, a folder that one was saved to, a name on the hub, or a prepared
            file.
        out: folder of the probe set.
        image: column of the images; None finds it.
        mask: column of the masks; None finds it.
        label: column of classes of whole images, instead of masks.
        classes: the class list; None takes the names that the data set has for the label column.
        part: only this part, such as ``validation``; None takes all parts, which become the splits.
        first: number of the first class, if the list has no numbers; in many data sets, masks start at 0.
        options: see `ImportOptions`.

    Raises:
        MissingExtraError: if the library ``datasets`` is not installed.
        DataError: or a subclass, if anything is wrong with the data.
        SettingsError: if an option is out of its range, or a column that is not there.
    """
    settings = ImportOptions.from_keywords(options)
    if isinstance(dataset, (str, Path)) and is_prepared_file(dataset):
        return write_prepared_back(dataset, out, settings, image, mask, label, classes, part, first)
    parts = list_dataset_parts(open_dataset(dataset), part)
    if len(parts) == 1 and is_prepared_dataset(parts[0][0]):
        return write_prepared_back(parts[0][0], out, settings, image, mask, label, classes, first)
    columns = _find_columns(parts[0][0], image, label or mask)
    if classes is None:
        classes = _read_feature_names(parts[0][0], columns[1])
        first = 0 if first is None else first
    if classes is None:
        raise SettingsError("the data set does not say what its masks mean: give a class list with --classes")
    has_name = isinstance(dataset, (str, Path))
    source = HuggingFaceImages(
        name=settings.choose_name(dataset if has_name else "hf"), parts=parts, columns=columns, whole_images=label is not None,
        about=f"the data set {dataset if has_name else 'given'}, columns {columns[0]} and {columns[1]}",
        classes=settings.read_classes(classes, category="object" if label is None else "scene", first=first),
        images=tuple(
            SourceImage(f"{at}_{row:07d}" if len(parts) > 1 else f"{row:07d}", (at, row), (), split, group)
            for at, (rows, split) in enumerate(parts)
            for row, group in enumerate(_read_groups(rows))
        ),
    )  # fmt: skip
    source = replace(source, settings_hash=hash_parts(source.hash_data(), columns))
    return settings.write_probe_set(source, out, note="Made with: netdissect data from-hf.")


def open_dataset(dataset: Any) -> Any:
    """Return a data set, opened if it is a folder or a name on the hub."""
    if not isinstance(dataset, (str, Path)):
        return dataset
    library = import_optional("datasets", extra="hf", purpose="for Hugging Face data sets")
    try:
        if Path(dataset).is_dir():
            saved = any((Path(dataset) / name).is_file() for name in ("state.json", "dataset_dict.json"))
            return library.load_from_disk(str(dataset)) if saved else library.load_dataset(str(dataset))
        return library.load_dataset(str(dataset))
    except Exception as error:  # the library raises dozens of types, its own and other libraries'
        raise DataNotFoundError(
            f"the data set {str(dataset)!r} cannot be opened: expected a folder it was saved to, or its name on the hub "
            f"({root_message(error)})"
        ) from error


def list_dataset_parts(dataset: Any, part: str | None) -> tuple[tuple[Any, str], ...]:
    """Return the parts of a data set, each with its split; if there is only one part, its split is empty."""
    if not hasattr(dataset, "keys"):
        if part is not None:
            raise SettingsError(f"--part {part}: the data set has one part only")
        return ((dataset, ""),)
    names = list(dataset.keys())
    if part is not None and part not in names:
        raise SettingsError(f"the data set has no part {part!r}: choose from {', '.join(names)}")
    if part is not None or len(names) == 1:
        return ((dataset[part or names[0]], ""),)
    return tuple((dataset[name], parse_split(name)) for name in names)


def _find_columns(rows: Any, image: str | None, label: str | None) -> tuple[str, str]:
    """Return the columns of images and labels: those that are named, or else those whose type and name fit."""
    names = list(rows.column_names)
    for column in (image, label):
        if column is not None and column not in names:
            raise SettingsError(f"the data set has no column {column!r}: choose from {', '.join(names)}")
    image_columns = [name for name in names if type(rows.features[name]).__name__ == "Image"]
    mask_columns = [name for name in image_columns if any(word in name.lower() for word in _MASK_WORDS)]
    found_label = label or next((name for name in mask_columns if name != image), None)
    found_image = image or next((name for name in image_columns if name != found_label), None)
    if {"segmentations", "objects"} <= set(names):
        raise SettingsError(
            f"the data set is ADE20K's release of 2021 (columns {', '.join(names)}): netdissect data from-ade takes it by the "
            f"same name or folder"
        )
    if found_image is None or found_label is None:
        raise SettingsError(
            f"which columns hold images and masks? choose --image and --mask from {', '.join(names)}; or --label, a column "
            f"of classes"
        )
    return found_image, found_label


def _read_groups(rows: Any) -> list[str]:
    """Return the group of every row: its text or number in the column ``group``, if there is one."""
    if GROUP_COLUMN not in rows.column_names:
        return [""] * len(rows)
    cells = rows.with_format("arrow", columns=[GROUP_COLUMN])[:].column(GROUP_COLUMN).to_pylist()
    return [escape_line(str(cell)) if isinstance(cell, (int, str)) else "" for cell in cells]


def _read_feature_names(rows: Any, column: str) -> list[str] | None:
    """Return the class names of a column, if the data set has them."""
    feature = rows.features[column]
    names = getattr(feature, "names", None)
    return [str(name) for name in names] if names else None
