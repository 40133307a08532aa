"""Class lists: what the numbers or colours in somebody's masks mean."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.data.build.pixels import relabelled
from netdissect.data.build.source import hashed, read_text
from netdissect.errors import DataFileError, LabelError, SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Class names that mean "nothing": their pixels carry no label.
NOTHING = frozenset({
    "background", "_background_", "__background__", "void", "unlabeled", "unlabelled", "unknown", "ignore", "none", "-",
    "__ignore__",
})  # fmt: skip

#: The number that masks give to pixels nobody decided on, unless the class list names it.
VOID = 255

_LINE = re.compile(r"(?P<number>\d+)\s*[:,;\t ]\s*(?P<name>\S.*)")
_COLUMNS = {
    "number": ("number", "id", "index", "idx", "value", "label_id", "class_id"),
    "name": ("name", "label", "class", "class_name", "label_name"),
    "category": ("category",),
    "color": ("color", "colour", "rgb", "hex"),
}


@dataclass(frozen=True)
class ClassList:
    """The classes of an own set.

    Attributes:
        names: names of label 1, 2, …
        categories: the category of each.
        codes: label of every number that masks hold; 0 for those that mean nothing.
        colors: the same of every colour, as (R·256 + G)·256 + B; empty if masks hold numbers.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    codes: Mapping[int, int] = field(default_factory=dict)
    colors: Mapping[int, int] = field(default_factory=dict)

    def fingerprint(self) -> str:
        """Return a hash of the list."""
        return hashed(self.names, self.categories, sorted(self.codes.items()), sorted(self.colors.items()))

    def labels(self, pixels: NDArray[np.integer[Any]], where: object) -> NDArray[np.uint16]:
        """Turn the numbers or colours of a mask into labels, (h, w).

        Raises:
            LabelError: if it holds a number or colour that the list does not name.
        """
        if pixels.ndim == 3:
            if not self.colors:
                raise LabelError(
                    f"{where}: the mask is an RGB picture, and the class list names no colours: give it columns r, g, b, "
                    f"or bring masks whose pixels hold class numbers"
                )
            packed = pixels.astype(np.int32)
            return _looked_up(
                (packed[..., 0] * 256 + packed[..., 1]) * 256 + packed[..., 2], self.colors, where, "colour"
            )
        return _looked_up(pixels, self.codes, where, "number")

    def split(self, labels: NDArray[np.uint16]) -> dict[str, NDArray[np.uint16]]:
        """Divide label planes by category: each gets the planes with the other categories' labels taken out."""
        parts = {}
        for category in dict.fromkeys(self.categories):
            table = np.zeros(len(self.names) + 1, np.uint16)
            own = [label for label, its in enumerate(self.categories, start=1) if its == category]
            table[own] = own
            parts[category] = table[labels]
        return parts

    def renamed(self, rules: Mapping[str, tuple[str, str]]) -> ClassList:
        """Return the list with other names and categories.

        Args:
            rules: for a name, the new one and the new category; an empty name drops the class, an empty category
                leaves it as it was.

        Raises:
            SettingsError: if a rule names no class of the list.
        """
        strange = sorted(set(rules) - set(self.names))
        if strange:
            raise SettingsError(f"the renaming names {strange[0]!r}, and no class is called so")
        names: list[str] = []
        categories: list[str] = []
        kept = [0]
        for name, category in zip(self.names, self.categories, strict=True):
            new, its = rules.get(name, (name, ""))
            kept.append(len(names) + 1 if new else 0)
            if new:
                names.append(new)
                categories.append(its or category)
        return replace(
            self,
            names=tuple(names),
            categories=tuple(categories),
            codes={number: kept[label] for number, label in self.codes.items()},
            colors={color: kept[label] for color, label in self.colors.items()},
        )


def read_classes(
    given: str | Path | Sequence[str] | Mapping[int, str], category: str, *, first: int | None = None
) -> ClassList:
    """Read a class list.

    Args:
        given: a file or the list itself. A text file has a name a line, or lines ``number: name``; a .csv file has a
            first line with ``name`` and any of ``number``, ``category``, ``r``, ``g``, ``b`` or ``color`` (#rrggbb); a
            .json file is a list of names, or an object number → name or name → number; CVAT's ``labelmap.txt`` too.
        category: the category of classes that name none.
        first: number of the first name of a plain list; None takes 1, or 0 if the first name means "nothing".

    Raises:
        DataFileError: if it is none of these, or a number stands twice.
    """
    where = str(given) if isinstance(given, (str, Path)) else "the class list"
    return _numbered(_rows(given, first), category, where)


def read_names(given: str | Path) -> list[str]:
    """Return every name of a class list in the order of their numbers, those that mean "nothing" among them.

    Raises:
        DataFileError: as `read_classes`.
    """
    return [name for _, name, *_ in sorted(_rows(given, None), key=lambda row: row[0])]


def _rows(given: str | Path | Sequence[str] | Mapping[int, str], first: int | None) -> list[_Row]:
    """Return number, name, category and colour of every class."""
    if isinstance(given, Mapping):
        return [(int(number), name, "", None) for number, name in given.items()]
    if not isinstance(given, (str, Path)):
        return _plain(list(given), first)
    path = Path(given)
    text = read_text(path, "the class list")
    if path.suffix == ".json":
        return _json(path, text, first)
    if path.suffix == ".csv":
        return _csv(path, text, first)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if text.startswith("# label:color_rgb"):
        return _cvat(path, lines)
    matches = [_LINE.fullmatch(line) for line in lines]
    if lines and all(matches):
        return [(int(match["number"]), match["name"], "", None) for match in matches if match]
    return _plain(lines, first)


def read_renaming(path: Path) -> dict[str, tuple[str, str]]:
    """Read a renaming: a .csv with the columns ``name``, ``as`` and perhaps ``category``.

    Raises:
        DataFileError: if a column is missing, or a name stands twice.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, "the renaming"), newline=""))
    if not {"name", "as"} <= set(reader.fieldnames or ()):
        raise DataFileError(f"{path}: expected the columns name and as, and perhaps category")
    rules: dict[str, tuple[str, str]] = {}
    for record in reader:
        name = (record["name"] or "").strip()
        if not name or name in rules:
            raise DataFileError(f"{path}, line {reader.line_num}: expected every name once, got {name!r}")
        rules[name] = (record["as"] or "").strip(), (record.get("category") or "").strip()
    return rules


_Row = tuple[int, str, str, int | None]


def _looked_up(
    pixels: NDArray[np.integer[Any]], table: Mapping[int, int], where: object, what: str
) -> NDArray[np.uint16]:
    return relabelled(pixels, lambda value: _label(value, table, where, what))


def _label(value: int, table: Mapping[int, int], where: object, what: str) -> int:
    """Return the label of a number or colour of a mask."""
    if value in table:
        return table[value]
    if what == "colour" and value:
        raise LabelError(f"{where}: the mask holds the colour #{value:06x}, which the class list does not name")
    if what == "number" and value not in (0, VOID):
        known = sorted(table)
        raise LabelError(
            f"{where}: the mask holds number {value}, and the class list names {len(known)} numbers"
            f"{f', {known[0]} to {known[-1]}' if known else ''}: complete the list, or give the mask that belongs to it"
        )
    return 0


def _numbered(rows: Sequence[_Row], category: str, where: str) -> ClassList:
    codes: dict[int, int] = {}
    colors: dict[int, int] = {}
    names: list[str] = []
    categories: list[str] = []
    for number, spelled, own, color in rows:
        name = " ".join(str(spelled).split())
        if number in codes or (color is not None and color in colors):
            raise DataFileError(f"{where}: number {number} or its colour is listed twice")
        nothing = name.casefold() in NOTHING or not name
        if not nothing:
            names.append(name)
            categories.append(own or category)
        codes[number] = 0 if nothing else len(names)
        if color is not None:
            colors[color] = codes[number]
    if not names:
        raise DataFileError(f"{where}: expected at least one class name, got none")
    return ClassList(tuple(names), tuple(categories), codes, colors)


def _plain(names: Sequence[str], first: int | None) -> list[_Row]:
    if first is None:
        first = 0 if names and names[0].strip().casefold() in NOTHING else 1
    return [(number, name, "", None) for number, name in enumerate(names, start=first)]


def _json(path: Path, text: str, first: int | None) -> list[_Row]:
    try:
        found = json.loads(text)
        if isinstance(found, list):
            return _plain([str(name) for name in found], first)
        if all(str(key).isdigit() for key in found):
            return [(int(number), str(name), "", None) for number, name in found.items()]
        return [(int(number), str(name), "", None) for name, number in found.items()]
    except (ValueError, TypeError, AttributeError) as error:
        raise DataFileError(f"{path}: expected a JSON list of names, or an object number → name ({error})") from error


def _csv(path: Path, text: str, first: int | None) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    header = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    columns = {key: next((header[name] for name in names if name in header), None) for key, names in _COLUMNS.items()}
    if columns["name"] is None:
        raise DataFileError(f"{path}: expected a first line with a column 'name', got {', '.join(header) or 'nothing'}")
    start = 1 if first is None else first
    rows: list[_Row] = []
    for record in reader:
        try:
            number = int(record[columns["number"]]) if columns["number"] else start + len(rows)
            color = _color(record, header, columns["color"])
        except (ValueError, TypeError, KeyError) as error:
            raise DataFileError(
                f"{path}, line {reader.line_num}: a number or colour does not read ({error})"
            ) from error
        rows.append((number, record[columns["name"]] or "", record.get(columns["category"] or "") or "", color))
    return rows


def _color(record: Mapping[str, str], header: Mapping[str, str], column: str | None) -> int | None:
    if column is not None:
        return int(record[column].strip().removeprefix("#"), 16)
    if all(channel in header for channel in "rgb"):
        red, green, blue = (int(record[header[channel]]) for channel in "rgb")
        return (red * 256 + green) * 256 + blue
    return None


def _cvat(path: Path, lines: Sequence[str]) -> list[_Row]:
    rows: list[_Row] = []
    for line in lines:
        fields = line.split(":")
        try:
            red, green, blue = (int(value) for value in fields[1].split(","))
        except (ValueError, IndexError) as error:
            raise DataFileError(f"{path}: expected lines name:r,g,b::, got {line!r}") from error
        rows.append((len(rows), fields[0], "", (red * 256 + green) * 256 + blue))
    return rows
