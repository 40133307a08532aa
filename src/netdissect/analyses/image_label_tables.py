"""Tables that name the class of every image: CSV files, and lists of file names and numbers."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text
from netdissect.probe_sets.importers.class_lists.columns import normalize_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Names of columns, as `normalize_column` spells them; the first one found is used.
IMAGE_COLUMNS = (
    "image", "file", "filename", "file_name", "path", "image_path", "filepath", "file_path", "img", "image_name", "name",
    "image_id", "imageid", "id",
)  # fmt: skip
CLASS_COLUMNS = (
    "class", "label", "class_name", "label_name", "category", "scene", "target", "class_id", "label_id", "class_index",
    "class_number", "number", "y",
)  # fmt: skip


class ImageLabel(NamedTuple):
    """A line of a table: an image's name, and its class by name or number."""

    image: str
    class_name: str


def read_image_labels(path: Path) -> list[ImageLabel]:
    """Return the images and classes in a table.

    The first line may name the columns (`IMAGE_COLUMNS`, `CLASS_COLUMNS`); without such a line, every line is an image and a
    class. Fields are separated by commas, semicolons or tabs, else by the last space of the line.

    Raises:
        DataNotFoundError: if there is no such file.
        DataFileError: if it is no such table, or an image is listed twice.
    """
    text = read_text(path, "the table of images", missing=DataNotFoundError, wrong=DataFileError)
    lines = _split_lines(path, text)
    if not lines:
        raise DataFileError(f"{path}: expected lines with an image and its class, got none")
    head = [normalize_column(cell) for cell in lines[0][1]]
    image = next((head.index(name) for name in IMAGE_COLUMNS if name in head), None)
    label = next((head.index(name) for name in CLASS_COLUMNS if name in head), None)
    if image is None or label is None:
        if len(head) != 2:
            raise DataFileError(
                f"{path}: expected a column of images (such as {', '.join(IMAGE_COLUMNS[:3])}) and one of classes (such as "
                f"{', '.join(CLASS_COLUMNS[:3])}), got {', '.join(map(ascii, lines[0][1]))}"
            )
        image, label = 0, 1
    else:
        del lines[0]
    return _read_lines(path, lines, image, label)


def _read_lines(path: Path, lines: Sequence[tuple[int, list[str]]], image: int, label: int) -> list[ImageLabel]:
    found: list[ImageLabel] = []
    first: dict[str, int] = {}
    for number, cells in lines:
        if len(cells) <= max(image, label) or not cells[image].strip() or not cells[label].strip():
            raise DataFileError(f"{path}, line {number}: expected an image and its class, got {', '.join(cells)!a}")
        entry = ImageLabel(cells[image].strip(), cells[label].strip())
        if first.setdefault(entry.image, number) != number:
            raise DataFileError(f"{path}, line {number}: {entry.image} is already listed in line {first[entry.image]}")
        found.append(entry)
    return found


def _split_lines(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Return the fields of every line that is not empty, with its number."""
    sign = max(",;\t", key=text.partition("\n")[0].count)
    if sign not in text.partition("\n")[0]:
        return [(at, line.rsplit(maxsplit=1)) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, skipinitialspace=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataFileError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
