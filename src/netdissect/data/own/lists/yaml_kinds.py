"""Class lists in YAML: YOLO's ``data.yaml``, SemanticKITTI's labels, and the shapes that lists in JSON have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netdissect.data.own.lists.json_kinds import rows_of
from netdissect.data.own.lists.refused import other_kind
from netdissect.data.own.lists.rows import Row
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.yaml_files import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.data.own.lists.rows import Asked


def is_yaml(path: Path, text: str) -> bool:
    """Say whether a text is YAML, by its ending or its lines."""
    return path.suffix.lower() in (".yaml", ".yml") or other_kind(text) == "YAML"


def read_yaml_rows(path: Path, _: str, asked: Asked) -> list[Row]:
    """Return the classes that a YAML file lists; the names of YOLO's ``data.yaml`` count from 0.

    Raises:
        DataFileError: if it is no YAML, or lists classes in no known shape.
    """
    told = read_yaml(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    names = told.get("names") if isinstance(told, dict) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return [Row(number, name) for number, name in enumerate(names, start=asked.first or 0)]
    return rows_of(path, _numbers(told), asked)


def _numbers(told: Any) -> Any:
    """Return a table of texts with numbers where all that it names are numbers: name → number."""
    if not isinstance(told, dict):
        return told
    if told and all(isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value) for value in told.values()):
        return {key: int(value) for key, value in told.items()}
    return {key: _numbers(value) for key, value in told.items()}
