"""Read class lists, which give the meaning of the numbers or colors in masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netdissect.errors import DataFileError, LabelError, SettingsError
from netdissect.io.text import escape_line
from netdissect.probe_sets.broden.label_pngs import MAX_LABEL
from netdissect.probe_sets.compile.source_pixels import relabel
from netdissect.probe_sets.importers.class_lists.formats import read_class_rows
from netdissect.probe_sets.importers.class_lists.rows import UNLABELED_NAMES, ClassRow, ListRequest
from netdissect.probe_sets.importers.class_lists.structured import parse_json_classes
from netdissect.probe_sets.source import hash_parts, read_source_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A class list, or a file with one.
ClassListLike: TypeAlias = str | Path | Sequence[str] | Mapping[int, str]

#: The number of pixels without a label in many masks, unless the class list names it.
VOID = 255


@dataclass(frozen=True)
class ClassList:
    """The classes of a probe set, and the numbers or colors that they have in masks.

    Attributes:
        names: names of label 1, 2, …
        categories: the category of each name.
        codes: the label of every number in masks; 0 for numbers without a label.
        colors: the label of every color in masks, as (R·256 + G)·256 + B; empty if masks hold numbers.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    codes: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[int, int] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a hash of the list."""
        return hash_parts(self.names, self.categories, sorted(self.codes.items()), sorted(self.colors.items()))

    def label_mask(self, pixels: NDArray[np.integer[Any]], where: object) -> NDArray[np.uint16]:
        """Return the labels of a mask, (h, w).

        Args:
            pixels: the numbers of the mask, (h, w), or its colors, (h, w, 3).
            where: the mask's file, for errors.

        Raises:
            LabelError: if the mask holds a number or color that is not in the list.
        """
        if pixels.ndim == 3:
            if not self.colors:
                raise LabelError(
                    f"{where}: the mask is an RGB image, and the class list names no colors: give it columns r, g, b, or use "
                    f"masks whose pixels hold class numbers"
                )
            rgb = pixels.astype(np.int32)
            packed = (rgb[..., 0] * 256 + rgb[..., 1]) * 256 + rgb[..., 2]
            return relabel(packed, lambda value: _find_label(value, self.colors, where, "color"))
        if not self.codes and self.colors:
            raise LabelError(
                f"{where}: the mask holds numbers, and the class list names only colors: give it a column 'number', or use "
                f"masks of colors"
            )
        return relabel(pixels, lambda value: _find_label(value, self.codes, where, "number"))

    def split_by_category(self, labels: NDArray[np.uint16]) -> dict[str, Any]:
        """Return label maps with the labels of one category each, by category."""
        maps = {}
        for category in dict.fromkeys(self.categories):
            table = np.zeros(len(self.names) + 1, np.uint16)
            own = [label for label, its in enumerate(self.categories, start=1) if its == category]
            table[own] = own
            maps[category] = table[labels]
        return maps

    def label_image(self, label: int) -> dict[str, tuple[int, ...]]:
        """Return a label that holds for a whole image, by its category; nothing for label 0."""
        return {self.categories[label - 1]: (label,)} if label else {}

    def rename(self, rules: Mapping[str, tuple[str, str]]) -> ClassList:
        """Return the list with new names and categories.

        Args:
            rules: the new name and category by old name; an empty name drops the class, an empty category keeps it.

        Raises:
            SettingsError: if a rule names no class of the list.
        """
        unknown = sorted(set(rules) - set(self.names))
        if unknown:
            raise SettingsError(f"the renaming names {unknown[0]!r}, and no class has this name")
        names: list[str] = []
        categories: list[str] = []
        new_labels = [0]
        for name, category in zip(self.names, self.categories, strict=True):
            new_name, new_category = rules.get(name, (name, ""))
            new_labels.append(len(names) + 1 if new_name else 0)
            if new_name:
                names.append(_clean_name(new_name, "the renaming"))
                categories.append(new_category or category)
        return replace(
            self,
            names=tuple(names),
            categories=tuple(categories),
            codes={number: new_labels[label] for number, label in self.codes.items()},
            colors={color: new_labels[label] for color, label in self.colors.items()},
        )


def read_class_list(
    given: ClassListLike, category: str, *, first: int | None = None, column: str | None = None, trained: bool = False
) -> ClassList:
    """Read a class list.

    Args:
        given: the list itself, or a file in any format of `netdissect.probe_sets.importers.class_lists.formats`.
        category: the category of classes for which the list gives none.
        first: number of the first name of a list without numbers; default: 1; 0 if the first name means "no label"; -1 if
            the list begins with labelme's two names that mean "no label".
        column: the column or key of the numbers; None finds it.
        trained: whether masks hold Cityscapes' numbers for training (``trainId``).

    Raises:
        DataFileError: if it has none of the formats, a part of it cannot be read, or a number occurs twice.
    """
    where = str(given) if isinstance(given, (str, Path)) else "the class list"
    return number_classes(_read_rows(given, ListRequest(first, column, trained)), category, where)


def read_class_names(given: str | Path) -> list[str]:
    """Return every name of a class list in the order of the numbers, including those that mean "no label".

    Raises:
        DataFileError: as `read_class_list`.
    """
    rows = _read_rows(given, ListRequest())
    placed = [(at if row.number is None else row.number, row.name) for at, row in enumerate(rows)]
    return [name for number, name in sorted(placed, key=lambda pair: pair[0]) if number >= 0]


def read_numbered_names(given: str | Path) -> list[tuple[int, str]]:
    """Return the number and name of every class of a file; names without numbers are numbered from 0.

    Raises:
        DataFileError: as `read_class_list`.
    """
    rows = _read_rows(given, ListRequest(first=0))
    return [(at if row.number is None else row.number, row.name) for at, row in enumerate(rows)]


def _read_rows(given: ClassListLike, request: ListRequest) -> list[ClassRow]:
    if isinstance(given, (str, Path)):
        return read_class_rows(Path(given), request)
    if isinstance(given, Mapping):
        return parse_json_classes("the class list", {str(key): value for key, value in given.items()}, request)
    return parse_json_classes("the class list", list(given), request)


def read_renaming(path: Path) -> dict[str, tuple[str, str]]:
    """Return the new name and category of classes by old name, from a .csv with columns ``name``, ``as``, ``category``.

    Raises:
        DataFileError: if a column is missing, or a name occurs twice.
    """
    reader = csv.DictReader(io.StringIO(read_source_text(path, "the renaming"), newline=""))
    if not {"name", "as"} <= set(reader.fieldnames or ()):
        raise DataFileError(f"{path}: expected the columns name and as, and perhaps category")
    rules: dict[str, tuple[str, str]] = {}
    try:
        for record in reader:
            name = (record["name"] or "").strip()
            if not name or name in rules:
                raise DataFileError(f"{path}, line {reader.line_num}: expected every name once, got {name!r}")
            rules[name] = (record["as"] or "").strip(), (record.get("category") or "").strip()
    except csv.Error as error:
        raise DataFileError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
    return rules


def _find_label(value: int, table: Mapping[int, int], where: object, what: str) -> int:
    """Return the label of a number or color in a mask."""
    if value in table:
        return table[value]
    if what == "color" and value:
        raise LabelError(f"{where}: the mask holds the color #{value:06x}, which the class list does not name")
    if what == "number" and value not in (0, VOID):
        known = sorted(table)
        raise LabelError(
            f"{where}: the mask holds number {value}, and the class list names {len(known)} numbers"
            f"{f', {known[0]} to {known[-1]}' if known else ''}: complete the list, or use the masks that belong to it"
        )
    return 0


def number_classes(rows: Sequence[ClassRow], category: str, where: str) -> ClassList:
    """Return the class list of classes with numbers or colors.

    Args:
        rows: the classes.
        category: the category of classes that have none.
        where: the list, for errors.

    Raises:
        DataFileError: if a number or color occurs twice, or no class has a name.
    """
    codes: dict[int, int] = {}
    colors: dict[int, int] = {}
    names: list[str] = []
    categories: list[str] = []
    for row in rows:
        if row.number is not None and row.number < 0:  # labelme's ignored class: it is in no mask
            continue
        name = _clean_name(row.name, where)
        is_unlabeled = name.casefold() in UNLABELED_NAMES or not name
        if not is_unlabeled:
            names.append(name)
            categories.append(row.category or category)
        label = 0 if is_unlabeled else len(names)
        # Several names without a label may share a number or color.
        before = [table[key] for table, key in ((codes, row.number), (colors, row.color)) if key in table]
        if any(before) or (before and label):
            raise DataFileError(f"{where}: number {row.number} or its color is listed twice")
        if row.number is not None:
            codes[row.number] = label
        if row.color is not None:
            colors[row.color] = label
    if not names:
        raise DataFileError(f"{where}: expected at least one class name, got none")
    if len(names) > MAX_LABEL:
        raise DataFileError(f"{where}: {len(names):,} classes are more than a label map can hold, {MAX_LABEL:,}")
    return ClassList(tuple(names), tuple(categories), codes, colors)


def _clean_name(name: object, where: str) -> str:
    """Return a class's name with single spaces; raise DataFileError if it contains control characters."""
    plain_name = " ".join(str(name).split())
    if escape_line(plain_name) != plain_name:
        raise DataFileError(f"{where}: the class name {str(name)!a} holds a character that cannot be written")
    return plain_name
