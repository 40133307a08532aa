"""Class lists in JSON, in the shapes that tools write.

| shape | example | written by |
|---|---|---|
| names | ``["cat", "dog"]`` | many |
| number → name, or name → number | ``{"0": "cat"}``, ``{"cat": 0}`` | Hugging Face's ``id2label``, ``label2id`` |
| objects with a name and a number or colour | ``[{"id": 7, "name": "cat"}]`` | COCO's (panoptic) categories, Hasty, Label Studio's ``notes.json`` |
| number or name → object | ``{"7": {"name": "cat"}}`` | |
| name → colour, or colour → name | ``{"cat": [1, 1, 1]}`` | Supervisely's mask exports |
| any of these below a key of `_BELOW` | ``{"categories": […]}`` | COCO, Supervisely's ``meta.json``, Mapillary, YOLO's names |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netdissect.data.own.lists.records import PLACE, from_records
from netdissect.data.own.lists.rows import Row, color_of, plain, whole_number
from netdissect.errors import DataFileError
from netdissect.io.json_files import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.data.own.lists.rows import Asked

#: Keys below which a larger file keeps its list, the best first.
_BELOW = ("categories", "classes", "labels", "names", "id2label", "label2id", "label_classes", "palette")


def read_json(path: Path, text: str, asked: Asked) -> list[Row]:
    """Return the classes that a JSON text lists.

    Raises:
        DataFileError: if it is no JSON, or a list of no known shape.
    """
    try:
        return rows_of(path, parse_json(text), asked)
    except ValueError as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(f"{path}: expected a JSON list of names, or an object number → name ({error})") from error


def rows_of(where: object, found: Any, asked: Asked) -> list[Row]:
    """Return the classes that JSON's lists and objects say.

    Raises:
        DataFileError: if they are of no known shape.
    """
    if isinstance(found, dict):
        inner = next((key for key in _BELOW if isinstance(found.get(key), (list, dict))), None)
        return _of_object(where, found, asked) if inner is None else rows_of(where, found[inner], asked)
    if isinstance(found, list) and all(isinstance(entry, str) for entry in found):
        return plain(found, asked.first, where)
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        return _of_objects(where, found, asked)
    raise _strange(where, found)


def _of_objects(where: object, found: Sequence[Mapping[str, Any]], asked: Asked) -> list[Row]:
    records = [{**_without_tools_ids(entry), PLACE: f"entry {at}"} for at, entry in enumerate(found, start=1)]
    return from_records(where, records, asked, by_position=False) if records else []


def _without_tools_ids(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out an id that numbers a class in a tool's database and not in its masks: Supervisely's and CVAT's."""
    tools = {"title", "shape"} <= set(entry) or {"attributes", "color"} <= set(entry)
    return {key: value for key, value in entry.items() if not (tools and key == "id")}


def _of_object(where: object, found: Mapping[str, Any], asked: Asked) -> list[Row]:
    numbered = bool(found) and all(re.fullmatch(r"-?\d+", key.strip()) for key in found)
    values = list(found.values())
    if found and all(isinstance(value, dict) for value in values):
        own = "number" if numbered else "name"
        records = [{own: key, **value, PLACE: f"entry {key!a}"} for key, value in found.items()]
        return from_records(where, records, asked, by_position=False)
    if numbered and all(isinstance(value, str) for value in values):
        return [Row(whole_number(key), value) for key, value in found.items()]
    if found and all(isinstance(value, int) and not isinstance(value, bool) for value in values) and not numbered:
        return [Row(value, name) for name, value in found.items()]
    colors = [color_of(value) for value in values]
    if found and None not in colors:
        return [Row(None, name, "", color) for name, color in zip(found, colors, strict=True)]
    colors = [color_of(key) for key in found]
    if found and None not in colors and all(isinstance(value, str) for value in values):
        return [Row(None, name, "", color) for name, color in zip(values, colors, strict=True)]
    raise _strange(where, found)


def _strange(where: object, found: Any) -> DataFileError:
    kind = "an object" if isinstance(found, dict) else "a list" if isinstance(found, list) else type(found).__name__
    held = f" with the keys {', '.join(map(ascii, list(found)[:5]))}" if isinstance(found, dict) and found else ""
    return DataFileError(
        f"{where}: expected a JSON list of names, an object number → name, or objects with a name and an id or colour, got "
        f"{kind}{held} that says neither"
    )
