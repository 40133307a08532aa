"""Parse class lists in tables, or in JSON objects, whose columns are found by name."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from netdissect.errors import DataFileError
from netdissect.probe_sets.importers.class_lists.rows import (
    UNLABELED_NAMES,
    ClassRow,
    number_class_names,
    pack_color,
    parse_class_number,
    parse_color,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.importers.class_lists.rows import ListRequest

#: Names of columns, and of keys of JSON objects, in lower case with ``_`` for spaces; the first one found is used.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "number": (
        "number", "pixel_value", "pixel", "value", "png_index", "label_id", "labelid", "class_id", "classid", "category_id",
        "id", "ids", "index", "idx", "class_index", "class_number", "trainid", "train_id",
    ),
    "name": ("name", "label", "class", "class_name", "label_name", "title", "category_name", "classname", "names"),
    "category": ("category",),
    "color": ("color", "colour", "rgb", "hex", "palette"),
}  # fmt: skip
_TRAIN = ("trainid", "train_id")

#: The key of a record's position in the list, for errors.
LOCATION = ""


class _Columns(NamedTuple):
    """The columns of a table; None for a missing one."""

    name: str
    number: str | None
    category: str | None
    color: str | None
    channels: tuple[str, ...]
    cityscapes: bool

    @property
    def has_colors(self) -> bool:
        """Whether any column gives colors."""
        return self.color is not None or bool(self.channels)


def read_records(
    where: object, records: Sequence[Mapping[str, object]], request: ListRequest, *, by_position: bool
) -> list[ClassRow]:
    """Return the classes in the lines of a table, or in objects of JSON.

    Args:
        where: the list's name, for errors.
        records: the lines or objects, each with its position under the key `LOCATION`.
        request: how the numbers are found.
        by_position: whether lines without numbers and colors are numbered in order.

    Raises:
        DataFileError: if there is no column of names, the column of numbers is unclear, or a number or color is invalid.
    """
    columns = _find_columns(where, records, request)
    rows = []
    for position, record in enumerate(records):
        try:
            rows.append(_read_row(record, columns, position, request))
        except (ValueError, TypeError, KeyError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise DataFileError(f"{where}, {record.get(LOCATION)}: a number or color is invalid ({reason})") from error
    if columns.number is not None or columns.has_colors or request.first is not None:
        return rows
    if not by_position:
        raise DataFileError(
            f"{where}: it names classes such as {rows[0].name!a} and gives them neither numbers (id) nor colors: add "
            f"them, or name the number of the first class with --first"
        )
    numbered = number_class_names([row.name for row in rows], None, where)
    return [row._replace(number=other.number) for row, other in zip(rows, numbered, strict=True)]


def normalize_column(column: object) -> str:
    """Return a column's name as `COLUMN_NAMES` spells it."""
    return str(column).strip().lower().replace(" ", "_")


def _find_columns(where: object, records: Sequence[Mapping[str, object]], request: ListRequest) -> _Columns:
    keys = {normalize_column(key): str(key) for record in records for key in record if key != LOCATION}
    shown = ", ".join(map(ascii, keys.values())) or "nothing"
    found = {what: next((keys[name] for name in names if name in keys), None) for what, names in COLUMN_NAMES.items()}
    if found["name"] is None:
        raise DataFileError(f"{where}: expected a column 'name', got {shown}")
    channels = tuple(keys[channel] for channel in _find_channels(keys))
    if request.column is not None:
        number = keys.get(normalize_column(request.column))
        if number is None:
            raise DataFileError(f"{where}: it has no column {request.column!a}: choose from {shown}")
    else:
        number = _find_number_column(
            where, records, keys, {*filter(None, (found["name"], found["color"])), *channels}, request
        )
    cityscapes = any(name in keys for name in _TRAIN)
    return _Columns(found["name"], number, found["category"], found["color"], channels, cityscapes)


def _find_number_column(
    where: object,
    records: Sequence[Mapping[str, object]],
    keys: Mapping[str, str],
    known: set[str],
    request: ListRequest,
) -> str | None:
    """Return the column of numbers; raise DataFileError if several may be it, or if one with an unknown name may be it."""
    trained = [keys[name] for name in _TRAIN if name in keys]
    if request.trained and trained:
        return trained[0]
    candidates = [
        keys[name] for name in COLUMN_NAMES["number"] if name in keys and keys[name] not in (*known, *trained)
    ]
    # A second column "label" or "class" counts if it holds numbers.
    candidates = candidates or [
        keys[n] for n in ("label", "class") if keys.get(n, "") not in ("", *known) and _is_numeric(records, keys[n])
    ]
    if len({tuple(str(record.get(column)) for record in records) for column in candidates}) > 1:
        raise DataFileError(
            f"{where}: its columns {' and '.join(map(repr, candidates))} both look like the classes' numbers, and differ: name "
            f"the one with the masks' numbers with --number-column"
        )
    if candidates or trained:
        return (candidates or trained)[0]
    for column in (column for column in keys.values() if column not in known and _is_numeric(records, column)):
        if normalize_column(column) != "category":
            raise DataFileError(
                f"{where}: its column {column!a} holds numbers, and nothing says whether they are the classes' numbers in the "
                f"masks: call that column 'number', or name it with --number-column"
            )
    return None


def _is_numeric(records: Sequence[Mapping[str, object]], column: str) -> bool:
    return bool(records) and all(re.fullmatch(r"-?\d+", str(record.get(column, "")).strip()) for record in records)


def _find_channels(keys: Mapping[str, str]) -> tuple[str, ...]:
    return next((names for names in (("r", "g", "b"), ("red", "green", "blue")) if all(n in keys for n in names)), ())


def _read_row(record: Mapping[str, object], columns: _Columns, position: int, request: ListRequest) -> ClassRow:
    name = str(record.get(columns.name) or "")
    number = None
    if columns.number is not None:
        number = parse_class_number(record[columns.number])
    elif request.first is not None:
        number = request.first + position
    color = _read_color(record, columns)
    if color is None and number is None and columns.has_colors and name.strip().casefold() not in UNLABELED_NAMES:
        raise ValueError("a color is r, g, b from 0 to 255, or #rrggbb")
    category = str(record.get(columns.category or " ") or "")
    if not columns.cityscapes:
        return ClassRow(number, name, category, color)
    # Cityscapes' categories are groups of classes; classes in the group void, or not used in training, have no label.
    ignored = category == "void" or (normalize_column(columns.number) in _TRAIN and number in (255, -1))
    return ClassRow(number, "" if ignored else name, "", color)


def _read_color(record: Mapping[str, object], columns: _Columns) -> int | None:
    """Return the color of a record as one number; None if it has none."""
    if columns.channels:
        values = [record.get(channel) for channel in columns.channels]
        if all(value is None or not str(value).strip() for value in values):
            return None
        return pack_color([parse_class_number(value) for value in values])
    return None if columns.color is None else parse_color(record.get(columns.color))


def read_class_table(path: Path, text: str, request: ListRequest) -> list[ClassRow]:
    """Return the classes of a table whose first line names its columns, separated by commas, semicolons or tabs."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), skipinitialspace=True
    )
    records: list[dict[str, object]] = []
    try:
        header = [(name or "").strip() for name in reader.fieldnames or ()]
        if not any(normalize_column(name) in COLUMN_NAMES["name"] for name in header):
            raise DataFileError(
                f"{path}: expected a first line with a column 'name', got {', '.join(header) or 'nothing'}"
            )
        for record in reader:
            place = f"line {reader.line_num}"
            if None in record or None in record.values():
                raise DataFileError(f"{path}, {place}: expected {len(header)} fields as in the first line")
            records.append({name.strip(): value for name, value in record.items() if name.strip()} | {LOCATION: place})
    except csv.Error as error:
        raise DataFileError(f"{path}, line {reader.line_num}: not a table ({error})") from error
    return read_records(path, records, request, by_position=True) if records else []


def has_header(path: Path, text: str) -> bool:
    """Return whether the first line names columns; in a .csv or .tsv it always does."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return True
    first = next((line for line in text.splitlines() if line.strip()), "")
    fields = [field.strip().lower().replace(" ", "_") for field in re.split(r"[\t;,]", first)]
    numbers = any(field.lstrip("-").isdigit() for field in fields)
    return len(fields) > 1 and not numbers and any(field in COLUMN_NAMES["name"] for field in fields)


def is_object_info(_: Path, text: str) -> bool:
    """Return whether a text is ADE20K's ``objectInfo150``, separated by tabs or commas."""
    fields = re.split(r"[\t,]", text.split("\n", 1)[0].strip())
    return len(fields) > 1 and fields[0].strip().lower() == "idx" and fields[-1].strip().lower() == "name"


def read_object_info(path: Path, text: str, _: ListRequest) -> list[ClassRow]:
    """Return the number and the first name of every class of ADE20K's challenge."""
    width = len(re.split(r"[\t,]", text.split("\n", 1)[0]))
    rows = []
    for line, row_text in enumerate(text.splitlines()[1:], start=2):
        if not row_text.strip():
            continue
        fields = [
            field.strip() for field in (row_text.split("\t") if "\t" in row_text else row_text.split(",", width - 1))
        ]
        if len(fields) < 2 or not fields[0].isdigit():
            raise DataFileError(f"{path}, line {line}: expected a number, …, a name, got {row_text.strip()!r}")
        rows.append(ClassRow(int(fields[0]), re.split(r"[,;]", fields[-1].strip('"'))[0]))
    return rows
