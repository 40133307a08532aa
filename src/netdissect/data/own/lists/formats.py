"""The table of class-list formats: how each is recognised, and how it is read into rows.

| format | recognised by | numbers |
|---|---|---|
| a name a line | no line that begins with a number | from 1; from 0 behind one name for nothing, as labelme's behind two |
| ``number: name``, ``name: number`` | every line | those |
| palettes: ``r g b name``, ``name r g b``, with a number before it or not | every line | the number, else none |
| CVAT's ``labelmap.txt`` | its first line | from 0 |
| tables with a first line (.csv, .tsv, .txt) | a column of names | a column of numbers; else from 1 |
| Roboflow's ``_classes.csv`` | ``Pixel Value, Class`` | those |
| Cityscapes' table of labels | a column ``trainId`` | ``id``, or ``trainId`` if it is asked for |
| ADE20K's ``objectInfo150`` | ``Idx``, ``Ratio`` … | ``Idx`` |
| JSON | see `json_kinds` | |
| YAML | its ending, or lines ``key:`` | as in JSON; ``names`` of YOLO's ``data.yaml`` from 0 |
| XML, Python and the rest | its ending or first characters | refused by name |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.data.own.lists import json_kinds, lines, records, yaml_kinds
from netdissect.data.own.lists.refused import other_kind, refuse, refuse_by_ending
from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.data.own.lists.rows import Asked, Row


def read_rows(path: Path, asked: Asked) -> list[Row]:
    """Return the classes that a file lists.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is of no format of the table, or cannot be understood whole.
    """
    refuse_by_ending(path)
    text = read_text(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    for recognised, read in _FORMATS:
        if recognised(path, text):
            return read(path, text, asked)
    raise AssertionError  # the last format takes anything


def _is_json(path: Path, text: str) -> bool:
    return path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "[")


def _is_cvat(_: Path, text: str) -> bool:
    return text.startswith("# label:color_rgb")


def _is_another(_: Path, text: str) -> bool:
    return other_kind(text) is not None


def _read_another(path: Path, text: str, _: Asked) -> list[Row]:
    refuse(path, other_kind(text) or "another file")


def _always(_: Path, __: str) -> bool:
    return True


#: Asked in this order; the first that recognises a file reads it.
_FORMATS: tuple[tuple[Callable[[Path, str], bool], Callable[[Path, str, Asked], list[Row]]], ...] = (
    (_is_json, json_kinds.read_json),
    (_is_cvat, lines.read_cvat),
    (records.is_object_info, records.read_object_info),
    (records.has_a_header, records.read_table),
    (yaml_kinds.is_yaml, yaml_kinds.read_yaml_rows),
    (_is_another, _read_another),
    (_always, lines.read_lines),
)
