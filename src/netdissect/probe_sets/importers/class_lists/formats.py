"""The table of class-list formats: how each is recognized, and how it is read into rows.

| format | recognized by | numbers |
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

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text
from netdissect.probe_sets.importers.class_lists import columns, json_kinds, lines, yaml_kinds
from netdissect.probe_sets.importers.class_lists.not_lists import recognize_other, refuse_by_suffix, refuse_class_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.probe_sets.importers.class_lists.rows import ClassRow, ListRequest


def read_class_rows(path: Path, asked: ListRequest) -> list[ClassRow]:
    """Return the classes that a file lists.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is of no format of the table, or cannot be understood whole.
    """
    refuse_by_suffix(path)
    text = read_text(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    for recognized, read in _FORMATS:
        if recognized(path, text):
            return read(path, text, asked)
    raise AssertionError  # the last format takes anything


def _is_json(path: Path, text: str) -> bool:
    return path.suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "[")


def _is_cvat(_: Path, text: str) -> bool:
    return text.startswith("# label:color_rgb")


def _is_other(_: Path, text: str) -> bool:
    return recognize_other(text) is not None


def _refuse_other(path: Path, text: str, _: ListRequest) -> list[ClassRow]:
    refuse_class_list(path, recognize_other(text) or "another file")


def _is_any(_: Path, __: str) -> bool:
    return True


#: Asked in this order; the first that recognizes a file reads it.
_FORMATS: tuple[tuple[Callable[[Path, str], bool], Callable[[Path, str, ListRequest], list[ClassRow]]], ...] = (
    (_is_json, json_kinds.read_json_classes),
    (_is_cvat, lines.read_cvat_labelmap),
    (columns.is_object_info, columns.read_object_info),
    (columns.has_header, columns.read_class_table),
    (yaml_kinds.is_yaml, yaml_kinds.read_yaml_classes),
    (_is_other, _refuse_other),
    (_is_any, lines.read_class_lines),
)
