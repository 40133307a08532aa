"""The formats of class lists: how each is recognized, and what numbers its classes have.

| format | recognized by | numbers |
|---|---|---|
| a name per line | no line begins with a number | from 1; from 0 if the first name means no label; from -1 if labelme's two names for no label come first |
| ``number: name``, ``name: number`` | every line | those |
| palettes: ``r g b name``, ``name r g b``, perhaps after a number | every line | the number, if any |
| CVAT's ``labelmap.txt`` | its first line | from 0 |
| tables with a first line (.csv, .tsv, .txt) | a column of names | a column of numbers; else from 1 |
| Roboflow's ``_classes.csv`` | ``Pixel Value, Class`` | those |
| Cityscapes' table of labels | a column ``trainId`` | ``id``, or ``trainId`` if asked for |
| ADE20K's ``objectInfo150`` | ``Idx``, ``Ratio`` … | ``Idx`` |
| JSON | see `structured` | |
| YAML | its ending, or lines ``key:`` | as in JSON; ``names`` of YOLO's ``data.yaml`` from 0 |
| XML, Python and the rest | its ending or first characters | refused by name |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import DataFileError, DataNotFoundError
from netdissect.io.reading import read_text
from netdissect.probe_sets.importers.class_lists import columns, lines, structured
from netdissect.probe_sets.importers.class_lists.not_lists import recognize_other, refuse_by_suffix, refuse_class_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netdissect.probe_sets.importers.class_lists.rows import ClassRow, ListRequest


def read_class_rows(path: Path, request: ListRequest) -> list[ClassRow]:
    """Return the classes in a file.

    Raises:
        DataNotFoundError: if there is no such file.
        DataFileError: if it has none of the formats, or a part of it cannot be read.
    """
    refuse_by_suffix(path)
    text = read_text(path, "the class list", missing=DataNotFoundError, wrong=DataFileError)
    for recognized, read in _FORMATS:
        if recognized(path, text):
            return read(path, text, request)
    raise AssertionError  # the last format accepts any file


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


#: The first format that recognizes a file reads it.
_FORMATS: tuple[tuple[Callable[[Path, str], bool], Callable[[Path, str, ListRequest], list[ClassRow]]], ...] = (
    (_is_json, structured.read_json_classes),
    (_is_cvat, lines.read_cvat_labelmap),
    (columns.is_object_info, columns.read_object_info),
    (columns.has_header, columns.read_class_table),
    (structured.is_yaml, structured.read_yaml_classes),
    (_is_other, _refuse_other),
    (_is_any, lines.read_class_lines),
)
