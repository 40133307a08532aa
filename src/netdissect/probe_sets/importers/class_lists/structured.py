"""Parse class lists in JSON and YAML.

| shape | example | written by |
|---|---|---|
| names | ``["cat", "dog"]`` | many |
| number → synset id and name | ``{"0": ["n01440764", "tench"]}`` | Keras and torchvision, of ImageNet |
| number → name, or name → number | ``{"0": "cat"}``, ``{"cat": 0}`` | Hugging Face's ``id2label``, ``label2id`` |
| objects with a name and a number or color | ``[{"id": 7, "name": "cat"}]`` | COCO's (panoptic) categories, Hasty, Label Studio's ``notes.json`` |
| number or name → object | ``{"7": {"name": "cat"}}`` | |
| name → color, or color → name | ``{"cat": [1, 1, 1]}`` | Supervisely's mask exports |
| any of these below a key of `_LIST_KEYS` | ``{"categories": […]}`` | COCO, Supervisely's ``meta.json``, Mapillary, YOLO's names |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.json_files import parse_json
from netdissect.io.yaml_files import read_yaml
from netdissect.probe_sets.importers.class_lists.columns import LOCATION, read_records
from netdissect.probe_sets.importers.class_lists.not_lists import recognize_other
from netdissect.probe_sets.importers.class_lists.rows import (
    ClassRow,
    number_class_names,
    parse_class_number,
    parse_color,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.importers.class_lists.rows import ListRequest

#: Keys of the list in a larger file, the best first.
_LIST_KEYS = ("categories", "classes", "labels", "names", "id2label", "label2id", "label_classes", "palette")


def read_json_classes(path: Path, text: str, request: ListRequest) -> list[ClassRow]:
    """Return the classes in a JSON text; raise DataFileError if it is not JSON, or has another structure."""
    try:
        return parse_json_classes(path, parse_json(text), request)
    except ValueError as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(f"{path}: expected a JSON list of names, or an object number → name ({error})") from error


def parse_json_classes(where: object, found: Any, request: ListRequest) -> list[ClassRow]:
    """Return the classes in lists and objects; raise DataFileError if they have another structure."""
    if isinstance(found, dict):
        inner = next((key for key in _LIST_KEYS if isinstance(found.get(key), (list, dict))), None)
        return (
            _read_object(where, found, request) if inner is None else parse_json_classes(where, found[inner], request)
        )
    if isinstance(found, list) and all(isinstance(entry, str) for entry in found):
        return number_class_names(found, request.first, where)
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        return _read_objects(where, found, request)
    raise _make_structure_error(where, found)


def _read_objects(where: object, found: Sequence[Mapping[str, Any]], request: ListRequest) -> list[ClassRow]:
    records = [{**_drop_tool_ids(entry), LOCATION: f"entry {at}"} for at, entry in enumerate(found, start=1)]
    return read_records(where, records, request, by_position=False) if records else []


def _drop_tool_ids(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out the ids of Supervisely and CVAT, which number classes in a database and not in masks."""
    tools = {"title", "shape"} <= set(entry) or {"attributes", "color"} <= set(entry)
    return {key: value for key, value in entry.items() if not (tools and key == "id")}


def _read_object(where: object, found: Mapping[str, Any], request: ListRequest) -> list[ClassRow]:
    numbered = bool(found) and all(re.fullmatch(r"-?\d+", key.strip()) for key in found)
    values = list(found.values())
    if found and all(isinstance(value, dict) for value in values):
        own = "number" if numbered else "name"
        records = [{own: key, **value, LOCATION: f"entry {key!a}"} for key, value in found.items()]
        return read_records(where, records, request, by_position=False)
    if numbered and all(isinstance(value, str) for value in values):
        return [ClassRow(parse_class_number(key), value) for key, value in found.items()]
    if numbered and all(
        isinstance(value, list) and value and all(isinstance(w, str) for w in value) for value in values
    ):
        return [ClassRow(parse_class_number(key), " ".join(value)) for key, value in found.items()]
    if found and all(isinstance(value, int) and not isinstance(value, bool) for value in values) and not numbered:
        return [ClassRow(value, name) for name, value in found.items()]
    colors = [parse_color(value) for value in values]
    if found and None not in colors:
        return [ClassRow(None, name, "", color) for name, color in zip(found, colors, strict=True)]
    colors = [parse_color(key) for key in found]
    if found and None not in colors and all(isinstance(value, str) for value in values):
        return [ClassRow(None, name, "", color) for name, color in zip(values, colors, strict=True)]
    raise _make_structure_error(where, found)


def _make_structure_error(where: object, found: Any) -> DataFileError:
    kind = "an object" if isinstance(found, dict) else "a list" if isinstance(found, list) else type(found).__name__
    held = f" with the keys {', '.join(map(ascii, list(found)[:5]))}" if isinstance(found, dict) and found else ""
    return DataFileError(
        f"{where}: expected a JSON list of names, an object number → name, or objects with a name and an id or color, got "
        f"{kind}{held}, which is none of these"
    )


def is_yaml(path: Path, text: str) -> bool:
    """Return whether a text is YAML, by its ending or its lines."""
    return path.suffix.lower() in (".yaml", ".yml") or recognize_other(text) == "YAML"


def read_yaml_classes(path: Path, _: str, request: ListRequest) -> list[ClassRow]:
    """Return the classes in a YAML file; the names of YOLO's ``data.yaml`` are numbered from 0."""
    content = read_yaml(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [ClassRow(number, name) for number, name in enumerate(names, start=request.first or 0)]
    return parse_json_classes(path, _convert_numbers(content), request)


def _convert_numbers(content: Any) -> Any:
    """Return an object whose values are converted to integers if all of them are texts of integers."""
    if not isinstance(content, dict):
        return content
    if content and all(isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value) for value in content.values()):
        return {key: int(value) for key, value in content.items()}
    return {key: _convert_numbers(value) for key, value in content.items()}
