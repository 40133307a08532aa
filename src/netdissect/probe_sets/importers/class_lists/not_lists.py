"""Recognize and refuse files that are not class lists; the error says what to give instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from pathlib import Path

_ADVICE = "write a name per line, lines 'number: name', a .csv with a column 'name' or a .json, and give that"
_OTHER_SUFFIXES = {
    ".xml": "an XML file", ".toml": "a TOML file", ".py": "a Python file",
    ".ini": "an INI file", ".pkl": "a pickle", ".npy": "an array", ".npz": "an array", ".mat": "a MATLAB file",
    ".pbtxt": "a protocol-buffer text", ".xlsx": "a spreadsheet", ".xls": "a spreadsheet", ".parquet": "a Parquet file",
    ".html": "a web page",
}  # fmt: skip


def refuse_by_suffix(path: Path) -> None:
    """Raise DataFileError for a file whose ending is not that of a class list."""
    kind = _OTHER_SUFFIXES.get(path.suffix.lower())
    if kind is not None and path.is_file():
        refuse_class_list(path, kind)


def refuse_class_list(path: Path, kind: str) -> NoReturn:
    """Raise DataFileError for a file of another kind."""
    raise DataFileError(f"{path}: expected a class list, got {kind}: {_ADVICE}")


def recognize_other(text: str) -> str | None:
    """Return the kind of a text that is not a class list; None if it may be one."""
    start = text.lstrip()[:200]
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if start.startswith("<"):
        return "an XML file or web page"
    if "\0" in text[:4096]:
        return "a file that is no text in UTF-8"
    if start.startswith(("---", "%YAML")) or any(re.fullmatch(r"[\w.-]+:(\s*\[.*|\s*\{.*)?", line) for line in lines):
        return "YAML"
    if lines and all(line.startswith("- ") for line in lines):
        return "YAML"
    if any(re.match(r"(import|from)\s+\w+|(def|class)\s+\w+.*:$|\w+\s*=\s*[\[({]", line) for line in lines):
        return "a Python file"
    if any(re.fullmatch(r"\w+\s*\{", line) for line in lines):
        return "a protocol-buffer text"
    return None
