"""Class lists in YAML: YOLO's ``data.yaml``, SemanticKITTI's labels, and the shapes that lists in JSON have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.yaml_files import read_yaml
from netdissect.probe_sets.importers.class_lists.json_kinds import parse_json_classes
from netdissect.probe_sets.importers.class_lists.not_lists import recognize_other
from netdissect.probe_sets.importers.class_lists.rows import ClassRow

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.probe_sets.importers.class_lists.rows import ListRequest


def is_yaml(path: Path, text: str) -> bool:
    """Say whether a text is YAML, by its ending or its lines."""
    return path.suffix.lower() in (".yaml", ".yml") or recognize_other(text) == "YAML"


def read_yaml_classes(path: Path, _: str, asked: ListRequest) -> list[ClassRow]:
    """Return the classes that a YAML file lists; the names of YOLO's ``data.yaml`` count from 0.

    Raises:
        DataFileError: if it is no YAML, or lists classes in no known shape.
    """
    told = read_yaml(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    names = told.get("names") if isinstance(told, dict) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [ClassRow(number, name) for number, name in enumerate(names, start=asked.first or 0)]
    return parse_json_classes(path, _convert_numbers(told), asked)


def _convert_numbers(told: Any) -> Any:
    """Return a table of texts with numbers where all that it names are numbers: name → number."""
    if not isinstance(told, dict):
        return told
    if told and all(isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value) for value in told.values()):
        return {key: int(value) for key, value in told.items()}
    return {key: _convert_numbers(value) for key, value in told.items()}
