"""``index.csv`` row by row, with what stands in the field of every category (format: docs/broden.md)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


class IndexedRow(NamedTuple):
    """One image.

    Attributes:
        image: image, relative to ``images/``.
        split: such as ``train`` or ``val``.
        image_size: height and width of the image.
        label_size: height and width of its label maps.
        fields: per category its items: label numbers of the whole image, as digits, and label maps.
    """

    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    fields: Mapping[str, tuple[str, ...]]


def is_label_number(item: str) -> bool:
    """Say whether an item of a category's field is the number of a label that holds for the whole image.

    >>> is_number("12"), is_number("a/12.png"), is_number("²")
    (True, False, False)
    """
    return item.isascii() and item.isdigit()


def has_label(fields: Iterable[str]) -> bool:
    """Say whether any of a row's fields holds a label: a label map, or a number other than 0, as the released code counts.

    >>> carries_label(["", "0", "0;00"]), carries_label(["", "0;3"]), carries_label(["a.png"])
    (False, True, True)
    """
    return any(item.strip("0") for field in fields for item in field.split(";"))


def read_index_rows(folder: Path, categories: Sequence[str]) -> tuple[list[IndexedRow], int]:
    """Return the rows that carry a label, and how many carry none.

    The table must be sound: `netdissect.probe_sets.broden.reader.Broden` reads it first and refuses one that is not.
    """
    rows, bare = [], 0
    text = read_text(folder / "index.csv", "a table", missing=DataNotFoundError, wrong=DataFileError)
    for record in csv.DictReader(io.StringIO(text, newline="")):
        fields = {category: tuple(filter(None, record[category].split(";"))) for category in categories}
        if not has_label(record[category] for category in categories):
            bare += 1
            continue
        size = int(record["ih"]), int(record["iw"])
        label_size = int(record["sh"]), int(record["sw"])
        rows.append(IndexedRow(record["image"], record["split"], size, label_size, fields))
    return rows, bare
