"""Parse ``index.csv``: one line per image, with its labels in every category (docs/broden.md, The format)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netdissect.errors import LabelError
from netdissect.io.names import is_below
from netdissect.probe_sets.broden.tables import read_table
from netdissect.protocols import GROUP_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.tables import BrodenTable, TableLine

#: The columns of ``index.csv`` before those of the categories.
INDEX_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One line of ``index.csv``.

    Attributes:
        image: image file, relative to ``images/``.
        split: such as ``train`` or ``val``.
        image_size: height and width of the image in pixels.
        label_size: height and width of its label maps in pixels.
        fields: items of every category, the dominant one first: a label number holds for the whole image, a label map
            (a file relative to ``images/``) for each pixel.
        group: what images that belong together share, such as the name of a video; empty for an image of its own.
    """

    image: str
    split: str
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    fields: Mapping[str, Sequence[str | int]]
    group: str = ""


def is_label_number(item: str) -> bool:
    """Return whether an item of a category's field is a label number and not a file.

    >>> is_label_number("12"), is_label_number("a/12.png"), is_label_number("²")
    (True, False, False)
    """
    return item.isascii() and item.isdigit()


def has_label(fields: Iterable[str]) -> bool:
    """Return whether any field holds a label map, or a number other than 0, as the released code counts.

    >>> has_label(["", "0", "0;00"]), has_label(["", "0;3"]), has_label(["a.png"])
    (False, True, True)
    """
    return any(item.strip("0") for field in fields for item in field.split(";"))


def read_index_table(folder: Path, categories: Sequence[str]) -> BrodenTable:
    """Read ``index.csv``.

    Raises:
        DataNotFoundError: if it is missing.
        DataFileError: if it is damaged or lacks a column.
    """
    return read_table(folder, "index.csv", [*INDEX_COLUMNS, *categories])


def parse_index(table: BrodenTable, categories: Sequence[str]) -> Iterator[tuple[int, TableLine, IndexRow]]:
    """Yield every row that carries a label: its number counted from 0, its line, and the parsed row.

    Raises:
        DataFileError: if a size is not a whole number, or a file lies outside ``images/``.
        LabelError: if a label number has more than 9 digits.
    """
    sizes: dict[tuple[str, ...], tuple[int, ...]] = {}  # most rows have the same sizes
    has_groups = GROUP_COLUMN not in categories
    for number, line in enumerate(table.lines):
        texts = [line[category] for category in categories]
        if not has_label(texts):
            continue
        key = line["ih"], line["iw"], line["sh"], line["sw"]
        if key not in sizes:
            sizes[key] = tuple(line.parse_integer(column, 1) for column in INDEX_COLUMNS[2:])
        ih, iw, sh, sw = sizes[key]
        image = _require_below(line, line["image"])
        fields = {category: _parse_items(line, text) for category, text in zip(categories, texts, strict=True)}
        group = line.get(GROUP_COLUMN, "") if has_groups else ""
        yield number, line, IndexRow(image, line["split"], (ih, iw), (sh, sw), fields, group)


def read_index_rows(folder: Path, categories: Sequence[str]) -> tuple[list[IndexRow], int]:
    """Read ``index.csv``; return the rows that carry a label, and how many carry none."""
    table = read_index_table(folder, categories)
    rows = [row for _, _, row in parse_index(table, categories)]
    return rows, len(table.lines) - len(rows)


def _parse_items(line: TableLine, text: str) -> tuple[str | int, ...]:
    """Return the items of a category's field."""
    items: list[str | int] = []
    for item in filter(None, text.split(";")):
        if not is_label_number(item):
            items.append(_require_below(line, item))
        elif len(item) < 10:
            items.append(int(item))
        else:
            raise LabelError(f"{line.path}, line {line.number}: label {item} is not listed in label.csv")
    return tuple(items)


def _require_below(line: TableLine, name: str) -> str:
    """Return a file name after checking that it stays inside ``images/``."""
    if not is_below(name):
        raise line.error(f"expected a file below images/, got {name!r}")
    return name
