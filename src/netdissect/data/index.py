"""``index.csv`` row by row, with what stands in the field of every category (format: docs/broden.md)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class IndexedRow(NamedTuple):
    """One image.

    Attributes:
        image: picture, relative to ``images/``.
        split: such as ``train`` or ``val``.
        image_size: height and width of the picture.
        label_size: height and width of its label maps.
        fields: per category its items: label numbers of the whole image, as digits, and label pictures.
    """

    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    fields: Mapping[str, tuple[str, ...]]


def read_rows(folder: Path, categories: Sequence[str]) -> tuple[list[IndexedRow], int]:
    """Return the rows that carry a label, and how many carry none.

    The table must be sound: `netdissect.data.broden.Broden` reads it first and refuses one that is not.
    """
    rows, bare = [], 0
    text = (folder / "index.csv").read_text(encoding="utf-8-sig")
    for record in csv.DictReader(io.StringIO(text, newline="")):
        fields = {category: tuple(filter(None, record[category].split(";"))) for category in categories}
        if not any(fields.values()):
            bare += 1
            continue
        size = int(record["ih"]), int(record["iw"])
        label_size = int(record["sh"]), int(record["sw"])
        rows.append(IndexedRow(record["image"], record["split"], size, label_size, fields))
    return rows, bare
